"""A wire reads what waits before its line learns that time has passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.assembly import build
from firmware_sim.hosting import wires
from firmware_sim.hosting.wires import Wire
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from protocols.modbus import rtu
from protocols.modbus.pdu import read_request
from tests.support.racks import rtu_server

READ = rtu.encode(1, read_request(3, 0, 10))


class Timer:
    """A timer that fires when the test says so."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work, self.is_cancelled = work, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """The part of an event loop that a wire uses."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, _: float, work: Callable[[], None]) -> Timer:
        self.timers.append(Timer(work))
        return self.timers[-1]

    def fire(self) -> None:
        (timer,) = [timer for timer in self.timers if not timer.is_cancelled]
        self.timers.clear()
        timer.work()


class Host:
    """The part of a host that a wire uses."""

    def __init__(self) -> None:
        self.loop: Any = Loop()
        self.tap: Callable[[str, bytes], None] | None = None

    def fail(self, error: Exception) -> None:
        raise error


class Port(Wire):
    """A wire whose bytes wait in `waiting` until they are read."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, Line(rtu_server(Rack([(1, build(MeterDescription()))], 0))))
        self.waiting = b""
        self.sent = b""

    def take_waiting(self) -> bool:
        data, self.waiting = self.waiting, b""
        if data:
            self.take(data)
        return bool(data)

    def send(self, out: bytes) -> None:
        self.sent += out

    def hang_up(self) -> None:
        raise AssertionError("nothing hangs up here")

    def end(self) -> None:
        """Do nothing."""


@pytest.fixture
def now_us(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the line time, which a test sets."""
    now = [0]
    monkeypatch.setattr(wires, "line_time", lambda: now[0])
    return now


@pytest.mark.parametrize("cut", range(1, len(READ)))
def test_bytes_that_waited_while_the_process_was_busy_are_no_silence(
    cut: int, now_us: list[int]
) -> None:
    host = Host()
    port = Port(host)
    port.take(READ[:cut])
    port.waiting = READ[cut:]
    now_us[0] = 60_000_000
    host.loop.fire()
    assert port.sent[:3] == b"\1\3\x14"
    assert not host.loop.timers


@pytest.mark.parametrize("cut", range(1, len(READ)))
def test_a_silence_without_waiting_bytes_ends_a_request(cut: int, now_us: list[int]) -> None:
    host = Host()
    port = Port(host)
    port.take(READ[:cut])
    now_us[0] = 60_000_000
    host.loop.fire()
    assert not host.loop.timers
    port.take(READ[cut:])
    assert port.sent == b""


def test_waiting_bytes_that_are_not_the_rest_are_followed_by_another_silence(
    now_us: list[int],
) -> None:
    host = Host()
    port = Port(host)
    port.take(READ[:2])
    for waiting in (READ[2:4], READ[4:6], READ[6:]):
        port.waiting = waiting
        now_us[0] += 60_000_000
        host.loop.fire()
    assert port.sent[:3] == b"\1\3\x14"
