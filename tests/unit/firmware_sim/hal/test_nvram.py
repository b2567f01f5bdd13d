"""The byte device in memory: growth, cuts, refusals, and what a power cut leaves of it."""

from __future__ import annotations

import pytest

from firmware_sim.hal.nvram import NvramError, NvramFlushError, PowerCutError, SimulatedNvram


def test_a_read_past_the_end_gives_fewer_bytes() -> None:
    device = SimulatedNvram(b"abcdef")
    assert device.read(0, 3) == b"abc"
    assert device.read(4, 4) == b"ef"
    assert device.read(6, 1) == b""
    assert device.read(2, 0) == b""


@pytest.mark.parametrize(
    ("offset", "data", "whole"),
    [
        (0, b"XY", b"XYcd"),
        (2, b"XY", b"abXY"),
        (3, b"XY", b"abcXY"),
        (4, b"X", b"abcdX"),
        (6, b"XY", b"abcd\0\0XY"),
        (2, b"", b"abcd"),
        (6, b"", b"abcd\0\0"),
    ],
)
def test_a_write_replaces_or_extends_with_zeros_between(
    offset: int, data: bytes, whole: bytes
) -> None:
    device = SimulatedNvram(b"abcd")
    device.write(offset, data)
    assert bytes(device.data) == whole
    assert device.written == len(data)
    device.flush()
    assert bytes(device.power_cycle(lambda _: False).data) == whole
    unflushed = SimulatedNvram(b"abcd")
    unflushed.write(offset, data)
    assert bytes(unflushed.power_cycle().data) == whole
    assert bytes(unflushed.power_cycle(lambda _: False).data) == b"abcd"


def test_a_power_cycle_keeps_the_unflushed_writes_that_survive() -> None:
    device = SimulatedNvram()
    device.write(0, b"aaaa")
    device.flush()
    for offset, data in ((0, b"b"), (1, b"c"), (4, b"dd")):
        device.write(offset, data)
    assert device.flushes == 1
    assert bytes(device.power_cycle(lambda index: index == 1).data) == b"acaa"
    assert bytes(device.power_cycle(lambda index: index != 1).data) == b"baaadd"
    again = device.power_cycle()
    assert bytes(again.data) == b"bcaadd"
    assert (again.written, again.flushes, again.cut_after, again.full) == (0, 0, None, False)
    assert bytes(again.power_cycle(lambda _: False).data) == b"bcaadd"


@pytest.mark.parametrize(
    ("cut_after", "first", "second"),
    [(0, b"", None), (1, b"x", None), (3, b"xyz", None), (4, b"xyz", b"u"), (5, b"xyz", b"uv")],
)
def test_power_fails_after_so_many_bytes(
    cut_after: int, first: bytes, second: bytes | None
) -> None:
    device = SimulatedNvram()
    device.cut_after = cut_after
    if second is None:
        with pytest.raises(PowerCutError):
            device.write(0, b"xyz")
        assert bytes(device.data) == first
        assert device.written == len(first)
        return
    device.write(0, b"xyz")
    assert device.cut_after == cut_after - 3
    with pytest.raises(PowerCutError):
        device.write(3, b"uvw")
    assert bytes(device.data) == first + second
    assert device.cut_after == 0


def test_a_cut_that_is_not_reached_changes_nothing() -> None:
    device = SimulatedNvram()
    device.cut_after = 4
    device.write(0, b"xyz")
    assert bytes(device.data) == b"xyz"


def test_a_full_device_refuses_a_write_and_keeps_its_bytes() -> None:
    device = SimulatedNvram(b"abcd")
    device.full = True
    with pytest.raises(NvramError):
        device.write(0, b"x")
    assert bytes(device.data) == b"abcd"
    assert device.written == 0
    device.full = False
    device.write(0, b"x")
    assert bytes(device.data) == b"xbcd"


def test_a_failed_flush_makes_nothing_durable() -> None:
    device = SimulatedNvram(b"abcd")
    device.write(0, b"x")
    device.flush_fails = True
    with pytest.raises(NvramFlushError):
        device.flush()
    assert device.flushes == 0
    assert bytes(device.power_cycle(lambda _: False).data) == b"abcd"
