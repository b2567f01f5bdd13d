"""The books of sales: the one way in which a sale changes its state after it was taken.

`move` looks the event up in the sale's table (UTILITY 5), books what UTILITY 4 says of it, and
writes the sale, its order, what is proved of its meter and the audit, in the caller's transaction.
It locks its rows itself, in the order of `unit_of_work.RANKS`; a caller that has locked rows of the
same ranks before has locked those of the sale with them.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from meterctl.utility.errors import NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.money import Payment, PaymentState, Sale, Shift
from meterctl.utility.model.work import Order, TaskKind
from meterctl.utility.rules.transitions import (
    SALE,
    ReadingState,
    SaleEvent,
    SaleState,
    after,
)
from meterctl.utility.store.allocations import allocate
from meterctl.utility.store.findings import FindingRule, note_finding
from meterctl.utility.store.ledger import About
from meterctl.utility.store.proofs import Proved, prove_meter
from meterctl.utility.store.sale_postings import Moved, postings_of
from meterctl.utility.store.statements import Prepared, rows_of
from meterctl.utility.store.tasks import cancel_task
from meterctl.utility.store.unit_of_work import UnitOfWork

_BOOKED = frozenset(SaleEvent) - {
    SaleEvent.RUN, SaleEvent.ABSENT, SaleEvent.OPEN_OUTCOME, SaleEvent.WRITTEN_ON_CARD,
    SaleEvent.JOURNAL_LOST, SaleEvent.MOVED_TO_CARD, SaleEvent.ERASED,
}  # fmt: skip
"""Events that are booked; the others change the state alone."""
_DELIVERED = frozenset({SaleState.DELIVERED, SaleState.HAND_DELIVERED})
_ORDERS, _SALES = rows_of(Order), rows_of(Sale)
_BEGIN_ORDER = Prepared(
    update(_ORDERS)
    .where(_ORDERS.c.id == bindparam("of_id"), _ORDERS.c.credit_state == bindparam("was"))
    .values(
        credit_state=bindparam("reached"),
        changed_at=bindparam("at"),
        worker_id=bindparam("worker"),
        tries=bindparam("count"),
        not_before=bindparam("next"),
        cause="",
    )
)
_BEGIN_SALE = Prepared(
    update(_SALES)
    .where(_SALES.c.id == bindparam("of_id"), _SALES.c.state == bindparam("was"))
    .values(state=bindparam("reached"), changed_at=bindparam("at"), cause="")
)
_ROWS_OF_SALE = Prepared(
    select(_SALES.c.agreement_id, _SALES.c.meter_id, _SALES.c.shift_id, _ORDERS.c.id)
    .join(_ORDERS, _ORDERS.c.sale_id == _SALES.c.id)
    .where(_SALES.c.id == bindparam("of_id"))
)
_ALL_OF_SALE = (
    select(Agreement, Meter, Order, Sale)
    .join(Sale, Sale.agreement_id == Agreement.id)
    .join(Meter, Meter.id == Sale.meter_id)
    .join(Order, Order.sale_id == Sale.id)
    .where(Sale.id == bindparam("of_id"))
    .with_for_update(of=(Agreement, Meter, Order, Sale))
)
"""What a worker's event changes, locked by one statement where nothing is locked before."""
_CONTRADICTIONS = {(SaleEvent.PROOF_DELIVERED, False), (SaleEvent.PROOF_DEAD, True)}
"""Proofs, and whether the sale had ended as hand_delivered, that say the contrary of its end."""


def move(
    work: UnitOfWork,
    sale_id: int,
    event: SaleEvent,
    *,
    proved: Proved | None = None,
    cause: str = "",
    payment: Payment | None = None,
    follower: Sale | None = None,
) -> Sale:
    """Move a sale by an event, with everything that belongs to it; return it.

    Args:
        proved: what the journal has; its receipt decides how a delivery is booked.
        cause: why, kept beside the state and in the audit.
        payment: of `PAYOUT`: the payment out, whose till gives the money.
        follower: of `SELL_AGAIN`: the sale that what is owed pays, up to its amount; it is written
            already, and what is paid beside it is booked by its own taking.

    Raises:
        Refused: the table has no such event for the sale's state, or the books do not allow it;
            nothing was changed.
        NotFound: there is no such sale.
    """
    sale, meter, order = _locked(work, sale_id, event, payment, follower)
    before = sale.state
    reached = after(SALE, before, event)
    if meter is not None:
        was, now = _to_debt(work, sale, meter, proved)
        _book(work, Moved(sale, event, was, now, payment, follower))
        if proved is not None and reached in _DELIVERED:
            _take_proof(work, sale, meter, proved, now)
    if proved is not None:
        sale.epoch, sale.sequence = proved.epoch, proved.sequence
        sale.card = proved.card or sale.card
    sale.state, sale.cause, sale.changed_at = reached, cause, work.now
    if (event, before is SaleState.HAND_DELIVERED) in _CONTRADICTIONS:
        note_finding(
            work, FindingRule.PROOF_AGAINST_END, sale, sale.agreement_id, reached, before,
            f"the proof says {reached}; it had ended as {before}",
        )  # fmt: skip
    if before is SaleState.ON_CARD:
        cancel_task(work, TaskKind.CARD_OLD, sale, f"the sale is {reached}")
    if before is SaleState.UNKNOWN:
        cancel_task(work, TaskKind.SLIP, sale, f"the sale is {reached}")
    order.credit_state = reached
    order.cause, order.changed_at = cause, work.now
    work.audit(f"sale_{event}", sale, {"state": before}, {"state": reached}, cause)
    return sale


