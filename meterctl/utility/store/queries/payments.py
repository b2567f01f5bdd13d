"""Payments by number, and what is owed to a customer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Payment, Receipt, Sale, Shift
from meterctl.utility.model.organisation import Staff
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.numbering import receipt_number
from meterctl.utility.rules.transitions import PAYABLE, SaleState
from meterctl.utility.store.order_books import THEN, has_followed


def find_payment(session: Session, number: str) -> Payment:
    """Return a payment by its number, such as P3, or by its receipt's; raises NotFound."""
    named = number.strip()
    if named[:1] in ("P", "p") and named[1:].isdecimal() and len(named) <= 19:
        payment = session.get(Payment, int(named[1:]))
    else:
        shift, _, serial = named.rpartition("-")
        known = serial.isdecimal() and len(serial) <= 9
        payment = session.scalars(
            select(Payment)
            .join(Receipt, Receipt.payment_id == Payment.id)
            .join(Shift, Shift.id == Receipt.shift_id)
            .where(Shift.number == shift, Receipt.number == (int(serial) if known else 0))
        ).one_or_none()
    if payment is None:
        raise NotFound("no_payment", f"there is no payment or receipt {number!r}")
    return payment


def payment_number(payment_id: int) -> str:
    """Return the number of a payment for people."""
    return f"P{payment_id}"


def describe_payment(session: Session, payment_id: int) -> dict[str, Any]:
    """Return a payment for people; its agreement is the one on which it stands now."""
    payment, agreement, receipt, shift, staff = session.execute(
        select(Payment, Agreement.number, Receipt.number, Shift.number, Staff.number)
        .join(Agreement, Agreement.id == Payment.agreement_id)
        .join(Receipt, Receipt.payment_id == Payment.id, isouter=True)
        .join(Shift, Shift.id == Receipt.shift_id, isouter=True)
        .join(Staff, Staff.id == Payment.staff_id, isouter=True)
        .where(Payment.id == payment_id)
    ).one()
    return {
        "payment": payment_number(payment.id),
        "agreement": agreement,
        "purpose": payment.purpose.value,
        "channel": payment.channel.value,
        "state": payment.state.value,
        "amount": payment.amount,
        "paid_at": payment.paid_at,
        "staff": staff,
        "receipt_number": None if receipt is None else receipt_number(shift, receipt),
    }


def owed_by_name(session: Session, agreement_id: int) -> int:
    """Return what of an agreement's payable belongs to sales and moves, and is not free (0.01).

    The amounts of dead sales, each paid out or sold again by its own number; and refunds for a sale
    that is being moved, which pay the sale to the other customer.
    """
    dead = session.scalar(
        select(func.coalesce(func.sum(Sale.amount), 0)).where(
            Sale.agreement_id == agreement_id, Sale.state.in_(PAYABLE)
        )
    )
    refunds = session.scalars(
        select(Order).where(
            Order.agreement_id == agreement_id,
            Order.kind == OrderKind.REFUND,
            Order.credit_state == SaleState.DELIVERED,
        )
    )
    moving: int = sum(
        order.parameters["amount"]
        for order in refunds
        if THEN in order.parameters and not has_followed(order)
    )
    return int(dead or 0) + moving
