"""Which orders of a meter wait for which, and why a sale waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, or_, select
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


def why_they_wait(session: Session, carriers: Mapping[int, Carrier]) -> dict[int, str]:
    """Return why orders of sales that are taken are not begun; empty where it is an order's turn.

    All of them are asked for by two statements.

    Args:
        carriers: order -> the carrier of its sale.
    """
    if not carriers:
        return {}
    meters = session.execute(
        select(Order.id, Meter.serial, Meter.stopped, Meter.port_id)
        .join(Meter, Meter.id == Order.meter_id)
        .where(Order.id.in_(carriers))
    )
    before = _before(session, carriers)
    return {meter.id: _why(meter, before.get(meter.id), carriers[meter.id]) for meter in meters}


def _why(meter: Any, before: Any | None, carrier: Carrier) -> str:
    """Return why an order waits.

    Args:
        meter: its `serial`, `stopped` and `port_id`.
        before: the order for which it waits, None: it waits for none.
    """
    if meter.stopped is not None:
        return stopped_text(meter.serial, meter.stopped)
    if before is not None:
        about = before.kind if before.sale_id is None else f"sale S{before.sale_id}"
        return (
            f"it waits for {order_number(before.id)} ({about}) of the same meter, which is "
            f"{before.credit_state or before.command_state}"
        )
    return NO_WIRE if meter.port_id is None and carrier is Carrier.WIRE else ""


def _before(session: Session, carriers: Mapping[int, Carrier]) -> dict[int, Any]:
    """Return the order for which each order waits; those that wait for none are left out."""
    order, before = rows_of(Order), rows_of(Order).alias("before")
    is_live = and_(before.c.id != order.c.id, before.c.credit_state.in_(LIVE))
    on_wires = [number for number, carrier in carriers.items() if carrier is not Carrier.CARD]
    in_the_way = and_(
        before.c.meter_id == order.c.meter_id,
        or_(is_live, and_(order.c.id.in_(on_wires), stands_before(before, order))),
    )
    place = func.row_number().over(
        partition_by=order.c.id, order_by=(case((is_live, 0), else_=1), before.c.id)
    )
    found = (
        select(
            order.c.id.label("order_id"), before.c.id, before.c.kind, before.c.sale_id,
            before.c.credit_state, before.c.command_state, place.label("place"),
        )
        .select_from(order.join(before, in_the_way))
        .where(order.c.id.in_(carriers))
        .subquery()
    )  # fmt: skip
    rows = session.execute(select(found).where(found.c.place == 1))
    return {row.order_id: row for row in rows}
