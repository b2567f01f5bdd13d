"""A customer as a clerk at the counter sees one: the supply, the credit, what is owed, what waits.

All of it is from the database: what the meter proved last, and what is booked.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.evidence import Request
from meterctl.utility.model.metering import Meter, Port, Reading
from meterctl.utility.model.money import Sale
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.forecast import WINDOW, Charged, days_left, trip_level
from meterctl.utility.rules.numbering import shown_name
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.terms import Terms, terms_of_json
from meterctl.utility.rules.transitions import UNDELIVERED, ReadingState, SaleState
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.queries.agreements import (
    active_version,
    find_agreement,
    node_of,
)
from meterctl.utility.store.queries.points import meter_at_point
from meterctl.utility.store.queries.readings import newest
from meterctl.utility.store.queries.sale_places import meter_status
from meterctl.utility.store.queries.sales import describe_sale
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor

CARD = "card"
"""The protocol of a port that is a card reader."""


def customer(session: Session, actor: Actor, named: str, now: int) -> dict[str, Any]:
    """Return a customer of an agreement; amounts in 0.01, `_exact` in 1e-10, instants in ms.

    Args:
        named: number of the agreement, of its supply point or of its meter.

    Raises:
        NotFound, NotPermitted: there is none, or it is none of the person's nodes.
    """
    agreement = find_agreement(session, named)
    node = node_of(session, agreement)
    require_at(session, actor, Action.CUSTOMER_READ, node)
    party = session.get_one(Party, agreement.party_id)
    point = session.get_one(SupplyPoint, agreement.point_id)
    meter = meter_at_point(session, agreement.point_id)
    ledger = Ledger(session, now, date.min, None)
    return {
        "agreement": agreement.number,
        "party": party.number,
        "name": shown_name(party.name, party.id_number),
        "protected": party.protected,
        "point": point.number,
        "address": point.address,
        "class": point.customer_class.value,
        "node": session.get_one(Organisation, node).code,
        "mode": agreement.mode.value,
        "state": agreement.state.value,
        "meter": None if meter is None else meter.serial,
        "stopped": None if meter is None else meter.stopped,
        "payable": ledger.balance(AccountKind.PAYABLE, agreement.id),
        "advance": ledger.balance(AccountKind.ADVANCE, agreement.id),
        "open_amount": ledger.balance(AccountKind.RECEIVABLE, agreement.id),
        **_of_meter(session, agreement, meter, now),
    }


def readers_at(session: Session, actor: Actor, named: str) -> list[str]:
    """Return the names of the card readers where an agreement is, for those who sell there."""
    agreement = find_agreement(session, named)
    path = session.get_one(Organisation, node_of(session, agreement)).path
    if not actor.may(Action.SELL, path):
        return []
    rows = session.execute(
        select(Port.name, Organisation.path)
        .join(Organisation, Organisation.id == Port.node_id)
        .where(Port.protocol == CARD)
        .order_by(Port.name)
    )
    return [name for name, at in rows if path.startswith(at) or at.startswith(path)]


def sale_of_key(session: Session, actor: Actor, key: str) -> str | None:
    """Return the number of the sale that a person made with a key, None where there is none."""
    return _answered(session, actor, key, "sale")


def receipt_of_key(session: Session, actor: Actor, key: str) -> str | None:
    """Return the number of the receipt that a person made with a key, None where there is none."""
    return _answered(session, actor, key, "receipt_number")


def _answered(session: Session, actor: Actor, key: str, name: str) -> str | None:
    """Return a field of what a person was answered under a key."""
    used = session.get(Request, key)
    if used is None or used.staff_id != actor.staff_id:
        return None
    found: str | None = used.answer.get(name)
    return found


def _of_meter(
    session: Session, agreement: Agreement, meter: Meter | None, now: int
) -> dict[str, Any]:
    """Return what is known of the meter: its supply, its credit, a sale on its way."""
    values: dict[str, Any] = dict.fromkeys(
        (
            "supply_state", "causes", "read_at", "credit_exact", "debt_exact", "days_left",
            "live_sale",
        )
    )  # fmt: skip
    if meter is None:
        return values
    status = meter_status(session, meter.id, meter.epoch)
    live = session.scalars(
        select(Sale.id)
        .where(Sale.meter_id == meter.id, Sale.state.in_(UNDELIVERED))
        .order_by(Sale.id)
    ).first()
    if live is not None:
        sale = describe_sale(session, live)
        values["live_sale"] = {name: sale[name] for name in ("sale", "state", "amount", "taken_at")}
    read = newest(session, meter.id)
    sold = _later_sale(session, meter, read)
    if sold is not None:
        values |= {"supply_state": sold.supply_state, "causes": list(sold.causes or ()),
                   "read_at": sold.proved_at}  # fmt: skip
    elif read is not None:
        values |= {"supply_state": read.supply_state, "causes": list(read.causes),
                   "read_at": read.taken_at}  # fmt: skip
    if status.proved is not None:
        values |= {"credit_exact": status.proved.credit, "debt_exact": status.proved.debt}
        values["days_left"] = _days_left(session, agreement, meter, status.proved.credit, now)
    return values


def _later_sale(session: Session, meter: Meter, read: Reading | None) -> Sale | None:
    """Return the newest sale that the meter took after a reading, by its sequence.

    Instants do not say it: a clock may have been set back.
    """
    epoch, sequence = (meter.epoch, -1) if read is None else (read.epoch, read.credit_sequence)
    return session.scalars(
        select(Sale)
        .where(
            Sale.meter_id == meter.id,
            Sale.state == SaleState.DELIVERED,
            Sale.epoch == epoch,
            Sale.sequence > sequence,
            Sale.supply_state.is_not(None),
        )
        .order_by(Sale.sequence.desc())
        .limit(1)
    ).one_or_none()


def _days_left(
    session: Session, agreement: Agreement, meter: Meter, credit: int, now: int
) -> int | None:
    """Return for how many days the credit lasts by the readings of four weeks."""
    version = active_version(session, agreement.id)
    level = trip_level(credit, Terms() if version is None else terms_of_json(version.terms))
    rows = session.execute(
        select(Reading.taken_at, Reading.consumption_exact + Reading.standing_exact)
        .where(
            Reading.meter_id == meter.id,
            Reading.epoch == meter.epoch,
            Reading.state == ReadingState.ACCEPTED,
            Reading.taken_at >= now - WINDOW,
        )
        .order_by(Reading.taken_at)
    )
    return days_left(credit, level, [Charged(*row) for row in rows], now)
