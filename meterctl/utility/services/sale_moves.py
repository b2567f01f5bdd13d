"""A delivered sale that went to the wrong customer: moved to another agreement (UTILITY 6, S4).

One person proposes it, another approves it. Then the first meter gives back what of the sale is
still its credit; when it has proved that, the whole amount is sold again to the second agreement,
and what the first customer has used is a claim.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Carrier, Sale, SaleKind
from meterctl.utility.model.work import Order, OrderKind, Task
from meterctl.utility.rules import postings
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.transitions import AgreementState, SaleState
from meterctl.utility.services import tasks
from meterctl.utility.services.meter_refunds import order_refund, refundable
from meterctl.utility.services.sale_checks import (
    Checked,
    Written,
    check,
    meter_of,
    require_meter,
    write,
)
from meterctl.utility.store.allocations import allocate
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.ledger import About
from meterctl.utility.store.order_books import THEN, following
from meterctl.utility.store.queries.sale_places import MeterOfSale, SalePlace, sale_place
from meterctl.utility.store.queries.sales import (
    describe_sale,
    find_sale,
    node_of_agreement,
    sale_number,
)
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import UnitOfWork

MOVE = "sale_move"
"""Word under which the refund of a move goes on (`order_books.following`)."""
ENDED = (SaleState.DEAD, SaleState.CANCELLED)


def move(work: UnitOfWork, *, sale: str, to: str) -> dict[str, Any]:
    """Propose to move a delivered sale to another agreement.

    Args:
        to: number of the agreement for which the customer had paid.

    Raises:
        Refused: the sale is not delivered, was moved before, or nothing may be sold to the other
            agreement.
        NotPermitted: no role of the person's moves sales at both agreements.
    """
    found = find_sale(work.session, sale)
    node = node_of_agreement(work.session, found.agreement_id)
    work.require(Action.SALE_MOVE, node)
    work.actor.require(Action.SALE_MOVE, sale_place(work.session, to).path)
    _checked_target(work, found, to)
    _require_movable(work, found)
    task = tasks.propose(
        work, Action.SALE_MOVE, found, node, Role.STATION_HEAD, {"sale": found.id, "to": to}
    )
    given_back = min(found.amount, refundable(work, work.lock(Meter, found.meter_id)))
    return {
        **describe_sale(work.session, found.id),
        "to": to,
        "task": number_of(task),
        "given_back": given_back,
        "claim": found.amount - given_back,
    }


@tasks.approval(Action.SALE_MOVE)
def _approved(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Order the first meter to give back what it has; where that is nothing, sell at once."""
    assert task.proposal is not None
    sale = work.session.get_one(Sale, task.proposal["sale"])
    to = task.proposal["to"]
    target = _checked_target(work, sale, to)
    _require_movable(work, sale)
    back = min(sale.amount, refundable(work, work.lock(Meter, sale.meter_id)))
    if back == 0:
        new = _sell_to(work, sale, target, 0, f"moved-S{sale.id}-T{task.id}")
        return {"sale": sale_number(new.id), "claim": sale.amount}
    further = {THEN: MOVE, "sale": sale.id, "to": to, "kind": target.kind}
    order = order_refund(work, sale.agreement_id, sale.meter_id, back, work.key, further)
    return {"order": f"O{order.id}", "given_back": back, "claim": sale.amount - back}


@following(MOVE)
def sell_moved(work: UnitOfWork, order: Order) -> None:
    """Sell a moved sale to its right customer, when the first meter has given its credit back.

    A refund that the meter refused moves nothing; the sale says why, and it may be proposed again.
    """
    sale = work.session.get_one(Sale, order.parameters["sale"])
    if order.credit_state is not SaleState.DELIVERED:
        work.lock(Order, order.id)
        held = work.lock(Sale, sale.id)
        held.cause = f"not moved: O{order.id} is {order.credit_state}, {order.cause}"
        work.audit("sale_move_refused", held, None, {"order": f"O{order.id}"}, order.cause)
        return
    to = order.parameters["to"]
    place, meter, _ = _locked(work, sale, to)
    target = Checked(place, meter, SaleKind(order.parameters["kind"]), None, None)
    _sell_to(work, sale, target, order.parameters["amount"], f"moved-S{sale.id}-O{order.id}")


def _checked_target(work: UnitOfWork, sale: Sale, to: str) -> Checked:
    """Return the sale that the move makes, if it may be made."""
    place, meter, state = _locked(work, sale, to)
    return check(work, place, state, meter, sale.amount)


def _locked(work: UnitOfWork, sale: Sale, to: str) -> tuple[SalePlace, MeterOfSale, AgreementState]:
    """Lock the agreements and the meters of a move, each in the order of their numbers."""
    place = sale_place(work.session, to)
    if place.agreement_id == sale.agreement_id:
        raise Invalid("same_agreement", f"S{sale.id} is {to}'s already; nothing was changed")
    to_meter = require_meter(place)
    for agreement in sorted((sale.agreement_id, place.agreement_id)):
        work.lock(Agreement, agreement)
    for meter in sorted({sale.meter_id, to_meter}):
        work.lock(Meter, meter)
    state = work.lock(Agreement, place.agreement_id).state
    return place, meter_of(work.lock(Meter, to_meter)), state


def _require_movable(work: UnitOfWork, sale: Sale) -> None:
    """Refuse a sale that is not delivered, or that was moved or is being moved; raises Refused."""
    if sale.state is not SaleState.DELIVERED:
        raise Refused(
            "not_delivered",
            f"S{sale.id} is {sale.state}: only a delivered sale is moved; nothing was changed",
        )
    follower = work.session.scalars(select(Sale.id).where(Sale.follows_id == sale.id)).first()
    if follower is not None:
        raise Refused("moved", f"S{sale.id} was moved before, as S{follower}; nothing was changed")
    refunds = work.session.scalars(
        select(Order).where(Order.agreement_id == sale.agreement_id, Order.kind == OrderKind.REFUND)
    )
    for order in refunds:
        if order.parameters.get("sale") == sale.id and order.credit_state not in ENDED:
            raise Refused(
                "moving", f"S{sale.id} is being moved by O{order.id}; nothing was changed"
            )


def _sell_to(work: UnitOfWork, sale: Sale, target: Checked, back: int, key: str) -> Written:
    """Sell the amount of a moved sale to the right customer; what was not given back is a claim."""
    agreement, other, amount = sale.agreement_id, target.place.agreement_id, sale.amount
    claimed = amount - back
    new = write(
        work,
        target,
        amount,
        carrier=Carrier.WIRE,
        reader=None,
        paid=None,
        key=key,
        follows=sale.id,
    )
    claim = None
    if claimed:
        note = f"S{sale.id} was paid for {target.place.number}, and was used before it was moved"
        claim = write_claim(work, agreement, f"B-M{sale.id}", claimed, note).id
    work.ledger.post(
        f"sale/{new.id}/taken",
        "sale_moved",
        (
            *postings.moved_claim(agreement, claimed, claim),
            *postings.sold_again(agreement, other, amount),
        ),
        About(agreement, new.id, bill=claim),
    )
    if claimed:
        allocate(work, agreement, f"bill/{claim}/allocated")
    work.audit(
        Action.SALE_MOVE,
        sale,
        None,
        {"sold_again": sale_number(new.id), "given_back": back, "claim": claimed},
    )
    return new
