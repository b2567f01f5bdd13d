"""How many days the credit lasts at the mean of the last days. Whole numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from meterctl.operations.usage import Dated
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import SupplyState, TripMode

DAYS = 7
"""Whole days before today whose mean is taken."""
FEWEST = 3
"""Of them must be known; fewer tell nothing about the days to come."""
CREDIT_ITEMS = (
    items.AVAILABLE_CREDIT_EXACT,
    items.STANDING_CHARGE,
    items.DEBT,
    items.DEBT_INSTALMENT,
    items.LOW_CREDIT_2,
    items.OVERDRAFT_LIMIT,
    items.TRIP_MODE,
    items.SUPPLY_STATE,
    items.GUARANTEE,
    items.MORATORIUM,
)


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """Credit (ledger units) and the tenths of days that it lasts; None where that is not known.

    `mean_cost` is of the `counted` whole days among the last seven, for energy alone; `daily` is
    that with the standing charge. `tenths` counts to a credit of zero, `tenths_to_trip` to
    `trips_at`, the next level of credit at which the meter interrupts the supply.
    """

    credit: int | None
    mean_cost: int | None
    counted: int
    daily: int | None
    tenths: int | None
    trips_at: int | None
    tenths_to_trip: int | None


def days_left(days: Sequence[Dated], today: int, values: dict[Item, Any]) -> DaysLeft:
    """Return how long the credit lasts.

    Args:
        days: rows of days, the present one too.
        today: the local date, days since 1970.
        values: those of `CREDIT_ITEMS` that the meter has.
    """
    costs = [
        day.part.cost
        for day in days
        if day.days == 1
        and day.part.cost is not None
        and day.begin is not None
        and today - DAYS <= day.begin < today
    ]
    credit: int | None = values.get(items.AVAILABLE_CREDIT_EXACT)
    level = _trip_level(credit, values)
    if len(costs) < FEWEST:
        return DaysLeft(credit, None, len(costs), None, None, level, None)
    standing = values.get(items.STANDING_CHARGE) or 0
    mean = Fraction(sum(costs), len(costs))
    daily = mean + standing
    return DaysLeft(
        credit,
        int(mean),
        len(costs),
        int(daily),
        _tenths(credit, daily, values),
        level,
        None if level is None or credit is None else _tenths(credit - level, daily, values),
    )


def _tenths(credit: int | None, daily: Fraction, values: dict[Item, Any]) -> int | None:
    """Return the tenths of days that a credit lasts, cut; None if it is not consumed.

    An instalment is taken as well as long as there is debt.
    """
    if credit is None:
        return None
    if credit <= 0:
        return 0
    debt, instalment = values.get(items.DEBT) or 0, values.get(items.DEBT_INSTALMENT) or 0
    if debt > 0 and instalment > 0:
        until_paid = Fraction(debt, instalment)
        if credit <= until_paid * (daily + instalment):
            return int(10 * credit / (daily + instalment))
        credit -= debt
    return int(10 * credit / daily) if daily > 0 else None


def _trip_level(credit: int | None, values: dict[Item, Any]) -> int | None:
    """Return the credit at which the supply is interrupted next; None if it is not to be told.

    That is where the supply is interrupted already, or no credit interrupts it.
    """
    wanted = (items.TRIP_MODE, items.OVERDRAFT_LIMIT, items.SUPPLY_STATE)
    if credit is None or any(values.get(item) is None for item in wanted):
        return None
    connected = SupplyState(values[items.SUPPLY_STATE]) is SupplyState.CONNECTED
    if not connected or values.get(items.GUARANTEE) or values.get(items.MORATORIUM):
        return None
    limit: int = values[items.OVERDRAFT_LIMIT]
    levels = [-limit]
    if TripMode(values[items.TRIP_MODE]) is TripMode.TWO_STAGE:
        levels += [0] if limit > 0 else []
        second = values.get(items.LOW_CREDIT_2)
        levels += [second] if second is not None else []
    below = [level for level in levels if level < credit]
    return max(below, default=None)
