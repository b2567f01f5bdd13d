"""What stands on a receipt: who took or paid what from whom, and what became of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import (
    Account,
    Bill,
    Entry,
    Payment,
    PaymentState,
    Receipt,
    Sale,
    Shift,
    Transfer,
)
from meterctl.utility.model.organisation import Organisation, OrganisationKind, Staff
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules import numbering
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.queries.payments import find_payment, payment_number
from meterctl.utility.store.queries.sales import find_sale, sale_number


def find_receipt(session: Session, named: str) -> Receipt:
    """Return a receipt by its number, by its payment's (P3) or by its sale's (S17).

    Raises:
        NotFound: there is none; a sale that was sold again, and a payment by the bank, have none.
    """
    if named.strip()[:1] in ("S", "s"):
        payment_id = find_sale(session, named).payment_id
    else:
        payment_id = find_payment(session, named).id
    receipt = session.scalars(select(Receipt).where(Receipt.payment_id == payment_id)).one_or_none()
    if receipt is None:
        raise NotFound("no_receipt", f"{named}: no money was taken for it at a till: no receipt")
    return receipt


def describe_receipt(session: Session, receipt: Receipt) -> dict[str, Any]:
    """Return what stands on a receipt; its agreement is the one for which it was paid."""
    payment = session.get_one(Payment, receipt.payment_id)
    shift = session.get_one(Shift, receipt.shift_id)
    agreement, party, point = session.execute(
        select(Agreement, Party, SupplyPoint)
        .join(Party, Party.id == Agreement.party_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .where(Agreement.id == paid_for(session, receipt))
    ).one()
    sale = session.scalars(select(Sale).where(Sale.payment_id == payment.id)).one_or_none()
    return {
        "receipt_number": numbering.receipt_number(shift.number, receipt.number),
        "company": session.scalars(
            select(Organisation.name).where(Organisation.kind == OrganisationKind.COMPANY)
        ).one(),
        "station": session.get_one(Organisation, shift.node_id).name,
        "vendor": session.get_one(Staff, shift.vendor_id).number,
        "payment": payment_number(payment.id),
        "purpose": payment.purpose.value,
        "channel": payment.channel.value,
        "cancelled": payment.state is PaymentState.CANCELLED,
        "amount": payment.amount,
        "paid_at": payment.paid_at,
        "agreement": agreement.number,
        "customer": party.name,
        "point": point.number,
        "address": point.address,
        "bills": _bills_paid(session, payment.id),
        **_sale(session, sale),
    }


def paid_for(session: Session, receipt: Receipt) -> int:
    """Return the agreement that stands on a receipt, also where its payment was moved later."""
    payment = session.get_one(Payment, receipt.payment_id)
    first = session.scalars(
        select(Entry.agreement_id).where(Entry.payment_id == payment.id).order_by(Entry.id)
    ).first()
    return payment.agreement_id if first is None else first


def _bills_paid(session: Session, payment_id: int) -> list[dict[str, Any]]:
    """Return what the payment paid of which bills when it was taken."""
    rows = session.execute(
        select(Bill.number, Transfer.amount)
        .join(Transfer, Transfer.bill_id == Bill.id)
        .join(Entry, Entry.id == Transfer.entry_id)
        .join(Account, Account.id == Transfer.credit_id)
        .where(
            Entry.key == f"payment/{payment_id}/allocated",
            Account.kind == AccountKind.RECEIVABLE,
        )
        .order_by(Transfer.n)
    )
    return [{"bill": row.number, "amount": row.amount} for row in rows]


def _sale(session: Session, sale: Sale | None) -> dict[str, Any]:
    """Return the fields of the sale that a payment paid; None in each where it paid none."""
    fields = {
        "sale": None if sale is None else sale_number(sale.id),
        "meter": None if sale is None else session.get_one(Meter, sale.meter_id).serial,
    }
    of_sale = (
        "key", "state", "carrier", "card", "sequence", "to_overdraft_exact", "to_debt_exact",
        "credit_after_exact", "supply_state", "proved_at",
    )  # fmt: skip
    return fields | {name: getattr(sale, name, None) for name in of_sale}
