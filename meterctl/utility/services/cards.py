"""Cards of customers: who may make, replace or erase one; what was done is written down.

The decision is committed, with its audit, before a card is touched; what became of the card is
written down afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Refused
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import SaleKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.selling import require_served
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services.sale_checks import kind_now, require_meter
from meterctl.utility.store.queries.points import point_of_meter
from meterctl.utility.store.queries.sale_places import sale_place
from meterctl.utility.store.rights import require_anywhere
from meterctl.utility.store.unit_of_work import UnitOfWork


def decide(
    work: UnitOfWork, *, action: Action, agreement: str, reader: str, reason: str = ""
) -> dict[str, Any]:
    """Decide that a card is made for the meter of an agreement.

    Args:
        action: `CARD_ISSUE` or `CARD_REPLACE`.
        agreement: its number, or that of its point or its meter.
        reader: the card's file, or the reader in which it lies.

    Raises:
        Refused: no credit is kept in a meter there, the agreement is not active, or the meter is
            stopped or its account closed.
    """
    place = sale_place(work.session, agreement)
    work.actor.require(action, place.path)
    meter = work.session.get_one(Meter, require_meter(place))
    if place.state is not AgreementState.ACTIVE:
        raise Refused("not_active", f"{place.number} is {place.state}; nothing was changed")
    require_served(meter.serial, meter.stopped, "nothing was changed")
    opens = kind_now(work.session, meter) is SaleKind.OPEN
    work.audit(action, meter, None, {"state": "decided", "reader": reader}, reason)
    return {"agreement": place.number, "meter": meter.serial, "opens": opens}


def decide_erasure(
    work: UnitOfWork, *, card: str, meter: str, reader: str, reason: str = ""
) -> dict[str, Any]:
    """Decide that a card is erased; `meter` is the one it is bound to, empty: none."""
    found = _meter(work, meter)
    point = None if found is None else point_of_meter(work.session, found.id)
    if point is None:
        require_anywhere(work.actor, Action.CARD_ERASE)
    else:
        node = work.session.get_one(SupplyPoint, point.id).node_id
        work.require(Action.CARD_ERASE, node)
    if found is not None:
        told = {"state": "decided", "card": card, "reader": reader}
        work.audit(Action.CARD_ERASE, found, None, told, reason)
    return {"card": card, "meter": meter or None}


def record(
    work: UnitOfWork, *, action: Action, meter: str, card: str, sales: Sequence[str]
) -> dict[str, Any]:
    """Write down what was done with a card, and the keys of the sales that this moved."""
    found = _meter(work, meter)
    if found is not None:
        told = {"state": "done", "card": card, "sales": list(sales)}
        work.audit(action, found, {"state": "decided"}, told)
    return {"card": card, "meter": meter or None, "sales": list(sales)}


def _meter(work: UnitOfWork, serial: str) -> Meter | None:
    return work.session.scalars(select(Meter).where(Meter.serial == serial)).one_or_none()
