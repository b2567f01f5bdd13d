"""Exact units of meters (1e-10 of the account unit) as amounts of the desk (0.01)."""

from __future__ import annotations

UNITS_IN_AMOUNT = 10**8
"""Exact units in 0.01."""


def floored(units: int) -> int:
    """Return exact units as an amount, rounded down (below 0 too: -1 unit is -0.01)."""
    return units // UNITS_IN_AMOUNT


def difference(now: int, before: int) -> int:
    """Return Δc = c(now) - c(before), the amount between two cumulative values of one epoch.

    Amounts of consecutive spans add up to the amount of the whole span: nothing drifts.
    """
    return floored(now) - floored(before)


def raised(units: int, *cumulative: int) -> int:
    """Return a balance in exact units as the amount that its cumulative values count from.

    It is the balance with the fractions of the values that were already taken from it, rounded up:
    so the amount less every later Δc of these values is never below the meter's exact balance.
    """
    exact = units + sum(value % UNITS_IN_AMOUNT for value in cumulative)
    return -floored(-exact)
