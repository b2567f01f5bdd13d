"""desk worker list|adopt|give-up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.shared_options import ReasonOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.errors import UsageError
from meterctl.utility.meters.adoption import adopt as adopt_journal
from meterctl.utility.meters.adoption import give_up as give_up_journal
from meterctl.utility.services import order_lists
from protocols.command_line import Argument, Context, Program

_worker = Program("The journals that seal for the desk, and the workers that have them.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_worker, name="worker")


@_worker.command("list")
def list_(context: Context) -> None:
    """List the journals, who has each, and how many of its orders are not settled."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = order_lists.journals(session, desk.actor, desk.database.host_clock())
        columns = ("worker", "journal", "lives", "holder", "live_orders")
        print_records(given, [desk.record(row) for row in found], columns, ("live_orders",))


@_worker.command("adopt")
def adopt(
    context: Context,
    journal: Annotated[Path, Argument(metavar="JOURNAL", help="The journal's file.")],
) -> None:
    """Take over a journal whose file was moved, with the orders that it has sealed.

    Afterwards `meterctl --journal JOURNAL desk work` settles them.
    """
    if not journal.exists():
        raise UsageError(f"{journal}: there is no such file; nothing was changed")
    with signed_in(desk_options(context)) as desk:
        gateway = gateway_of(desk, journal.resolve())
        desk.do(
            "worker adopt",
            {"journal": str(gateway.journal_path), "journal_number": gateway.journal_number},
            lambda work: adopt_journal(work, gateway),
            lambda told: f"journal {told['journal']} is worker {told['worker']}'s, {_moved(told)}",
        )


@_worker.command("give-up")
def give_up(
    context: Context,
    worker: Annotated[int, Argument(metavar="WORKER", help="Its number in `worker list`.")],
    reason: ReasonOption,
) -> None:
    """Give up a journal that is lost for good: its orders are unknown, slips go to the meters.

    They end by a proof, or by two persons (`sale settle`).
    """
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "worker give-up",
            {"worker": worker, "reason": reason},
            lambda work: give_up_journal(work, worker=worker, reason=reason),
            lambda told: f"journal {told['journal']} is given up, {_moved(told)}",
        )


def _moved(told: dict[str, Any]) -> str:
    orders = told["orders"]
    return f"with {', '.join(orders)}" if orders else "without orders"
