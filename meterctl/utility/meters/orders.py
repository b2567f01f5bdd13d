"""Orders that are due: claimed, begun, and written down when the meter has answered.

An order is begun in one transaction, which is committed before the journal is touched, and ended in
another one. Between the two no transaction is open. Orders of a meter run in the order of their
numbers, but readings of registers wait for none; one live order of the credit class a meter (I5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from meterctl.utility.meters.due_orders import DUE, LIVE_OF, OF_KEY, Scope
from meterctl.utility.meters.gateway import CardPlace, CreditKind, MeterPlace
from meterctl.utility.model.money import Carrier, Sale, SaleKind
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import (
    CommandEvent,
    SaleEvent,
    SaleState,
)
from meterctl.utility.store import order_books, sale_books
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.sale_places import kind_of_sale
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, repeated, unit_of_work

SECOND = 1_000
DELAYS = tuple(seconds * SECOND for seconds in (10, 60, 300, 900, 3600))
"""Time to the next try of an order that is not settled, ms: 10 s, 1, 5, 15 min, then hourly."""
NO_CUSTOMER = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """An order that was begun, with all that its meter is asked for.

    `resolves`: it was begun before and has to be settled. `place` is None for a meter without a
    wire, `card` the card of a sale that goes by one. `tries` counts this try.
    """

    order: int
    key: str
    kind: OrderKind
    parameters: Mapping[str, Any]
    meter: int
    agreement: int | None
    version: int | None
    sale: int | None
    credit: CreditKind | None
    amount: int
    customer: str
    place: MeterPlace | None
    serial: str
    epoch: int | None
    """Of the meter's storage that the books know; None: it was never read."""
    card: CardPlace | None
    resolves: bool
    tries: int
    credit_state: SaleState | None
    """Before it was begun; None for one of the command class."""
    port: int | None
    worker: int | None
    changed_at: int
    others: tuple[int, ...]
    """Orders of the claim that are due after it, as it found them: `Scope.ORDER` begins each."""
    is_expired: bool
    """The moment passed until which it may be sent."""


def next_delay(tries: int) -> int:
    """Return the time to the next try after some tries, ms."""
    return DELAYS[min(max(tries, 1), len(DELAYS)) - 1]


@dataclass(frozen=True, slots=True)
class Claim:
    """Which order is to be begun next.

    Args:
        of: number of the port, of the meter, or of the order; unused for a reader.
        after: numbers above it only; `upto`: up to this one, of a meter.
        reader: of a reader: name, address, and serial number of the meter of the card in it, empty
            for an unbound card.
    """

    scope: Scope
    of: int = 0
    after: int = 0
    upto: int = 0
    reader: tuple[str, str, str] = ("", "", "")


def begin(database: Database, worker: int, claim: Claim) -> Begun | None:
    """Begin the next order of a claim, committed; None where none is due.

    One that has expired is returned as it is, and not begun.

    Args:
        worker: number of the journal's row, to which the order belongs from here on.
    """
    name, address, serial = claim.reader
    values = {
        "of": claim.of, "after": claim.after, "upto": claim.upto, "own": worker,
        "name": name, "address": address, "serial": serial,
    }  # fmt: skip

    def once() -> Begun | None:
        now = database.now()
        with unit_of_work(database, WORKER, now) as work:
            rows = DUE[claim.scope].rows(work.connection, values | {"now": now})
            if not rows:
                return None
            begun = replace(_begun(rows[0], now), others=tuple(row.id for row in rows[1:]))
            if not begun.is_expired:
                begun = _with_message(work, begun, rows[0])
                _take(work, begun, worker)
            return replace(begun, worker=worker)

    try:
        return repeated(once)
    except IntegrityError:  # at the same moment another order of the meter was begun (I5)
        return None


def of_key(database: Database, key: str) -> Begun | None:
    """Return the order of a key as it stands, None where it is no order of the desk."""
    with database.reading() as session:
        row = OF_KEY.row(session.connection(), {"key": key})
    return None if row is None else _begun(row)


