"""What a task is about, so that the person who decides it sees what is decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import BankLine
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Bill, Payment, Sale, Shift
from meterctl.utility.model.organisation import Organisation, Staff, StaffGrant
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Task
from meterctl.utility.rules.numbering import shown_name
from meterctl.utility.store.queries.agreements import live_agreement
from meterctl.utility.store.queries.payments import describe_payment
from meterctl.utility.store.queries.points import point_of_meter
from meterctl.utility.store.queries.sales import describe_sale
from meterctl.utility.store.queries.shifts import describe_shift
from meterctl.utility.store.tasks import id_of


def subject_of(session: Session, number: str) -> dict[str, Any]:
    """Return what a task is about, by names of fields; empty where that is no such thing.

    Whether the person may see the task is asked before (`task_lists.show`). Amounts in 0.01.
    """
    task = session.get_one(Task, id_of(number))
    table, describe = _SUBJECTS.get(task.subject_kind, (None, None))
    row = None if table is None else session.get(table, task.subject_id)
    return {} if row is None or describe is None else describe(session, row)


def _sale(session: Session, sale: Sale) -> dict[str, Any]:
    told = describe_sale(session, sale.id)
    names = ("sale", "amount", "state", "meter", "receipt_number")
    return {**{name: told[name] for name in names}, **_customer(session, sale.agreement_id)}


def _payment(session: Session, payment: Payment) -> dict[str, Any]:
    told = describe_payment(session, payment.id)
    names = ("payment", "amount", "purpose", "channel", "receipt_number")
    return {**{name: told[name] for name in names}, **_customer(session, payment.agreement_id)}


def _shift(session: Session, shift: Shift) -> dict[str, Any]:
    told = describe_shift(session, shift)
    return {name: told[name] for name in ("shift", "vendor", "node", "cash", "counted", "slip")}


def _meter(session: Session, meter: Meter) -> dict[str, Any]:
    point = point_of_meter(session, meter.id)
    agreement = None if point is None else live_agreement(session, point.id)
    told = {"meter": meter.serial, "stopped": meter.stopped}
    return told if agreement is None else {**told, **_customer(session, agreement.id)}


def _bill(session: Session, bill: Bill) -> dict[str, Any]:
    told = {"bill": bill.number, "amount": bill.amount, "due_on": bill.due_on.isoformat()}
    return {**told, **_customer(session, bill.agreement_id)}


def _line(_: Session, line: BankLine) -> dict[str, Any]:
    return {
        "bank": line.bank, "reference": line.reference, "party": line.party,
        "amount": line.amount, "paid_on": line.paid_on.isoformat(),
    }  # fmt: skip


def _grant(session: Session, grant: StaffGrant) -> dict[str, Any]:
    person = session.get_one(Staff, grant.staff_id)
    node = session.get_one(Organisation, grant.node_id)
    return {
        "staff": f"{person.number} ({person.name})", "role": grant.role.value, "node": node.code
    }  # fmt: skip


def _agreement(session: Session, agreement: Agreement) -> dict[str, Any]:
    return _customer(session, agreement.id)


def _customer(session: Session, agreement: int) -> dict[str, Any]:
    """Return whose agreement it is; the name is masked."""
    row = session.get_one(Agreement, agreement)
    party = session.get_one(Party, row.party_id)
    point = session.get_one(SupplyPoint, row.point_id)
    return {
        "agreement": row.number,
        "customer": shown_name(party.name, party.id_number),
        "address": point.address,
    }


_SUBJECTS: Mapping[str, tuple[type[Base], Callable[[Session, Any], dict[str, Any]]]] = {
    table.__tablename__: (table, describe)
    for table, describe in (
        (Sale, _sale),
        (Payment, _payment),
        (Shift, _shift),
        (Meter, _meter),
        (Bill, _bill),
        (BankLine, _line),
        (StaffGrant, _grant),
        (Agreement, _agreement),
    )
}
"""Table of a task's subject -> its rows, and what describes one."""
