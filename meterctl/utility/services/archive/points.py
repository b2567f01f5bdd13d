"""Supply points (用电户), each with its number for life (户号)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import CustomerClass, SupplyPoint
from meterctl.utility.rules.numbering import checked_customer_number, customer_number
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.organisation import find_node, nodes_below, station_of
from meterctl.utility.store.queries.points import find_point
from meterctl.utility.store.rights import is_within, require_anywhere, require_at
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

LARGEST_MW = 100_000_000
"""From 100 kW on a point needs the two-part tariff, which the desk does not have (UTILITY 11)."""
LAST_READ_DAY = 28


def lock_stations(work: UnitOfWork, codes: Collection[str]) -> None:
    """Lock the stations of these nodes, before points are added to several of them.

    A code that is none, or of a node above all stations, is left to `add` to refuse.
    """
    places = work.session.scalars(select(Organisation).where(Organisation.code.in_(codes)))
    stations = {station_of(work.session, place) for place in places}
    for number in sorted(station.id for station in stations if station is not None):
        work.lock(Organisation, number)


def add(
    work: UnitOfWork,
    *,
    node: str,
    address: str,
    customer_class: CustomerClass,
    capacity_mw: int,
    boundary: str = "",
    route: str = "",
    read_day: int = 1,
    number: str = "",
    station_is_locked: bool = False,
) -> dict[str, Any]:
    """Add a supply point.

    Args:
        node: code of its district, or of the station itself.
        number: that it has already; empty: the station's next one is drawn, without a gap.
        station_is_locked: by `lock_stations`.

    Raises:
        Refused: the node lies in no station, or the point is too large.
        Conflict: the number is in use.
        Invalid: a value is not one.
    """
    place = find_node(work.session, node)
    work.require(Action.POINT_EDIT, place.id)
    station = _station(work.session, place)
    _check(address, capacity_mw, read_day)
    if not number and not station_is_locked:
        work.lock(Organisation, station.id)
    drawn = _taken_over(number, station) if number else _draw(work.session, station)
    point = insert(
        work,
        SupplyPoint(
            number=drawn,
            node_id=place.id,
            address=address.strip(),
            customer_class=customer_class,
            capacity_mw=capacity_mw,
            boundary=boundary,
            route=route,
            read_day=read_day,
        ),
        f"supply point {drawn}",
    )
    work.audit(Action.POINT_EDIT, point, None, values(point, place.code))
    return values(point, place.code)


def edit(
    work: UnitOfWork,
    *,
    number: str,
    version: int,
    address: str | None = None,
    customer_class: CustomerClass | None = None,
    capacity_mw: int | None = None,
    boundary: str | None = None,
    route: str | None = None,
    read_day: int | None = None,
) -> dict[str, Any]:
    """Change a supply point; what is None stays.

    Raises:
        Stale: it has another version than the one that was seen.
        Refused: its class or capacity changes although an agreement is in force.
        Invalid: a value is not one.
    """
    found = find_point(work.session, number)
    work.require(Action.POINT_EDIT, found.node_id)
    point = work.lock(SupplyPoint, found.id, version)
    node = work.session.get_one(Organisation, point.node_id).code
    before = values(point, node)
    wanted = {
        "address": address,
        "customer_class": customer_class,
        "capacity_mw": capacity_mw,
        "boundary": boundary,
        "route": route,
        "read_day": read_day,
    }
    for name, value in wanted.items():
        if value is not None:
            setattr(point, name, value)
    _check(point.address, point.capacity_mw, point.read_day)
    after = values(point, node)
    if any(before[name] != after[name] for name in ("class", "capacity_mw")):
        _refuse_in_force(work, point)
    point.version += 1
    work.audit(Action.POINT_EDIT, point, before, values(point, node))
    return values(point, node)


def show(session: Session, actor: Actor, number: str) -> dict[str, Any]:
    """Return a supply point with its meter and its agreements."""
    point = find_point(session, number)
    require_at(session, actor, Action.CUSTOMER_READ, point.node_id)
    node = session.get_one(Organisation, point.node_id).code
    meter = session.scalars(
        select(Meter.serial)
        .join(Installation, Installation.meter_id == Meter.id)
        .where(Installation.point_id == point.id, Installation.to_at.is_(None))
    ).one_or_none()
    agreements = session.scalars(
        select(Agreement.number).where(Agreement.point_id == point.id).order_by(Agreement.id)
    )
    return {**values(point, node), "meter": meter, "agreements": list(agreements)}


def list_(
    session: Session,
    actor: Actor,
    node: str | None,
    text: str | None,
    limit: int,
    after: str | None = None,
) -> list[dict[str, Any]]:
    """Return supply points by number, those of the person's nodes.

    Args:
        node: code of a node: only points there and below.
        text: a part of the address, or the whole number.
        after: a number: only higher ones.
    """
    require_anywhere(actor, Action.CUSTOMER_READ)
    rows = (
        select(SupplyPoint, Organisation.code, Meter.serial)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .outerjoin(
            Installation,
            (Installation.point_id == SupplyPoint.id) & Installation.to_at.is_(None),
        )
        .outerjoin(Meter, Meter.id == Installation.meter_id)
        .where(is_within(actor, Action.CUSTOMER_READ))
    )
    if node is not None:
        below = [each.id for each in nodes_below(session, find_node(session, node))]
        rows = rows.where(SupplyPoint.node_id.in_(below))
    if text is not None:
        rows = rows.where(
            SupplyPoint.address.contains(text, autoescape=True) | (SupplyPoint.number == text)
        )
    if after is not None:
        rows = rows.where(SupplyPoint.number > after)
    found = session.execute(rows.order_by(SupplyPoint.number).limit(limit))
    return [{**values(point, code), "meter": serial} for point, code, serial in found]


def values(point: SupplyPoint, node: str) -> dict[str, Any]:
    """Return a supply point's values."""
    return {
        "number": point.number,
        "node": node,
        "address": point.address,
        "class": point.customer_class.value,
        "capacity_mw": point.capacity_mw,
        "boundary": point.boundary,
        "route": point.route,
        "read_day": point.read_day,
        "version": point.version,
    }


