"""Requests beside what was done for them: their audit, and the rows that they were answered with.

An audit of a date that is not sealed yet could be rewritten with its row; the request of its key
says the same a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.base import Base
from meterctl.utility.model.evidence import Audit, Request
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Payment, Receipt, Sale, Shift
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed

_OF_AMOUNTS: dict[type[Base], tuple[Action, ...]] = {
    Sale: (Action.SELL,),
    Payment: (Action.PAY, Action.PAY_REFUND, Action.PAYOUT, Action.BANK_IN, Action.BANK_MATCH),
}
"""Tables whose rows have an amount that never changes -> actions of the audit that tell it."""


def requests_answered(session: Session) -> Checked:
    """Each request of money was audited, by its person, at its instant, and with its amounts."""
    tally = Tally()
    tally.count = session.scalars(select(func.count()).select_from(Request)).one()
    _audits(session, tally)
    _sales(session, tally)
    _payments(session, tally)
    for table, actions in _OF_AMOUNTS.items():
        _amounts(session, tally, table, actions)
    return tally.checked(
        "requests",
        "each request of money has its audit, of its person and instant, and its answer is what "
        "was written",
        "requests",
    )


def _audits(session: Session, tally: Tally) -> None:
    """Look at the audits of requests: the same person, the same instant; none is missing."""
    other = (
        select(Request.key, Audit.id)
        .join(Audit, Audit.key == Request.key)
        .where(
            or_(Audit.staff_id.is_distinct_from(Request.staff_id), Audit.at != Request.at)
        )
    )  # fmt: skip
    for key, audit in streamed(session, other):
        tally.violation(f"request {key}", f"audit {audit} has another person or instant")
    without = (
        select(Request.key)
        .outerjoin(Audit, Audit.key == Request.key)
        .where(Request.money, Audit.id.is_(None))
    )
    for row in streamed(session, without):
        tally.violation(f"request {row[0]}", "moved money, and has no audit")


def _sales(session: Session, tally: Tally) -> None:
    """Look at the answers of requests that sold: the sale of their key."""
    told = {
        "sale": _text("S", Sale.id),
        "amount": _text(Sale.amount),
        "agreement": Agreement.number,
        "meter": Meter.serial,
        "receipt_number": _receipt(),
    }
    answered = (
        select(Request.key, Sale.id)
        .join(Sale, Sale.key == Request.key)
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(Meter, Meter.id == Sale.meter_id)
        .outerjoin(Receipt, Receipt.payment_id == Sale.payment_id)
        .outerjoin(Shift, Shift.id == Receipt.shift_id)
        .where(_differs(told))
    )
    for key, sale in streamed(session, answered):
        tally.violation(f"request {key}", f"its answer is not what is written of sale S{sale}")


def _payments(session: Session, tally: Tally) -> None:
    """Look at the answers of requests that took a payment: the one that was audited with them."""
    told = {
        "payment": _text("P", Payment.id),
        "amount": _text(Payment.amount),
        "receipt_number": _receipt(),
    }
    subject = literal(f"{Payment.__tablename__}/") + cast(Payment.id, String)
    answered = (
        select(Request.key, Payment.id)
        .join_from(Payment, Audit, and_(Audit.subject == subject, Audit.action == Action.PAY))
        .join(Request, Request.key == Audit.key)
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .outerjoin(Shift, Shift.id == Receipt.shift_id)
        .where(_differs(told))
    )
    for key, payment in streamed(session, answered):
        tally.violation(f"request {key}", f"its answer is not what is written of P{payment}")


def _amounts(session: Session, tally: Tally, table: Any, actions: tuple[Action, ...]) -> None:
    """Look at the audits that tell an amount: that of the row."""
    subject = literal(f"{table.__tablename__}/") + cast(table.id, String)
    audited = _told(Audit.after, "amount")
    wrong = (
        select(table.id, Audit.id)
        .join(Audit, Audit.subject == subject)
        .where(Audit.action.in_(actions), audited.is_not(None), audited != _text(table.amount))
    )
    for row, audit in streamed(session, wrong):
        tally.violation(
            f"{table.__tablename__} {row}", f"its amount is another one than that of audit {audit}"
        )


def _differs(told: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return whether one of the values of an answer is not that of the rows."""
    return or_(
        *(_told(Request.answer, name).is_distinct_from(value) for name, value in told.items())
    )


def _told(values: Any, name: str) -> ColumnElement[str]:
    """Return a value of JSON as text, whatever it is."""
    return cast(values[name].as_string(), String)


def _receipt() -> ColumnElement[str]:
    """Return the number of a receipt as `numbering.receipt_number` makes it; NULL without one."""
    zeros = case(
        (Receipt.number < 10, "000"), (Receipt.number < 100, "00"), (Receipt.number < 1000, "0"),
        else_="",
    )  # fmt: skip
    return Shift.number + "-" + zeros + cast(Receipt.number, String)


def _text(*parts: Any) -> ColumnElement[str]:
    texts = [literal(part) if isinstance(part, str) else cast(part, String) for part in parts]
    return texts[0] if len(texts) == 1 else texts[0] + texts[1]
