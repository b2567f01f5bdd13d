"""All that is known of one agreement, for one page: the customer, the supply, the money, the time.

Money is in 0.01, `_exact` in 1e-10, instants in ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid
from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.evidence import Document
from meterctl.utility.model.metering import Finding, FindingState, Meter, Reading
from meterctl.utility.model.money import Bill, Payment, Sale
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Task
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.rules.numbering import shown_name
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import UNDELIVERED, ReadingState, SaleState
from meterctl.utility.services import agreement_lists, at_counter
from meterctl.utility.services.archive.customers import masked
from meterctl.utility.services.curves import CreditPoint
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.points import meter_at_point
from meterctl.utility.store.queries.sales import describe_sale
from meterctl.utility.store.queries.time_line import Event, Place, time_line
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.tasks import NOT_ENDED, number_of
from meterctl.utility.store.unit_of_work import Actor
from protocols.quantities import DAY

CURVE_OF = 396 * DAY
"""Span of the curve: thirteen months."""
EVENTS = 50
"""Events of the time line where no limit is given."""


def customer_page(
    session: Session,
    actor: Actor,
    now: int,
    zone: ZoneInfo,
    agreement: str,
    *,
    limit: int = EVENTS,
    after: str | None = None,
) -> dict[str, Any]:
    """Return everything of an agreement; names, telephone and identity numbers are masked.

    Args:
        now: ms since 1970 UTC; `zone` makes its date.
        agreement: as `find_agreement` takes it.
        limit: events of the time line at most.
        after: `next` of the part of the time line before; None: the newest.

    Returns:
        `agreement` (as `agreement_lists.show` has it, with balances, versions and open bills),
        `party`, `point`, `counter` (as `at_counter.customer` has it: supply, credit, days
        left), `live_sales`, `documents`, `tasks`, `findings`,
        `time_line` (`events`, `next`) and `curve` (`CreditPoint`s).

    Raises:
        NotFound: there is no such agreement.
        NotPermitted: the person sees no customers at its node.
        Invalid: `after` is no place of a time line.
    """
    place = None if after is None else _place_of(after)
    found = find_agreement(session, agreement)
    point = session.get_one(SupplyPoint, found.point_id)
    require_at(session, actor, Action.CUSTOMER_READ, point.node_id)
    party = session.get_one(Party, found.party_id)
    meter = meter_at_point(session, point.id)
    shown = agreement_lists.show(
        session, actor, Ledger(session, now, local_date(now, zone), actor.staff_id), found.number
    )
    name = shown_name(party.name, party.id_number)
    return {
        "agreement": {**shown, "name": name},
        "party": {**masked(party), "name": name},
        "point": _point(session, point),
        "counter": at_counter.customer(session, actor, found.number, now),
        "live_sales": [describe_sale(session, sale) for sale in _live_sales(session, found)],
        "documents": _documents(session, found),
        "tasks": _tasks(session, found, meter),
        "findings": _findings(session, found),
        "time_line": _part(time_line(session, found, limit + 1, place), limit),
        "curve": curve(session, found, now),
    }


def curve(session: Session, agreement: Agreement, now: int) -> list[CreditPoint]:
    """Return the credit as it was read and proved in the last thirteen months, in order."""
    since = now - CURVE_OF
    read = session.execute(
        select(Reading.taken_at, Reading.credit_exact).where(
            Reading.agreement_id == agreement.id,
            Reading.state == ReadingState.ACCEPTED,
            Reading.taken_at >= since,
        )
    )
    sold = session.execute(
        select(Sale.proved_at, Sale.credit_after_exact, Sale.amount, Sale.to_debt_exact).where(
            Sale.agreement_id == agreement.id,
            Sale.state == SaleState.DELIVERED,
            Sale.credit_after_exact.is_not(None),
            Sale.proved_at >= since,
        )
    )
    points = [CreditPoint(at, credit) for at, credit in read]
    points += [
        CreditPoint(at or 0, credit or 0, amount, debt or 0) for at, credit, amount, debt in sold
    ]
    return sorted(points)


def _point(session: Session, point: SupplyPoint) -> dict[str, Any]:
    node = session.get_one(Organisation, point.node_id)
    return {
        "number": point.number,
        "address": point.address,
        "node": node.code,
        "node_name": node.name,
        "class": point.customer_class.value,
        "capacity_mw": point.capacity_mw,
    }


def _live_sales(session: Session, agreement: Agreement) -> Sequence[int]:
    """Return the sales that are not proved in the meter and not ended, the newest first."""
    return session.scalars(
        select(Sale.id)
        .where(Sale.agreement_id == agreement.id, Sale.state.in_(UNDELIVERED))
        .order_by(Sale.id.desc())
    ).all()


def _documents(session: Session, agreement: Agreement) -> list[dict[str, Any]]:
    """Return the papers of an agreement, its versions, its customer and its point."""
    rows = session.scalars(
        select(Document)
        .where(_is_about(Document, agreement, Agreement, AgreementVersion, Party, SupplyPoint))
        .order_by(Document.id.desc())
    )
    return [
        {
            "document": row.id, "about": f"{row.subject_kind}/{row.subject_id}", "kind": row.kind,
            "name": row.name, "media_type": row.media_type, "size": row.size,
            "sha256": row.sha256, "added_at": row.at,
        }
        for row in rows
    ]  # fmt: skip


def _tasks(session: Session, agreement: Agreement, meter: Meter | None) -> list[dict[str, Any]]:
    """Return the tasks about an agreement or anything of it that are not ended."""
    about = _is_about(Task, agreement, Agreement, AgreementVersion, Sale, Payment, Bill)
    if meter is not None:
        of_meter = and_(Task.subject_kind == Meter.__tablename__, Task.subject_id == meter.id)
        about = or_(about, of_meter)
    rows = session.scalars(
        select(Task).where(Task.state.in_(NOT_ENDED), about).order_by(Task.due_on, Task.id)
    )
    return [
        {
            "task": number_of(row), "kind": row.kind.value, "role": row.role.value,
            "about": f"{row.subject_kind}/{row.subject_id}", "state": row.state.value,
            "due_on": row.due_on.isoformat(),
        }
        for row in rows
    ]  # fmt: skip


def _is_about(table: Any, agreement: Agreement, *subjects: Any) -> ColumnElement[bool]:
    """Return the condition that rows are about one of an agreement's rows of some tables."""
    is_own: dict[Any, ColumnElement[bool]] = {
        Agreement: Agreement.id == agreement.id,
        Party: Party.id == agreement.party_id,
        SupplyPoint: SupplyPoint.id == agreement.point_id,
        AgreementVersion: AgreementVersion.agreement_id == agreement.id,
        Sale: Sale.agreement_id == agreement.id,
        Payment: Payment.agreement_id == agreement.id,
        Bill: Bill.agreement_id == agreement.id,
    }
    return or_(
        *(
            and_(
                table.subject_kind == subject.__tablename__,
                table.subject_id.in_(select(subject.id).where(is_own[subject])),
            )
            for subject in subjects
        )
    )


