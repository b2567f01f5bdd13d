"""Payments that stand in a customer's advance: taken, moved to the right agreement, bounced.

In every mode. What is open of bills is paid from the advance, the oldest due first; the rest waits
for the next bill, or goes back by `payouts.refund`.
"""

from __future__ import annotations

from typing import Any, assert_never

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import (
    Bill,
    Payment,
    PaymentChannel,
    PaymentPurpose,
    PaymentState,
    Sale,
    Shift,
)
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part, taken_back
from meterctl.utility.rules.cash_up import require_room
from meterctl.utility.rules.postings import BANK, Account, AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.selling import LARGEST_AMOUNT, shown
from meterctl.utility.rules.transitions import SaleEvent, SaleState, ShiftState
from meterctl.utility.services.receipts import enter_payment
from meterctl.utility.services.shifts import own_shift, require_open
from meterctl.utility.store import sale_books
from meterctl.utility.store.allocations import allocate, standing_allocations
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.banking import account_of_bank, line_of_payment
from meterctl.utility.store.queries.payments import (
    describe_payment,
    find_payment,
    payment_number,
)
from meterctl.utility.store.queries.sales import node_of_agreement
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


def show(session: Session, actor: Actor, payment: str) -> dict[str, Any]:
    """Return a payment by its number or its receipt's; raises NotFound, NotPermitted."""
    found = find_payment(session, payment)
    require_at(session, actor, Action.SALE_READ, node_of_agreement(session, found.agreement_id))
    return describe_payment(session, found.id)


def pay(
    work: UnitOfWork, *, agreement: str, amount: int, channel: PaymentChannel
) -> dict[str, Any]:
    """Take cash for an agreement: it stands in advance, and pays the open bills.

    Raises:
        Invalid: the amount is not taken, or another channel than cash.
        Refused: no shift is open, or it would hold more than its limit.
    """
    if channel is not PaymentChannel.CASH:
        raise Invalid(
            "channel", f"{channel}: a till takes cash; the bank's files bring the rest. No money "
            "was taken"
        )  # fmt: skip
    if not 0 < amount <= LARGEST_AMOUNT:
        raise Invalid(
            "amount",
            f"{shown(amount)}: 0.01 to {shown(LARGEST_AMOUNT)} are taken; no money was taken",
        )
    found = find_agreement(work.session, agreement)
    work.require(Action.PAY, node_of_agreement(work.session, found.id))
    till = own_shift(work)
    work.lock(Agreement, found.id)
    shift = work.lock(Shift, till.id)
    require_open(shift)
    require_room(work.ledger.balance(AccountKind.CASH, shift.id), amount, shift.limit_amount)
    entered = enter_payment(work, shift.id, found.id, PaymentPurpose.BILLS, amount)
    paid = work.session.get_one(Payment, entered.id)
    work.ledger.post(
        f"payment/{paid.id}/taken",
        "payment_taken",
        postings.paid_for_bills(postings.cash(shift.id), found.id, amount),
        About(found.id, payment=paid.id),
    )
    parts = allocate(work, found.id, f"payment/{paid.id}/allocated", paid.id)
    work.audit(Action.PAY, paid, None, {"amount": amount})
    return payment_answer(work, paid, parts)


