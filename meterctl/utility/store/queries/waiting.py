"""Which orders of a meter wait for which, and why a sale waits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Carrier, Sale
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.selling import stopped_text
from meterctl.utility.rules.transitions import LIVE, CommandState, SaleState
from meterctl.utility.store.queries.orders import order_number
from meterctl.utility.store.statements import rows_of

ANY_TIME = (OrderKind.READ, OrderKind.RESOLVE)
"""Orders that wait for none of their meter, and none for them."""
NO_WIRE = "the meter has no wire: a card, or a visit with a reader, is needed"


def stands_before(before: FromClause, order: FromClause) -> ColumnElement[bool]:
    """Return the condition that an order of a meter has to end before another one is begun.

    A sale that waits for its card is in the way of none.

    Args:
        before: orders, by another name than `order`.
    """
    sale_before = rows_of(Sale).alias("sale_before")
    waits_for_card = exists().where(
        sale_before.c.id == before.c.sale_id,
        sale_before.c.carrier == Carrier.CARD,
        before.c.credit_state == SaleState.TAKEN,
    )
    is_open = or_(
        before.c.credit_state.in_((SaleState.TAKEN, SaleState.SENDING, SaleState.UNKNOWN)),
        before.c.command_state.in_((CommandState.QUEUED, CommandState.SILENT)),
    )
    in_the_way = and_(is_open, before.c.kind.not_in(ANY_TIME), ~waits_for_card)
    return and_(
        before.c.meter_id == order.c.meter_id,
        before.c.id < order.c.id,
        or_(before.c.command_state == CommandState.RUNNING, in_the_way),
    )


def why_it_waits(session: Session, order_id: int, carrier: Carrier) -> str:
    """Return why the order of a sale that is taken is not begun; empty where it is its turn."""
    meter = session.execute(
        select(Meter.serial, Meter.stopped, Meter.port_id)
        .join(Order, Order.meter_id == Meter.id)
        .where(Order.id == order_id)
    ).one()
    if meter.stopped is not None:
        return stopped_text(meter.serial, meter.stopped)
    before = _before(session, order_id, carrier)
    if before is not None:
        about = before.kind if before.sale_id is None else f"sale S{before.sale_id}"
        return (
            f"it waits for {order_number(before.id)} ({about}) of the same meter, which is "
            f"{before.credit_state or before.command_state}"
        )
    return NO_WIRE if meter.port_id is None and carrier is Carrier.WIRE else ""


def _before(session: Session, order_id: int, carrier: Carrier) -> Any:
    """Return the order for which another one waits, None where it waits for none."""
    order, before = rows_of(Order), rows_of(Order).alias("before")
    is_live = and_(
        before.c.meter_id == order.c.meter_id,
        before.c.id != order.c.id,
        before.c.credit_state.in_(LIVE),
    )
    in_the_way = is_live if carrier is Carrier.CARD else or_(is_live, stands_before(before, order))
    return session.execute(
        select(
            before.c.id, before.c.kind, before.c.sale_id,
            before.c.credit_state, before.c.command_state,
        )
        .select_from(order.join(before, in_the_way))
        .where(order.c.id == order_id)
        .order_by(case((is_live, 0), else_=1), before.c.id)
        .limit(1)
    ).first()  # fmt: skip