def _findings(session: Session, agreement: Agreement) -> list[dict[str, Any]]:
    """Return the open findings of an agreement."""
    rows = session.scalars(
        select(Finding)
        .where(Finding.agreement_id == agreement.id, Finding.state == FindingState.OPEN)
        .order_by(Finding.id.desc())
    )
    return [
        {
            "finding": row.id, "rule": row.rule, "value": row.value, "limit": row.limit_value,
            "note": row.note, "first_seen_at": row.first_seen, "last_seen_at": row.last_seen,
        }
        for row in rows
    ]  # fmt: skip


def _part(events: list[Event], limit: int) -> dict[str, Any]:
    """Return a part of the time line, and `after` of the next one; None where it ends."""
    shown = events[:limit]
    last = shown[-1].place if len(events) > limit else None
    return {
        "events": [
            {"at": each.place.at, "kind": each.kind, "who": each.who, **_json(each.values)}
            for each in shown
        ],
        "next": None if last is None else ".".join(map(str, last)),
    }


def _json(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with dates as text; a word that names what an event is about is `what`."""
    told = {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in values.items()
    }
    if "kind" in told:
        told["what"] = told.pop("kind")
    return told


def _place_of(text: str) -> Place:
    """Return a place of the time line from text; raises Invalid."""
    parts = text.split(".")
    if len(parts) != len(Place._fields) or not all(
        part.isascii() and part.isdigit() and len(part) <= 18 for part in parts
    ):
        raise Invalid("after", f"{text!r} is no place of a time line; take `next` of one")
    return Place(*map(int, parts))
