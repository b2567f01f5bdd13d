"""What the ledger gets for each event of a sale (UTILITY 4), from the rows that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from meterctl.utility.errors import Refused
from meterctl.utility.model.money import (
    Payment,
    PaymentChannel,
    Sale,
)
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.money import difference
from meterctl.utility.rules.postings import Account, Transfers
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.queries.payments import owed_by_name
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import CENT, format_money


@dataclass(frozen=True, slots=True)
class Moved:
    """An event of a sale that is booked, with the sale as it stands before it.

    `to_debt_before` and `to_debt_now` are T without and with the sale, exact: what sales of the
    epoch paid for debt. `payment` is the payment out of a payout, `follower` the sale that what is
    owed pays.
    """

    sale: Sale
    event: SaleEvent
    to_debt_before: int
    to_debt_now: int
    payment: Payment | None
    follower: Sale | None


def postings_of(work: UnitOfWork, moved: Moved) -> Transfers:
    """Return the transfers of an event; a claim that they need is written.

    Raises:
        Refused: the event needs a payment that there is not, or one of a channel without a till.
    """
    sale, agreement, amount = moved.sale, moved.sale.agreement_id, moved.sale.amount
    match moved.event:
        case SaleEvent.CONFIRMED | SaleEvent.RECEIPT | SaleEvent.RESOLVED_DELIVERED:
            return postings.delivered(
                agreement, amount, moved.to_debt_before, moved.to_debt_now,
                debts_in_meter(work, agreement, moved.to_debt_before, moved.to_debt_now),
            )  # fmt: skip
        case SaleEvent.SETTLED_AS_DELIVERED:
            return postings.delivered(agreement, amount, 0, 0, ())
        case SaleEvent.PROOF_DELIVERED:
            booked = () if sale.state is SaleState.HAND_DELIVERED else _taken_after_all(work, sale)
            shares = debt_taken(work, agreement, moved.to_debt_before, moved.to_debt_now)
            return (*booked, *shares)
        case SaleEvent.PROOF_DEAD:
            was_delivered = sale.state is SaleState.HAND_DELIVERED
            return postings.not_taken(agreement, amount) if was_delivered else ()
        case SaleEvent.CANCEL:
            return postings.cancelled_in_shift(_till_of_sale(work, sale), agreement, amount)
        case (
            SaleEvent.CANCEL_LATER
            | SaleEvent.WORKER_GONE
            | SaleEvent.REFUSED
            | SaleEvent.VOIDED
            | SaleEvent.RESOLVED_DEAD
            | SaleEvent.SETTLED_AS_DEAD
        ):
            return postings.not_delivered(agreement, amount)
        case SaleEvent.PAYOUT:
            if moved.payment is None or moved.payment.amount != amount:
                raise Refused(
                    "no_payment",
                    f"S{sale.id}: a payout of {format_money(amount * CENT)} is needed; "
                    f"nothing was changed",
                )
            return postings.paid_out(agreement, till(moved.payment), amount)
        case SaleEvent.SELL_AGAIN:
            if moved.follower is None:
                raise Refused("no_follower", f"S{sale.id}: no sale follows; nothing was changed")
            carried = min(amount, moved.follower.amount)
            return postings.sold_again(agreement, moved.follower.agreement_id, carried)
        case (
            SaleEvent.RUN
            | SaleEvent.ABSENT
            | SaleEvent.OPEN_OUTCOME
            | SaleEvent.WRITTEN_ON_CARD
            | SaleEvent.JOURNAL_LOST
            | SaleEvent.MOVED_TO_CARD
            | SaleEvent.ERASED
        ):
            return ()


def debt_taken(work: UnitOfWork, agreement: int, before: int, now: int) -> Transfers:
    """Return in_meter/meter_debt of what top-ups paid for debt beyond what was booked."""
    debts = debts_in_meter(work, agreement, before, now)
    return postings.debt_taken(agreement, before, now, debts)


def debts_in_meter(work: UnitOfWork, agreement: int, before: int, now: int) -> tuple[Part, ...]:
    """Return what lies in the meter of each bill, the oldest first; it is asked for if needed."""
    if not difference(now, before):
        return ()
    return tuple(work.ledger.debts_in_meter(agreement))


def till(payment: Payment) -> Account:
    """Return the account of the money of a payment: a shift's cash, or what the bank pays.

    Raises:
        Refused: it was neither cash of a shift nor a transfer.
    """
    if payment.channel is PaymentChannel.TRANSFER:
        return postings.transit(postings.BANK)
    if payment.channel is not PaymentChannel.CASH or payment.shift_id is None:
        raise Refused(
            "no_till",
            f"payment {payment.id} came by {payment.channel}, not into a till; nothing was changed",
        )
    return postings.cash(payment.shift_id)


def _till_of_sale(work: UnitOfWork, sale: Sale) -> Account:
    """Return the till into which the whole sale was paid."""
    paid = None if sale.payment_id is None else work.session.get(Payment, sale.payment_id)
    if paid is None or paid.amount != sale.amount:
        raise Refused(
            "not_paid_here",
            f"S{sale.id} was not paid into one till; cancelled, its amount is owed; "
            f"nothing was changed",
        )
    return till(paid)


def _taken_after_all(work: UnitOfWork, sale: Sale) -> Transfers:
    """Return the transfers of a sale that the meter took after it had ended undelivered.

    What of it is not owed any more (paid out, or sold again) becomes a claim.
    """
    owed = sale.amount
    if sale.state is SaleState.REPAID:
        owed = 0
    elif sale.state is SaleState.REPLACED:
        payable = work.ledger.balance(postings.AccountKind.PAYABLE, sale.agreement_id)
        free = max(0, payable - owed_by_name(work.session, sale.agreement_id))
        owed = min(sale.amount - _carried(work, sale), free)
    claimed = sale.amount - owed
    note = f"S{sale.id} is in the meter, and its money was given back or sold again"
    claim = None
    if claimed:
        claim = write_claim(work, sale.agreement_id, f"B-S{sale.id}", claimed, note).id
    return postings.taken_after_all(sale.agreement_id, sale.amount, owed, claim)


def _carried(work: UnitOfWork, sale: Sale) -> int:
    """Return how much of a replaced sale pays the one that follows it."""
    follower = work.session.scalars(
        select(Sale.amount).where(Sale.follows_id == sale.id).order_by(Sale.id)
    ).first()
    return min(sale.amount, follower or 0)
