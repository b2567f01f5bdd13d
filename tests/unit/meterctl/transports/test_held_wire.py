"""The wire of a shell: held, but not with a reply on it that is not for the next command."""

from __future__ import annotations

import pytest

from meterctl.errors import (
    CorruptAnswerError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.transports.held_wire import HeldWire


class Wire:
    """A transport on which bytes wait."""

    name = "m1.tty"
    character_us = silence_ms = pause_ms = 0

    def __init__(self, *, framed: bool) -> None:
        self.framed = framed
        self.waiting: list[bytes | Exception] = []
        self.is_open = True

    def prepare(self, timeout_ms: int) -> None:
        """Do nothing."""

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Do nothing."""

    def receive(self, timeout_ms: int) -> bytes:
        """Return what waits."""
        piece = self.waiting.pop(0) if self.waiting else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Close it."""
        self.is_open = False


class Opened:
    """Opens wires, and keeps them."""

    def __init__(self, *, framed: bool) -> None:
        self.framed = framed
        self.wires: list[Wire] = []

    def __call__(self) -> Wire:
        self.wires.append(Wire(framed=self.framed))
        return self.wires[-1]


def use(held: HeldWire, opened: Opened, error: BaseException | None = None) -> None:
    with held.opened("m1.tty", 100, opened):
        if error is not None:
            raise error


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("error", [UsageError("a"), RefusedError("b"), NotPermittedError("c")])
def test_a_command_that_ended_with_its_last_reply_leaves_the_wire(
    framed: bool, error: Exception
) -> None:
    held, opened = HeldWire(), Opened(framed=framed)
    with pytest.raises(type(error)):
        use(held, opened, error)
    wire = opened.wires[0]
    wire.waiting = [b"noise"]
    use(held, opened)
    assert len(opened.wires) == 1
    assert wire.waiting == [b"noise"], "the driver's to find"
    held.release()
    assert not wire.is_open


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), NoAnswerError("a"), CorruptAnswerError("b"), UnknownOutcomeError("c")],
)
def test_a_reply_that_may_still_come_reaches_no_other_command(error: BaseException) -> None:
    held, opened = HeldWire(), Opened(framed=True)
    with pytest.raises(type(error)):
        use(held, opened, error)
    assert not opened.wires[0].is_open, "a connection is made again"
    use(held, opened)
    assert len(opened.wires) == 2

    held, opened = HeldWire(), Opened(framed=False)
    with pytest.raises(type(error)):
        use(held, opened, error)
    wire = opened.wires[0]
    assert wire.is_open, "a serial port stays open: closing it can reset an adapter"
    wire.waiting = [b"late", b"reply"]
    use(held, opened)
    assert (wire.waiting, len(opened.wires)) == ([], 1)


def test_an_adapter_that_went_away_is_left_to_the_transport() -> None:
    held, opened = HeldWire(), Opened(framed=False)
    with pytest.raises(NoAnswerError):
        use(held, opened, NoAnswerError("the port went away"))
    opened.wires[0].waiting = [NoAnswerError("the port went away")]
    use(held, opened)
    assert len(opened.wires) == 1


def test_a_fault_of_the_program_closes_the_wire() -> None:
    held, opened = HeldWire(), Opened(framed=False)
    with pytest.raises(ZeroDivisionError):
        use(held, opened, ZeroDivisionError())
    assert not opened.wires[0].is_open


def test_another_port_closes_the_first() -> None:
    held, opened = HeldWire(), Opened(framed=False)
    use(held, opened)
    with held.opened("m2.tty", 100, opened) as wire:
        assert wire is opened.wires[1]
    assert [each.is_open for each in opened.wires] == [False, True]
