"""A sale that may be made, and how it is written: by every way that makes one (UTILITY 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import Carrier, Sale, SaleKind, SaleSource
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.selling import (
    Expected,
    ProvedCredit,
    expected,
    require_room,
    require_served,
)
from meterctl.utility.rules.transitions import AgreementState, SaleState
from meterctl.utility.services.receipts import Entered
from meterctl.utility.store.new_rows import new_row
from meterctl.utility.store.queries.orders import order_number
from meterctl.utility.store.queries.sale_places import (
    MeterOfSale,
    MeterStatus,
    SalePlace,
    meter_status,
    sale_place,
    was_opened_here,
)
from meterctl.utility.store.queries.sales import new_sale_values, sale_number
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from protocols.data_model.words import AccountState

_OPEN, _CLOSED = (AccountState.OPEN.name.lower(), AccountState.CLOSED.name.lower())


@dataclass(frozen=True, slots=True)
class Checked:
    """A sale that may be made: its place, its kind, and what the meter will make of it."""

    place: SalePlace
    meter: MeterOfSale
    kind: SaleKind
    expected: Expected | None
    """None: it was not looked at."""
    waits_for: int | None
    """The sale of the same meter that is not settled; this one's order waits for it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A sale as it was written, and its order."""

    id: int
    order: int
    key: str
    amount: int
    carrier: Carrier
    paid: Entered | None
    follows: int | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sale would go that is looked at before it is taken; nothing is locked."""

    agreement: str
    serial: str
    customer: str
    kind: SaleKind
    epoch: int | None
    port: str | None
    """Address of the meter's port; None: it has no wire."""


def destination(session: Session, actor: Actor, agreement: str) -> Destination:
    """Return where a sale of an agreement would go, as it stands now.

    Raises:
        NotPermitted: the person may not sell there.
        Refused, Conflict: as `check`, but for limits; or no credit is kept in a meter there.
    """
    place = sale_place(session, agreement)
    actor.require(Action.SELL, place.path)
    meter = session.get_one(Meter, require_meter(place))
    kind, _ = _may_be_sold(session, place, place.state, meter_of(meter))
    port = None if meter.port_id is None else session.get_one(Port, meter.port_id).url
    return Destination(
        place.number, meter.serial, _customer(session, place), kind, meter.epoch, port
    )


def kind_now(session: Session, meter: Meter) -> SaleKind:
    """Return the message of the next sale to a meter; raises Refused for a closed account."""
    status = meter_status(session, meter.id, meter.epoch)
    return _kind(session, meter_of(meter), status.account_state)


def check(
    work: UnitOfWork, place: SalePlace, state: AgreementState, meter: MeterOfSale, amount: int
) -> Checked:
    """Return a sale that may be made; its agreement and its meter are locked.

    Args:
        state: of the agreement, as it is locked.

    Raises:
        Refused: no credit is kept in the meter, the agreement is not active, the meter is stopped
            or its account closed, or its credit would pass its limit.
        Conflict: a sale for the meter lies unused on a card.
    """
    kind, status = _may_be_sold(work.session, place, state, meter)
    proved = status.proved or ProvedCredit(0, 0)
    terms = place.terms_of_sale()
    require_room(amount, status.waiting, proved, terms)
    return Checked(
        place,
        meter,
        kind,
        expected(amount, proved, terms, opens=kind is SaleKind.OPEN),
        status.live,
    )


def meter_of(row: Meter) -> MeterOfSale:
    """Return what a sale looks at of a meter that is locked."""
    return MeterOfSale(row.id, row.serial, row.stopped, row.epoch)


def require_meter(place: SalePlace) -> int:
    """Return the meter of a place that keeps its credit in one; raises Refused."""
    if place.mode is not AgreementMode.METER:
        raise Refused(
            "not_meter_mode",
            f"{place.number} has mode {place.mode}: its money stands at the desk, `desk pay "
            f"{place.number} AMOUNT --channel cash` takes it; no money was taken",
        )
    if place.meter_id is None:
        raise Refused(
            "no_meter", f"{place.number}: no meter is installed there; no money was taken"
        )
    return place.meter_id


