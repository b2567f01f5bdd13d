"""A device with injected faults: torn, lost and refused writes, failing flushes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from firmware_sim.hal.faulty import Draw, FaultyNvram
from firmware_sim.hal.nvram import NvramError, NvramFlushError, PowerCutError, SimulatedNvram


@dataclass
class Drawn:
    """A fault with its amount, whose every draw is one number."""

    amount: int = -1
    number: int = 0
    bound: int = 0

    def below(self, bound: int) -> int:
        self.bound = bound
        return self.number


class Faults:
    """The faults in force by name; each strikes whenever its point is reached."""

    def __init__(self, **faults: Drawn) -> None:
        self.faults = faults
        self.asked: list[str] = []

    def strike(self, name: str) -> Draw | None:
        self.asked.append(name)
        return self.faults.get(name)


def device(content: bytes = b"abcd", **faults: Drawn) -> tuple[FaultyNvram, SimulatedNvram, Faults]:
    inner, plan = SimulatedNvram(content), Faults(**faults)
    return FaultyNvram(inner, plan.strike, lambda: bool(plan.faults)), inner, plan


def test_without_faults_calls_pass_and_no_fault_is_drawn() -> None:
    faulty, inner, plan = device()
    faulty.write(1, b"xy")
    assert faulty.read(0, 9) == bytes(inner.data) == b"axyd"
    assert plan.asked == []
    faulty.flush()
    assert inner.flushes == 1


def test_a_full_storage_refuses_the_write() -> None:
    faulty, inner, _ = device(storage_full=Drawn())
    with pytest.raises(NvramError, match="full"):
        faulty.write(0, b"xy")
    assert bytes(inner.data) == b"abcd"


@pytest.mark.parametrize(
    ("draw", "kept"),
    [(Drawn(0), 0), (Drawn(1), 1), (Drawn(3), 3), (Drawn(9), 3), (Drawn(-1, 2), 2)],
)
def test_a_torn_write_keeps_its_first_bytes_and_power_fails(draw: Drawn, kept: int) -> None:
    faulty, inner, _ = device(torn_write=draw)
    with pytest.raises(PowerCutError):
        faulty.write(1, b"xyz")
    assert bytes(inner.data) == b"a" + b"xyz"[:kept] + b"bcd"[kept:]
    assert draw.bound == (4 if draw.amount < 0 else 0), "it may keep none of the bytes, or all"


def test_a_failing_flush_does_not_reach_the_device() -> None:
    faulty, inner, _ = device(flush_fails=Drawn())
    with pytest.raises(NvramFlushError):
        faulty.flush()
    assert inner.flushes == 0


@pytest.mark.parametrize(
    ("number", "content"), [(1, b"abcd"), (0, b"wxyd")], ids=["lost", "not lost"]
)
def test_lost_writes_are_undone_at_the_cut_newest_first(number: int, content: bytes) -> None:
    lost = Drawn(number=number)
    faulty, inner, plan = device(lost_writes=lost)
    faulty.write(0, b"w")
    faulty.write(0, b"wx")
    plan.faults["torn_write"] = Drawn(1)
    with pytest.raises(PowerCutError):
        faulty.write(2, b"yz")
    assert bytes(inner.data) == content
    assert lost.bound == 2
    assert plan.asked.count("lost_writes") == 3


def test_a_flushed_write_is_not_lost() -> None:
    faulty, inner, plan = device(lost_writes=Drawn(number=1))
    faulty.write(0, b"w")
    faulty.flush()
    faulty.write(1, b"x")
    plan.faults["torn_write"] = Drawn(0)
    with pytest.raises(PowerCutError):
        faulty.write(2, b"yz")
    assert bytes(inner.data) == b"wbcd"
    assert plan.asked.count("lost_writes") == 2


def test_a_lost_write_beyond_the_end_leaves_zeros() -> None:
    faulty, inner, plan = device(lost_writes=Drawn(number=1))
    faulty.write(3, b"xyz")
    plan.faults["torn_write"] = Drawn(0)
    with pytest.raises(PowerCutError):
        faulty.write(0, b"q")
    assert bytes(inner.data) == b"abcd\0\0"


def test_faults_are_looked_for_only_while_there_are_any() -> None:
    asked: list[str] = []

    def strike(name: str) -> Draw | None:
        asked.append(name)
        return None

    any_faults: Callable[[], bool] = lambda: True  # noqa: E731
    faulty = FaultyNvram(SimulatedNvram(), strike, any_faults)
    faulty.write(0, b"a")
    assert asked == ["storage_full", "torn_write"]
