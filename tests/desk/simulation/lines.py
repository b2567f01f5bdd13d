"""The line between a worker and its meters: it lies as its draws say, and its host may crash."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from protocols.modbus.native_map import NATIVE_MAP
from tests.support.racks import rtu_server
from tests.support.wire import PipeTransport

_EXCHANGE = 0x17
HONEST, LYING, WILD = 0, 4, 25
"""Lies in a hundred exchanges."""


class HostCrashError(BaseException):
    """The worker's process ended: nothing of it runs on, and none of its handlers counts."""


class Lie(StrEnum):
    """What a line makes of an exchange."""

    REQUEST_LOST = "request_lost"
    REPLY_LOST = "reply_lost"
    LATE = "late"
    """The reply arrives with the next one."""
    TWICE = "twice"
    """The request arrives twice."""
    REQUEST_DAMAGED = "request_damaged"
    REPLY_DAMAGED = "reply_damaged"


class KillPoint(StrEnum):
    """Where a worker dies: the steps of an order, and within its delivery."""

    SENDING = "sending"
    PREPARED = "prepared"
    SENT = "sent"
    SETTLED = "settled"
    POSTED = "posted"
    ANY = "any"
    """After some number of exchanges."""


@dataclass(slots=True)
class Time:
    """The time of the line, of the meters and of the desk: us since the seed began."""

    began_ms: int
    now_us: int = 0

    def now_ms(self) -> int:
        """Return the desk's clock, ms since 1970 UTC."""
        return self.began_ms + self.now_us // 1000


@dataclass
class LineState:
    """What the line does now; `silent` holds the units that do not answer."""

    random: Random
    lies_in_100: int = HONEST
    silent: set[int] = field(default_factory=set)
    dies_at: KillPoint | None = None
    dies_in: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def draw(self) -> Lie | None:
        """Return the lie of the next exchange."""
        if self.random.randrange(100) >= self.lies_in_100:
            return None
        lie = self.random.choice(tuple(Lie))
        self.seen[f"lie: {lie}"] += 1
        return lie

    def die_at(self, point: KillPoint) -> None:
        """Crash if this is where the worker dies."""
        if self.dies_at is point:
            self.dies_at = None
            self.seen[f"killed: {point}"] += 1
            raise HostCrashError


class LyingPipe(PipeTransport):
    """A pipe to meters on a serial line, as `LineState` says."""

    def __init__(self, rack: Rack, time: Time, state: LineState) -> None:
        self._time, self._state = time, state
        super().__init__(Line(rtu_server(rack)))
        self._late = b""
        self._sent = False

    @property
    def now_us(self) -> int:
        """The time of all, which never decreases."""
        return self._time.now_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        self._time.now_us = max(self._time.now_us, value)

    def pause(self, ms: int) -> None:
        """Advance the time."""
        self.now_us += 1000 * ms

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send a request; queue what arrives of its reply."""
        state = self._state
        delivers = is_delivery(data)
        self._count_down()
        if delivers:
            state.die_at(KillPoint.PREPARED)
        self.exchanges += 1
        self.now_us += 1_000
        lie = None if data[0] in state.silent else state.draw()
        lost = data[0] in state.silent or lie is Lie.REQUEST_LOST
        asked = _damaged(data, state.random) if lie is Lie.REQUEST_DAMAGED else data
        reply = b"" if lost else self.line.receive(asked, self.now_us)
        if lie is Lie.TWICE:
            reply += self.line.receive(asked, self.now_us)
        if delivers and not lost:
            state.die_at(KillPoint.SENT)
        arrived, self._late = self._late, b""
        match lie:
            case Lie.REPLY_LOST:
                reply = b""
            case Lie.LATE:
                self._late, reply = reply, b""
            case Lie.REPLY_DAMAGED if reply:
                reply = _damaged(reply, state.random)
        self._arrived += arrived + reply

    def receive(self, timeout_ms: int) -> bytes:
        """Receive; a crash here loses what arrived."""
        data = super().receive(timeout_ms)
        self._count_down()
        return data

    def _count_down(self) -> None:
        state = self._state
        if state.dies_at is KillPoint.ANY:
            state.dies_in -= 1
            if state.dies_in <= 0:
                state.die_at(KillPoint.ANY)


def is_delivery(data: bytes) -> bool:
    """Return whether a request hands over the last part of a sealed message."""
    windows = NATIVE_MAP.windows
    assert windows is not None
    return data[1] == _EXCHANGE and int.from_bytes(data[6:8], "big") == windows.message


def _damaged(data: bytes, random: Random) -> bytes:
    """Return bytes with one of them changed."""
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ random.randint(1, 255)]) + data[at + 1 :]
