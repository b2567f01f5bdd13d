"""Shifts of vendors, by vendor and by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import (
    Account,
    Carrier,
    Payment,
    PaymentPurpose,
    PaymentState,
    Sale,
    Shift,
    Transfer,
)
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.model.work import Order
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState, ShiftState


def shift_of(session: Session, vendor_id: int) -> Shift | None:
    """Return a vendor's shift that is not closed; None: there is none."""
    return session.scalars(
        select(Shift).where(Shift.vendor_id == vendor_id, Shift.state != ShiftState.CLOSED)
    ).one_or_none()


def find_shift(session: Session, number: str) -> Shift:
    """Return a shift by its number; raises NotFound."""
    shift = session.scalars(select(Shift).where(Shift.number == number)).one_or_none()
    if shift is None:
        raise NotFound("no_shift", f"there is no shift {number!r}; `desk shift list` shows them")
    return shift


def abandoned_sales(
    session: Session, shift_id: int, lease_now: int
) -> Sequence[Row[int, int, int]]:
    """Return (agreement, meter, sale) of each taken sale of a shift that no worker will run.

    A worker lives while its lease of the meter's port does; a sale on a card is written by the
    command that sells it, so one that is still taken has none.

    Args:
        lease_now: the host's clock, by which leases end.
    """
    no_worker: ColumnElement[bool] = or_(
        Sale.carrier == Carrier.CARD, Port.lease_until.is_(None), Port.lease_until <= lease_now
    )
    return session.execute(
        select(Sale.agreement_id, Sale.meter_id, Sale.id)
        .join(Meter, Meter.id == Sale.meter_id)
        .join(Port, Port.id == Meter.port_id, isouter=True)
        .where(Sale.shift_id == shift_id, Sale.state == SaleState.TAKEN, no_worker)
        .order_by(Sale.agreement_id, Sale.meter_id, Sale.id)
    ).all()


def orders_of(session: Session, sales: Sequence[int]) -> list[int]:
    """Return the orders of sales, by number."""
    return list(
        session.scalars(select(Order.id).where(Order.sale_id.in_(sales)).order_by(Order.id))
    )


def cash_of(session: Session, shift_id: int) -> int:
    """Return the cash that a shift holds without its float, 0.01; 0 once it is closed."""
    account = (
        select(Account.id)
        .where(Account.kind == AccountKind.CASH, Account.owner_id == shift_id)
        .scalar_subquery()
    )
    debited, credited = (
        session.scalar(select(func.coalesce(func.sum(Transfer.amount), 0)).where(side == account))
        for side in (Transfer.debit_id, Transfer.credit_id)
    )
    return int(debited or 0) - int(credited or 0)


def describe_shift(session: Session, shift: Shift) -> dict[str, Any]:
    """Return a shift for people: who, where, its cash, its count, its receipts."""
    vendor = session.get_one(Staff, shift.vendor_id).number
    node = session.get_one(Organisation, shift.node_id).code
    counter = None if shift.counter_id is None else session.get_one(Staff, shift.counter_id).number
    moved = {
        purpose: int(amount)
        for purpose, amount in session.execute(
            select(Payment.purpose, func.sum(Payment.amount))
            .where(Payment.shift_id == shift.id, Payment.state != PaymentState.CANCELLED)
            .group_by(Payment.purpose)
        )
    }
    cash = cash_of(session, shift.id)
    return {
        "shift": shift.number,
        "vendor": vendor,
        "node": node,
        "state": shift.state.value,
        "opened_at": shift.opened_at,
        "opened_on": shift.opened_on.isoformat(),
        "float": shift.float_amount,
        "limit": shift.limit_amount,
        "taken_in": sum(moved.get(purpose, 0) for purpose in TAKEN_IN),
        "paid_out": sum(moved.get(purpose, 0) for purpose in PAID_OUT),
        "cash": cash,
        "counted": shift.counted,
        "counted_at": shift.counted_at,
        "counter": counter,
        "closed_at": shift.closed_at,
        "slip": shift.slip,
        "receipts": shift.receipts,
    }


TAKEN_IN = (PaymentPurpose.SALE, PaymentPurpose.BILLS)
PAID_OUT = (PaymentPurpose.PAYOUT, PaymentPurpose.REFUND)
