"""Orders that a process left behind: what became of them is read in the journal.

An order that may have been sealed belongs to the journal that sealed it. It is sought there:
absent, it is run again; open, it is resolved; settled, it is booked. Orders of another journal are
left alone. That it is absent is concluded only where no living process can still seal it: none has
the lease of its port; a sale for a card was begun some time ago.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from meterctl.utility.errors import DeskError, Refused
from meterctl.utility.meters.endings import end_credit, go_on
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.leases import is_held_elsewhere
from meterctl.utility.meters.orders import Begun, live_of
from meterctl.utility.meters.outcomes import event_of
from meterctl.utility.model.work import Order, OrderKind, Worker
from meterctl.utility.rules.transitions import (
    LIVE,
    CommandEvent,
    CommandState,
    JournalWord,
    SaleState,
)
from meterctl.utility.store import order_books
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, repeated, unit_of_work
from protocols.quantities import MINUTE

CARD_MS = 2 * MINUTE
"""How long a sale may take to be sealed for a card, ms: there is no lease on a card."""


@dataclass(frozen=True, slots=True)
class Found:
    """An order that was left behind: the word of its state before, and what it is now."""

    order: int
    key: str
    before: str
    after: str


def reconcile(database: Database, gateway: Gateway, worker: int, holder: str = "") -> list[Found]:
    """Settle its orders by the journal, and let those be tried at once that it leaves open.

    Args:
        worker: number of the journal's row.
        holder: name of this process on leases.

    Returns:
        Those that changed.

    Raises:
        UsageError: the journal cannot be read: nothing is concluded.
    """
    found = []
    for begun in live_of(database, worker):
        try:
            settled = settle_by_journal(database, gateway, begun, holder)
            found += [] if settled is None else [settled]
            _make_due(database, begun)
        except DeskError as error:
            found.append(Found(begun.order, begun.key, _word(begun), f"not settled: {error}"))
    for order, key in _with_more_to_do(database):
        try:
            go_on(database, order)
        except DeskError as error:
            found.append(Found(order, key, "ended", f"not gone on with: {error}"))
    return found


def settle_by_journal(
    database: Database, gateway: Gateway, begun: Begun, holder: str = ""
) -> Found | None:
    """Move one order to the state that the journal says; None where that changes nothing.

    Args:
        holder: name of this process on leases.
    """
    if begun.credit_state is None:
        return None if _may_be_running(database, begun, holder) else _end_command(database, begun)
    outcome = gateway.find(begun.key)
    if event_of(begun.credit_state, outcome) is None:
        return None
    is_absent = outcome.state is JournalWord.ABSENT
    if is_absent and _may_be_running(database, begun, holder):
        return None
    state = end_credit(database, begun, outcome)
    go_on(database, begun.order)
    return Found(begun.order, begun.key, _word(begun), state)


def foreign_orders(database: Database, worker: int) -> list[tuple[int, str, str]]:
    """Return the live orders of other journals: number, key, and the journal's file."""
    with database.reading() as session:
        rows = session.execute(
            select(Order.id, Order.key, Worker.journal)
            .join(Worker, Worker.id == Order.worker_id)
            .where(Order.worker_id != worker, Order.credit_state.in_(LIVE))
            .order_by(Order.id)
        )
        return [(number, key, journal) for number, key, journal in rows]


def _may_be_running(database: Database, begun: Begun, holder: str) -> bool:
    """Return whether another living process may be carrying out an order."""
    if begun.card is not None or begun.port is None:
        return not database.simulated and database.now() - begun.changed_at < CARD_MS
    return is_held_elsewhere(database, begun.port, holder)


def _word(begun: Begun) -> str:
    return CommandState.RUNNING.value if begun.credit_state is None else begun.credit_state.value


def _make_due(database: Database, begun: Begun) -> None:
    """Let an order that is not settled be tried at once."""
    with unit_of_work(database, WORKER, database.now()) as work:
        order = work.lock(Order, begun.order)
        if order.credit_state in (SaleState.TAKEN, SaleState.UNKNOWN):
            order.not_before = work.now


def _end_command(database: Database, begun: Begun) -> Found | None:
    """Let a command run again whose process died: it reads what the meter has first."""

    def once() -> None:
        with unit_of_work(database, WORKER, database.now()) as work:
            order = order_books.move_command(work, begun.order, CommandEvent.WORKER_GONE)
            order.not_before = work.now

    try:
        repeated(once)
    except Refused:  # another process has ended it meanwhile
        return None
    return Found(begun.order, begun.key, _word(begun), CommandState.SILENT.value)


def _with_more_to_do(database: Database) -> list[tuple[int, str]]:
    """Return ended orders after which something goes on that was not done."""
    states = list(order_books.ENDED)
    with database.reading() as session:
        rows = session.scalars(
            select(Order)
            .where(
                Order.kind != OrderKind.SALE,
                Order.parameters[order_books.THEN].as_string().is_not(None),
                or_(Order.credit_state.in_(states), Order.command_state.in_(states)),
            )
            .order_by(Order.id)
        )
        return [(row.id, row.key) for row in rows if not order_books.has_followed(row)]
