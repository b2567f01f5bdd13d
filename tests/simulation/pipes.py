"""The pipes of the simulation: crashing hosts, lines that hang up, pulled cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from firmware_sim.hal.nvram import PowerCutError
from firmware_sim.servers.line import Line
from protocols.card.applet import Card
from protocols.errors import CardGoneError
from tests.support.wire import PipeTransport


class HostCrashError(BaseException):
    """The host's process ended: no code of it runs on, and none of its handlers."""


@dataclass(slots=True)
class Time:
    """The time of all lines, us."""

    now_us: int = 0


class CrashingPipe(PipeTransport):
    """A pipe whose host may crash at any send or receive, and whose line may hang up and return.

    `meanwhile` is called with every request before it is sent: there another host may act.
    """

    def __init__(self, time: Time, make_line: Callable[[], Line], framed: bool) -> None:
        self._time = time
        super().__init__(make_line(), framed=framed)
        self._make_line = make_line
        self.dies_in: int | None = None
        self.meanwhile: Callable[[bytes], None] = lambda _: None

    @property
    def now_us(self) -> int:
        """The time of all lines, which never decreases."""
        return self._time.now_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        self._time.now_us = max(self._time.now_us, value)

    def pause(self, ms: int) -> None:
        """Advance the time."""
        self.now_us += 1000 * ms

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send; on a new line if the old one hung up and has returned."""
        self.meanwhile(data)
        self._perhaps_die()
        if self.line.closed and self.now_us >= (self.line.returns_at_us or 0):
            self.new_line()
        super().send(data, timeout_ms)
        self._perhaps_die()

    def new_line(self) -> None:
        """Connect a new line; bytes in transit on the old one are dropped."""
        self.prepare(0)
        self.line = self._make_line()

    def receive(self, timeout_ms: int) -> bytes:
        """Receive; a crash here loses the received bytes."""
        data = super().receive(timeout_ms)
        self._perhaps_die()
        return data

    def _perhaps_die(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                self.dies_in = None
                raise HostCrashError


class CardContacts:
    """A card's contacts: the card may be pulled, lose power in a write, or its host may crash."""

    def __init__(self, card: Card, rng: Random, host_dies: bool) -> None:
        self.card = card
        self.left = rng.choice((None, None, rng.randint(0, 30)))
        self.dies_in = rng.randint(1, 30) if host_dies else None

    def __call__(self, command: bytes) -> bytes:
        """Send a command to the card."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                raise HostCrashError
        if self.left is not None:
            if self.left <= 0:
                raise CardGoneError("the card was pulled")
            self.left -= 1
        try:
            return self.card.apdu(command)
        except PowerCutError:
            self.left = 0
            raise CardGoneError("the card lost its power") from None
