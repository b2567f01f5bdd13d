"""Sales: where one can be made, what is proved and on its way there, and one by its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Carrier, Receipt, Sale, SaleKind, SaleSource, Shift
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order
from meterctl.utility.rules import numbering
from meterctl.utility.rules.transitions import (
    PAYABLE,
    SaleState,
)
from meterctl.utility.store.queries.orders import order_number
from meterctl.utility.store.queries.waiting import why_they_wait


def node_of_agreement(session: Session, agreement_id: int) -> int:
    """Return the node at which an agreement's supply point lies."""
    return session.scalars(
        select(SupplyPoint.node_id)
        .join(Agreement, Agreement.point_id == SupplyPoint.id)
        .where(Agreement.id == agreement_id)
    ).one()


def find_sale(session: Session, named: str) -> Sale:
    """Return a sale by its number, such as S17, or by its key; raises NotFound."""
    number = named.strip()
    if number[:1] in ("S", "s") and number[1:].isdecimal() and len(number) <= 19:
        sale = session.get(Sale, int(number[1:]))
        if sale is not None:
            return sale
    found = session.scalars(select(Sale).where(Sale.key == named)).one_or_none()
    if found is None:
        raise NotFound("no_sale", f"there is no sale {named!r}; `desk sale list` shows them")
    return found


def sale_number(sale_id: int | None) -> str | None:
    """Return the number of a sale for people."""
    return None if sale_id is None else f"S{sale_id}"


def describe_sale(session: Session, sale_id: int) -> dict[str, Any]:
    """Return a sale for people: its fields, its receipt, what is owed and what comes next."""
    (told,) = describe_sales(session, [sale_id])
    return told


def describe_sales(session: Session, sale_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return sales as `describe_sale` does, in the order of their numbers as given."""
    follower = aliased(Sale)
    rows = session.execute(
        select(
            Sale,
            Agreement.number,
            Meter.serial,
            Shift.number,
            Receipt.number,
            Order.id,
            follower.id,
        )
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(Meter, Meter.id == Sale.meter_id)
        .join(Order, Order.sale_id == Sale.id)
        .join(Receipt, Receipt.payment_id == Sale.payment_id, isouter=True)
        .join(Shift, Shift.id == Receipt.shift_id, isouter=True)
        .join(follower, follower.follows_id == Sale.id, isouter=True)
        .where(Sale.id.in_(sale_ids))
        .order_by(follower.id)
    )
    last = {row[0].id: row for row in rows}  # of several followers the last one
    waiting = {
        order: sale.carrier
        for sale, _, _, _, _, order, _ in last.values()
        if sale.state is SaleState.TAKEN and not sale.cause
    }
    why = why_they_wait(session, waiting)
    return [_described(last[number], why) for number in sale_ids]


def _described(row: Any, why: Mapping[int, str]) -> dict[str, Any]:
    """Return a sale for people.

    Args:
        why: order -> why it waits.
    """
    sale, agreement, serial, shift, receipt, order, followed_by = row
    receipt_number = None if receipt is None else numbering.receipt_number(shift, receipt)
    values = sale_values(sale)
    if order in why:
        values["cause"] = why[order]
    return {
        **values,
        "agreement": agreement,
        "meter": serial,
        "order": order_number(order),
        "receipt_number": receipt_number,
        "followed_by": sale_number(followed_by),
    }


def new_sale_values(
    sale_id: int, key: str, kind: SaleKind, amount: int, carrier: Carrier
) -> dict[str, Any]:
    """Return the fields of a sale that was just taken, as `sale_values` does."""
    return {
        "sale": sale_number(sale_id),
        "key": key,
        "kind": kind.value,
        "amount": amount,
        "source": SaleSource.PAID.value,
        "carrier": carrier.value,
        **_NOT_YET_KNOWN,
        "state": SaleState.TAKEN.value,
        "cause": "",
        "owed": 0,
        "next": NEXT[SaleState.TAKEN],
    }


def sale_values(sale: Sale) -> dict[str, Any]:
    """Return the fields of a sale's own row; amounts in 0.01, `_exact` in 1e-10, instants in ms."""
    return {
        "sale": sale_number(sale.id),
        "key": sale.key,
        "kind": sale.kind.value,
        "amount": sale.amount,
        "source": sale.source.value,
        "carrier": sale.carrier.value,
        "card": sale.card,
        "state": sale.state.value,
        "cause": sale.cause,
        "epoch": sale.epoch,
        "sequence": sale.sequence,
        "to_debt_exact": sale.to_debt_exact,
        "to_overdraft_exact": sale.to_overdraft_exact,
        "credit_after_exact": sale.credit_after_exact,
        "supply_state": sale.supply_state,
        "causes": sale.causes,
        "taken_at": sale.taken_at,
        "proved_at": sale.proved_at,
        "follows": sale_number(sale.follows_id),
        "owed": sale.amount if sale.state in PAYABLE else 0,
        "next": NEXT[sale.state],
    }


NEXT: dict[SaleState, str] = {
    SaleState.TAKEN: "it waits for the worker of its meter; `sale cancel` gives the money back",
    SaleState.SENDING: "a worker delivers it now",
    SaleState.ON_CARD: "the card goes into the meter; its answer on the card proves it",
    SaleState.UNKNOWN: "delivery pending, the receipt counts; the meter is asked again",
    SaleState.DELIVERED: "nothing: the meter has it",
    SaleState.CANCELLED: "nothing: the money was given back",
    SaleState.DEAD: "the amount is owed: `sale payout`, or `sale sell-again`",
    SaleState.HAND_DELIVERED: "nothing, unless a proof says that the meter does not have it",
    SaleState.HAND_DEAD: "the amount is owed: `sale payout`, or `sale sell-again`",
    SaleState.REPAID: "nothing: the amount was paid out",
    SaleState.REPLACED: "nothing: the amount paid another sale",
}
"""What happens next to a sale, by its state."""
_NOT_YET_KNOWN: dict[str, Any] = dict.fromkeys(
    (
        "card", "epoch", "sequence", "to_debt_exact", "to_overdraft_exact", "credit_after_exact",
        "supply_state", "causes", "proved_at", "followed_by",
    )
)  # fmt: skip
