"""Electrical values derived from active power and phase voltages (METER.md 3).

Phases lie 120 degrees apart and share one power factor; the current of a phase that exports is
turned by 180 degrees. Whole numbers only: roots are cut, angles are rounded to the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt

from firmware_sim.metrology.load import UNITY


def apparent_mva(power_mw: int, power_factor: int) -> int:
    """Return apparent power in mVA of one phase; power factor in 1e-4, never zero."""
    return abs(power_mw) * UNITY // max(power_factor, 1)


def reactive_mvar(power_mw: int, power_factor: int) -> int:
    """Return reactive power in mvar of one phase (inductive)."""
    apparent = apparent_mva(power_mw, power_factor)
    return isqrt(max(apparent * apparent - power_mw * power_mw, 0))


def current_ma(power_mw: int, power_factor: int, voltage_mv: int) -> int:
    """Return current in mA of one phase, with the sign of the power; 0 without voltage."""
    if voltage_mv == 0:
        return 0
    amount = apparent_mva(power_mw, power_factor) * 1000 // voltage_mv
    return -amount if power_mw < 0 else amount


def total_power_factor(phases: Sequence[int], power_factor: int) -> int:
    """Return the power factor of all phases together in 1e-4; 1.0000 without load."""
    apparent = sum(apparent_mva(p, power_factor) for p in phases)
    return min(abs(sum(phases)) * UNITY // apparent, UNITY) if apparent else UNITY


def line_voltage_mv(first_mv: int, second_mv: int) -> int:
    """Return the voltage in mV between two phases; that of the other where one is lost."""
    return isqrt(first_mv * first_mv + second_mv * second_mv + first_mv * second_mv)


def neutral_current_ma(first_ma: int, second_ma: int, third_ma: int) -> int:
    """Return the magnitude in mA of the sum of signed phase currents as vectors."""
    a, b, c = first_ma, second_ma, third_ma
    return isqrt(a * a + b * b + c * c - a * b - b * c - c * a)


def mean(values: Sequence[int]) -> int:
    """Return the mean of magnitudes, cut."""
    return sum(values) // len(values)


_ONE = 10**24
_HUNDREDTH_DEGREE = 174532925199432957692
"""Pi / 18000 in 1e-24."""
_RIGHT_ANGLE = 9_000


@lru_cache(maxsize=UNITY + 1)
def phase_angle(power_factor: int) -> int:
    """Return the angle in 0.01 degree, 0 to 90.00, whose cosine is a power factor in 1e-4."""
    # the largest angle that, less half a hundredth, has at least this cosine: the nearest one
    low, high = 0, _RIGHT_ANGLE
    while low < high:
        middle = (low + high + 1) // 2
        if _cosine(2 * middle - 1) >= power_factor * _ONE // UNITY:
            low = middle
        else:
            high = middle - 1
    return low


def _cosine(half_hundredths: int) -> int:
    """Return the cosine in 1e-24 of an angle in 0.005 degree, up to 90 degrees."""
    angle = half_hundredths * _HUNDREDTH_DEGREE // 2
    square = angle * angle // _ONE
    total = term = _ONE
    for n in range(1, 30, 2):
        term = -term * square // _ONE // (n * (n + 1))
        total += term
    return total
