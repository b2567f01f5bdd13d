"""Agreements as people see them: versions and balances, lists, and how terms differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.money import Bill
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.terms import differences, limits_of, settings_read, terms_of_json
from meterctl.utility.rules.transitions import AgreementState, CommandState
from meterctl.utility.services.agreements import version_values
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.queries.agreements import (
    active_version,
    find_agreement,
    node_of,
    versions_of,
)
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.points import meter_at_point
from meterctl.utility.store.rights import is_within, require_anywhere, require_at
from meterctl.utility.store.unit_of_work import Actor

BALANCES = (
    AccountKind.UNDELIVERED,
    AccountKind.IN_METER,
    AccountKind.ADVANCE,
    AccountKind.PAYABLE,
    AccountKind.RECEIVABLE,
    AccountKind.METER_DEBT,
)
"""The accounts of an agreement."""


def show(session: Session, actor: Actor, ledger: Ledger, number: str) -> dict[str, Any]:
    """Return an agreement with its versions, its balances and its open bills (0.01)."""
    agreement = find_agreement(session, number)
    require_at(session, actor, Action.CUSTOMER_READ, node_of(session, agreement))
    meter = meter_at_point(session, agreement.point_id)
    opened = ledger.open_bills(agreement.id)
    in_meter = ledger.debts_in_meter(agreement.id)
    return {
        **_values(session, agreement, None if meter is None else meter.serial),
        **{kind.value: ledger.balance(kind, agreement.id) for kind in BALANCES},
        "open_bills": [_bill(session, bill, "receivable") for bill in opened],
        "debts_in_meter": [_bill(session, bill, "meter_debt") for bill in in_meter],
        "versions": [version_values(version) for version in versions_of(session, agreement.id)],
    }


def list_(
    session: Session,
    actor: Actor,
    node: str | None,
    state: AgreementState | None,
    mode: AgreementMode | None,
    limit: int,
    after: str | None = None,
) -> list[dict[str, Any]]:
    """Return agreements by number, those of the person's nodes; `after`: of higher numbers."""
    require_anywhere(actor, Action.CUSTOMER_READ)
    rows = (
        select(Agreement)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(is_within(actor, Action.CUSTOMER_READ))
    )
    if node is not None:
        below = find_node(session, node).path
        rows = rows.where(Organisation.path.startswith(below, autoescape=True))
    if state is not None:
        rows = rows.where(Agreement.state == state)
    if mode is not None:
        rows = rows.where(Agreement.mode == mode)
    if after is not None:
        rows = rows.where(Agreement.number > after)
    found = session.scalars(rows.order_by(Agreement.number).limit(limit)).all()
    return [_listed(session, agreement) for agreement in found]


def compared(session: Session, actor: Actor, order_id: int) -> dict[str, Any]:
    """Return the terms of the version in force beside those of the meter, as an order read them.

    Raises:
        NotFound: there is no such order, or no version is in force.
        Refused: the order has not brought what the meter is set to.
    """
    order = session.get(Order, order_id)
    if order is None or order.agreement_id is None:
        raise NotFound("no_order", f"O{order_id}: there is no such order")
    agreement = session.get_one(Agreement, order.agreement_id)
    require_at(session, actor, Action.AGREEMENT_COMPARE, node_of(session, agreement))
    version = active_version(session, agreement.id)
    if version is None:
        raise NotFound("no_version", f"{agreement.number} has no version in force")
    if order.command_state is not CommandState.DONE:
        raise Refused(
            "not_read",
            f"O{order_id} is {order.command_state}: {order.cause or 'its meter is not read yet'}",
        )
    return _compared(agreement, version, (order.outcome or {})["settings"])


def _compared(
    agreement: Agreement, version: AgreementVersion, read: Mapping[str, str]
) -> dict[str, Any]:
    shown = settings_read(read)
    in_meter = agreement.mode is AgreementMode.METER
    terms = terms_of_json(version.terms)
    differ = {each.name for each in differences(terms, shown, in_meter=in_meter)}
    rows = [
        {
            "term": item.name,
            "agreed": item.kind.text(value),
            "meter": read.get(item.name),
            "differs": item.name in differ,
        }
        for item, value in limits_of(terms, in_meter=in_meter).items()
    ]
    return {
        "agreement": agreement.number,
        "version": version.n,
        "differences": len(differ),
        "terms": rows,
    }


def _values(session: Session, agreement: Agreement, serial: str | None) -> dict[str, Any]:
    party = session.get_one(Party, agreement.party_id)
    return {
        "agreement": agreement.number,
        "party": party.number,
        "name": party.name,
        "point": session.get_one(SupplyPoint, agreement.point_id).number,
        "meter": serial,
        "mode": agreement.mode.value,
        "state": agreement.state.value,
    }


def _listed(session: Session, agreement: Agreement) -> dict[str, Any]:
    meter = meter_at_point(session, agreement.point_id)
    last = versions_of(session, agreement.id)
    return {
        **_values(session, agreement, None if meter is None else meter.serial),
        "version": last[-1].n if last else None,
        "version_state": last[-1].state.value if last else None,
        "cause": last[-1].cause if last else "",
    }


def _bill(session: Session, bill: Part, where: str) -> dict[str, Any]:
    row = session.get_one(Bill, bill.id)
    return {
        "bill": row.number,
        "kind": row.kind.value,
        "month": row.month,
        "due_on": row.due_on.isoformat(),
        "amount": row.amount,
        where: bill.amount,
    }
