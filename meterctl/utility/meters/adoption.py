"""Journals that change hands: one that was moved is adopted, one that is gone is given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select

from meterctl.utility.errors import Conflict, NotFound
from meterctl.utility.meters.endings import owe_slip
from meterctl.utility.meters.gateway import Gateway, JournalWord
from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Order, Worker
from meterctl.utility.rules.leases import lives
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import (
    LIVE,
    CommandEvent,
    CommandState,
    SaleEvent,
    SaleState,
)
from meterctl.utility.store import order_books, sale_books
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.unit_of_work import UnitOfWork


def adopt(work: UnitOfWork, gateway: Gateway) -> dict[str, Any]:
    """Take over a journal whose file was moved, with the live orders that it has sealed.

    The row of the journal names the file from here on. Orders of other rows move to it that have an
    entry in it; a worker with this journal settles them.

    Raises:
        Conflict: a living worker has the journal.
        UsageError: the journal cannot be read.
    """
    work.require(Action.WORKER_ADOPT, company(work.session).id)
    number, file = gateway.journal_number, str(gateway.journal_path)
    row = work.session.scalars(
        select(Worker).where(Worker.journal_number == number).with_for_update()
    ).one_or_none()
    if row is None:
        row = work.add(
            Worker(journal_number=number, journal=file, lease_holder=None, lease_until=None)
        )
        before = None
    else:
        _require_dead(work, row)
        before = {"journal": row.journal}
        row.journal, row.lease_holder, row.lease_until = file, None, None
    work.audit(Action.WORKER_ADOPT, row, before, {"journal": file})
    moved = []
    for order_id, key in _live(work, of=None):
        if gateway.find(key).state is JournalWord.ABSENT:
            continue
        order = work.lock(Order, order_id)
        if order.worker_id != row.id:
            work.audit(Action.WORKER_ADOPT, order, {"worker": order.worker_id}, {"worker": row.id})
            order.worker_id = row.id
            moved.append(f"O{order.id}")
    return {"worker": row.id, "journal_number": number, "journal": file, "orders": moved}


def give_up(work: UnitOfWork, *, worker: int, reason: str) -> dict[str, Any]:
    """Give up a journal that is lost: its live orders are unknown, and people go to the meters.

    Raises:
        NotFound: there is no such worker.
        Conflict: it lives.
    """
    work.require(Action.WORKER_ADOPT, company(work.session).id)
    row = work.session.get(Worker, worker)
    if row is None:
        raise NotFound("no_worker", f"{worker}: there is no such worker; see `desk worker list`")
    _require_dead(work, row)
    work.audit("worker_lost", row, None, {"journal": row.journal}, reason)
    orders = [work.lock(Order, number) for number, _ in _live(work, of=worker)]
    for order in sorted(orders, key=lambda each: each.sale_id or 0):
        _lose(work, order, reason)
    return {
        "worker": row.id,
        "journal": row.journal,
        "orders": [f"O{order.id}" for order in orders],
    }


def _lose(work: UnitOfWork, order: Order, reason: str) -> None:
    """Move one order whose journal is lost; the order is held."""
    if order.credit_state is None:
        order_books.move_command(work, order.id, CommandEvent.WORKER_GONE, cause=reason)
        return
    is_known = order.credit_state is SaleState.UNKNOWN
    if order.sale_id is None:
        if not is_known:
            order_books.move_order(work, order.id, SaleEvent.JOURNAL_LOST, cause=reason)
        owe_slip(work, order)
        return
    sale = work.session.get_one(Sale, order.sale_id)
    if not is_known:
        sale = sale_books.move(work, order.sale_id, SaleEvent.JOURNAL_LOST, cause=reason)
    owe_slip(work, sale)


def _live(work: UnitOfWork, of: int | None) -> Sequence[tuple[int, str]]:
    """Return number and key of the live orders of one worker, or of all."""
    rows = work.session.execute(
        select(Order.id, Order.key)
        .where(
            Order.worker_id.is_not(None) if of is None else Order.worker_id == of,
            or_(Order.credit_state.in_(LIVE), Order.command_state == CommandState.RUNNING),
        )
        .order_by(Order.id)
    )
    return [(number, key) for number, key in rows]


def _require_dead(work: UnitOfWork, row: Worker) -> None:
    """Refuse a journal that a living worker has; raises Conflict."""
    if lives(row.lease_until, work.database.host_clock()):
        raise Conflict(
            "journal_in_use",
            f"journal {row.journal}: worker {row.lease_holder} has it; end it first. Nothing was "
            f"changed",
        )
