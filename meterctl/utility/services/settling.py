"""A sale that stays unknown, ended by two persons: delivered, or dead (UTILITY 5).

A later proof of the meter or of the card corrects it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Task
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.sale_words import require_possible
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.services import tasks
from meterctl.utility.store import sale_books
from meterctl.utility.store.queries.sales import describe_sale, find_sale, node_of_agreement
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import UnitOfWork


class SettledAs(StrEnum):
    """What two persons say of an unknown sale."""

    DELIVERED = "delivered"
    DEAD = "dead"


EVENTS = {
    SettledAs.DELIVERED: SaleEvent.SETTLED_AS_DELIVERED,
    SettledAs.DEAD: SaleEvent.SETTLED_AS_DEAD,
}


def settle(work: UnitOfWork, *, sale: str, as_: SettledAs, reason: str = "") -> dict[str, Any]:
    """Propose how an unknown sale ends.

    Raises:
        Refused: it is not unknown.
    """
    found = find_sale(work.session, sale)
    node = node_of_agreement(work.session, found.agreement_id)
    work.require(Action.SALE_SETTLE, node)
    require_possible(f"S{found.id}", found.state, EVENTS[as_])
    task = tasks.propose(
        work,
        Action.SALE_SETTLE,
        found,
        node,
        Role.STATION_HEAD,
        {"sale": found.id, "as": as_, "reason": reason},
    )
    return {**describe_sale(work.session, found.id), "as": as_, "task": number_of(task)}


@tasks.approval(Action.SALE_SETTLE)
def _approved(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """End the sale as it was proposed."""
    assert task.proposal is not None
    sale = work.session.get_one(Sale, task.proposal["sale"])
    event = EVENTS[SettledAs(task.proposal["as"])]
    cause = ": ".join(
        filter(None, (f"by two persons ({number_of(task)})", task.proposal["reason"]))
    )
    sale_books.move(work, sale.id, event, cause=cause)
    work.session.flush()
    return describe_sale(work.session, sale.id)
