"""A line is listened to: frames as they pass, silences, a port that goes away and comes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

import pytest

from meterctl.drivers.table import MODBUS
from meterctl.errors import NoAnswerError
from meterctl.operations.monitoring import (
    ADAPTER_MS,
    GARBAGE_BYTES,
    GarbageWatch,
    LineMonitor,
    RelayMonitor,
)
from protocols.decoded_frames import DecodedFrame, DecoderOptions, RelayedData, RelayEvent
from protocols.faults import Way
from protocols.modbus import tcp
from protocols.modbus.rtu import encode

NOW_US = 1_767_225_600_000_000
READ = encode(1, bytes.fromhex("03 0040 0002"))
OTHER = encode(2, bytes.fromhex("03 0040 0002"))
REPLY = encode(1, bytes.fromhex("03 04 000007d0"))
Step = tuple[int, bytes] | None
"""A wait in ms and the bytes after it; None: the port goes away."""


class ScriptedLine:
    """A transport in virtual time that hands over what a script says, and then is silent."""

    framed = False
    name = "line"
    character_us, silence_ms, pause_ms = 1042, 4, 0

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = [*steps]
        self.now_us = NOW_US
        self.prepared = 0
        self.sent: list[bytes] = []

    def clock_us(self) -> int:
        return self.now_us

    def prepare(self, timeout_ms: int) -> None:
        self.prepared += 1

    def send(self, data: bytes, timeout_ms: int) -> None:
        self.sent.append(data)

    def receive(self, timeout_ms: int) -> bytes:
        if not self._steps:
            self.now_us += 1000 * timeout_ms
            return b""
        step = self._steps[0]
        if step is None:
            del self._steps[0]
            raise NoAnswerError("the port went away")
        wait_ms, data = step
        passed = min(wait_ms, timeout_ms)
        self.now_us += 1000 * passed
        if passed < wait_ms:
            self._steps[0] = (wait_ms - passed, data)
            return b""
        del self._steps[0]
        return data

    def close(self) -> None:
        """Nothing is open."""


def listen(*steps: Step, for_ms: int = 3000) -> tuple[list[DecodedFrame], ScriptedLine]:
    """Return what a monitor shows of a script."""
    line = ScriptedLine(steps)
    kept: list[bytes] = []
    monitor = LineMonitor(line, MODBUS.decoder(DecoderOptions()), line.clock_us, kept.append)
    found = [*monitor.frames(NOW_US + 1000 * for_ms)]
    assert b"".join(kept) == b"".join(frame.raw for frame in found)
    assert line.sent == []
    return found, line


def test_packets_of_an_adapter_are_whole_frames() -> None:
    packets = [(16, READ[at : at + 3]) for at in range(0, len(READ), 3)]
    found, _ = listen(*packets, (16, REPLY))
    assert [frame.raw for frame in found] == [READ, REPLY]
    assert found[0].at_us == NOW_US + 16_000


def test_a_silence_ends_what_is_not_whole_before_the_next_frame_comes() -> None:
    found, _ = listen((1, READ[:5]), (500, READ), (10, REPLY))
    assert [frame.raw for frame in found] == [READ[:5], READ, REPLY]
    assert [frame.is_frame for frame in found] == [False, True, True]


def test_a_frame_is_shown_before_the_next_byte_comes() -> None:
    line = ScriptedLine([(1, READ[:5]), (1, READ[5:]), (10_000, REPLY)])
    monitor = LineMonitor(line, MODBUS.decoder(DecoderOptions()), line.clock_us, lambda _: None)
    (first,) = islice(monitor.frames(), 1)
    assert first.raw == READ
    assert line.now_us < NOW_US + 1000 * ADAPTER_MS


def test_a_request_tells_which_before_it_had_no_reply() -> None:
    found, _ = listen((1, READ), (100, OTHER), (100, READ), (5, REPLY), (100, READ))
    left = [json.loads(frame.decoded.get("unanswered", "null")) for frame in found]
    assert left == [[], [1], [2], None, []]


def test_a_port_that_goes_away_is_waited_for() -> None:
    found, line = listen((1, READ[:4]), None, None, (1, READ))
    assert [frame.raw for frame in found] == [READ[:4], READ]
    assert line.prepared > 3


def test_it_ends_at_its_time_and_shows_what_waited() -> None:
    found, line = listen((1, READ[:4]), (10, b"\x00"), for_ms=20)
    assert [frame.raw for frame in found] == [READ[:4] + b"\x00"]
    assert line.now_us == NOW_US + 20_000


def test_what_waits_is_there_after_an_interrupt() -> None:
    line = ScriptedLine([(1, READ[:4])])

    def interrupted(_: bytes) -> None:
        line.receive = lambda _: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]

    monitor = LineMonitor(line, MODBUS.decoder(DecoderOptions()), line.clock_us, interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(monitor.frames())
    assert [frame.raw for frame in monitor.rest()] == [READ[:4]]


def test_the_settings_of_the_port_are_doubted_once_for_each_run_of_garbage() -> None:
    watch = GarbageWatch()
    noise, _ = listen((1, b"\xfe" * (GARBAGE_BYTES // 2)))
    right, _ = listen((1, READ))
    doubts = [watch.is_doubtful(frame) for frame in (*noise * 5, *right, *noise * 3)]
    assert [place for place, is_doubtful in enumerate(doubts) if is_doubtful] == [1, 7]


class ScriptedRelay:
    """A relay in virtual time that tells what a script says."""

    def __init__(self, steps: Sequence[RelayedData]) -> None:
        self._steps = [*steps]
        self.now_us = NOW_US

    def clock_us(self) -> int:
        return self.now_us

    def receive(self, timeout_ms: int) -> list[RelayedData]:
        self.now_us += 1000 * (1 if self._steps else timeout_ms)
        return [self._steps.pop(0)] if self._steps else []


def test_connections_of_a_relay_are_paired_apart_and_numbered_together() -> None:
    ends = [(("192.0.2.1", 50_000 + number), ("192.0.2.2", 502)) for number in (1, 2)]
    read, reply = bytes.fromhex("03 0040 0002"), bytes.fromhex("03 04 000007d0")
    steps = [RelayedData(number, *ends[number], RelayEvent.OPENED) for number in (0, 1)]
    steps += [
        RelayedData(number, *ends[number], RelayEvent.DATA, way, tcp.encode(1, 1, pdu))
        for way, pdu in ((Way.REQUEST, read), (Way.REPLY, reply))
        for number in (0, 1)
    ]
    steps += [
        RelayedData(1, *ends[1], RelayEvent.DATA, Way.REQUEST, tcp.encode(2, 1, read)),
        RelayedData(1, *ends[1], RelayEvent.ENDED, Way.REQUEST),
    ]
    relay = ScriptedRelay(steps)
    passed: list[RelayedData] = []
    monitor = RelayMonitor(
        relay, MODBUS.decoder, DecoderOptions(), relay.clock_us, lambda _, each: passed.append(each)
    )
    found = [*monitor.frames(NOW_US + 100_000)]
    assert passed == steps
    assert [frame.decoded["number"] for frame in found] == ["1", "2", "3", "4", "5"]
    assert [frame.decoded.get("answers") for frame in found] == [None, None, "1", "2", None]
    assert {frame.decoded["conversation"] for frame in found} == {
        '"192.0.2.1:50001"',
        '"192.0.2.1:50002"',
    }
    assert monitor.unanswered() == 1