def move(work: UnitOfWork, *, payment: str, to: str) -> dict[str, Any]:
    """Move a payment that was booked on the wrong agreement to the right one.

    What it paid there is open again, the newest allocations first; on the other agreement it pays
    the open bills.

    Raises:
        Refused: it is no payment for bills, it bounced, or it was given back.
    """
    found = find_payment(work.session, payment)
    target = find_agreement(work.session, to)
    wrong, right = found.agreement_id, target.id
    for agreement in (wrong, right):
        work.require(Action.PAY_MOVE, node_of_agreement(work.session, agreement))
    if wrong == right:
        raise Invalid("same_agreement", f"{payment} stands on {to} already; nothing was changed")
    for agreement in sorted((wrong, right)):
        work.lock(Agreement, agreement)
    work.session.refresh(found)
    if found.agreement_id != wrong:
        raise Refused("moved", f"{payment} was moved meanwhile; nothing was changed")
    _require_for_bills(found)
    available = work.ledger.balance(AccountKind.ADVANCE, wrong)
    back = taken_back(found.amount - available, standing_allocations(work, wrong))
    if back.rest:
        raise Refused(
            "given_back",
            f"{shown(back.rest)} of {payment} was given back already; nothing was changed",
        )
    times = _times_moved(work, found)
    work.ledger.post(
        f"payment/{found.id}/moved/{times + 1}",
        "payment_moved",
        (
            *postings.taken_back_for_move(wrong, back.parts),
            *postings.payment_moved(wrong, right, found.amount),
        ),
        About(right, payment=found.id),
    )
    before = describe_payment(work.session, found.id)
    found.agreement_id, found.state = right, PaymentState.MOVED
    work.session.flush()
    parts = allocate(work, right, f"payment/{found.id}/allocated/{times + 1}", found.id)
    work.audit(
        Action.PAY_MOVE,
        found,
        {"agreement": before["agreement"], "state": before["state"]},
        {"agreement": to, "state": found.state},
    )
    return {
        **payment_answer(work, found, parts),
        "moved_from": before["agreement"],
        "open_again": sum(part.amount for part in back.parts),
    }


def bounce(work: UnitOfWork, *, payment: str, reason: str = "") -> dict[str, Any]:
    """Take back a payment whose money was not good; what it cannot give back is a claim.

    The money is missing where it was paid: in the till while its shift is not closed, later on its
    way to the bank.

    Raises:
        Refused: it went out, bounced before, was cancelled, or paid a sale that is not settled.
    """
    found = find_payment(work.session, payment)
    agreement = found.agreement_id
    work.require(Action.PAY_BOUNCE, node_of_agreement(work.session, agreement))
    work.lock(Agreement, agreement)
    missing_in = _where_missing(work, found)
    work.session.refresh(found)
    _require_taken(found)
    before = found.state
    match found.purpose:
        case PaymentPurpose.BILLS:
            claim = _bounce_bills(work, found, missing_in)
        case PaymentPurpose.SALE:
            claim = _bounce_sale(work, found, missing_in)
        case PaymentPurpose.PAYOUT | PaymentPurpose.REFUND:
            raise Refused("paid_out", f"{payment} went out; nothing was changed")
        case _:
            assert_never(found.purpose)
    found.state = PaymentState.BOUNCED
    work.session.flush()
    work.audit(Action.PAY_BOUNCE, found, {"state": before}, {"state": found.state}, reason)
    return {
        **payment_answer(work, found, []),
        "claim": None if claim is None else claim.number,
        "claimed": 0 if claim is None else claim.amount,
    }


def _bounce_bills(work: UnitOfWork, payment: Payment, missing_in: Account) -> Bill | None:
    """Take a payment for bills back; return the claim for what is missing."""
    agreement, amount = payment.agreement_id, payment.amount
    available = work.ledger.balance(AccountKind.ADVANCE, agreement)
    standing = standing_allocations(work, agreement)
    missing = taken_back(amount - available, standing).rest
    claim = _claim(work, payment, missing) if missing else None
    work.ledger.post(
        f"payment/{payment.id}/bounced",
        "payment_bounced",
        postings.payment_bounced(
            agreement, missing_in, amount, available, standing, None if claim is None else claim.id
        ),
        About(agreement, payment=payment.id),
    )
    return claim


