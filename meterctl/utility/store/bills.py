"""Bills as they are written; what is open of one is derived from the ledger."""

from __future__ import annotations

from datetime import date

from meterctl.utility.model.money import Bill, BillKind, BillState
from meterctl.utility.store.unit_of_work import UnitOfWork


def issue_bill(
    work: UnitOfWork,
    agreement_id: int,
    kind: BillKind,
    number: str,
    amount: int,
    due_on: date,
    note: str,
    month: str = "",
) -> Bill:
    """Write a bill; what books it names it.

    Args:
        number: used once.
        amount: 0.01, above 0.
        month: YYYY-MM that it is about; empty where there is none.
    """
    bill = work.add(
        Bill(
            number=number,
            agreement_id=agreement_id,
            kind=kind,
            state=BillState.ISSUED,
            month=month,
            amount=amount,
            issued_at=work.now,
            due_on=due_on,
            cancels_id=None,
            note=note,
        )
    )
    told = {"number": number, "amount": amount, "due_on": due_on.isoformat()}
    work.audit("bill_issued", bill, None, told, note)
    return bill
