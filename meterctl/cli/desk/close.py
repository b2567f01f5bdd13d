"""desk close day."""

from __future__ import annotations

from typing import Annotated, Any

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.rules import typed_text
from meterctl.utility.services import closing
from protocols.command_line import Argument, Context, Program

_close = Program("Close a date of the books for ever.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_close, name="close")


@_close.command("day")
def day(
    context: Context,
    on: Annotated[str, Argument(metavar="DATE", help="The date, as 2026-11-30.")],
) -> None:
    """Close a date that has ended: its balances and its sheet are sealed, nothing is booked on it.

    Earlier dates are closed first; those on which nothing was booked are closed with it. Every
    shift that began on it is cashed up before.
    """
    given = desk_options(context)
    wanted = typed_text.day(on, "DATE")
    with signed_in(given) as desk:
        answer = desk.ask(
            "close day",
            {"on": wanted.isoformat()},
            lambda work: closing.close_day(work, on=wanted),
            money=True,
        )
        record = desk.record({**answer.values, "replayed": answer.replayed})
        print_done(given, record, _message(answer.values))


def _message(told: dict[str, Any]) -> str:
    """Return the closed date, with the results of the sheet's invariants."""
    message = f"{told['on']} is closed, with {told['entries']} entries; print its sheet and sign it"
    if told["also_closed"]:
        message += f"; without bookings, and closed too: {', '.join(told['also_closed'])}"
    if told["broken"]:
        message += f"; {told['broken']} violations of invariants: see `desk check`"
    return message
