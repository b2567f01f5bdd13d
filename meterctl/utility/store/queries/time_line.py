"""Everything that happened to an agreement, in one line of time, with who did it and the proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, and_, literal, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.base import Base
from meterctl.utility.model.evidence import Audit, Document
from meterctl.utility.model.metering import Finding, Reading
from meterctl.utility.model.money import Bill, Payment, Receipt, Sale, Shift
from meterctl.utility.model.organisation import Staff
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order
from meterctl.utility.rules.numbering import receipt_number
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.orders import order_number
from meterctl.utility.store.queries.sales import sale_number


class Place(NamedTuple):
    """A place in the line: an event's instant, its kind by rank, the number of its row."""

    at: int
    rank: int
    number: int


class Event(NamedTuple):
    """An event of the line; `values` are its own, money in 0.01, `_exact` in 1e-10."""

    place: Place
    kind: str
    who: str | None
    """Number of the member of the staff; None: the desk, a meter or a bank."""
    values: dict[str, Any]


class _Source(NamedTuple):
    """A kind of events: its rows, whose first columns are instant, number and who."""

    kind: str
    at: Any
    number: Any
    wanted: Select[*tuple[Any, ...]]


def time_line(
    session: Session, agreement: Agreement, limit: int, after: Place | None = None
) -> list[Event]:
    """Return the newest events of an agreement.

    Args:
        limit: how many at most.
        after: only those that stand behind this place of the line.
    """
    found: list[Event] = []
    for rank, source in enumerate(_sources(session, agreement)):
        wanted = source.wanted
        if after is not None:
            wanted = wanted.where(_behind(source, rank, after))
        rows = session.execute(
            wanted.order_by(source.at.desc(), source.number.desc()).limit(limit)
        ).mappings()
        for row in rows:
            values = dict(row)
            place = Place(values.pop("at"), rank, values.pop("row_id"))
            found.append(Event(place, source.kind, values.pop("who"), _shown(values)))
    return sorted(found, key=lambda event: event.place, reverse=True)[:limit]


def _behind(source: _Source, rank: int, after: Place) -> ColumnElement[bool]:
    """Return the condition that an event stands behind a place."""
    same: ColumnElement[bool] = source.at == after.at
    earlier: ColumnElement[bool] = source.at < after.at
    if rank < after.rank:
        return or_(earlier, same)
    return earlier if rank > after.rank else or_(earlier, and_(same, source.number < after.number))


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """Return an event's values with numbers for people in place of those of rows."""
    if "receipt" in values:
        shift, receipt = values.pop("shift"), values["receipt"]
        values["receipt"] = None if receipt is None else receipt_number(shift, receipt)
    if "sale" in values:
        values["sale"] = sale_number(values["sale"])
    if "order" in values:
        values["order"] = order_number(values["order"])
    return {
        name: getattr(value, "value", value) if not isinstance(value, list) else value
        for name, value in values.items()
    }


