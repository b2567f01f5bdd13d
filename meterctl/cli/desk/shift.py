"""desk shift open|count|recount|close|show|list."""

from __future__ import annotations

from typing import Annotated, Any

from meterctl.cli.arguments import cents_of
from meterctl.cli.desk.desk_money import money_record, print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.services import shift_lists, shifts
from protocols.command_line import Argument, Context, Option, Program

_shift = Program("Shifts: a till with its float, counted and banked at the end.")
UNCHANGED = "nothing was changed"
_SHOWN = ("shift", "state", "float", "taken_in", "paid_out", "receipts")
"""What people get of a shift that is counted; --json has all."""
ShiftOption = Annotated[
    str | None,
    Option("--shift", metavar="SHIFT", help="Number of the shift.", show_default="your own"),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_shift, name="shift")


@_shift.command("open")
def open_(
    context: Context,
    float_: Annotated[
        str,
        Option("--float", metavar="AMOUNT", help="Change that lies in the till, not yet counted."),
    ] = "0.00",
) -> None:
    """Open your shift; money is taken in it until it is counted."""
    given = desk_options(context)
    amount = cents_of(float_, UNCHANGED, zero=True)
    with signed_in(given) as desk:
        answer = desk.ask(
            "shift open",
            {"node": given.node, "float": amount},
            lambda work: shifts.open_shift(work, node=given.node, float_amount=amount),
            money=True,
        )
        told = answer.values
        message = f"shift {told['shift']} is open, its float is {shown(told['float'])}"
        print_money(given, desk.database.zone, told, message)


@_shift.command("count")
def count(
    context: Context,
    amount: Annotated[
        str, Argument(metavar="AMOUNT", help="All notes and coins in the till, the float too.")
    ],
    shift: ShiftOption = None,
) -> None:
    """Write down the cash that you counted; again replaces it. No money moves afterwards."""
    given = desk_options(context)
    counted = cents_of(amount, UNCHANGED, zero=True)
    with signed_in(given) as desk:
        answer = desk.ask(
            "shift count",
            {"shift": shift, "counted": counted},
            lambda work: shifts.count(work, shift=shift, counted=counted),
            money=True,
        )
        print_money(
            given,
            desk.database.zone,
            answer.values,
            _difference(answer.values),
            shown_fields=(*_SHOWN, "should_have", "counted", "difference"),
        )


@_shift.command("recount")
def recount(context: Context, shift: ShiftOption = None) -> None:
    """Take a count back: the shift is open again, to sell or to be counted again."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "shift recount", {"shift": shift}, lambda work: shifts.recount(work, shift=shift)
        )
        message = f"shift {answer.values['shift']} is open again"
        print_money(given, desk.database.zone, answer.values, message)


@_shift.command("close")
def close(
    context: Context,
    slip: Annotated[
        str | None,
        Option("--slip", metavar="NUMBER", help="The bank's slip for the cash that is banked."),
    ] = None,
    shift: ShiftOption = None,
) -> None:
    """Close a counted shift: all but the float is banked, what is short or over is booked."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "shift close",
            {"shift": shift, "slip": slip},
            lambda work: shifts.close(work, shift=shift, slip=slip),
            money=True,
        )
        told = answer.values
        message = f"{_difference(told)}; {shown(told['banked'])} goes to the bank"
        if told["task"] is not None:
            message += f"; {told['task']} asks the station's head about the difference"
        if told["ended_sales"]:
            message += f"; no worker sent {', '.join(told['ended_sales'])}: the money is owed"
        print_money(
            given,
            desk.database.zone,
            told,
            message,
            shown_fields=(*_SHOWN, "counted", "difference", "banked", "slip", "task"),
        )


@_shift.command("show")
def show(
    context: Context,
    shift: Annotated[
        str | None,
        Argument(metavar="SHIFT", help="Number of the shift.", show_default="your own"),
    ] = None,
) -> None:
    """Show a shift: its cash, its count, its receipts."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        told = shift_lists.show(session, desk.actor, shift)
        print_record(given, money_record(told, desk.database.zone))


@_shift.command("list")
def list_(
    context: Context,
    all_: Annotated[bool, Option("--all", help="Also those that are closed.")] = False,
    limit: LimitOption = ROWS,
) -> None:
    """List the shifts at your nodes, the newest first."""
    given = desk_options(context)
    columns = (
        "shift", "vendor", "node", "state", "opened_on", "taken_in", "paid_out", "cash", "counted",
        "receipts",
    )  # fmt: skip
    with signed_in(given) as desk, desk.reading() as session:
        found = shift_lists.list_(session, desk.actor, closed=all_, limit=limit)
        records = [money_record(row, desk.database.zone) for row in found]
        print_records(given, records, columns, columns[5:], "there is no open shift")


def _difference(told: dict[str, Any]) -> str:
    """Return what counting a shift showed."""
    difference = told["difference"]
    found = "agrees" if not difference else f"is {shown(abs(difference))} "
    if difference:
        found += "over" if difference > 0 else "short"
    return f"shift {told['shift']} is {told['state']}: the till {found}"
