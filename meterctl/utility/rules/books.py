"""Whether a meter's balances agree with the accounts that mirror them (I3).

The accounts count in 0.01 and follow the floors of cumulative values, so they may stand above the
meter's exact balances by less than one 0.01 for each of these values, and never below.
"""

from __future__ import annotations

from meterctl.utility.rules.money import UNITS_IN_AMOUNT

CREDIT_FLOORS = 4
"""Consumption, standing charge, instalments, and what top-ups paid for debt."""
DEBT_FLOORS = 2
"""Instalments, and what top-ups paid for debt."""


def credit_agrees(booked: int, credit_exact: int) -> bool:
    """Return whether in_meter (0.01) agrees with a meter's credit (exact units)."""
    return 0 <= booked * UNITS_IN_AMOUNT - credit_exact < CREDIT_FLOORS * UNITS_IN_AMOUNT


def debt_agrees(booked: int, debt_exact: int) -> bool:
    """Return whether meter_debt (0.01) agrees with a meter's debt (exact units)."""
    return 0 <= booked * UNITS_IN_AMOUNT - debt_exact < DEBT_FLOORS * UNITS_IN_AMOUNT
