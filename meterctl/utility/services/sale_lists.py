"""Sales as people at a node see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Sale
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.rights import ALLOWED, Action
from meterctl.utility.rules.sale_words import require_possible
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.sales import (
    describe_sale,
    describe_sales,
    find_sale,
    node_of_agreement,
)
from meterctl.utility.store.queries.shifts import find_shift
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor


def show(session: Session, actor: Actor, sale: str) -> dict[str, Any]:
    """Return a sale; raises NotFound, or NotPermitted where the person may not see it."""
    found = find_sale(session, sale)
    node = session.get_one(Organisation, node_of_agreement(session, found.agreement_id))
    if not actor.may(Action.SALE_READ, node.path):
        raise NotPermitted("not_allowed", f"{actor.number}: {sale} is not yours to read")
    return describe_sale(session, found.id)


def sold_again(session: Session, actor: Actor, sale: str) -> tuple[str, int]:
    """Return the agreement of a sale that is owed, and its amount (0.01).

    Raises:
        NotFound: there is no such sale.
        NotPermitted: the person may not sell it again.
        Refused: nothing is owed for it.
    """
    found = find_sale(session, sale)
    node = node_of_agreement(session, found.agreement_id)
    require_at(session, actor, Action.SALE_SELL_AGAIN, node)
    require_possible(f"S{found.id}", found.state, SaleEvent.SELL_AGAIN)
    return session.get_one(Agreement, found.agreement_id).number, found.amount


def list_(
    session: Session,
    actor: Actor,
    *,
    state: SaleState | None = None,
    agreement: str | None = None,
    shift: str | None = None,
    node: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest sales at the nodes where the person may read them.

    Args:
        node: code of a node: only those there and below.
        after: number of a sale: only older ones.
    """
    paths = {grant.path for grant in actor.grants if grant.role in ALLOWED[Action.SALE_READ]}
    wanted = (
        select(Sale.id)
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(or_(False, *(Organisation.path.startswith(path) for path in paths)))
        .order_by(Sale.id.desc())
        .limit(limit)
    )
    if state is not None:
        wanted = wanted.where(Sale.state == state)
    if agreement is not None:
        wanted = wanted.where(Sale.agreement_id == find_agreement(session, agreement).id)
    if shift is not None:
        wanted = wanted.where(Sale.shift_id == find_shift(session, shift).id)
    if node is not None:
        below = find_node(session, node).path
        wanted = wanted.where(Organisation.path.startswith(below, autoescape=True))
    if after is not None:
        wanted = wanted.where(Sale.id < find_sale(session, after).id)
    return describe_sales(session, session.scalars(wanted).all())
