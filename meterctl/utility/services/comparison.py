"""Meters beside their agreements: compared on demand, and set to the terms in force again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.terms import terms_of_json
from meterctl.utility.rules.transitions import VersionState
from meterctl.utility.services.agreements import is_in_meter, served_meter, settings_of
from meterctl.utility.services.orders import add_order
from meterctl.utility.store.comparison_books import COMPARE, add_comparison, comparable
from meterctl.utility.store.queries.agreements import (
    active_version,
    find_agreement,
    node_of,
    unfinished_version,
)
from meterctl.utility.store.queries.orders import NOT_DONE, find_order, order_number
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.unit_of_work import UnitOfWork


def compare_all(work: UnitOfWork, *, node: str | None = None) -> dict[str, Any]:
    """Order the comparison of every agreement in force whose meter a wire reaches.

    A meter of which a comparison is under way gets no second one.

    Args:
        node: only those at this node and below; None: all of the person's.

    Returns:
        `ordered`: how many; differences become findings when the meters are read.

    Raises:
        NotFound: there is no such node.
    """
    require_anywhere(work.actor, Action.AGREEMENT_COMPARE)
    rows = (
        comparable()
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(is_within(work.actor, Action.AGREEMENT_COMPARE))
    )
    if node is not None:
        below = find_node(work.session, node).path
        rows = rows.where(Organisation.path.startswith(below, autoescape=True))
    found = work.session.execute(rows, {"now": work.now}).all()
    for row in found:
        add_comparison(work, f"terms/{work.key}/{row.agreement}", row)
    return {"ordered": len(found)}


def write_terms(work: UnitOfWork, *, agreement: str) -> dict[str, Any]:
    """Order that the meter is set to the terms in force; read back, they end its finding.

    Raises:
        Refused: no version is in force, another one is on its way to the meter, or no order
            reaches the meter.
        Conflict: it is ordered already.
    """
    found = find_agreement(work.session, agreement)
    work.require(Action.AGREEMENT_PROVISION, node_of(work.session, found))
    found = work.lock(Agreement, found.id)
    version = active_version(work.session, found.id)
    if version is None:
        raise Refused("no_version", f"{found.number} has no version in force; nothing was changed")
    coming = unfinished_version(work.session, found.id)
    if coming is not None and coming.state is VersionState.PROVISIONING:
        raise Refused(
            "version_under_way",
            f"{found.number}: version {coming.n} is on its way to the meter; nothing was changed",
        )
    meter = served_meter(work, found)
    before = work.session.scalars(
        select(Order.id).where(
            Order.meter_id == meter.id,
            Order.kind == OrderKind.LIMITS,
            Order.command_state.in_(NOT_DONE),
        )
    ).first()
    if before is not None:
        raise Conflict(
            "under_way",
            f"{order_number(before)} sets meter {meter.serial} already; nothing was changed",
        )
    settings = settings_of(terms_of_json(version.terms), in_meter=is_in_meter(found))
    parameters = {"settings": settings, COMPARE: True}
    key = f"write-terms/{work.key}"
    order = add_order(work, key, OrderKind.LIMITS, meter, found, parameters)
    return {
        "agreement": found.number,
        "version": version.n,
        "meter": meter.serial,
        "order": order_number(order.id),
        "settings": settings,
    }


def written(session: Session, order: str) -> dict[str, Any]:
    """Return what became of an order that sets a meter to its terms."""
    row = find_order(session, order)
    assert row.command_state is not None
    return {"order_state": row.command_state.value, "cause": row.cause}