def _bounce_sale(work: UnitOfWork, payment: Payment, missing_in: Account) -> Bill | None:
    """Take the payment of a sale back: what is owed for it is not owed any more, else a claim."""
    sale = work.session.scalars(select(Sale).where(Sale.payment_id == payment.id)).one()
    match sale.state:
        case SaleState.TAKEN | SaleState.SENDING | SaleState.ON_CARD | SaleState.UNKNOWN:
            raise Refused(
                "not_settled",
                f"S{sale.id}, which {payment_number(payment.id)} paid, is {sale.state}: first it "
                "is cancelled or settled; nothing was changed",
            )
        case SaleState.DEAD | SaleState.HAND_DEAD if sale.amount == payment.amount:
            in_till = missing_in.kind is AccountKind.CASH
            out = enter_payment(
                work,
                missing_in.owner if in_till else None,
                payment.agreement_id,
                PaymentPurpose.PAYOUT,
                payment.amount,
                PaymentChannel.CASH if in_till else PaymentChannel.TRANSFER,
            )
            paid_out = work.session.get_one(Payment, out.id)
            cause = "its payment bounced"
            sale_books.move(work, sale.id, SaleEvent.PAYOUT, payment=paid_out, cause=cause)
            return None
        case _:
            claim = _claim(work, payment, payment.amount)
            work.ledger.post(
                f"payment/{payment.id}/bounced",
                "payment_bounced",
                postings.sale_bounced(payment.agreement_id, missing_in, payment.amount, claim.id),
                About(payment.agreement_id, sale.id, payment.id, claim.id),
            )
            allocate(work, payment.agreement_id, f"bill/{claim.id}/allocated")
            return claim


def _claim(work: UnitOfWork, payment: Payment, amount: int) -> Bill:
    number = payment_number(payment.id)
    return write_claim(
        work, payment.agreement_id, f"B-{number}", amount, f"payment {number} bounced"
    )


def _where_missing(work: UnitOfWork, payment: Payment) -> Account:
    """Return the account in which the money of a payment is missing; its shift is locked."""
    line = line_of_payment(work.session, payment.id)
    if line is not None:
        return postings.transit(account_of_bank(work.session, line.bank))
    if payment.shift_id is not None:
        shift = work.lock(Shift, payment.shift_id)
        if shift.state is not ShiftState.CLOSED:
            require_open(shift)
            return postings.cash(shift.id)
    return postings.transit(BANK)


def _require_taken(payment: Payment) -> None:
    """Refuse a payment that bounced or was cancelled; raises Refused."""
    if payment.state not in (PaymentState.TAKEN, PaymentState.MOVED):
        raise Refused(
            "not_taken",
            f"{payment_number(payment.id)} is {payment.state} already; nothing was changed",
        )


def _require_for_bills(payment: Payment) -> None:
    """Refuse a payment that did not go into advance; raises Refused."""
    _require_taken(payment)
    if payment.purpose is not PaymentPurpose.BILLS:
        hint = "; `sale move` moves a sale" if payment.purpose is PaymentPurpose.SALE else ""
        raise Refused(
            "not_for_bills",
            f"{payment_number(payment.id)} is a {payment.purpose}{hint}; nothing was changed",
        )


def _times_moved(work: UnitOfWork, payment: Payment) -> int:
    """Return how often a payment was moved before."""
    times = 0
    while work.ledger.was_booked(f"payment/{payment.id}/moved/{times + 1}"):
        times += 1
    return times


def payment_answer(work: UnitOfWork, payment: Payment, parts: list[Part]) -> dict[str, Any]:
    """Return a payment, the bills that it paid, and what stands in advance and is open now."""
    agreement = payment.agreement_id
    rows = work.session.execute(
        select(Bill.id, Bill.number).where(Bill.id.in_([part.id for part in parts]))
    )
    numbers = {row.id: row.number for row in rows}
    return {
        **describe_payment(work.session, payment.id),
        "allocated": [{"bill": numbers[part.id], "amount": part.amount} for part in parts],
        "advance": work.ledger.balance(AccountKind.ADVANCE, agreement),
        "open": sum(bill.amount for bill in work.ledger.open_bills(agreement)),
    }