def write(
    work: UnitOfWork,
    checked: Checked,
    amount: int,
    *,
    carrier: Carrier,
    reader: str | None,
    paid: Entered | None,
    key: str,
    follows: int | None = None,
) -> Written:
    """Write a sale that was checked, and its order."""
    agreement, meter = checked.place.agreement_id, checked.meter.id
    sale = new_row(
        work.session,
        Sale,
        {
            "key": key,
            "agreement_id": agreement,
            "meter_id": meter,
            "shift_id": None if paid is None else paid.shift_id,
            "payment_id": None if paid is None else paid.id,
            "kind": checked.kind,
            "amount": amount,
            "source": SaleSource.PAID,
            "carrier": carrier,
            "state": SaleState.TAKEN,
            "cause": "",
            "taken_at": work.now,
            "changed_at": work.now,
            "follows_id": follows,
        },
    )
    parameters: dict[str, Any] = {"amount": amount, "kind": checked.kind}
    if carrier is Carrier.CARD:
        parameters["reader"] = reader
    order = new_row(
        work.session,
        Order,
        {
            "key": key,
            "meter_id": meter,
            "agreement_id": agreement,
            "sale_id": sale,
            "kind": OrderKind.SALE,
            "parameters": parameters,
            "credit_state": SaleState.TAKEN,
            "tries": 0,
            "not_before": work.now,
            "cause": "",
            "made_at": work.now,
            "changed_at": work.now,
            "staff_id": work.actor.staff_id,
        },
    )
    after: dict[str, Any] = {"state": SaleState.TAKEN, "amount": amount}
    if follows is not None:
        after["follows"] = sale_number(follows)
    work.audit(Action.SELL, Sale(id=sale), None, after)
    return Written(sale, order, key, amount, carrier, paid, follows)


def answer(work: UnitOfWork, written: Written, checked: Checked) -> dict[str, Any]:
    """Return a sale that was just written, with what its meter is expected to make of it."""
    will = checked.expected
    assert will is not None
    return {
        **new_sale_values(written.id, written.key, checked.kind, written.amount, written.carrier),
        "taken_at": work.now,
        "follows": sale_number(written.follows),
        "agreement": checked.place.number,
        "meter": checked.meter.serial,
        "order": order_number(written.order),
        "receipt_number": None if written.paid is None else written.paid.receipt_number,
        "waits_for": sale_number(checked.waits_for),
        "expected": {
            "to_debt_exact": will.to_debt,
            "to_overdraft_exact": will.to_overdraft,
            "to_credit_exact": will.to_credit,
            "credit_after_exact": will.credit_after,
            "supply_returns": will.supply_returns,
        },
    }


def _may_be_sold(
    session: Session, place: SalePlace, state: AgreementState, meter: MeterOfSale
) -> tuple[SaleKind, MeterStatus]:
    """Return the message of a sale that may be made, and what is known of its meter."""
    if state is not AgreementState.ACTIVE:
        raise Refused("not_active", f"{place.number} is {state}, not active; no money was taken")
    require_served(meter.serial, meter.stopped, "no money was taken")
    status = meter_status(session, meter.id, meter.epoch)
    if status.on_card is not None:
        raise Conflict(
            "on_card",
            f"{sale_number(status.on_card)} for meter {meter.serial} lies unused on a card, which "
            "goes into the meter first; no money was taken",
        )
    return _kind(session, meter, status.account_state), status


def _customer(session: Session, place: SalePlace) -> str:
    """Return the number of a supply point (户号), which is the customer number of its meter."""
    return session.scalars(
        select(SupplyPoint.number)
        .join(Agreement, Agreement.point_id == SupplyPoint.id)
        .where(Agreement.id == place.agreement_id)
    ).one()


def _kind(session: Session, meter: MeterOfSale, account: str | None) -> SaleKind:
    """Return the message of a sale: the first one opens the meter's account.

    Args:
        account: word of the account as it was read last; None: it was never read.

    Raises:
        Refused: the account is closed.
    """
    if account == _CLOSED:
        raise Refused(
            "account_closed",
            f"the account of meter {meter.serial} is closed; no money was taken",
        )
    if account is None or account == _OPEN:
        return SaleKind.CREDIT
    is_opened = was_opened_here(session, meter.id, meter.epoch)
    return SaleKind.CREDIT if is_opened else SaleKind.OPEN
