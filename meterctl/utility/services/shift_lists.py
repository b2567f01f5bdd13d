"""Shifts as people at a node see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.model.money import Shift
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.rules.rights import ALLOWED, Action
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.shifts import describe_shift, find_shift, shift_of
from meterctl.utility.store.unit_of_work import Actor


def show(session: Session, actor: Actor, number: str | None) -> dict[str, Any]:
    """Return a shift by its number, else one's own that is not closed.

    Raises:
        NotFound: there is no such shift.
        NotPermitted: it is another person's, and one may not read it.
    """
    if number is None:
        shift = None if actor.staff_id is None else shift_of(session, actor.staff_id)
        if shift is None:
            raise NotFound("no_shift", "you have no shift that is not closed; name one")
    else:
        shift = find_shift(session, number)
    path = session.get_one(Organisation, shift.node_id).path
    if shift.vendor_id != actor.staff_id and not actor.may(Action.SHEET_READ, path):
        raise NotPermitted("not_allowed", f"{actor.number}: {number} is not yours to read")
    return describe_shift(session, shift)


def list_(
    session: Session,
    actor: Actor,
    *,
    closed: bool,
    state: ShiftState | None = None,
    node: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest shifts at the nodes where the person may read them, and one's own.

    Args:
        closed: also those that are closed.
        state: only those in this state.
        node: code of a node: only those there and below.
        after: number of a shift: only older ones.
    """
    paths = {grant.path for grant in actor.grants if grant.role in ALLOWED[Action.SHEET_READ]}
    wanted = (
        select(Shift)
        .join(Organisation, Organisation.id == Shift.node_id)
        .where(
            or_(
                Shift.vendor_id == actor.staff_id,
                *(Organisation.path.startswith(path) for path in paths),
            )
        )
        .order_by(Shift.id.desc())
        .limit(limit)
    )
    if not closed:
        wanted = wanted.where(Shift.state != ShiftState.CLOSED)
    if state is not None:
        wanted = wanted.where(Shift.state == state)
    if node is not None:
        below = find_node(session, node).path
        wanted = wanted.where(Organisation.path.startswith(below, autoescape=True))
    if after is not None:
        wanted = wanted.where(Shift.id < find_shift(session, after).id)
    return [describe_shift(session, shift) for shift in session.scalars(wanted)]