def _station(session: Session, place: Organisation) -> Organisation:
    """Return the station in which a node lies; raises Refused above all stations."""
    station = station_of(session, place)
    if station is None:
        raise Refused(
            "no_station",
            f"{place.code} is a {place.kind}: a supply point lies in a district or a station; "
            f"nothing was changed",
        )
    return station


def _draw(session: Session, station: Organisation) -> str:
    """Return the next number of a station, whose row is locked."""
    last = session.scalars(
        select(func.max(SupplyPoint.number)).where(
            SupplyPoint.number >= f"{station.code}00000000",
            SupplyPoint.number <= f"{station.code}99999999",
        )
    ).one()
    serial = 1 if last is None else int(last[len(station.code) : -1]) + 1
    return customer_number(station.code, serial)


def _taken_over(number: str, station: Organisation) -> str:
    """Return a number that a point has already; raises Invalid where it is none of the station."""
    found = checked_customer_number(number)
    if not found.startswith(station.code):
        raise Invalid(
            "point_number",
            f"{number} begins with {number[:4]}, and the station is {station.code}; "
            f"nothing was changed",
        )
    return found


def _check(address: str, capacity_mw: int, read_day: int) -> None:
    """Refuse values that a supply point may not have; raises Invalid, Refused."""
    if not address.strip():
        raise Invalid("address", "a supply point needs an address; nothing was changed")
    if capacity_mw <= 0:
        raise Invalid("capacity", "a capacity is above 0; nothing was changed")
    if capacity_mw >= LARGEST_MW:
        raise Refused(
            "capacity_not_yet",
            "a supply point of 100 kW or more needs the two-part tariff, which the desk does not "
            "have; nothing was changed",
        )
    if not 1 <= read_day <= LAST_READ_DAY:
        raise Invalid("read_day", f"a day of reading is 1 to {LAST_READ_DAY}; nothing was changed")


def _refuse_in_force(work: UnitOfWork, point: SupplyPoint) -> None:
    """Refuse a change that an agreement in force does not allow; raises Refused."""
    held = work.session.scalars(
        select(Agreement).where(
            Agreement.point_id == point.id,
            Agreement.state.in_(
                (AgreementState.ACTIVE, AgreementState.SUSPENDED, AgreementState.CLOSING)
            ),
        )
    ).first()
    if held is not None:
        raise Refused(
            "agreement_in_force",
            f"agreement {held.number} is in force: class and capacity change by an application; "
            f"nothing was changed",
        )
