"""A wire that is waited for in short pieces, and without an end."""

from __future__ import annotations

import math

import pytest

from meterctl.errors import NoAnswerError
from meterctl.transports import Notice, Transport, short_waits


class Wire:
    """A wire that went away."""

    name, framed, character_us, silence_ms, pause_ms = "wire", False, 1146, 4, 0

    def __init__(self) -> None:
        self.waits: list[int] = []
        self.sent = b""
        self.is_closed = False

    def prepare(self, timeout_ms: int) -> None:
        """Wait in vain."""
        self.waits.append(timeout_ms)
        raise NoAnswerError("it went away")

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Take bytes."""
        self.sent += data

    def receive(self, timeout_ms: int) -> bytes:
        """Return what was sent."""
        return self.sent

    def close(self) -> None:
        """Close it."""
        self.is_closed = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.mark.parametrize(("try_ms", "longest_ms"), [(5_000, 1_000), (400, 400)])
def test_one_try_waits_as_for_a_silent_meter_and_a_second_at_most_however_often(
    wire: Wire, try_ms: int, longest_ms: int
) -> None:
    patient = short_waits.ShortWaits(wire, try_ms)
    for timeout_ms in (14_500, 300, 14_500):
        with pytest.raises(NoAnswerError):
            patient.prepare(timeout_ms)
    assert wire.waits == [longest_ms, 300, longest_ms]


def test_it_is_the_wire_in_everything_else(wire: Wire) -> None:
    patient: Transport = short_waits.ShortWaits(wire, 1_000)
    assert (patient.name, patient.framed, patient.character_us) == ("wire", False, 1146)
    assert (patient.silence_ms, patient.pause_ms) == (4, 0)
    patient.send(b"ask", 100)
    assert patient.receive(100) == b"ask"
    patient.close()
    assert wire.is_closed


def test_its_patience_has_no_end(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object]] = []

    def opened(port: str, notice: Notice, patience_s: float) -> Wire:
        asked.append((port, patience_s))
        return wire

    monkeypatch.setattr(short_waits, "open_transport", opened)
    short_waits.open_patiently("m.tty", lambda _: None, 1_000)
    assert asked == [("m.tty", math.inf)]
