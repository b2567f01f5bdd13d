"""Whether a person may see or do something: by the grants of today, at a node or anywhere."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.organisation import Organisation
from meterctl.utility.rules.rights import ALLOWED, Action
from meterctl.utility.store.queries.organisation import numbers_of_path
from meterctl.utility.store.unit_of_work import Actor


def require_at(session: Session, actor: Actor, action: Action, node_id: int) -> None:
    """Refuse an action that no grant allows at a node; raises NotPermitted."""
    path = session.scalars(select(Organisation.path).where(Organisation.id == node_id)).one()
    actor.require(action, path)


def require_anywhere(actor: Actor, action: Action) -> None:
    """Refuse an action that no grant allows at any node; raises NotPermitted."""
    if actor.staff_id is not None and not paths(actor, action):
        raise actor.refusal(action)


def paths(actor: Actor, action: Action) -> list[str]:
    """Return the paths of the nodes at which, and below which, a person may do an action."""
    return [grant.path for grant in actor.grants if grant.role in ALLOWED.get(action, ())]


def is_within(actor: Actor, action: Action) -> ColumnElement[bool]:
    """Return the condition that a person may do an action at a row's node (`Organisation.path`)."""
    if actor.staff_id is None:
        return Organisation.path.is_not(None)
    held = [Organisation.path.startswith(path, autoescape=True) for path in paths(actor, action)]
    return or_(false(), *held)


def is_around(actor: Actor, action: Action) -> ColumnElement[bool]:
    """Return the condition of `is_within`, or that a row's node lies above one of the person's.

    What holds at a node above holds at the person's: its settings, roles and duties.
    """
    held = (numbers_of_path(path) for path in paths(actor, action))
    above = {number for numbers in held for number in numbers}
    return or_(is_within(actor, action), Organisation.id.in_(above))


def require_around(session: Session, actor: Actor, action: Action, node_id: int) -> None:
    """Refuse an action at a node that is not `is_around` the person; raises NotPermitted."""
    seen = select(Organisation.id).where(Organisation.id == node_id, is_around(actor, action))
    if session.scalars(seen).one_or_none() is None:
        raise actor.refusal(action)
