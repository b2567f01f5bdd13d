"""Integration of constant powers over a stretch of time: pure and exact (METER.md 3).

Powers are in mW, times in ms, energies in whole mWh with remainders in mW ms. One stretch or a
thousand that cover the same time give the same energies and remainders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.registers import Registers
from protocols.quantities import MWH_IN_MW_MS

UNREACHED = 1 << 62
"""A count of mWh that is never reached, an instant that never comes."""


NO_DEMAND = Demand((0,))


@dataclass(slots=True)
class Flow:
    """Powers that are constant until `until_ms`, elapsed time of the load's next change.

    `export_charged`: exported energy is charged like imported. `counted` are the powers of the
    counters of `phase_energies.py`, empty where the meter keeps none.
    """

    demand: Demand = NO_DEMAND
    import_mw: int = 0
    export_mw: int = 0
    export_charged: bool = False
    until_ms: int = UNREACHED
    counted: tuple[int, ...] = ()


Stretch = tuple[int, int, int, int, int, int]
"""Its ms, import and export in mWh, their new remainders, and the mWh that are charged."""


def directions(phases: Sequence[int], per_phase: bool) -> tuple[int, int]:
    """Return (import, export) power in mW of signed phase powers.

    Arithmetic: the sign of the sum selects the direction. Per phase: both may be above zero.
    """
    if per_phase:
        return sum(p for p in phases if p > 0), -sum(p for p in phases if p < 0)
    total = sum(phases)
    return (total, 0) if total >= 0 else (0, -total)


def integrate(registers: Registers, flow: Flow, span_ms: int, watch_mwh: int) -> Stretch:
    """Integrate `span_ms`, or up to the ms at which `watch_mwh` charged mWh are complete.

    A mWh that completes at an instant belongs to the stretch before it. `registers` give the
    remainders and are not changed.
    """
    imported, import_remainder = divmod(
        registers.import_remainder + flow.import_mw * span_ms, MWH_IN_MW_MS
    )
    exported, export_remainder = divmod(
        registers.export_remainder + flow.export_mw * span_ms, MWH_IN_MW_MS
    )
    charged = imported + exported if flow.export_charged else imported
    if charged >= watch_mwh:
        reached_ms = time_to(registers, flow, watch_mwh)
        assert reached_ms is not None, "that many mWh complete within the span"
        if reached_ms < span_ms:
            return integrate(registers, flow, reached_ms, watch_mwh)
    return span_ms, imported, exported, import_remainder, export_remainder, charged


def time_to(registers: Registers, flow: Flow, charged_mwh: int) -> int | None:
    """Return the ms until so many more charged mWh are complete, None where they never are."""
    exported = (flow.export_mw, registers.export_remainder) if flow.export_charged else (0, 0)
    return time_for(charged_mwh, (flow.import_mw, registers.import_remainder), exported)


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
