"""The books of orders that are no sales: refunds, debts, openings with 0.00, and commands.

Orders of the credit class without money go by the sale's table too; dead, they owe nothing. What a
service wants to go on with when an order of its has ended it registers in `FOLLOWING` and names in
the order's parameter `then`; `follow` runs it in a transaction of its own, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import Transfers
from meterctl.utility.rules.transitions import (
    COMMAND,
    SALE,
    CommandEvent,
    CommandState,
    SaleEvent,
    SaleState,
    after,
)
from meterctl.utility.store.ledger import About
from meterctl.utility.store.proofs import EPOCH, Proved, prove_meter
from meterctl.utility.store.unit_of_work import UnitOfWork

THEN = "then"
"""Parameter of an order: the word in `FOLLOWING` of what goes on when it has ended."""
FOLLOWED = "followed"
"""Key in an order's outcome: what followed was done."""

Following = Callable[[UnitOfWork, Order], None]
FOLLOWING: dict[str, Following] = {}
"""What goes on when an order has ended, by word; services add theirs with `following`."""

_ACCEPTED = frozenset(
    {SaleEvent.CONFIRMED, SaleEvent.RECEIPT, SaleEvent.RESOLVED_DELIVERED}
)  # fmt: skip
ENDED = frozenset(
    {
        SaleState.DELIVERED, SaleState.DEAD, SaleState.HAND_DEAD, SaleState.CANCELLED,
        CommandState.DONE, CommandState.REFUSED, CommandState.EXPIRED,
    }
)  # fmt: skip
"""States in which an order has ended."""


def following(word: str) -> Callable[[Following], Following]:
    """Register a function as what goes on after orders that name the word."""

    def register(act: Following) -> Following:
        FOLLOWING[word] = act
        return act

    return register


def move_order(
    work: UnitOfWork,
    order_id: int,
    event: SaleEvent,
    *,
    proved: Proved | None = None,
    cause: str = "",
) -> Order:
    """Move an order of the credit class that is no sale by an event, and book what it did.

    Raises:
        Refused: the table has no such event for the order's state; nothing was changed.
        NotFound: there is no such order.
    """
    found = work.session.execute(
        select(Order.agreement_id, Order.meter_id).where(Order.id == order_id)
    ).one_or_none()
    if found is None:
        raise NotFound("no_order", f"O{order_id}: there is no such order")
    meter = None
    if event in _ACCEPTED:
        if found.agreement_id is not None:
            work.lock(Agreement, found.agreement_id)
        meter = work.lock(Meter, found.meter_id)
    order = work.lock(Order, order_id)
    assert order.credit_state is not None, f"O{order_id} is of the command class"
    before = order.credit_state
    order.credit_state = after(SALE, before, event)
    if meter is not None:
        transfers = _postings(order)
        work.ledger.post(
            f"order/{order.id}/{event}", f"{order.kind}_{event}", transfers,
            About(order.agreement_id),
        )  # fmt: skip
        if proved is not None:
            order.outcome = {**(order.outcome or {}), EPOCH: proved.epoch}
            prove_meter(work, meter, order.agreement_id, proved)
    order.cause, order.changed_at = cause, work.now
    work.audit(f"order_{event}", order, {"state": before}, {"state": order.credit_state}, cause)
    return order


def move_command(work: UnitOfWork, order_id: int, event: CommandEvent, *, cause: str = "") -> Order:
    """Move an order of the command class by an event.

    Raises:
        Refused: the table has no such event for the order's state; nothing was changed.
        NotFound: there is no such order.
    """
    order = work.lock(Order, order_id)
    assert order.command_state is not None, f"O{order_id} is of the credit class"
    before = order.command_state
    order.command_state = after(COMMAND, before, event)
    order.cause, order.changed_at = cause, work.now
    work.audit(f"order_{event}", order, {"state": before}, {"state": order.command_state}, cause)
    return order


def has_followed(order: Order) -> bool:
    """Return whether nothing goes on after an order any more."""
    return order.parameters.get(THEN) is None or bool((order.outcome or {}).get(FOLLOWED))


def follow(work: UnitOfWork, order_id: int) -> bool:
    """Go on after an order that has ended, once; return whether this transaction does it.

    Raises:
        Invalid: no service has registered what the order names.
    """
    order = work.session.get_one(Order, order_id)
    if (order.credit_state or order.command_state) not in ENDED or has_followed(order):
        return False
    act = FOLLOWING.get(order.parameters[THEN])
    if act is None:
        raise Invalid(
            "not_registered",
            f"O{order_id}: no part of the desk goes on with {order.parameters[THEN]!r}; "
            f"nothing was changed",
        )
    act(work, order)
    order = work.lock(Order, order_id)
    order.outcome = {**(order.outcome or {}), FOLLOWED: True}
    return True


def _postings(order: Order) -> Transfers:
    """Return the transfers of an accepted order (UTILITY 4)."""
    parameters: dict[str, Any] = order.parameters
    match order.kind:
        case OrderKind.REFUND:
            assert order.agreement_id is not None, f"O{order.id} has no agreement"
            return postings.refund_proved(order.agreement_id, parameters["amount"])
        case OrderKind.DEBT:
            assert order.agreement_id is not None, f"O{order.id} has no agreement"
            bills = (Part(bill, amount) for bill, amount in parameters["bills"])
            return postings.arrears_accepted(order.agreement_id, bills)
        case _:
            return ()
