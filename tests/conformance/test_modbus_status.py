"""The window of the sealed status in raw frames: question, status, refusals, separate sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protocols.keys import authentication_code, development_keys
from tests.conformance.running import Running, running
from tests.conformance.wire import (
    RtuWire,
    TcpWire,
    Wire,
    read,
    refusal,
    rtu,
    words,
    write_registers,
)

QUESTION = 0x1700
QUESTION_SIZE = 7
STATUS = 0x1707
STATUS_SIZE = 68
"""Registers: the size in bytes, then 134 bytes."""
NONCE = (0x0011, 0x2233, 0x4455, 0x6677)
OTHER_NONCE = (0x8899, 0xAABB, 0xCCDD, 0xEEFF)
JOURNAL = (0x0A0B, 0x0C0D)
NO_STATUS = bytes(2 * STATUS_SIZE)


def question(nonce: tuple[int, ...] = NONCE, version: int = 0) -> tuple[int, ...]:
    """Return the registers of a question."""
    return (*nonce, *JOURNAL, version)


def ask_and_read(*values: int, at: int = STATUS, count: int = STATUS_SIZE) -> bytes:
    """Return the PDU of function 23 that writes the question and reads the status."""
    head = b"\x17" + words(at, count, QUESTION, len(values))
    return head + bytes([2 * len(values)]) + words(*values)


def registers(
    wire: Wire, address: int = STATUS, count: int = STATUS_SIZE, function: int = 3
) -> bytes:
    """Read registers; return their bytes."""
    reply = wire.ask(1, read(function, address, count))
    assert reply[:2] == bytes([function, 2 * count]), reply.hex(" ")
    return reply[2:]


def hold(data: bytes, nonce: tuple[int, ...] = NONCE) -> bytes:
    """Assert that registers hold a genuine status for a question; return the status."""
    assert len(data) == 2 * STATUS_SIZE
    assert data[:2] == words(134)
    status = data[2:]
    assert status[:8] == bytes.fromhex("42 00 000000000001")
    assert status[12:24] == words(*nonce, *JOURNAL)
    assert status[24:34] == bytes.fromhex("00 01 009c 000000000000"), "version, open, CNY, customer"
    key = development_keys("000000000001").credit
    assert status[118:] == authentication_code(key, status[:118])
    return status


@contextmanager
def another(meters: Running) -> Iterator[TcpWire]:
    """Open and yield another connection."""
    with TcpWire(meters.tcp) as wire:
        yield wire


def test_a_question_by_function_16_and_the_status_by_function_3(wire: Wire) -> None:
    done = wire.ask(1, write_registers(QUESTION, *question()))
    assert done == b"\x10" + words(QUESTION, QUESTION_SIZE)
    status = hold(registers(wire))
    assert wire.ask(1, write_registers(QUESTION, *question(OTHER_NONCE)))[0] == 0x10
    assert hold(registers(wire), OTHER_NONCE)[:12] == status[:12]
    assert hold(registers(wire, function=4), OTHER_NONCE)


def test_function_23_asks_and_reads_in_one_exchange(wire: Wire) -> None:
    for nonce in (NONCE, OTHER_NONCE):
        reply = wire.ask(1, ask_and_read(*question(nonce)))
        assert reply[:2] == bytes([0x17, 2 * STATUS_SIZE])
        hold(reply[2:], nonce)


def test_a_status_may_be_read_in_parts(wire: Wire) -> None:
    """The time of this meter does not advance, so every part is of the same status."""
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    whole = registers(wire)
    hold(whole)
    for start in range(STATUS_SIZE):
        for count in {1, 2, STATUS_SIZE - start}:
            if start + count <= STATUS_SIZE:
                part = registers(wire, STATUS + start, count)
                assert part == whole[2 * start : 2 * (start + count)]


def test_the_same_question_again_is_answered_again(wire: Wire) -> None:
    for _ in range(3):
        assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
        hold(registers(wire))
        hold(registers(wire))


@pytest.mark.parametrize("version", [1, 2, 255])
def test_a_version_that_is_neither_current_nor_next_has_size_0(wire: Wire, version: int) -> None:
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    assert wire.ask(1, write_registers(QUESTION, *question(version=version)))[0] == 0x10
    assert registers(wire) == NO_STATUS
    reply = wire.ask(1, ask_and_read(*question(version=version)))
    assert reply[2:] == NO_STATUS
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    hold(registers(wire))


@pytest.mark.parametrize("version", [0x100, 0x0101, 0xFF00, 0xFFFF])
def test_a_version_above_255_is_03_and_the_question_before_stands(wire: Wire, version: int) -> None:
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    bad = question(OTHER_NONCE, version)
    assert wire.ask(1, write_registers(QUESTION, *bad)) == refusal(0x10, 3)
    assert wire.ask(1, ask_and_read(*bad)) == refusal(0x17, 3)
    hold(registers(wire))


@pytest.mark.parametrize("count", [1, 2, 4, 6, 8, 14, 68])
def test_a_question_of_another_size_is_03_and_the_one_before_stands(wire: Wire, count: int) -> None:
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    bad = (*question(OTHER_NONCE), *([0] * 68))[:count]
    assert wire.ask(1, write_registers(QUESTION, *bad)) == refusal(0x10, 3)
    assert wire.ask(1, ask_and_read(*bad)) == refusal(0x17, 3)
    if count == 1:
        assert wire.ask(1, b"\x06" + words(QUESTION, 7)) == refusal(0x06, 2)
    hold(registers(wire))


@pytest.mark.parametrize("at", [QUESTION - 1, QUESTION + 1, STATUS - 1, STATUS, STATUS + 1])
def test_a_question_at_another_address_is_02(wire: Wire, at: int) -> None:
    assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
    assert wire.ask(1, write_registers(at, *question(OTHER_NONCE))) == refusal(0x10, 2)
    hold(registers(wire))


@pytest.mark.parametrize(
    ("at", "count"),
    [
        (STATUS, STATUS_SIZE + 1),
        (STATUS, 125),
        (STATUS + 1, STATUS_SIZE),
        (STATUS + STATUS_SIZE - 1, 2),
        (STATUS + STATUS_SIZE, 1),
        (STATUS - 1, 1),
        (STATUS - 1, STATUS_SIZE),
        (QUESTION, 1),
        (QUESTION, QUESTION_SIZE),
        (QUESTION, QUESTION_SIZE + STATUS_SIZE),
    ],
)
def test_a_read_beyond_the_status_is_02(wire: Wire, at: int, count: int) -> None:
    for function in (3, 4):
        assert wire.ask(1, read(function, at, count)) == refusal(function, 2)
    assert wire.ask(1, ask_and_read(*question(), at=at, count=count)) == refusal(0x17, 2)


def test_without_a_question_there_is_no_status(one_meter: Running) -> None:
    with another(one_meter) as fresh:
        assert registers(fresh) == NO_STATUS


def test_two_sessions_do_not_see_each_others_question(one_meter: Running, rtu: RtuWire) -> None:
    with another(one_meter) as first, another(one_meter) as second, another(one_meter) as third:
        assert first.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
        assert registers(second) == NO_STATUS
        assert second.ask(1, write_registers(QUESTION, *question(OTHER_NONCE)))[0] == 0x10
        assert rtu.ask(1, write_registers(QUESTION, *question((1, 2, 3, 4))))[0] == 0x10
        for _ in range(2):
            hold(registers(first))
            hold(registers(second), OTHER_NONCE)
            hold(registers(rtu), (1, 2, 3, 4))
        assert registers(third) == NO_STATUS
    with another(one_meter) as later:
        assert registers(later) == NO_STATUS, "a question ends with its session"


def test_two_meters_on_one_wire_keep_their_questions_apart(tcp_of_two: TcpWire) -> None:
    ask = write_registers(QUESTION, *question())
    assert tcp_of_two.ask(3, ask)[0] == 0x10
    status = tcp_of_two.ask(3, read(3, STATUS, STATUS_SIZE))[4:]
    assert status[2:8] == bytes.fromhex("000000000003")
    assert tcp_of_two.ask(100, read(3, STATUS, STATUS_SIZE))[2:] == NO_STATUS
    assert tcp_of_two.ask(100, ask)[0] == 0x10
    other = tcp_of_two.ask(100, read(3, STATUS, STATUS_SIZE))[4:]
    assert other[2:8] == bytes.fromhex("000000000100")


def test_a_status_is_of_the_instant_at_which_it_is_read_and_silent_without_power(
    tmp_path: Path,
) -> None:
    with (
        running(tmp_path, "--load", "2kW") as meters,
        TcpWire(meters.tcp) as wire,
        RtuWire(meters.pty) as line,
    ):
        assert wire.ask(1, write_registers(QUESTION, *question()))[0] == 0x10
        before = hold(registers(wire))
        meters.control("advance", "1h")
        after = hold(registers(wire))
        passed = [int.from_bytes(one[50:58], "big") for one in (before, after)]
        assert passed[1] - passed[0] == 3_600_000
        assert int.from_bytes(after[58:66], "big") == 20 * 10**10 - 2_000_000 * 5283
        meters.control("power", "cut")
        wire.send(b"\0\1\0\0\0\6\1" + read(3, STATUS, STATUS_SIZE))
        line.leave_unanswered(rtu_question())
        wire.expect_silence(0)
        meters.control("power", "return")


def rtu_question() -> bytes:
    """Return the frame of `ask_and_read` on a serial line."""
    return rtu(1, ask_and_read(*question()))
