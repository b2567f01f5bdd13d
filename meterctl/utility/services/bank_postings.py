"""What is booked of one line of a bank's file; its bank and its agreement are locked."""

from __future__ import annotations

from meterctl.utility.model.banking import Bank, BankLine, BankLineState
from meterctl.utility.model.money import Payment, PaymentChannel, PaymentPurpose
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import Transfers
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.receipts import enter_payment
from meterctl.utility.store.allocations import allocate
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.banking import line_number
from meterctl.utility.store.unit_of_work import UnitOfWork


def book_payment(
    work: UnitOfWork, bank: Bank, line: BankLine, agreement_id: int, channel: PaymentChannel
) -> Payment:
    """Book a line as a payment of a customer: transit/advance, and what it pays of bills."""
    transfers = postings.paid_for_bills(postings.transit(bank.account), agreement_id, line.amount)
    paid, _ = _enter(
        work, line, agreement_id, channel, ("payment_taken", "taken", transfers), Action.BANK_IN
    )
    return paid


def book_matched(
    work: UnitOfWork, bank: Bank, line: BankLine, agreement_id: int, channel: PaymentChannel
) -> tuple[Payment, list[Part]]:
    """Book a line in suspense as a payment of a customer; return it and what it paid of bills."""
    transfers = postings.bank_line_matched(bank.account, agreement_id, line.amount)
    paid, parts = _enter(
        work, line, agreement_id, channel, ("payment_matched", "matched", transfers),
        Action.BANK_MATCH,
    )  # fmt: skip
    line.state = BankLineState.MATCHED
    return paid, parts


def book_unowned(work: UnitOfWork, bank: Bank, line: BankLine, cause: str) -> None:
    """Book a line whose owner is not known: transit/suspense."""
    work.ledger.post(
        f"bank_line/{line.id}/suspense",
        "bank_suspense",
        postings.bank_line_unowned(bank.account, line.amount),
        About(),
        for_on=line.paid_on,
    )
    line.state, line.cause = BankLineState.SUSPENSE, cause


def book_statement(work: UnitOfWork, bank: Bank, line: BankLine, is_fee: bool) -> None:
    """Book a line of a statement: bank/transit in, transit/bank out, fees/transit for a fee."""
    work.ledger.post(
        f"bank_line/{line.id}/statement",
        "bank_statement",
        postings.bank_statement(bank.account, line.amount, is_fee=is_fee),
        About(),
        for_on=line.paid_on,
    )
    if is_fee:
        line.cause = "fee"


def _enter(
    work: UnitOfWork,
    line: BankLine,
    agreement_id: int,
    channel: PaymentChannel,
    booked: tuple[str, str, Transfers],
    action: Action,
) -> tuple[Payment, list[Part]]:
    """Write down the payment of a line and book it; return what it paid of bills too.

    Args:
        booked: kind of the entry, the end of its key, its transfers.
    """
    kind, event, transfers = booked
    entered = enter_payment(
        work,
        None,
        agreement_id,
        PaymentPurpose.BILLS,
        line.amount,
        channel,
        paid_at=line.paid_at,
        bank_reference=line.reference,
    )
    work.ledger.post(
        f"payment/{entered.id}/{event}",
        kind,
        transfers,
        About(agreement_id, payment=entered.id),
        for_on=line.paid_on,
    )
    parts = allocate(work, agreement_id, f"payment/{entered.id}/allocated", entered.id)
    paid = work.session.get_one(Payment, entered.id)
    work.audit(
        action, paid, None, {"amount": line.amount, "line": line_number(line.id), "bank": line.bank}
    )
    line.agreement_id, line.payment_id = agreement_id, entered.id
    line.version += 1
    return paid, parts
