"""What of a customer's advance pays which bill: made oldest due first, taken back newest first."""

from __future__ import annotations

from sqlalchemy import or_, select

from meterctl.utility.model.money import Transfer
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import UnitOfWork


def allocate(
    work: UnitOfWork, agreement_id: int, key: str, payment_id: int | None = None
) -> list[Part]:
    """Pay the open bills of an agreement from its advance, the oldest due first; return the parts.

    The agreement is locked by the caller.

    Args:
        key: of the entry; where nothing is to be paid, there is none.
    """
    available = work.ledger.balance(AccountKind.ADVANCE, agreement_id)
    bills = [Part(bill.id, bill.amount) for bill in work.ledger.open_bills(agreement_id)]
    transfers = postings.allocated(agreement_id, available, bills)
    work.ledger.post(key, "allocation", transfers, About(agreement_id, payment=payment_id))
    return [Part(transfer.bill or 0, transfer.amount) for transfer in transfers]


def standing_allocations(work: UnitOfWork, agreement_id: int) -> list[Part]:
    """Return the allocations of an agreement that were not taken back, in the order as made."""
    advance = work.ledger.account(postings.advance(agreement_id))
    receivable = work.ledger.account(postings.receivable(agreement_id))
    rows = work.session.execute(
        select(Transfer.debit_id, Transfer.bill_id, Transfer.amount)
        .where(
            or_(
                (Transfer.debit_id == advance) & (Transfer.credit_id == receivable),
                (Transfer.debit_id == receivable) & (Transfer.credit_id == advance),
            )
        )
        .order_by(Transfer.entry_id, Transfer.n)
    ).all()
    standing: list[Part] = []
    for row in rows:
        bill, amount = row.bill_id, row.amount
        if row.debit_id == advance:
            standing.append(Part(bill, amount))
        else:
            standing = _without(standing, bill, amount)
    return standing


def _without(standing: list[Part], bill: int, amount: int) -> list[Part]:
    """Return allocations less an amount of a bill, which its newest ones give."""
    left = []
    for part in reversed(standing):
        taken = min(part.amount, amount) if part.id == bill else 0
        amount -= taken
        if part.amount > taken:
            left.append(Part(part.id, part.amount - taken))
    return left[::-1]
