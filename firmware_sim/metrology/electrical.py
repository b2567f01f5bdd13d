"""Current, apparent and reactive power, derived from the active power (METER.md 3)."""

from __future__ import annotations

from collections.abc import Sequence
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
