"""Receipts: numbered in each shift without a gap; the first print is the original.

A cancelled payment keeps its receipt's number. A print is counted before it is printed, so that no
two papers of a receipt say that they are the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.evidence import Request
from meterctl.utility.model.money import (
    Payment,
    PaymentChannel,
    PaymentPurpose,
    PaymentState,
    Receipt,
    Shift,
)
from meterctl.utility.rules.numbering import receipt_number
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.new_rows import new_row
from meterctl.utility.store.queries.receipts import describe_receipt, find_receipt, paid_for
from meterctl.utility.store.queries.sales import node_of_agreement
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.statements import Prepared, rows_of
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_SHIFTS = rows_of(Shift)
_NEXT_RECEIPT = Prepared(
    update(_SHIFTS)
    .where(_SHIFTS.c.id == bindparam("shift"))
    .values(receipts=_SHIFTS.c.receipts + 1)
    .returning(_SHIFTS.c.receipts, _SHIFTS.c.number)
)


@dataclass(frozen=True, slots=True)
class Entered:
    """A payment that was written down: its number, its shift, and its receipt's number."""

    id: int
    shift_id: int | None
    receipt_number: str | None
    amount: int


def enter_payment(
    work: UnitOfWork,
    shift_id: int | None,
    agreement_id: int,
    purpose: PaymentPurpose,
    amount: int,
    channel: PaymentChannel = PaymentChannel.CASH,
    *,
    paid_at: int | None = None,
    bank_reference: str | None = None,
) -> Entered:
    """Write down money that came in or goes out, in a shift with its next receipt.

    Args:
        shift_id: of a shift that is locked; None: not in a till, and without a receipt.
        amount: positive, both ways.
        paid_at: when a bank took it, by the bank; now where no bank did.
        bank_reference: the bank's.
    """
    payment = new_row(
        work.session,
        Payment,
        {
            "agreement_id": agreement_id,
            "shift_id": shift_id,
            "channel": channel,
            "purpose": purpose,
            "state": PaymentState.TAKEN,
            "amount": amount,
            "paid_at": work.now if paid_at is None else paid_at,
            "bank_reference": bank_reference,
            "staff_id": work.actor.staff_id,
        },
    )
    if shift_id is None:
        return Entered(payment, None, None, amount)
    counted = _NEXT_RECEIPT.row(work.connection, {"shift": shift_id})
    assert counted is not None
    number, shift = counted
    values = {"shift_id": shift_id, "number": number, "payment_id": payment}
    new_row(work.session, Receipt, {**values, "copies": 0, "printed": False})
    return Entered(payment, shift_id, receipt_number(shift, number), amount)


def print_receipt(work: UnitOfWork, *, named: str) -> dict[str, Any]:
    """Count a print of a receipt and return what stands on it.

    `copy` is 0 for the original, which is printed once, and counts the copies after it.

    Args:
        named: number of the receipt, of its payment (P3) or of its sale (S17).

    Raises:
        NotFound: there is no such receipt.
        NotPermitted: the person takes no money there.
    """
    receipt = find_receipt(work.session, named)
    work.require(Action.PAY, node_of_agreement(work.session, paid_for(work.session, receipt)))
    copy = _counted(work, receipt.id)
    described = describe_receipt(work.session, receipt)
    work.audit("receipt_print", receipt, None, {"copy": copy})
    return {**described, "copy": copy, "printed_at": work.now}


def show(session: Session, actor: Actor, named: str) -> dict[str, Any]:
    """Return what stands on a receipt, without a print of it; raises NotFound, NotPermitted."""
    receipt = find_receipt(session, named)
    node = node_of_agreement(session, paid_for(session, receipt))
    require_at(session, actor, Action.SALE_READ, node)
    return describe_receipt(session, receipt)


def printed(session: Session, actor: Actor, named: str, key: str) -> dict[str, Any]:
    """Return a print of a receipt that a person counted with a key.

    Raises:
        NotFound: there is no such print of the person's.
    """
    request = session.get(Request, key)
    number = None if request is None else request.answer.get("receipt_number")
    if request is None or request.staff_id != actor.staff_id or number != named:
        raise NotFound("no_print", f"{named}: there is no such print of yours")
    return dict(request.answer)


def _counted(work: UnitOfWork, receipt_id: int) -> int:
    """Count a print; of two at the same moment one is the original."""
    first = work.session.execute(
        update(Receipt)
        .where(Receipt.id == receipt_id, Receipt.printed.is_(False))
        .values(printed=True)
        .returning(Receipt.id)
    ).all()
    if first:
        return 0
    return work.session.execute(
        update(Receipt)
        .where(Receipt.id == receipt_id)
        .values(copies=Receipt.copies + 1)
        .returning(Receipt.copies)
    ).scalar_one()