def _sources(session: Session, agreement: Agreement) -> Iterator[_Source]:
    """Yield the kinds of events; their ranks order those of one instant."""
    number = agreement.id
    vendor = Shift.vendor_id
    yield _source(
        "order", Order.made_at, Order.id, Order.staff_id, Order.id.label("order"), Order.kind,
        Order.credit_state, Order.command_state, Order.cause, Order.changed_at,
        where=and_(Order.agreement_id == number, Order.sale_id.is_(None)),
    )  # fmt: skip
    yield _source(
        "bill", Bill.issued_at, Bill.id, None, Bill.number.label("bill"), Bill.kind, Bill.month,
        Bill.amount, Bill.due_on, Bill.state, where=Bill.agreement_id == number,
    )  # fmt: skip
    paid = _source(
        "payment", Payment.paid_at, Payment.id, Payment.staff_id, Payment.channel, Payment.purpose,
        Payment.amount, Payment.state, Shift.number.label("shift"),
        Receipt.number.label("receipt"), where=Payment.agreement_id == number,
    )  # fmt: skip
    yield paid._replace(
        wanted=paid.wanted.outerjoin(Receipt, Receipt.payment_id == Payment.id).outerjoin(
            Shift, Shift.id == Receipt.shift_id
        )
    )
    taken = _source(
        "sale", Sale.taken_at, Sale.id, vendor, Sale.id.label("sale"), Sale.amount, Sale.carrier,
        Sale.source, Sale.state, Sale.cause, where=Sale.agreement_id == number, of_shift=True,
    )  # fmt: skip
    yield taken
    yield _source(
        "delivered", Sale.proved_at, Sale.id, None, Sale.id.label("sale"), Sale.amount, Sale.epoch,
        Sale.sequence, Sale.to_debt_exact, Sale.to_overdraft_exact, Sale.credit_after_exact,
        Sale.supply_state, Sale.card,
        where=and_(Sale.agreement_id == number, Sale.proved_at.is_not(None)),
    )  # fmt: skip
    yield _source(
        "reading", Reading.taken_at, Reading.id, None, Reading.source, Reading.state,
        Reading.epoch, Reading.credit_sequence.label("sequence"), Reading.energy_mwh,
        Reading.credit_exact, Reading.debt_exact, Reading.supply_state, Reading.causes,
        where=Reading.agreement_id == number,
    )  # fmt: skip
    yield _source(
        "finding", Finding.first_seen, Finding.id, None, Finding.rule, Finding.value,
        Finding.limit_value, Finding.note, Finding.state, where=Finding.agreement_id == number,
    )  # fmt: skip
    yield _source(
        "document", Document.at, Document.id, Document.staff_id, Document.kind, Document.name,
        Document.sha256,
        where=and_(
            Document.subject_kind == Agreement.__tablename__, Document.subject_id == number
        ),
    )  # fmt: skip
    yield _source(
        "audit", Audit.at, Audit.id, Audit.staff_id, Audit.action, Audit.subject, Audit.reason,
        where=_audits(session, agreement),
    )  # fmt: skip


def _source(
    kind: str,
    at: Any,
    number: Any,
    staff: Any,
    *columns: Any,
    where: ColumnElement[bool],
    of_shift: bool = False,
) -> _Source:
    who = literal(None, String()) if staff is None else Staff.number
    wanted = select(at.label("at"), number.label("row_id"), who.label("who"), *columns)
    wanted = wanted.select_from(number.class_)
    if of_shift:
        wanted = wanted.outerjoin(Shift, Shift.id == number.class_.shift_id)
    if staff is not None:
        wanted = wanted.outerjoin(Staff, Staff.id == staff)
    return _Source(kind, at, number, wanted.where(where))


def _audits(session: Session, agreement: Agreement) -> ColumnElement[bool]:
    """Return the condition of the audit of an agreement, its versions, customer and point.

    Of its sales it is what persons did after they were taken; the states tell the rest. Subjects
    are written out: by those that a query yields no engine finds the rows with its index.
    """
    versions, sales = (
        session.scalars(select(table.id).where(table.agreement_id == agreement.id)).all()
        for table in (AgreementVersion, Sale)
    )
    own = [
        *_subjects(Agreement, [agreement.id]),
        *_subjects(AgreementVersion, versions),
        *_subjects(Party, [agreement.party_id]),
        *_subjects(SupplyPoint, [agreement.point_id]),
    ]
    of_sale = Audit.subject.in_(_subjects(Sale, sales))
    by_person = and_(of_sale, Audit.staff_id.is_not(None), Audit.action != Action.SELL.value)
    return or_(Audit.subject.in_(own), by_person)


def _subjects(table: type[Base], numbers: Iterable[int]) -> list[str]:
    """Return rows as the audit names them."""
    return [f"{table.__tablename__}/{number}" for number in numbers]
