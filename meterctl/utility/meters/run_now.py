"""An order that was just written, carried out by the command that wrote it.

A worker that has the meter's port does it. Where none lives, or a card lies before the command, the
command does it itself, with the port's lease in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.endings import end_credit
from meterctl.utility.meters.execution import Execution, Observer, unobserved
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.orders import Claim, live_of
from meterctl.utility.meters.reconcile import settle_by_journal
from meterctl.utility.meters.waiting import Changes
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.work import Order
from meterctl.utility.rules.leases import lives
from meterctl.utility.rules.transitions import CommandState, SaleState
from meterctl.utility.store.engine import Database

WAIT_S = 15.0
"""How long a command waits for a worker to carry out its order, s."""
LOOK_S = 1.0
"""Longest wait before the order is looked at again, s."""
_NOT_ENDED = (SaleState.TAKEN, SaleState.SENDING, CommandState.QUEUED, CommandState.RUNNING)


@dataclass(frozen=True, slots=True)
class Situation:
    """Where an order stands, and who can carry it out.

    `reader` is the card's file or reader of a sale by card that is not written yet. `is_served`: a
    living worker has the meter's port, or the reader.
    """

    state: str
    is_ended: bool
    meter: int
    port: int | None
    url: str
    reader: str | None
    is_served: bool


def carry_out(
    database: Database,
    gateway: Callable[[], Gateway],
    order: int,
    *,
    wait_s: float = WAIT_S,
    observer: Observer = unobserved,
) -> str:
    """See an order through: by the worker of its port, or here where none lives.

    Args:
        gateway: opens the gateway; it is called only if the order is carried out here.

    Returns:
        The word of its state: `taken` or `queued` where it waits for another order, for a worker
        that is busy, or for its next try.

    Raises:
        UsageError: the journal or the keys cannot be used; the order waits.
    """
    until, changes, never = time.monotonic() + wait_s, Changes(database), threading.Event()
    try:
        while True:
            now = situation(database, order)
            if now.is_ended or time.monotonic() >= until:
                return now.state
            if not now.is_served:
                state = run_order_now(database, gateway(), order, observer)
                if not situation(database, order).is_served:
                    return state
            changes.wait(never, LOOK_S)
    finally:
        changes.close()


def run_order_now(
    database: Database, gateway: Gateway, order: int, observer: Observer = unobserved
) -> str:
    """Carry out an order in this process, those of its meter first that wait before it.

    Returns:
        The word of its state; that which it had where another process has the port.
    """
    now = situation(database, order)
    leases = Leases(database, new_holder())
    worker = leases.worker_of(gateway.journal_number, str(gateway.journal_path))
    execution = Execution(database, gateway, worker, observer)
    if now.reader is not None:
        for begun in live_of(database, worker):
            if begun.order == order:  # this command was ended before it knew what became of it
                end_credit(database, begun, execution.on_card(begun))
        execution.run_next(None, Claim(Scope.CARD_ORDER, order))
    elif now.port is not None:
        with leases.kept_port(now.port) as is_taken:
            if is_taken:
                _run_up_to(execution, now, order, leases.holder)
    return situation(database, order).state


def situation(database: Database, order: int) -> Situation:
    """Return where an order stands, and who can carry it out."""
    with database.reading() as session:
        row = session.execute(
            select(
                Order.credit_state, Order.command_state, Order.meter_id, Order.parameters,
                Meter.port_id, Port.url, Port.lease_until,
            )
            .join(Meter, Meter.id == Order.meter_id)
            .outerjoin(Port, Port.id == Meter.port_id)
            .where(Order.id == order)
        ).one()  # fmt: skip
        waits = row.credit_state in (SaleState.TAKEN, SaleState.SENDING)
        reader = row.parameters.get("reader") if waits else None
        until = row.lease_until
        if reader is not None:
            until = _lease_of_reader(session, reader)
    state = row.credit_state or row.command_state
    is_served = lives(until, database.host_clock())
    return Situation(
        state.value, state not in _NOT_ENDED, row.meter_id, row.port_id, row.url or "", reader,
        is_served,
    )  # fmt: skip


def is_reader_served(database: Database, reader: str) -> bool:
    """Return whether a living worker writes the cards of a reader, by its name or address."""
    with database.reading() as session:
        until = _lease_of_reader(session, reader)
    return lives(until, database.host_clock())


def _lease_of_reader(session: Session, reader: str) -> int | None:
    """Return until when a worker has a reader, by the host's clock; None: it never had one."""
    named = or_(Port.url == reader, Port.name == reader)
    return session.scalars(select(Port.lease_until).where(named)).first()


def _run_up_to(execution: Execution, now: Situation, order: int, holder: str) -> None:
    """Carry out the orders of a meter up to one, each once, after what was left behind of it."""
    for begun in live_of(execution.database, execution.worker):
        if begun.meter == now.meter:
            settle_by_journal(execution.database, execution.gateway, begun, holder)
    after = 0
    with execution.gateway.wire(now.url) as wire:
        while True:
            done = execution.run_next(wire, Claim(Scope.METER, now.meter, after, order))
            if done is None or done.order == order:
                return
            after = done.order