def begin(
    work: UnitOfWork, sale_id: int, order_id: int, *, worker: int, tries: int, not_before: int
) -> None:
    """Move a sale by `RUN` whose order the caller has claimed; as `move`, with fewer statements.

    Args:
        worker: number of the journal's row, to which the order belongs from here on.
        tries: of its order, with this one; `not_before` is when the next one would be.

    Raises:
        Refused: the sale or its order is not `taken`; nothing was changed.
    """
    reached = after(SALE, SaleState.TAKEN, SaleEvent.RUN)
    sending = {"reached": reached, "at": work.now, "was": SaleState.TAKEN}
    connection = work.connection
    order = {"of_id": order_id, "worker": worker, "count": tries, "next": not_before}
    moved = _BEGIN_ORDER.change(connection, sending | order)
    moved += _BEGIN_SALE.change(connection, sending | {"of_id": sale_id})
    if moved != len((order_id, sale_id)):
        raise Refused("not_in_this_state", f"S{sale_id} is not taken; nothing was changed")
    change = ({"state": SaleState.TAKEN}, {"state": reached})
    work.audit(f"sale_{SaleEvent.RUN}", Sale(id=sale_id), *change)


def _locked(
    work: UnitOfWork,
    sale_id: int,
    event: SaleEvent,
    payment: Payment | None,
    follower: Sale | None,
) -> tuple[Sale, Meter | None, Order]:
    """Lock the rows of an event in their order; a meter only where it may be changed."""
    unknown = NotFound("no_sale", f"S{sale_id}: there is no such sale")
    needs_till = payment is not None or event is SaleEvent.CANCEL
    if event in _BOOKED and work.holds_nothing and not needs_till and follower is None:
        locked = work.lock_joined(_ALL_OF_SALE, {"of_id": sale_id})
        if locked is None:
            raise unknown
        _, meter, order, sale = locked
        return sale, meter, order
    found = _ROWS_OF_SALE.row(work.connection, {"of_id": sale_id})
    if found is None:
        raise unknown
    agreement_id, meter_id, shift_id, order_id = found
    if event not in _BOOKED:
        order = work.lock(Order, order_id)
        return work.lock(Sale, sale_id), None, order
    agreements = {agreement_id} | ({follower.agreement_id} if follower else set())
    for each in sorted(agreements):
        work.lock(Agreement, each)
    till = payment.shift_id if payment else shift_id if event is SaleEvent.CANCEL else None
    if till is not None:
        work.lock(Shift, till)
    meter, order = work.lock(Meter, meter_id), work.lock(Order, order_id)
    return work.lock(Sale, sale_id), meter, order


def _book(work: UnitOfWork, moved: Moved) -> None:
    """Book an event; where the money goes back, its payment is cancelled with it."""
    sale, event = moved.sale, moved.event
    transfers = postings_of(work, moved)
    about = About(
        sale.agreement_id, sale.id, moved.payment.id if moved.payment else sale.payment_id
    )
    work.ledger.post(f"sale/{sale.id}/{event}", f"sale_{event}", transfers, about)
    if event is SaleEvent.PROOF_DELIVERED:
        allocate(work, sale.agreement_id, f"sale/{sale.id}/claim_allocated")
    if event is SaleEvent.CANCEL:
        taken = work.session.get_one(Payment, sale.payment_id)
        taken.state = PaymentState.CANCELLED
        work.audit(
            "payment_cancelled", taken, {"state": PaymentState.TAKEN}, {"state": taken.state}
        )


def _to_debt(work: UnitOfWork, sale: Sale, meter: Meter, proved: Proved | None) -> tuple[int, int]:
    """Return T of the proof's epoch without and with the sale; equal where it adds nothing new."""
    if proved is None:
        return meter.to_debt_exact, meter.to_debt_exact
    was = meter.to_debt_exact if meter.epoch in (None, proved.epoch) else 0
    if sale.state is SaleState.HAND_DELIVERED and _was_read(work, meter, proved):
        return was, was
    return was, was + (proved.to_debt or 0)


def _was_read(work: UnitOfWork, meter: Meter, proved: Proved) -> bool:
    """Return whether a reading that was booked has the sale's part for debt already."""
    found = work.session.scalars(
        select(Reading.id)
        .where(
            Reading.meter_id == meter.id,
            Reading.epoch == proved.epoch,
            Reading.state == ReadingState.ACCEPTED,
            Reading.credit_sequence >= proved.sequence,
        )
        .limit(1)
    )
    return found.first() is not None


def _take_proof(
    work: UnitOfWork, sale: Sale, meter: Meter, proved: Proved, to_debt_now: int
) -> None:
    """Write down what is proved of a delivered sale and by it of its meter."""
    sale.proved_at = work.now
    sale.to_debt_exact, sale.to_overdraft_exact = proved.to_debt, proved.to_overdraft
    sale.credit_after_exact, sale.supply_state = proved.credit_after, proved.supply_state
    sale.causes = None if proved.causes is None else list(proved.causes)
    if prove_meter(work, meter, sale.agreement_id, proved):
        meter.to_debt_exact = to_debt_now
