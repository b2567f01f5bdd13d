"""Claims: bills for what a customer has and did not pay, or was given back too much."""

from __future__ import annotations

from datetime import timedelta

from meterctl.utility.model.money import Bill, BillKind
from meterctl.utility.rules.law import BILL_DUE
from meterctl.utility.store import settings
from meterctl.utility.store.bills import issue_bill
from meterctl.utility.store.queries.sales import node_of_agreement
from meterctl.utility.store.unit_of_work import UnitOfWork


def write_claim(
    work: UnitOfWork,
    agreement_id: int,
    number: str,
    amount: int,
    note: str,
    kind: BillKind = BillKind.CLAIM,
) -> Bill:
    """Write the bill of a claim, due by the setting `bill_due`; what books it names it.

    Args:
        number: names what it is for, such as B-P12 for payment 12; used once.
        amount: 0.01, above 0.
    """
    node = node_of_agreement(work.session, agreement_id)
    days = settings.value(work.session, BILL_DUE, node, None, work.today)
    due_on = work.today + timedelta(days)
    return issue_bill(work, agreement_id, kind, number, amount, due_on, note)
