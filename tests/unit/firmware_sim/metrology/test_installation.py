"""The load behind lost phases and reversed currents (METER.md 3)."""

from __future__ import annotations

from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Load

THREE = Load.constant((1_000_000, 2_000_000, -3_000_000))


def test_an_installation_without_faults_has_the_demand_of_its_load() -> None:
    assert Installation(THREE).at(5) == THREE.at(5)


def test_a_lost_phase_draws_nothing_and_the_others_are_unchanged() -> None:
    demand, _ = Installation(THREE, lost_phases=frozenset({1})).at(0)
    assert demand.phases == (1_000_000, 0, -3_000_000)


def test_a_reversed_current_changes_the_sign_of_every_phase() -> None:
    demand, _ = Installation(THREE, flows_back=True).at(0)
    assert demand.phases == (-1_000_000, -2_000_000, 3_000_000)


def test_both_at_once() -> None:
    demand, _ = Installation(THREE, frozenset({0, 2}), flows_back=True).at(0)
    assert demand.phases == (0, -2_000_000, 0)
