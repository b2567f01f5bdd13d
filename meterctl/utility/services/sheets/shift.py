"""The sheet of a shift: its float, its receipts without a gap, its cash as counted and banked."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Payment, PaymentState, Receipt, Sale, Shift
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.services.sheets.day import channel_figures, difference_task, sales_of_shift
from meterctl.utility.services.sheets.figures import ReceiptLine, ShiftSheet
from meterctl.utility.store.queries.money import TillTotal, channel_totals, till_totals
from meterctl.utility.store.queries.organisation import company


def shift_figures(session: Session, now: int, shift: Shift) -> ShiftSheet:
    """Return the figures of a shift, from the books as they stand now."""
    counter = aliased(Staff)
    vendor, vendor_name, node, counted_by = session.execute(
        select(Staff.number, Staff.name, Organisation.code, counter.number)
        .join_from(Shift, Staff, Staff.id == Shift.vendor_id)
        .join(Organisation, Organisation.id == Shift.node_id)
        .outerjoin(counter, counter.id == Shift.counter_id)
        .where(Shift.id == shift.id)
    ).one()
    till = till_totals(session, shift=shift.id).get(shift.id, TillTotal())
    lines = tuple(_lines(session, shift.id))
    numbers = [line.number for line in lines]
    expected = shift.float_amount + till.received - till.paid_out
    return ShiftSheet(
        shift=shift.number,
        company=company(session).name,
        vendor=vendor,
        vendor_name=vendor_name,
        node=node,
        state=shift.state,
        made_at=now,
        opened_at=shift.opened_at,
        closed_at=shift.closed_at,
        float_amount=shift.float_amount,
        first_receipt=numbers[0] if numbers else None,
        last_receipt=numbers[-1] if numbers else None,
        receipts_without_gap=numbers == list(range(1, shift.receipts + 1)),
        cancelled=tuple(line.number for line in lines if line.state is PaymentState.CANCELLED),
        channels=tuple(
            channel_figures(total)
            for total in channel_totals(session, of=Payment.shift_id == shift.id)
        ),
        received=till.received,
        paid_out=till.paid_out,
        expected=expected,
        counted=shift.counted,
        counter=counted_by,
        difference=None if shift.counted is None else shift.counted - expected,
        banked=till.banked,
        slip=shift.slip,
        task=difference_task(session, shift.id),
        sales=sales_of_shift(session, shift.id),
        lines=lines,
    )


def _lines(session: Session, shift: int) -> Iterator[ReceiptLine]:
    """Yield the receipts of a shift by number."""
    rows = session.execute(
        select(
            Receipt.number, Payment.paid_at, Payment.purpose, Payment.channel, Payment.amount,
            Payment.state, Agreement.number.label("agreement"), Sale.id.label("sale"),
        )
        .join_from(Receipt, Payment, Payment.id == Receipt.payment_id)
        .join(Agreement, Agreement.id == Payment.agreement_id)
        .outerjoin(Sale, Sale.payment_id == Payment.id)
        .where(Receipt.shift_id == shift)
        .order_by(Receipt.number)
    )  # fmt: skip
    for row in rows:
        yield ReceiptLine(
            number=row.number, at=row.paid_at, purpose=row.purpose, agreement=row.agreement,
            channel=row.channel, amount=row.amount, state=row.state,
            sale=None if row.sale is None else f"S{row.sale}",
        )  # fmt: skip
