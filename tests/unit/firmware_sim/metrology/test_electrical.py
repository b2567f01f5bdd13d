"""Apparent and reactive power, current and power factor follow from the power (METER.md 3)."""

from __future__ import annotations

import cmath
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.metrology.electrical import (
    apparent_mva,
    current_ma,
    line_voltage_mv,
    neutral_current_ma,
    phase_angle,
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


@pytest.mark.parametrize(
    ("first", "second", "between"),
    [
        (230_000, 230_000, 398_371),
        (400_000, 400_000, 692_820),
        (230_000, 0, 230_000),
        (0, 230_000, 230_000),
        (0, 0, 0),
        (30_000, 50_000, 70_000),
    ],
)
def test_the_voltage_between_two_phases_is_that_of_120_degrees(
    first: int, second: int, between: int
) -> None:
    assert line_voltage_mv(first, second) == between


@pytest.mark.parametrize(
    ("currents", "neutral"),
    [
        ((5_000, 5_000, 5_000), 0),
        ((5_000, 0, 0), 5_000),
        ((0, 0, -5_000), 5_000),
        ((5_000, 5_000, 0), 5_000),
        ((5_000, 5_000, -5_000), 10_000),
        ((8_000, 5_000, 0), 7_000),
    ],
)
def test_the_neutral_carries_the_sum_of_the_currents_as_vectors(
    currents: tuple[int, int, int], neutral: int
) -> None:
    assert neutral_current_ma(*currents) == neutral


CURRENT = st.integers(-(10**6), 10**6)


@modest
@given(currents=st.tuples(CURRENT, CURRENT, CURRENT))
def test_the_neutral_current_is_that_of_complex_numbers(currents: tuple[int, int, int]) -> None:
    turned = sum(c * cmath.exp(2j * cmath.pi * n / 3) for n, c in enumerate(currents))
    assert neutral_current_ma(*currents) == pytest.approx(abs(turned), abs=1.001)


def test_every_power_factor_has_the_nearest_hundredth_of_its_angle() -> None:
    for factor in range(UNITY + 1):
        exact = 100 * math.degrees(math.acos(factor / UNITY))
        assert abs(phase_angle(factor) - exact) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("factor", "angle"), [(UNITY, 0), (8_000, 3_687), (5_000, 6_000), (1, 8_999), (0, 9_000)]
)
def test_angles_of_known_power_factors(factor: int, angle: int) -> None:
    assert phase_angle(factor) == angle
