"""Apparent and reactive power, current and power factor follow from the power (METER.md 3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.metrology.electrical import (
    apparent_mva,
    current_ma,
    reactive_mvar,
    total_power_factor,
)
from firmware_sim.metrology.load import UNITY

modest = settings(deadline=None, max_examples=100, database=None)

POWER = st.integers(-(10**12), 10**12)
FACTOR = st.integers(1, UNITY)


@pytest.mark.parametrize(
    ("power", "factor", "apparent", "reactive"),
    [
        (0, UNITY, 0, 0),
        (2_300_000, UNITY, 2_300_000, 0),
        (-2_300_000, UNITY, 2_300_000, 0),
        (800_000, 8_000, 1_000_000, 600_000),
        (-600_000, 6_000, 1_000_000, 800_000),
    ],
)
def test_power_and_factor_give_apparent_and_reactive_power(
    power: int, factor: int, apparent: int, reactive: int
) -> None:
    assert apparent_mva(power, factor) == apparent
    assert reactive_mvar(power, factor) == reactive


def test_a_power_factor_of_zero_is_no_division_by_zero() -> None:
    assert apparent_mva(1_000, 0) == 1_000 * UNITY


@modest
@given(power=POWER, factor=FACTOR)
def test_apparent_power_is_the_root_of_the_squares_of_the_others(power: int, factor: int) -> None:
    apparent, reactive = apparent_mva(power, factor), reactive_mvar(power, factor)
    assert apparent >= abs(power)
    assert reactive**2 <= apparent**2 - power**2 < (reactive + 1) ** 2


@pytest.mark.parametrize(
    ("power", "factor", "voltage", "current"),
    [
        (2_300_000, UNITY, 230_000, 10_000),
        (-2_300_000, UNITY, 230_000, -10_000),
        (2_300_000, 5_000, 230_000, 20_000),
        (2_300_000, UNITY, 0, 0),
        (0, UNITY, 230_000, 0),
    ],
)
def test_current_has_the_sign_of_the_power_and_needs_a_voltage(
    power: int, factor: int, voltage: int, current: int
) -> None:
    assert current_ma(power, factor, voltage) == current


def test_the_total_power_factor_is_one_without_load() -> None:
    assert total_power_factor((0, 0, 0), 8_000) == UNITY


def test_the_total_power_factor_of_one_phase_is_its_own() -> None:
    assert total_power_factor((800_000,), 8_000) == 8_000
    assert total_power_factor((-800_000,), 8_000) == 8_000


def test_phases_that_oppose_each_other_lower_the_total_power_factor() -> None:
    assert total_power_factor((1_000, -1_000), UNITY) == 0
    assert total_power_factor((3_000, -1_000), UNITY) == 5_000


@modest
@given(phases=st.lists(POWER, min_size=1, max_size=3), factor=FACTOR)
def test_the_total_power_factor_is_never_above_one(phases: list[int], factor: int) -> None:
    assert 0 <= total_power_factor(phases, factor) <= UNITY
