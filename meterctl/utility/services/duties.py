"""Duties: who reads and who collects in a node. One person a kind, a node and a day."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Refused
from meterctl.utility.model.organisation import Duty, DutyKind, Organisation, Staff, StaffState
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.grants import check_dates
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.staff import find_staff
from meterctl.utility.store.rights import is_around, require_anywhere
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


def set_duty(
    work: UnitOfWork,
    *,
    number: str,
    node: str,
    kind: DutyKind,
    from_on: date,
    to_on: date | None = None,
) -> dict[str, Any]:
    """Give a person a duty in a node; the same person's of the same first date gets its new end.

    Args:
        to_on: the first date without it; None: for good.

    Raises:
        Conflict: the duty is held there on one of the dates.
        Refused: the person was deactivated.
        Invalid: the dates are none.
    """
    found, place = find_staff(work.session, number), find_node(work.session, node)
    work.require(Action.DUTY_SET, place.id)
    work.lock(Organisation, place.id)
    staff = work.lock(Staff, found.id)
    if staff.state is not StaffState.ACTIVE:
        raise Refused("deactivated", f"{number} was deactivated; nothing was changed")
    check_dates(from_on, to_on)
    overlapping = select(Duty).where(
        Duty.node_id == place.id,
        Duty.kind == kind,
        or_(Duty.to_on.is_(None), Duty.to_on > from_on),
    )
    if to_on is not None:
        overlapping = overlapping.where(Duty.from_on < to_on)
    held = list(work.session.scalars(overlapping))
    own = next((d for d in held if (d.staff_id, d.from_on) == (staff.id, from_on)), None)
    other = next((duty for duty in held if duty is not own), None)
    if other is not None:
        holder = work.session.get_one(Staff, other.staff_id)
        raise Conflict(
            "duty_held",
            f"{holder.number} has the duty {kind} in {node} from {other.from_on}"
            f"{'' if other.to_on is None else f' to before {other.to_on}'}; nothing was changed",
        )
    before = None if own is None else _values(own, staff, place)
    if own is None:
        own = work.add(
            Duty(staff_id=staff.id, node_id=place.id, kind=kind, from_on=from_on, to_on=to_on)
        )
    own.to_on = to_on
    values = _values(own, staff, place)
    work.audit(Action.DUTY_SET, own, before, values)
    return values


def list_(session: Session, actor: Actor, on: date) -> list[dict[str, Any]]:
    """Return the duties of a date and later, by node, kind and first date.

    Those at the person's nodes, below and above them.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    rows = session.execute(
        select(Duty, Staff, Organisation)
        .join(Staff, Staff.id == Duty.staff_id)
        .join(Organisation, Organisation.id == Duty.node_id)
        .where(
            or_(Duty.to_on.is_(None), Duty.to_on > on),
            is_around(actor, Action.ORGANISATION_READ),
        )
        .order_by(Organisation.path, Duty.kind, Duty.from_on)
    )
    return [_values(duty, staff, place) for duty, staff, place in rows]


def _values(duty: Duty, staff: Staff, place: Organisation) -> dict[str, Any]:
    return {
        "staff": staff.number,
        "node": place.code,
        "kind": duty.kind.value,
        "from_on": duty.from_on.isoformat(),
        "to_on": None if duty.to_on is None else duty.to_on.isoformat(),
    }
