"""How many days the credit lasts at the mean of the last days. Whole numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, auto
from fractions import Fraction
from typing import Any

from meterctl.operations.event_log import EventLog
from meterctl.operations.rates_and_steps import is_monthly, step_counter
from meterctl.operations.snapshots import Consumption
from meterctl.operations.usage import Dated
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import SupplyState, TripMode
from protocols.quantities import DAY

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
    items.TARIFF_ACTIVATION,
    items.TRIP_DELAY,
    items.FRIENDLY_HOURS,
    items.FRIENDLY_WEEKENDS,
    items.FRIENDLY_HOLIDAYS,
    items.BILLING_DAY,
    items.BILLING_YEAR,
)
_FRIENDLY = (items.FRIENDLY_HOURS, items.FRIENDLY_WEEKENDS, items.FRIENDLY_HOLIDAYS)


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """Credit (ledger units) and the tenths of days that it lasts; None where that is not known.

    `mean_cost` is of the `counted` whole days among the last seven, for energy alone; `daily` is
    that with the standing charge. Of the other days `without_supply` had an interrupted supply or a
    power cut, and `untold` may have had: the event log does not reach back to them. `tenths` counts
    to a credit of zero, `tenths_to_trip` to `trips_at`, the next level of credit at which the meter
    interrupts the supply. `mean_mwh` is the energy of a counted day.
    """

    credit: int | None
    mean_cost: int | None
    counted: int
    daily: int | None
    tenths: int | None
    trips_at: int | None
    tenths_to_trip: int | None
    without_supply: int = 0
    untold: int = 0
    mean_mwh: Fraction = Fraction(0)


def days_left(
    days: Sequence[Dated], today: int, values: dict[Item, Any], log: EventLog | None = None
) -> DaysLeft:
    """Return how long the credit lasts.

    Args:
        days: rows of days, the present one too.
        today: the local date, days since 1970.
        values: those of `CREDIT_ITEMS` that the meter has.
        log: tells the days without supply; where the meter shows none, every day is counted.
    """
    last = [
        day
        for day in days
        if day.days == 1
        and day.part.cost is not None
        and day.begin is not None
        and today - DAYS <= day.begin < today
    ]
    untold = [day for day in last if log and log.is_read and not log.reaches(day.part.begin)]
    interrupted = log.without_supply() if log else []
    dark = [day for day in last if day not in untold and _is_dark(day, interrupted)]
    counted = [day.part for day in last if day not in untold and day not in dark]
    credit: int | None = values.get(items.AVAILABLE_CREDIT_EXACT)
    level = _trip_level(credit, values)
    known = len(counted), len(dark), len(untold)
    if len(counted) < FEWEST:
        return DaysLeft(credit, None, known[0], None, None, level, None, *known[1:])
    standing = values.get(items.STANDING_CHARGE) or 0
    mean = Fraction(sum(part.cost or 0 for part in counted), len(counted))
    daily = mean + standing
    return DaysLeft(
        credit,
        int(mean),
        len(counted),
        int(daily),
        _tenths(credit, daily, values),
        level,
        None if level is None or credit is None else _tenths(credit - level, daily, values),
        *known[1:],
        _mean_energy(counted, values),
    )


def _mean_energy(counted: Sequence[Consumption], values: dict[Item, Any]) -> Fraction:
    """Return the mean charged energy of some days, mWh."""
    exported = sum(part.export_mwh for part in counted) if values.get(items.REVERSE_CHARGED) else 0
    return Fraction(sum(part.import_mwh for part in counted) + exported, len(counted))


def _is_dark(day: Dated, interrupted: Sequence[tuple[int | None, int | None]]) -> bool:
    """Return whether a time without supply lies in a day."""
    for begin, end in interrupted:
        first, last = begin, end
        if begin is not None and end is not None:  # a clock that was set back may turn them round
            first, last = min(begin, end), max(begin, end)
        if (first is None or first < day.last) and (
            last is None or day.first is None or last > day.first
        ):
            return True
    return False


class NotCounted(Enum):
    """What the number of days does not count, because it is not in the mean of the last days."""

    TARIFF = auto()
    """A pending tariff is put in force before."""
    STEP = auto()
    """A step limit is reached before."""
    PERIOD = auto()
    """A period of the steps ends before: they begin again."""
    TRIP_DELAY = auto()
    """The supply is interrupted only after a delay."""
    FRIENDLY = auto()
    """Credit does not interrupt the supply at some times."""
    NO_EVENTS = auto()
    """The meter shows no event log: days without supply may be among those counted."""


def not_counted(
    left: DaysLeft, values: dict[Item, Any], clock: int, today: int, log: EventLog
) -> list[NotCounted]:
    """Return what the days left do not count; nothing where they are not known."""
    known = [tenths for tenths in (left.tenths, left.tenths_to_trip) if tenths is not None]
    if not known:
        return []
    found = []
    days = Fraction(max(known), 10)
    activation = values.get(items.TARIFF_ACTIVATION) or 0
    if activation and activation < clock + days * DAY:
        found.append(NotCounted.TARIFF)
    found += _of_steps(left, values, days, today)
    if left.tenths_to_trip is not None:
        is_delayed = TripMode(values[items.TRIP_MODE]) is TripMode.DELAYED
        if is_delayed and values.get(items.TRIP_DELAY):
            found.append(NotCounted.TRIP_DELAY)
        if any(values.get(item) for item in _FRIENDLY):
            found.append(NotCounted.FRIENDLY)
    return found if log.is_read else [*found, NotCounted.NO_EVENTS]


def _of_steps(
    left: DaysLeft, values: dict[Item, Any], days: Fraction, today: int
) -> list[NotCounted]:
    """Return whether steps change the price within some days, at the mean consumption."""
    counter = step_counter(values)
    if counter is None or not any(values.get(item) for item in items.STEP_ADDITIONS):
        return []
    ends = _period_end(values, today)
    limits = [values.get(item) for item in items.STEP_LIMITS]
    ahead = [limit - counter for limit in limits if limit is not None and limit > counter]
    until = days if ends is None else min(days, Fraction(ends - today))
    if ahead and left.mean_mwh * until > min(ahead):
        return [NotCounted.STEP]
    return [NotCounted.PERIOD] if until < days else []


def _period_end(values: dict[Item, Any], today: int) -> int | None:
    """Return the date after today at which the period of the steps ends; None if not shown."""
    monthly = is_monthly(values)
    text = values.get(items.BILLING_DAY if monthly else items.BILLING_YEAR)
    if not text:
        return None
    month, day = (None, int(text[:2])) if monthly else (int(text[:2]), int(text[2:]))
    epoch = date(1970, 1, 1)
    for ahead in range(1, 367):
        at = epoch + timedelta(days=today + ahead)
        if at.day == day and month in (None, at.month):
            return today + ahead
    return None


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
