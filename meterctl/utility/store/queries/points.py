"""Customers, supply points, ports, meters and where they are installed, by their numbers."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.errors import NotFound
from meterctl.utility.model.metering import Installation, Meter, Port
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.model.party import Party, SupplyPoint


def find_party(session: Session, number: str) -> Party:
    """Return a customer by the number; raises NotFound."""
    party = session.scalars(select(Party).where(Party.number == number)).one_or_none()
    if party is None:
        raise NotFound("no_customer", f"there is no customer {number!r}")
    return party


def find_point(session: Session, number: str) -> SupplyPoint:
    """Return a supply point by its number (户号); raises NotFound."""
    point = session.scalars(select(SupplyPoint).where(SupplyPoint.number == number)).one_or_none()
    if point is None:
        raise NotFound("no_point", f"there is no supply point {number!r}")
    return point


def find_port(session: Session, name: str) -> Port:
    """Return a port by its name; raises NotFound."""
    port = session.scalars(select(Port).where(Port.name == name)).one_or_none()
    if port is None:
        raise NotFound("no_port", f"there is no port {name!r}; `desk port list` shows them")
    return port


def find_meter(session: Session, serial: str) -> Meter:
    """Return a meter by its serial number; raises NotFound."""
    meter = session.scalars(select(Meter).where(Meter.serial == serial)).one_or_none()
    if meter is None:
        raise NotFound("no_meter", f"the desk has no meter {serial!r}")
    return meter


def installation_of_meter(session: Session, meter_id: int) -> Installation | None:
    """Return where a meter is installed now; None: nowhere."""
    return session.scalars(
        select(Installation).where(Installation.meter_id == meter_id, Installation.to_at.is_(None))
    ).one_or_none()


def installation_at_point(session: Session, point_id: int) -> Installation | None:
    """Return the installation of the meter that a supply point has now; None: it has none."""
    return session.scalars(
        select(Installation).where(Installation.point_id == point_id, Installation.to_at.is_(None))
    ).one_or_none()


def meter_at_point(session: Session, point_id: int) -> Meter | None:
    """Return the meter that a supply point has now; None: it has none."""
    held = installation_at_point(session, point_id)
    return None if held is None else session.get_one(Meter, held.meter_id)


def point_of_meter(session: Session, meter_id: int) -> SupplyPoint | None:
    """Return the supply point at which a meter is installed now; None: nowhere."""
    held = installation_of_meter(session, meter_id)
    return None if held is None else session.get_one(SupplyPoint, held.point_id)


def node_of_meter(session: Session, meter_id: int) -> int:
    """Return the node that a meter belongs to, as `meter_node` has it."""
    return session.scalars(select(meter_node()).where(Meter.id == meter_id)).one()


def meter_node() -> ColumnElement[int]:
    """Return the node of a row of `Meter`: of its point, else of its port, else the company."""
    held, point, port = aliased(Installation), aliased(SupplyPoint), aliased(Port)
    top = aliased(Organisation)
    at_point = (
        select(point.node_id)
        .join(held, held.point_id == point.id)
        .where(held.meter_id == Meter.id, held.to_at.is_(None))
        .correlate(Meter)
    )
    at_port = select(port.node_id).where(port.id == Meter.port_id).correlate(Meter)
    company = select(top.id).where(top.kind == OrganisationKind.COMPANY)
    return func.coalesce(
        at_point.scalar_subquery(), at_port.scalar_subquery(), company.scalar_subquery()
    )
