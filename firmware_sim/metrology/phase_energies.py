"""Energies of phases, reactive and apparent energy: counters that a meter keeps on request.

They are whole milliwatt-milliseconds (also mvar and mVA ms), never cut and never wrapped, so one
stretch or a thousand that cover the same time give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from firmware_sim.metrology.electrical import apparent_mva, reactive_mvar
from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.stretch import directions

PhaseEnergies = tuple[int, ...]
"""The counters, in the order of `Counter`."""
PHASES = 3


class Counter(IntEnum):
    """The place of a counter; those of phases 2 and 3 follow that of phase 1."""

    IMPORT = 0
    EXPORT = PHASES
    REACTIVE_IMPORT = 2 * PHASES
    REACTIVE_EXPORT = 2 * PHASES + 1
    APPARENT = 2 * PHASES + 2


BEGUN: PhaseEnergies = (0,) * (Counter.APPARENT + 1)
"""The counters of a meter that begins to keep them."""


def counted_powers(demand: Demand, per_phase: bool) -> tuple[int, ...]:
    """Return the power in mW, mvar and mVA that each counter integrates.

    Each phase counts by its own sign. Reactive energy has the direction of the active one:
    arithmetic: by the sign of the sum of all phases; per phase: by each phase's own.
    """
    phases, factor = demand.phases, demand.power_factor
    lacking = (0,) * (PHASES - len(phases))
    reactive = [reactive_mvar(power, factor) for power in phases]
    if per_phase:
        signed = [q if p >= 0 else -q for p, q in zip(phases, reactive, strict=True)]
        reactive_import, reactive_export = directions(signed, per_phase)
    elif sum(phases) >= 0:
        reactive_import, reactive_export = sum(reactive), 0
    else:
        reactive_import, reactive_export = 0, sum(reactive)
    return (
        *(max(power, 0) for power in phases),
        *lacking,
        *(max(-power, 0) for power in phases),
        *lacking,
        reactive_import,
        reactive_export,
        sum(apparent_mva(power, factor) for power in phases),
    )


def integrated(energies: PhaseEnergies, powers: Sequence[int], span_ms: int) -> PhaseEnergies:
    """Return the counters after `span_ms` with constant powers."""
    return tuple([e + p * span_ms for e, p in zip(energies, powers, strict=True)])
