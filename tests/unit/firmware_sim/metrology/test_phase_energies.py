"""Counters of phases: each phase by its own sign, reactive energy with the active one."""

from __future__ import annotations

import pytest

from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.phase_energies import BEGUN, Counter, counted_powers, integrated

MIXED = Demand((3_000, 1_000, -2_000), 8_000)
"""Apparent 3750, 1250 and 2500; reactive 2250, 750 and 1500."""


def test_the_counters_have_their_places() -> None:
    assert list(Counter) == [0, 3, 6, 7, 8]
    assert len(BEGUN) == 9


@pytest.mark.parametrize("per_phase", [False, True])
def test_every_phase_counts_by_its_own_sign_in_both_modes(per_phase: bool) -> None:
    powers = counted_powers(MIXED, per_phase)
    assert powers[:3] == (3_000, 1_000, 0)
    assert powers[3:6] == (0, 0, 2_000)
    assert powers[Counter.APPARENT] == 7_500


@pytest.mark.parametrize(
    ("sign", "per_phase", "imported", "exported"),
    [
        (1, False, 4_500, 0),
        (-1, False, 0, 4_500),
        (1, True, 3_000, 1_500),
        (-1, True, 1_500, 3_000),
    ],
)
def test_reactive_energy_has_the_direction_of_the_active_one(
    sign: int, per_phase: bool, imported: int, exported: int
) -> None:
    demand = Demand(tuple(sign * power for power in MIXED.phases), MIXED.power_factor)
    powers = counted_powers(demand, per_phase)
    assert (powers[Counter.REACTIVE_IMPORT], powers[Counter.REACTIVE_EXPORT]) == (
        imported,
        exported,
    )


def test_phases_that_balance_each_other_count_as_import_of_reactive_energy() -> None:
    powers = counted_powers(Demand((1_000, -1_000, 0), 8_000), per_phase=False)
    assert powers[6:8] == (1_500, 0)


def test_a_single_phase_leaves_the_places_of_the_others_at_zero() -> None:
    assert counted_powers(Demand((-800,), 8_000), per_phase=False) == (
        *(0, 0, 0),
        *(800, 0, 0),
        *(0, 600, 1_000),
    )


def test_counters_rise_by_power_times_time() -> None:
    powers = (1, 2, 3, 4, 5, 6, 7, 8, 9)
    once = integrated(BEGUN, powers, 1_000)
    assert once == tuple(1_000 * power for power in powers)
    assert integrated(integrated(BEGUN, powers, 400), powers, 600) == once
