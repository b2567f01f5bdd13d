"""Energies of phases, reactive and apparent energy: counters that a meter keeps on request.

They are whole milliwatt-milliseconds (also mvar and mVA ms), never cut and never wrapped, so one
stretch or a thousand that cover the same time give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from firmware_sim.metrology.electrical import apparent_mva, reactive_mvar
from firmware_sim.metrology.load import UNITY, Demand

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
    phases, factor = demand
    imported, exported = [0] * PHASES, [0] * PHASES
    reactive_import = reactive_export = apparent = 0
    sum_exports = sum(phases) < 0
    for phase, power in enumerate(phases):
        if power < 0:
            exported[phase] = -power
        else:
            imported[phase] = power
        apparent += apparent_mva(power, factor)
        if factor < UNITY:
            reactive = reactive_mvar(power, factor)
            exports = power < 0 if per_phase else sum_exports
            if exports:
                reactive_export += reactive
            else:
                reactive_import += reactive
    return (*imported, *exported, reactive_import, reactive_export, apparent)


def integrated(energies: PhaseEnergies, powers: Sequence[int], span_ms: int) -> PhaseEnergies:
    """Return the counters after `span_ms` with constant powers."""
    return tuple([e + p * span_ms for e, p in zip(energies, powers, strict=True)])
