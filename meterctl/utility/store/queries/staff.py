"""Staff, their grants and duties."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.organisation import (
    Duty,
    GrantState,
    Organisation,
    Staff,
    StaffGrant,
    StaffState,
)
from meterctl.utility.rules.rights import Role


def find_staff(session: Session, number: str) -> Staff:
    """Return a person by the number; raises NotFound."""
    staff = session.scalars(select(Staff).where(Staff.number == number)).one_or_none()
    if staff is None:
        raise NotFound("no_staff", f"there is no member of the staff {number!r}")
    return staff


def is_held_on(table: type[StaffGrant | Duty], on: date) -> ColumnElement[bool]:
    """Return the condition that a grant or duty holds on a date; its end is not of it."""
    return (table.from_on <= on) & or_(table.to_on.is_(None), table.to_on > on)


def grants_on(session: Session, staff_id: int, on: date) -> list[tuple[Role, str]]:
    """Return the roles of a person on a date, each with the path of its node."""
    rows = session.execute(
        select(StaffGrant.role, Organisation.path)
        .join(Organisation, Organisation.id == StaffGrant.node_id)
        .where(
            StaffGrant.staff_id == staff_id,
            StaffGrant.state == GrantState.ACTIVE,
            is_held_on(StaffGrant, on),
        )
    )
    return [(role, path) for role, path in rows]


def holders_on(session: Session, role: Role, node_id: int, on: date) -> list[int]:
    """Return the ids of the active persons who have a role at a node on a date."""
    return list(
        session.scalars(
            select(Staff.id)
            .join(StaffGrant, StaffGrant.staff_id == Staff.id)
            .where(
                Staff.state == StaffState.ACTIVE,
                StaffGrant.role == role,
                StaffGrant.node_id == node_id,
                StaffGrant.state == GrantState.ACTIVE,
                is_held_on(StaffGrant, on),
            )
            .distinct()
            .order_by(Staff.id)
        )
    )