def live_of(database: Database, worker: int) -> list[Begun]:
    """Return the orders of a journal that may have been sealed and are not settled, the oldest
    first: sending, on a card, unknown.
    """
    with database.reading() as session:
        rows = LIVE_OF.rows(session.connection(), {"own": worker})
    return [_begun(row) for row in rows]


def _with_message(work: UnitOfWork, begun: Begun, row: Any) -> Begun:
    """Return a sale with the message that its meter takes now: an opening, or credit.

    What was seen when it was taken may not hold any more: the sale before it that was to open the
    account was cancelled, or the account was opened meanwhile. Nothing is sealed under its key yet.
    """
    if begun.sale is None or begun.credit_state is not SaleState.TAKEN:
        return begun
    if row.sale_kind is SaleKind.CREDIT and row.proved_cumulative:
        return begun
    session = work.session
    kind = kind_of_sale(session, begun.meter, row.meter_epoch, begun.sale, row.sale_kind)
    if kind is row.sale_kind:
        return begun
    session.execute(update(Sale).where(Sale.id == begun.sale).values(kind=kind))
    return replace(begun, credit=CreditKind.OPEN if kind is SaleKind.OPEN else CreditKind.CREDIT)


def _take(work: UnitOfWork, begun: Begun, worker: int) -> None:
    """Move a claimed order to its state of being carried out."""
    later = work.now + next_delay(begun.tries)
    if begun.sale is not None and not begun.resolves:
        sale_books.begin(
            work, begun.sale, begun.order, worker=worker, tries=begun.tries, not_before=later
        )
        return
    order = work.lock(Order, begun.order)
    order.worker_id, order.tries, order.not_before = worker, begun.tries, later
    if begun.resolves:
        return
    if begun.credit is not None:
        order_books.move_order(work, begun.order, SaleEvent.RUN)
    else:
        order_books.move_command(work, begun.order, CommandEvent.RUN)


def begin_again(work: UnitOfWork, begun: Begun) -> None:
    """Begin an order that is `taken` although its journal has it already."""
    if begun.sale is not None:
        later = work.now + next_delay(begun.tries)
        assert begun.worker is not None, f"O{begun.order} was never begun"
        sale_books.begin(
            work, begun.sale, begun.order, worker=begun.worker, tries=begun.tries, not_before=later
        )
    else:
        order_books.move_order(work, begun.order, SaleEvent.RUN)


def _begun(row: Any, now: int = 0) -> Begun:
    """Return an order as it is carried out, from a row of the claim."""
    place, card = None, None
    resolves = row.credit_state is SaleState.UNKNOWN
    if row.url is not None:
        protocol, _, map_name = row.protocol.partition("/")
        place = MeterPlace(row.serial, row.url, protocol, row.unit, map_name)
    if row.carrier is Carrier.CARD and not resolves:
        card = CardPlace(row.parameters.get("reader") or "")
    return Begun(
        order=row.id,
        key=row.key,
        kind=row.kind,
        parameters=row.parameters,
        meter=row.meter_id,
        agreement=row.agreement_id,
        version=row.agreement_version_id,
        sale=row.sale_id,
        credit=_credit(row),
        amount=row.amount if row.sale_id is not None else row.parameters.get("amount", 0),
        customer=row.number or NO_CUSTOMER,
        place=place,
        serial=row.serial,
        epoch=row.meter_epoch,
        card=card,
        resolves=resolves,
        tries=row.tries + 1,
        credit_state=row.credit_state,
        port=row.port_id,
        worker=row.worker_id,
        changed_at=row.changed_at,
        others=(),
        is_expired=row.command_state is not None and row.expires is not None and row.expires <= now,
    )


def _credit(row: Any) -> CreditKind | None:
    """Return the message of an order of the credit class."""
    match row.kind:
        case OrderKind.SALE:
            return CreditKind.OPEN if row.sale_kind is SaleKind.OPEN else CreditKind.CREDIT
        case OrderKind.OPEN:
            return CreditKind.OPEN
        case OrderKind.REFUND:
            return CreditKind.REFUND
        case OrderKind.DEBT:
            return CreditKind.DEBT
        case OrderKind.CLOSE:
            return CreditKind.CLOSE
        case _:
            return None
