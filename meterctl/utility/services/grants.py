"""Grants: a person's roles at nodes. One of a role of money waits for a second person's approval.

The second person is neither the proposer nor the one who gets the role. So does one of an admin,
but the second admin of the company, whom the first one makes alone.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import or_, select

from meterctl.utility.errors import Conflict, Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.organisation import (
    GrantState,
    Organisation,
    OrganisationKind,
    Staff,
    StaffGrant,
    StaffState,
)
from meterctl.utility.model.work import Task
from meterctl.utility.rules.rights import Action, Role, grant_needs_approval
from meterctl.utility.services.tasks import approval, propose, refusal
from meterctl.utility.store.queries.organisation import company, find_node
from meterctl.utility.store.queries.staff import find_staff, holders_on
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import UnitOfWork


def grant(
    work: UnitOfWork,
    *,
    number: str,
    role: Role,
    node: str,
    from_on: date | None = None,
    to_on: date | None = None,
) -> dict[str, Any]:
    """Give a person a role at a node and below, or propose it where two persons have to agree.

    Args:
        from_on: the first date; today where it is not given.
        to_on: the first date without it; None: for good.

    Raises:
        Conflict: the person has, or is proposed for, the role there on one of the dates.
        Refused: the person was deactivated.
        Invalid: the dates are none.
    """
    place = find_node(work.session, node)
    work.require(Action.GRANT_PROPOSE, place.id)
    staff = work.lock(Staff, find_staff(work.session, number).id)
    if staff.state is not StaffState.ACTIVE:
        raise Refused("deactivated", f"{number} was deactivated; nothing was changed")
    begins = work.today if from_on is None else from_on
    check_dates(begins, to_on)
    _refuse_overlap(work, staff, role, place, begins, to_on)
    admins = holders_on(work.session, Role.ADMIN, company(work.session).id, work.today)
    only = not set(admins) - {work.actor.staff_id}
    waits = grant_needs_approval(role, is_only_admin=only)
    row = work.add(
        StaffGrant(
            staff_id=staff.id,
            role=role,
            node_id=place.id,
            from_on=begins,
            to_on=to_on,
            state=GrantState.PROPOSED if waits else GrantState.ACTIVE,
            proposer_id=work.actor.staff_id,
            approver_id=None,
        )
    )
    values = _grant_values(staff, row, place)
    work.audit(Action.GRANT_PROPOSE, row, None, values)
    if not waits:
        return values
    task = propose(work, Action.GRANT_PROPOSE, row, place.id, Role.ADMIN, values)
    return {**values, "task": number_of(task)}


@approval(Action.GRANT_PROPOSE)
def approve_grant(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Put a proposed grant into force.

    Raises:
        NotPermitted: the role would be the approver's own.
        Refused: the person was deactivated meanwhile.
    """
    row = work.session.get_one(StaffGrant, task.subject_id)
    staff = work.lock(Staff, row.staff_id)
    if staff.id == work.actor.staff_id:
        raise NotPermitted(
            "own_grant", "a role of your own is approved by another person; nothing was changed"
        )
    if staff.state is not StaffState.ACTIVE:
        raise Refused("deactivated", f"{staff.number} was deactivated; nothing was changed")
    row.state = GrantState.ACTIVE
    row.approver_id = work.actor.staff_id
    place = work.session.get_one(Organisation, row.node_id)
    values = _grant_values(staff, row, place)
    work.audit(Action.GRANT_APPROVE, row, {"state": GrantState.PROPOSED}, values)
    return {"grant": values}


@refusal(Action.GRANT_PROPOSE)
def refuse_grant(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """End a proposed grant that was refused or withdrawn."""
    row = work.session.get_one(StaffGrant, task.subject_id)
    row.state = GrantState.REVOKED
    work.audit(
        Action.GRANT_APPROVE,
        row,
        {"state": GrantState.PROPOSED},
        {"state": row.state},
        task.outcome,
    )
    return {}


def revoke(
    work: UnitOfWork, *, number: str, role: Role, node: str, reason: str = ""
) -> dict[str, Any]:
    """End a person's role at a node, from now on; one person can, for roles of money too.

    Raises:
        NotFound: the person does not have the role there.
        Refused: no admin would be left.
    """
    place = find_node(work.session, node)
    work.require(Action.GRANT_PROPOSE, place.id)
    if role is Role.ADMIN:
        work.lock(Organisation, place.id)
    staff = work.lock(Staff, find_staff(work.session, number).id)
    row = work.session.scalars(
        select(StaffGrant)
        .where(
            StaffGrant.staff_id == staff.id,
            StaffGrant.role == role,
            StaffGrant.node_id == place.id,
            StaffGrant.state == GrantState.ACTIVE,
            or_(StaffGrant.to_on.is_(None), StaffGrant.to_on > work.today),
        )
        .order_by(StaffGrant.from_on)
    ).first()
    if row is None:
        raise NotFound("no_grant", f"{number} is no {role} at {node}; nothing was changed")
    if role is Role.ADMIN:
        refuse_without_admin(work, place, leaving=staff.id)
    before = _grant_values(staff, row, place)
    row.state = GrantState.REVOKED
    values = _grant_values(staff, row, place)
    work.audit(Action.GRANT_PROPOSE, row, before, values, reason)
    return values


def refuse_without_admin(work: UnitOfWork, place: Organisation, leaving: int) -> None:
    """Refuse to take the role from the only admin of the company; its row is locked."""
    if place.kind is not OrganisationKind.COMPANY:
        return
    if holders_on(work.session, Role.ADMIN, place.id, work.today) == [leaving]:
        raise Refused("last_admin", "the company would have no admin; nothing was changed")


def check_dates(from_on: date, to_on: date | None) -> None:
    """Refuse an end that is not after its beginning; raises Invalid."""
    if to_on is not None and to_on <= from_on:
        raise Invalid("dates", f"{from_on} to before {to_on} has no day; nothing was changed")


def _refuse_overlap(
    work: UnitOfWork,
    staff: Staff,
    role: Role,
    place: Organisation,
    from_on: date,
    to_on: date | None,
) -> None:
    """Refuse a role that the person has at the node on one of the dates; raises Conflict."""
    held = select(StaffGrant).where(
        StaffGrant.staff_id == staff.id,
        StaffGrant.role == role,
        StaffGrant.node_id == place.id,
        StaffGrant.state != GrantState.REVOKED,
        or_(StaffGrant.to_on.is_(None), StaffGrant.to_on > from_on),
    )
    if to_on is not None:
        held = held.where(StaffGrant.from_on < to_on)
    found = work.session.scalars(held).first()
    if found is not None:
        raise Conflict(
            "granted_already",
            f"{staff.number} is {role} at {place.code} ({found.state}) on some of these dates; "
            f"nothing was changed",
        )


def _grant_values(staff: Staff, row: StaffGrant, place: Organisation) -> dict[str, Any]:
    return {
        "staff": staff.number,
        "role": row.role.value,
        "node": place.code,
        "from_on": row.from_on.isoformat(),
        "to_on": None if row.to_on is None else row.to_on.isoformat(),
        "state": row.state.value,
    }
