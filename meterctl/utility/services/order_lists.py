"""Orders to meters, as people at a node see them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.orders import find_order, listed, workers
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import is_within, require_anywhere, require_at
from meterctl.utility.store.unit_of_work import Actor


def show(session: Session, actor: Actor, named: str) -> dict[str, Any]:
    """Return an order with what it asks for and what became of it; raises NotFound, NotPermitted.

    Args:
        named: its number, such as O5, or its key.
    """
    require_anywhere(actor, Action.ORDER_READ)
    order = find_order(session, named)
    found = numbered(session, actor, [order.id])
    if not found:
        raise actor.refusal(Action.ORDER_READ)
    return {**found[0], "parameters": order.parameters, "outcome": order.outcome}


def list_(
    session: Session,
    actor: Actor,
    *,
    ended: bool = False,
    meter: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the orders at the person's nodes, the newest first.

    Args:
        ended: those that have ended too.
        meter: serial number of the meter.
        after: number of an order: only older ones.
    """
    require_anywhere(actor, Action.ORDER_READ)
    older = None if after is None else find_order(session, after).id
    within = is_within(actor, Action.ORDER_READ)
    return listed(session, within, all_=ended, meter=meter, after=older, limit=limit)


def numbered(session: Session, actor: Actor, numbers: Collection[int]) -> list[dict[str, Any]]:
    """Return those of these orders that the person may see, the newest first."""
    within = is_within(actor, Action.ORDER_READ)
    return listed(session, within, all_=True, numbers=numbers, limit=len(numbers))


def journals(session: Session, actor: Actor, now: int) -> list[dict[str, Any]]:
    """Return the journals that seal for the desk, as `store.queries.orders.workers` has them.

    Raises:
        NotPermitted: the person may not check the company's books.
    """
    require_at(session, actor, Action.CHECK_READ, company(session).id)
    return workers(session, now)
