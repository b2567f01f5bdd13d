"""desk ledger show."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import (
    amount_json,
    date_json,
    moment_json,
    print_records,
    text_json,
)
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import say
from meterctl.utility.services import statements
from protocols.command_line import Argument, Context, Program

_ledger = Program("The ledger: what moved on the accounts of an agreement.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_ledger, name="ledger")


@_ledger.command("show")
def show(
    context: Context,
    agreement: Annotated[
        str,
        Argument(
            metavar="AGREEMENT",
            help="Number of the agreement, or of its supply point (户号) or meter.",
        ),
    ],
) -> None:
    """Show what moved on an agreement's accounts, the oldest first, and what stands on each.

    An amount is positive where the account grew: what was paid, what lies in the meter, what is
    owed.
    """
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = statements.statement_of(session, desk.actor, agreement)
        records = [
            {
                "entry": str(line.entry),
                "booked_at": moment_json(line.booked_at, desk.database.zone),
                "booked_on": date_json(line.booked_on),
                "for_on": date_json(line.for_on),
                "event": text_json(line.event),
                "account": text_json(line.account),
                "amount": amount_json(line.amount),
                "balance": amount_json(line.balance),
                "bill": text_json(line.bill),
            }
            for line in found
        ]
        columns = ("entry", "booked_on", "event", "account", "amount", "balance", "bill")
        print_records(given, records, columns, ("entry", "amount", "balance"), "nothing was booked")
        if not given.json and found:
            last = {line.account: line.balance for line in found}
            say(", ".join(f"{kind} {amount_json(amount)}" for kind, amount in last.items()))
