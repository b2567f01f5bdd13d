"""Meters, their ports, and the supply points at which they are installed."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Invalid, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Installation, Meter, Port
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services.archive.ports import CARD_READER
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.findings import FindingRule, end_finding
from meterctl.utility.store.queries.organisation import company, find_node, nodes_below
from meterctl.utility.store.queries.points import (
    find_meter,
    find_point,
    find_port,
    installation_at_point,
    installation_of_meter,
    node_of_meter,
    point_of_meter,
)
from meterctl.utility.store.rights import is_within, require_anywhere, require_at
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_SERIAL = re.compile(r"[0-9]{12}")
LAST_UNIT = 247
NO_PORT = "none"
"""Stands for a meter without a wire where a port is edited."""


def add(
    work: UnitOfWork, *, serial: str, port: str = "", unit: int = 1, point: str = ""
) -> dict[str, Any]:
    """Add a meter, and install it where a supply point is given.

    Args:
        serial: 12 digits.
        port: name of the port on which it answers; empty: it has no wire.
        unit: its number on the line, 1 to 247.
        point: number of the supply point at which it is installed; empty: it lies in the store.

    Raises:
        Conflict: the serial number is there, or another meter answers there or is installed there.
        Invalid: a value is not one.
    """
    found = find_port(work.session, port) if port else None
    node = company(work.session).id if found is None else found.node_id
    if point:
        node = find_point(work.session, point).node_id
    work.require(Action.METER_EDIT, node)
    if not _SERIAL.fullmatch(serial):
        raise Invalid("serial", f"{serial!r}: a serial number has 12 digits; nothing was changed")
    _check_wire(work, found, unit, own=None)
    meter = insert(
        work,
        Meter(
            serial=serial,
            port_id=None if found is None else found.id,
            unit=unit,
            epoch=None,
            proved_sequence=None,
            proved_cumulative=None,
            proved_energy_mwh=None,
            proved_elapsed=None,
            proved_at=None,
            explained_before=0,
            to_debt_exact=0,
            stopped=None,
        ),
        f"meter {serial}",
    )
    work.audit(Action.METER_EDIT, meter, None, {"serial": serial, "port": port, "unit": unit})
    if point:
        _install(work, meter, find_point(work.session, point))
    return _shown(work.session, meter)


def edit(
    work: UnitOfWork,
    *,
    serial: str,
    version: int,
    port: str | None = None,
    unit: int | None = None,
) -> dict[str, Any]:
    """Change the port or the unit of a meter; what is None stays.

    Args:
        port: name of a port, or `none`.

    Raises:
        Stale: it has another version than the one that was seen.
        Conflict, Invalid: as `add`.
    """
    found = find_meter(work.session, serial).id
    work.require(Action.METER_EDIT, node_of_meter(work.session, found))
    meter = work.lock(Meter, found, version)
    before = {"port_id": meter.port_id, "unit": meter.unit}
    if port == NO_PORT:
        meter.port_id = None
    elif port is not None:
        meter.port_id = find_port(work.session, port).id
    meter.unit = meter.unit if unit is None else unit
    wire = None if meter.port_id is None else work.session.get_one(Port, meter.port_id)
    _check_wire(work, wire, meter.unit, own=meter)
    meter.version += 1
    work.audit(Action.METER_EDIT, meter, before, {"port_id": meter.port_id, "unit": meter.unit})
    return _shown(work.session, meter)


def install(work: UnitOfWork, *, serial: str, point: str) -> dict[str, Any]:
    """Install a meter at a supply point, from now on.

    Raises:
        Conflict: it is installed elsewhere, or the point has another meter.
    """
    place = find_point(work.session, point)
    work.require(Action.METER_EDIT, place.node_id)
    work.lock(SupplyPoint, place.id)
    meter = work.lock(Meter, find_meter(work.session, serial).id)
    _install(work, meter, place)
    return _shown(work.session, meter)


def remove(work: UnitOfWork, *, serial: str, reason: str) -> dict[str, Any]:
    """End the installation of a meter, now; an exchange under an agreement is an application.

    Raises:
        Refused: it is not installed, or an agreement about the point is not closed.
    """
    found = find_meter(work.session, serial)
    work.require(Action.METER_EDIT, node_of_meter(work.session, found.id))
    held = installation_of_meter(work.session, found.id)
    if held is None:
        raise Refused("not_installed", f"meter {serial} is not installed; nothing was changed")
    point = work.lock(SupplyPoint, held.point_id)
    work.require(Action.METER_EDIT, point.node_id)
    meter = work.lock(Meter, found.id)
    work.session.refresh(held)
    if held.to_at is not None:
        raise Refused("not_installed", f"meter {serial} is not installed; nothing was changed")
    agreement = work.session.scalars(
        select(Agreement).where(
            Agreement.point_id == point.id, Agreement.state != AgreementState.CLOSED
        )
    ).first()
    if agreement is not None:
        raise Refused(
            "agreement_in_force",
            f"agreement {agreement.number} is about point {point.number}; nothing was changed",
        )
    held.to_at = max(work.now, held.from_at + 1)
    meter.version += 1
    work.audit(
        Action.METER_EDIT, held, {"to_at": None}, {"to_at": held.to_at, "meter": serial}, reason
    )
    end_finding(work, FindingRule.TERMS_DIFFER, meter)  # no agreement is about it any more
    return _shown(work.session, meter)


def show(session: Session, actor: Actor, serial: str) -> dict[str, Any]:
    """Return a meter with its port, its point and what was proved of it.

    Raises:
        NotFound: the desk has no such meter.
        NotPermitted: it is at none of the person's nodes.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    meter = find_meter(session, serial)
    point = point_of_meter(session, meter.id)
    port = None if meter.port_id is None else session.get_one(Port, meter.port_id)
    place = point or port
    if place is not None:
        require_at(session, actor, Action.ORGANISATION_READ, place.node_id)
    return _shown(session, meter)


