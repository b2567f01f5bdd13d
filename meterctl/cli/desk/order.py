"""desk order list|show."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.services import order_lists
from protocols.command_line import Argument, Context, Option, Program

_order = Program("What workers do at meters: sales, settings, readings, each an order.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_order, name="order")


@_order.command("list")
def list_(
    context: Context,
    meter: Annotated[
        str | None, Option("--meter", metavar="SERIAL", help="Only those of this meter.")
    ] = None,
    all_: Annotated[bool, Option("--all", help="Those that have ended too.")] = False,
    limit: LimitOption = ROWS,
) -> None:
    """List the orders that have not ended, the newest first."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = order_lists.list_(session, desk.actor, ended=all_, meter=meter, limit=limit)
        columns = (
            "number", "kind", "sale", "meter", "port", "state", "tries", "not_before_at", "cause",
        )  # fmt: skip
        print_records(given, [desk.record(row) for row in found], columns, ("tries",))


@_order.command("show")
def show(
    context: Context,
    order: Annotated[str, Argument(metavar="ORDER", help="Its number, such as O5, or its key.")],
) -> None:
    """Show an order with what it asks for and what became of it."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        print_record(given, desk.record(order_lists.show(session, desk.actor, order)))
