"""Energy registers: whole milliwatt-hours, with the remainder carried in mW x ms (METER.md 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.quantities import MWH_IN_MW_MS


@dataclass(slots=True)
class Registers:
    """Energy in mWh, never wrapped; remainders in mW x ms, always below one mWh."""

    import_mwh: int = 0
    export_mwh: int = 0
    import_remainder: int = 0
    export_remainder: int = 0
    rate_mwh: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    month_mwh: int = 0
    year_mwh: int = 0


def directions(phases: Sequence[int], per_phase: bool) -> tuple[int, int]:
    """Return (import, export) power in mW of signed phase powers.

    Arithmetic: the sign of the sum selects the direction. Per phase: both may be above zero.
    """
    if per_phase:
        return sum(p for p in phases if p > 0), -sum(p for p in phases if p < 0)
    total = sum(phases)
    return (total, 0) if total >= 0 else (0, -total)


def time_for(count: int, first: tuple[int, int], second: tuple[int, int] = (0, 0)) -> int | None:
    """Return the ms in which `count` more mWh complete in two streams of (power, remainder).

    The result is the first whole millisecond; None where they never complete.
    """
    if second[0] == 0 or first[0] == 0:
        power, remainder = second if first[0] == 0 else first
        return -(-(count * MWH_IN_MW_MS - remainder) // power) if power else None
    # The sum of two floors rises with time: the first millisecond is found by bisection.
    low, high = 0, -(-(count * MWH_IN_MW_MS - first[1]) // first[0])
    while low < high:
        middle = (low + high) // 2
        done = sum(
            (remainder + power * middle) // MWH_IN_MW_MS for power, remainder in (first, second)
        )
        low, high = (low, middle) if done >= count else (middle + 1, high)
    return low
