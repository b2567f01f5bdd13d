"""Readings on demand: ordered here, taken by a worker, booked by `store.reading_books`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Finding, FindingState, Meter, Reading
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.typed_text import whole
from meterctl.utility.services.orders import add_order
from meterctl.utility.store.queries.agreements import live_agreement, node_of
from meterctl.utility.store.queries.points import (
    meter_at_point,
    node_of_meter,
    point_of_meter,
)
from meterctl.utility.store.rights import is_within, require_at
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from protocols.quantities import format_money


def take(work: UnitOfWork, *, of: str) -> dict[str, Any]:
    """Order a reading.

    Args:
        of: number of an agreement, or serial number of a meter.

    Raises:
        NotFound: there is neither.
        Refused: no meter is installed there, or it has no wire.
    """
    meter = find_meter_of(work.session, work.actor, Action.READING_TAKE, of)
    point = point_of_meter(work.session, meter.id)
    if meter.port_id is None:
        raise Refused(
            "no_wire", f"meter {meter.serial} has no wire; a visit reads it; nothing was changed"
        )
    agreement = None if point is None else live_agreement(work.session, point.id)
    order = add_order(work, f"reading/{work.key}", OrderKind.READ, meter, agreement, {})
    return {"meter": meter.serial, "order": f"O{order.id}", "state": "queued"}


def show(
    session: Session, actor: Actor, of: str, limit: int, after: str | None = None
) -> list[dict[str, Any]]:
    """Return the readings of a meter, the newest first.

    Args:
        of: as `take`.
        after: number of a reading of the meter: only older ones.

    Raises:
        Invalid: `after` is no number.
        NotFound: the meter has no such reading.
    """
    meter = find_meter_of(session, actor, Action.CUSTOMER_READ, of)
    wanted = (
        select(Reading)
        .outerjoin(Agreement, Agreement.id == Reading.agreement_id)
        .outerjoin(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .outerjoin(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(
            Reading.meter_id == meter.id,
            or_(Organisation.id.is_(None), is_within(actor, Action.CUSTOMER_READ)),
        )
        .order_by(Reading.taken_at.desc(), Reading.id.desc())
        .limit(limit)
    )
    if after is not None:
        last = session.get(Reading, whole(after, "after"))
        if last is None or last.meter_id != meter.id:
            raise NotFound("no_reading", f"meter {meter.serial} has no reading {after}")
        place = tuple_(Reading.taken_at, Reading.id)
        wanted = wanted.where(place < (last.taken_at, last.id))
    rows = session.scalars(wanted)
    return [reading_values(meter, reading) for reading in rows]


def taken(session: Session, number: str) -> dict[str, Any]:
    """Return what became of a reading that was ordered: the order's state, and the reading."""
    order = session.get_one(Order, int(number.removeprefix("O")))
    assert order.command_state is not None
    told = {"order_state": order.command_state.value, "cause": order.cause}
    reading_id = (order.outcome or {}).get("reading")
    if reading_id is None:
        return told
    reading = session.get_one(Reading, reading_id)
    return {**told, **reading_values(session.get_one(Meter, order.meter_id), reading)}


def told_of(values: Mapping[str, Any]) -> str:
    """Return in words what became of a reading that was ordered."""
    if "reading" not in values:
        why = f" ({values['cause']})" if values["cause"] else ""
        return f"meter {values['meter']}: {values['order']} is {values['order_state']}{why}"
    credit, debt = (format_money(values[f"{name}_exact"]) for name in ("credit", "debt"))
    return f"meter {values['meter']}: credit {credit}, debt {debt}; reading {values['state']}"


def findings_of(session: Session, actor: Actor, of: str) -> list[dict[str, Any]]:
    """Return the open findings about a meter, the oldest first."""
    meter = find_meter_of(session, actor, Action.CUSTOMER_READ, of)
    rows: Sequence[Finding] = session.scalars(
        select(Finding)
        .where(
            Finding.subject_kind == Meter.__tablename__,
            Finding.subject_id == meter.id,
            Finding.state == FindingState.OPEN,
        )
        .order_by(Finding.id)
    ).all()
    return [
        {
            "meter": meter.serial,
            "rule": row.rule,
            "value": row.value,
            "limit": row.limit_value,
            "note": row.note,
            "first_seen": row.first_seen,
            "last_seen": row.last_seen,
        }
        for row in rows
    ]


def reading_values(meter: Meter, reading: Reading) -> dict[str, Any]:
    """Return a reading, JSON values; money is exact (1e-10), energy in mWh."""
    return {
        "reading": reading.id,
        "meter": meter.serial,
        "state": reading.state.value,
        "source": reading.source.value,
        "taken_at": reading.taken_at,
        "for_on": reading.for_on.isoformat(),
        "epoch": reading.epoch,
        "credit_sequence": reading.credit_sequence,
        "energy_mwh": reading.energy_mwh,
        "credit_exact": reading.credit_exact,
        "debt_exact": reading.debt_exact,
        "consumption_exact": reading.consumption_exact,
        "standing_exact": reading.standing_exact,
        "instalments_exact": reading.instalments_exact,
        "cumulative_exact": reading.cumulative_exact,
        "account_state": reading.more.get("account_state"),
        "supply_state": reading.supply_state,
        "causes": list(reading.causes),
    }


def find_meter_of(session: Session, actor: Actor, action: Action, of: str) -> Meter:
    """Return a meter by its serial number, or that of an agreement by its number.

    Raises:
        NotFound: there is neither.
        NotPermitted: no grant allows the action where the meter (`meter_node`) or the agreement is.
        Refused: no meter is installed for the agreement.
    """
    meter = session.scalars(select(Meter).where(Meter.serial == of)).one_or_none()
    if meter is not None:
        require_at(session, actor, action, node_of_meter(session, meter.id))
        return meter
    agreement = session.scalars(select(Agreement).where(Agreement.number == of)).one_or_none()
    if agreement is None:
        raise NotFound("no_meter", f"{of!r}: the desk has no such meter or agreement")
    require_at(session, actor, action, node_of(session, agreement))
    meter = meter_at_point(session, agreement.point_id)
    if meter is None:
        raise Refused("no_meter", f"{of}: no meter is installed there")
    return meter
