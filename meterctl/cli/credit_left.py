"""How long the credit lasts, as `usage` tells it after its rows."""

from __future__ import annotations

from meterctl.cli.forms import TableForm
from meterctl.cli.output import print_json, print_table, say, table_of_fields
from meterctl.operations.days_left import DAYS, FEWEST, DaysLeft, days_left
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
    left = days_left(days, offsets.date(present.at), registers.values)
    return None if left.credit is None else left


def _fragments(left: DaysLeft) -> dict[str, str]:
    def money(value: int | None) -> str:
        return "null" if value is None else MONEY.json(value)

    def days(tenths: int | None) -> str:
        return "null" if tenths is None else format_fixed(tenths, 1, 1)

    return {
        "available_credit": money(left.credit),
        "mean_daily_cost": money(left.mean_cost),
        "counted_days": str(left.counted),
        "daily_charge": money(left.daily),
        "days_left": days(left.tenths),
        "disconnects_at_credit": money(left.trips_at),
        "days_to_disconnection": days(left.tenths_to_trip),
    }


def print_left(left: DaysLeft, form: TableForm) -> None:
    """Print how long the credit lasts: an object with --json, a table for people, no CSV."""
    if form is TableForm.JSON:
        print_json(_fragments(left))
    elif form is TableForm.PEOPLE:
        _print_people(left)


def _print_people(left: DaysLeft) -> None:
    print_table(table_of_fields(_fragments(left), ("value",), title="how long the credit lasts"))
    if left.counted < FEWEST:
        say(
            f"days left need {FEWEST} whole days with their cost among the last {DAYS}; there "
            f"{'is' if left.counted == 1 else 'are'} {left.counted}"
        )
    elif left.tenths is None:
        say("nothing was consumed: the credit lasts")
