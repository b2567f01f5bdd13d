"""Orders to meters, and the journals that seal them, for people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, Worker
from meterctl.utility.rules.leases import lives
from meterctl.utility.rules.transitions import CommandState, SaleState
from meterctl.utility.store.queries.points import meter_node

WAITING = (SaleState.TAKEN, SaleState.SENDING, SaleState.ON_CARD, SaleState.UNKNOWN)
NOT_DONE = (CommandState.QUEUED, CommandState.RUNNING, CommandState.SILENT)


def order_number(order_id: int) -> str:
    """Return the number of an order for people."""
    return f"O{order_id}"


def find_order(session: Session, named: str) -> Order:
    """Return an order by its number, such as O5, or by its key; raises NotFound."""
    digits = named.strip().upper().removeprefix("O")
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        order = session.get(Order, int(digits))
        if order is not None:
            return order
    found = session.scalars(select(Order).where(Order.key == named)).one_or_none()
    if found is None:
        raise NotFound("no_order", f"there is no order {named!r}; `desk order list` shows them")
    return found


def listed(
    session: Session,
    within: ColumnElement[bool],
    *,
    all_: bool = False,
    meter: str | None = None,
    numbers: Collection[int] | None = None,
    after: int | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return orders, the newest first.

    Args:
        within: condition on the node (`Organisation.path`) of the agreement's point, of an order
            without an agreement on that of its meter.
        all_: those that have ended too.
        meter: serial number of the meter.
        numbers: only these.
        after: an order: only older ones.
        limit: how many.
    """

    chosen = (
        select(Order, Meter.serial, Port.name, Agreement.number)
        .join(Meter, Meter.id == Order.meter_id)
        .outerjoin(Port, Port.id == Meter.port_id)
        .outerjoin(Agreement, Agreement.id == Order.agreement_id)
        .outerjoin(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == func.coalesce(SupplyPoint.node_id, meter_node()))
        .where(within)
        .order_by(Order.id.desc())
        .limit(limit)
    )
    if not all_:
        open_ = Order.credit_state.in_(WAITING) | Order.command_state.in_(NOT_DONE)
        chosen = chosen.where(open_)
    if meter is not None:
        chosen = chosen.where(Meter.serial == meter)
    if numbers is not None:
        chosen = chosen.where(Order.id.in_(numbers))
    if after is not None:
        chosen = chosen.where(Order.id < after)
    return [
        {**order_values(order), "meter": serial, "port": port, "agreement": agreement}
        for order, serial, port, agreement in session.execute(chosen)
    ]


def next_try(session: Session) -> tuple[int, int | None]:
    """Return how many orders wait for a further try, and when the next one is due, ms."""
    tried = (SaleState.TAKEN, SaleState.UNKNOWN)
    open_ = Order.credit_state.in_(tried) | Order.command_state.in_(NOT_DONE)
    found = session.execute(select(func.count(), func.min(Order.not_before)).where(open_)).one()
    return int(found[0]), found[1]


def order_values(order: Order) -> dict[str, Any]:
    """Return the fields of an order's own row; `_at` are instants in ms."""
    state = order.credit_state or order.command_state
    assert state is not None
    return {
        "number": order_number(order.id),
        "key": order.key,
        "kind": order.kind.value,
        "state": state.value,
        "sale": None if order.sale_id is None else f"S{order.sale_id}",
        "tries": order.tries,
        "not_before_at": order.not_before,
        "cause": order.cause,
        "worker": order.worker_id,
        "journal_entry": order.journal_entry,
        "made_at": order.made_at,
        "changed_at": order.changed_at,
    }


def workers(session: Session, now: int) -> list[dict[str, Any]]:
    """Return the journals that seal for the desk, with the number of their live orders.

    Args:
        now: the host's clock, ms: a lease beyond it is held by a living worker.
    """
    live: dict[int, int] = {}
    for worker in session.scalars(
        select(Order.worker_id).where(Order.credit_state.in_(WAITING[1:]))
    ):
        live[worker or 0] = live.get(worker or 0, 0) + 1
    return [
        {
            "worker": row.id,
            "journal_number": row.journal_number,
            "journal": row.journal,
            "lives": lives(row.lease_until, now),
            "holder": row.lease_holder,
            "live_orders": live.get(row.id, 0),
        }
        for row in session.scalars(select(Worker).order_by(Worker.id))
    ]
