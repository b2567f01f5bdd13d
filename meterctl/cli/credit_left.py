"""How long the credit lasts, as `usage` tells it after its rows."""

from __future__ import annotations

from collections.abc import Sequence

from meterctl.cli.forms import TableForm
from meterctl.cli.output import print_json, print_table, say, table_of_fields
from meterctl.cli.reports import rounded
from meterctl.operations.days_left import (
    DAYS,
    FEWEST,
    DaysLeft,
    NotCounted,
    days_left,
    not_counted,
)
from meterctl.operations.local_time import Offsets
from meterctl.operations.snapshots import Registers
from meterctl.operations.time_span import Span
from meterctl.operations.usage import by_day
from protocols.data_model.kinds import MONEY
from protocols.quantities import format_fixed


def left_of(registers: Registers, offsets: Offsets) -> DaysLeft | None:
    """Return how long the credit lasts; None where the meter shows no credit or no clock."""
    present = registers.present
    if present is None:
        return None
    days = by_day(registers, offsets, Span()).rows
    left = days_left(days, offsets.date(present.at), registers.values, registers.log)
    return None if left.credit is None else left


def not_counted_in(left: DaysLeft, registers: Registers, offsets: Offsets) -> list[str]:
    """Say what the days left do not count."""
    present = registers.present
    if present is None:
        return []
    today = offsets.date(present.at)
    found = not_counted(left, registers.values, present.at, today, registers.log)
    return [_not_counted_text(one) for one in found]


def _not_counted_text(what: NotCounted) -> str:
    match what:
        case NotCounted.TARIFF:
            return "days left: a pending tariff is put in force before then; it is not counted"
        case NotCounted.STEP:
            return "days left: a step limit is reached before then; its addition is not counted"
        case NotCounted.PERIOD:
            return "days left: the steps begin again before then; that is not counted"
        case NotCounted.TRIP_DELAY:
            return "days to disconnection: the trip delay of this meter is not counted"
        case NotCounted.FRIENDLY:
            return (
                "days to disconnection: friendly hours, weekends or holidays, in which credit does "
                "not interrupt the supply, are not counted"
            )
        case NotCounted.NO_EVENTS:
            return (
                "days left: the meter shows no event log, so that days without supply may be among "
                "those counted"
            )


def _fragments(left: DaysLeft) -> dict[str, str]:
    def money(value: int | None) -> str:
        return "null" if value is None else MONEY.json(value)

    def cost(value: int | None) -> str:
        return "null" if value is None else MONEY.json(rounded(value))

    def days(tenths: int | None) -> str:
        return "null" if tenths is None else format_fixed(tenths, 1, 1)

    return {
        "available_credit": money(left.credit),
        "mean_daily_cost": cost(left.mean_cost),
        "counted_days": str(left.counted),
        "daily_charge": cost(left.daily),
        "days_left": days(left.tenths),
        "disconnects_at_credit": money(left.trips_at),
        "days_to_disconnection": days(left.tenths_to_trip),
    }


def print_left(left: DaysLeft, form: TableForm, not_counted_texts: Sequence[str]) -> None:
    """Print how long the credit lasts: an object with --json, a table for people, no CSV.

    Why it is not known, and what it does not count, is said on stderr.
    """
    match form:
        case TableForm.JSON:
            print_json(_fragments(left))
        case TableForm.PEOPLE:
            title = "how long the credit lasts"
            print_table(table_of_fields(_fragments(left), ("value",), title=title))
        case TableForm.CSV | TableForm.CSV_EXCEL:
            return
    for text in (*_uncounted_texts(left), *not_counted_texts):
        say(text)


def _uncounted_texts(left: DaysLeft) -> list[str]:
    """Say which of the last days are not in the mean, and why there is none."""
    said = []
    if left.without_supply:
        said.append(
            f"{_days(left.without_supply)} of the last {DAYS} not counted: the supply was "
            f"interrupted or the power was cut"
        )
    if left.untold:
        said.append(
            f"{_days(left.untold)} of the last {DAYS} not counted: the event log does not reach "
            f"back to tell whether there was supply"
        )
    if left.counted < FEWEST:
        said.append(
            f"days left need {FEWEST} whole days with their cost among the last {DAYS}; there "
            f"{'is' if left.counted == 1 else 'are'} {left.counted}"
        )
    elif left.tenths is None:
        said.append("nothing was consumed: the credit lasts")
    return said


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