def list_(
    session: Session, actor: Actor, node: str | None, limit: int, after: str | None = None
) -> list[dict[str, Any]]:
    """Return meters by serial number, those at the person's nodes and those that are nowhere.

    A meter is where its supply point is; one that is not installed, where its port is.

    Args:
        node: only those that are installed there and below.
        after: a serial number: only higher ones.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    rows = (
        select(Meter, Port.name, SupplyPoint.number)
        .outerjoin(Port, Port.id == Meter.port_id)
        .outerjoin(Installation, (Installation.meter_id == Meter.id) & Installation.to_at.is_(None))
        .outerjoin(SupplyPoint, SupplyPoint.id == Installation.point_id)
        .outerjoin(
            Organisation, Organisation.id == func.coalesce(SupplyPoint.node_id, Port.node_id)
        )
        .where(or_(Organisation.id.is_(None), is_within(actor, Action.ORGANISATION_READ)))
    )
    if node is not None:
        below = [each.id for each in nodes_below(session, find_node(session, node))]
        rows = rows.where(SupplyPoint.node_id.in_(below))
    if after is not None:
        rows = rows.where(Meter.serial > after)
    found = session.execute(rows.order_by(Meter.serial).limit(limit))
    return [values(meter, port, point) for meter, port, point in found]


def values(meter: Meter, port: str | None, point: str | None) -> dict[str, Any]:
    """Return a meter's values."""
    return {
        "serial": meter.serial,
        "port": port,
        "unit": meter.unit,
        "point": point,
        "epoch": meter.epoch,
        "sequence": meter.proved_sequence,
        "proved_at": meter.proved_at,
        "stopped": meter.stopped,
        "version": meter.version,
    }


def _install(work: UnitOfWork, meter: Meter, point: SupplyPoint) -> None:
    """Install a meter at a point; the rows are locked, or new."""
    elsewhere = installation_of_meter(work.session, meter.id)
    if elsewhere is not None:
        raise Conflict("installed", f"meter {meter.serial} is installed; nothing was changed")
    if installation_at_point(work.session, point.id) is not None:
        raise Conflict("point_has_meter", f"point {point.number} has a meter; nothing was changed")
    last = work.session.scalars(
        select(func.max(Installation.to_at)).where(
            (Installation.meter_id == meter.id) | (Installation.point_id == point.id)
        )
    ).one()
    row = insert(
        work,
        Installation(
            meter_id=meter.id,
            point_id=point.id,
            from_at=work.now if last is None else max(work.now, last),
            to_at=None,
            reading_in_id=None,
            reading_out_id=None,
        ),
        f"meter {meter.serial} at point {point.number}",
    )
    work.audit(
        Action.METER_EDIT,
        row,
        None,
        {"meter": meter.serial, "point": point.number, "from_at": row.from_at},
    )


def _check_wire(work: UnitOfWork, port: Port | None, unit: int, own: Meter | None) -> None:
    """Refuse a port and unit where no meter, or another one, answers; raises Invalid, Conflict."""
    if not 1 <= unit <= LAST_UNIT:
        raise Invalid("unit", f"unit {unit}: allowed is 1 to {LAST_UNIT}; nothing was changed")
    if port is None:
        return
    if port.protocol == CARD_READER:
        raise Invalid("port", f"port {port.name} is a card reader; nothing was changed")
    others = work.session.scalars(select(Meter).where(Meter.port_id == port.id, Meter.unit == unit))
    other = next((meter for meter in others if meter is not own), None)
    if other is not None:
        node = work.session.get_one(Organisation, node_of_meter(work.session, other.id))
        is_seen = work.actor.may(Action.ORGANISATION_READ, node.path)
        named = f"meter {other.serial}" if is_seen else "a meter of another station"
        raise Conflict("unit", f"{named} is unit {unit} of port {port.name}; nothing was changed")


def _shown(session: Session, meter: Meter) -> dict[str, Any]:
    held = installation_of_meter(session, meter.id)
    point = None if held is None else session.get_one(SupplyPoint, held.point_id).number
    port = None if meter.port_id is None else session.get_one(Port, meter.port_id).name
    return values(meter, port, point)
