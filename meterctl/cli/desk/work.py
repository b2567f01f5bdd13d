"""desk work."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.interruption import stopped_by_interrupts
from meterctl.cli.output import emit, print_json, say
from meterctl.cli.scan_settings import duration_text
from meterctl.utility.errors import Invalid
from meterctl.utility.meters.execution import Step
from meterctl.utility.meters.orders import Begun
from meterctl.utility.meters.worker import Worker
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.orders import next_try, order_number
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from protocols.command_line import Context, Option, Program, examples

_EXAMPLES = examples(
    ("meterctl desk work", "Carry out all orders, of every port, until it is ended."),
    ("meterctl desk work --only bus-1 --once", "Carry out what is due now on one port."),
    ("meterctl desk work --reader counter-1", "Write and read the cards of a counter too."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("work", epilog=_EXAMPLES)(work)


def work(
    context: Context,
    only: Annotated[
        list[str] | None,
        Option(
            "--only",
            metavar="NAME",
            help="Serve only this port of the desk; repeatable.",
            show_default="every port that no other worker has",
        ),
    ] = None,
    reader: Annotated[
        list[str] | None,
        Option("--reader", metavar="NAME", help="Serve this card reader of the desk; repeatable."),
    ] = None,
    once: Annotated[
        bool, Option("--once", help="End when everything that is due was tried once.")
    ] = False,
) -> None:
    """Carry out the orders of the desk at its meters, a thread for each port.

    At its start it settles by its journal what a worker left behind that died. One worker at a
    time has a journal; more of them, each with its own, share the ports. It waits for the journal
    of a worker that was killed, at most 30 s. SIGTERM and Ctrl-C end it between two orders. Each
    order that was carried out is printed.
    """
    given = desk_options(context)
    if given.dry_run:
        raise Invalid("dry_run", "work carries out what was decided: it has no dry run")
    with signed_in(given) as desk:
        with desk.reading() as session:
            require_at(session, desk.actor, Action.WORKER_RUN, company(session).id)
        worker = Worker(
            desk.database,
            gateway_of(desk),
            frozenset(only) if only else None,
            frozenset(reader or ()),
            lambda step, begun, state: _tell(desk, step, begun, state),
            say,
            waits=not once,
        )
        with stopped_by_interrupts(worker.stop):
            if not once:
                worker.run()
                return
            done = worker.run_once()
        with desk.reading() as session:
            waiting, due_at = next_try(session)
        print_done(given, {}, f"{done} orders were carried out{_waiting(desk, waiting, due_at)}")


def _waiting(desk: SignedIn, count: int, due_at: int | None) -> str:
    """Return in words how many orders wait, and for when."""
    if due_at is None:
        return ""
    later = due_at - desk.now
    when = "is due" if later <= 0 else f"is due in {duration_text(later)}"
    return f"; {count} wait, the next one {when}"


def _tell(desk: SignedIn, step: Step, begun: Begun, state: str) -> None:
    """Print an order that was carried out."""
    if step is not Step.POSTED:
        return
    sale = None if begun.sale is None else f"S{begun.sale}"
    values = {
        "order": order_number(begun.order),
        "kind": begun.kind.value,
        "sale": sale,
        "meter": begun.serial,
        "key": begun.key,
        "state": state,
    }
    if desk.given.json:
        print_json(desk.record(values))
    else:
        about = "" if sale is None else f" {sale}"
        emit(f"{values['order']} {begun.kind.value}{about}, meter {begun.serial}: {state}")
