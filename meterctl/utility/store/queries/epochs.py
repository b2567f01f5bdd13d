"""Epochs of a meter: which were ended, and what was delivered into one that came after."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Account, Entry, Sale, Transfer
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store.proofs import EPOCH
from meterctl.utility.store.queries.readings import IN_METER


@dataclass(frozen=True, slots=True)
class Later:
    """What sales and refunds made of a later storage of a meter than the one that is booked.

    `in_meter` is what of them is booked in the meter (0.01; refunds take from it), `to_debt_exact`
    what the storage took of sales for debt.
    """

    in_meter: int = 0
    to_debt_exact: int = 0


def delivered_later(session: Session, meter: Meter, agreement_id: int) -> Later:
    """Return what was delivered into later epochs of a meter than the one that is booked."""
    known = {meter.epoch, *_ended_epochs(session, meter.id)}
    refunded = _refunded_later(session, meter.id, agreement_id, known)
    of_meter = (Sale.meter_id == meter.id, Sale.agreement_id == agreement_id)
    epochs = set(
        session.scalars(select(Sale.epoch).where(*of_meter, Sale.epoch.is_not(None)).distinct())
    )
    later = (*of_meter, Sale.epoch.in_(epochs - known))
    if not epochs - known:
        return Later(-refunded)
    account = (
        select(Account.id)
        .where(Account.kind == AccountKind.IN_METER, Account.owner_id == agreement_id)
        .scalar_subquery()
    )
    booked = select(
        func.coalesce(
            func.sum(
                case(
                    (Transfer.credit_id == account, Transfer.amount),
                    (Transfer.debit_id == account, -Transfer.amount),
                    else_=0,
                )
            ),
            0,
        )
    )
    of_sales = booked.join(Entry, Entry.id == Transfer.entry_id).where(
        Entry.sale_id.in_(select(Sale.id).where(*later))
    )
    to_debt = select(func.coalesce(func.sum(Sale.to_debt_exact), 0)).where(
        *later, Sale.state.in_(IN_METER)
    )
    booked_of_sales, taken = session.scalars(of_sales).one(), session.scalars(to_debt).one()
    return Later(int(booked_of_sales) - refunded, int(taken or 0))


def _refunded_later(
    session: Session, meter_id: int, agreement_id: int, known: set[int | None]
) -> int:
    """Return what later epochs gave back, 0.01; a refund without an epoch is of the booked one."""
    refunds = select(Order.parameters, Order.outcome).where(
        Order.meter_id == meter_id,
        Order.agreement_id == agreement_id,
        Order.kind == OrderKind.REFUND,
        Order.credit_state == SaleState.DELIVERED,
    )
    return sum(
        parameters["amount"]
        for parameters, outcome in session.execute(refunds)
        if (outcome or {}).get(EPOCH) not in {None, *known}
    )


def _ended_epochs(session: Session, meter_id: int) -> set[int]:
    """Return the epochs of a meter that two persons have ended."""
    before = session.scalars(
        select(Audit.before).where(
            Audit.subject == f"meter/{meter_id}", Audit.action == Action.EPOCH_END_APPROVE
        )
    )
    return {values["epoch"] for values in before if values is not None}
