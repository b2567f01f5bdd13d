"""Invariants of money that comes in and goes out: I12."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.money import (
    Account,
    Entry,
    Payment,
    PaymentChannel,
    PaymentState,
    Receipt,
    Shift,
    Transfer,
)
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.store.checks import banking
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.queries.balances import balances, booked
from meterctl.utility.store.queries.money import PAID_INTO, TAKEN_IN, booked_by_payment
from protocols.quantities import CENT, format_money

_WITHOUT_PAYMENT = {
    AccountKind.CASH: (AccountKind.TRANSIT, AccountKind.TILL_DIFFERENCE, AccountKind.FEES),
    AccountKind.TRANSIT: (
        AccountKind.CASH, AccountKind.SUSPENSE, AccountKind.BANK, AccountKind.IN_METER,
        AccountKind.FEES,
    ),
}  # fmt: skip
"""Kinds with which money moves that no payment brings or takes: banked, short, over, statements."""


def payments_booked(session: Session, on: date | None = None) -> Checked:
    """I12: what the receipts say by channel is what was booked in tills and banks.

    Args:
        on: look at what was booked on this date alone.
    """
    tally = Tally()
    _payments(session, tally, on)
    _without_payment(session, tally, on)
    if on is None:
        banking.lines_booked(session, tally)
        _receipts(session, tally)
        _closed_shifts(session, tally)
    return tally.checked(
        "I12",
        "receipts by channel are the debits of tills and banks, receipts have no gap, the till of "
        "a closed shift is empty, transit is what one side alone has, bank what its statements say",
        "payments, receipts, shifts and lines of banks",
    )


def _payments(session: Session, tally: Tally, on: date | None) -> None:
    """Look at each payment: it is booked once, where its channel says, and given back once."""
    moved = booked_by_payment(on)
    rows = select(
        Payment.id, Payment.channel, Payment.purpose, Payment.state, Payment.amount,
        Payment.shift_id, *moved.c,
    ).join_from(Payment, moved, moved.c.payment_id == Payment.id, isouter=on is None)  # fmt: skip
    for row in streamed(session, rows):
        tally.count += 1
        debit, credit = int(row.debit or 0), int(row.credit or 0)
        named = f"payment {row.id} of {_money(row.amount)}"
        if on is not None:  # it may have come on another date than it was given back
            is_right = {debit, credit} <= {0, row.amount}
        elif row.purpose in TAKEN_IN:
            is_right = (debit, row.debits) == (row.amount, 1) and credit in _back(row)
        else:
            is_right = (debit, credit, row.credits) == (0, row.amount, 1)
        if not is_right:
            tally.violation(
                named, f"is {row.state.value}; {_money(debit)} in, {_money(credit)} out are booked"
            )
        elif not _is_in_its_account(row):
            tally.violation(named, f"by {row.channel.value} is not booked where it says")


def _back(row: Any) -> tuple[int, ...]:
    """Return what may be booked as given back of money that came in.

    The money of a dead sale that bounced goes back as a payment of its own.
    """
    match row.state:
        case PaymentState.CANCELLED:
            return (row.amount,)
        case PaymentState.BOUNCED:
            return (0, row.amount)
        case _:
            return (0,)


def _is_in_its_account(row: Any) -> bool:
    """Return whether a payment is booked in its shift's till, or on its way to the bank."""
    side = "debit" if row.purpose in TAKEN_IN else "credit"
    kind, owner = getattr(row, f"{side}_kind"), getattr(row, f"{side}_owner")
    if kind is None:
        return True
    if row.channel is PaymentChannel.CASH:
        return (kind, owner) == (AccountKind.CASH, row.shift_id)
    return kind is AccountKind.TRANSIT or (kind is AccountKind.SUSPENSE and side == "debit")


def _without_payment(session: Session, tally: Tally, on: date | None) -> None:
    """Look at what moves in tills and banks without a payment."""
    debit, credit = aliased(Account), aliased(Account)
    allowed = [
        and_(one.kind == kind, other.kind.in_(others))
        for kind, others in _WITHOUT_PAYMENT.items()
        for one, other in ((debit, credit), (credit, debit))
    ]
    rows: Any = (
        select(Entry.id, Entry.key, debit.kind, credit.kind, Transfer.amount)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .where(
            Entry.payment_id.is_(None),
            or_(debit.kind.in_(PAID_INTO), credit.kind.in_(PAID_INTO)),
            ~or_(*allowed),
        )
    )
    if on is not None:
        rows = rows.where(booked(on, on))
    for entry, key, debited, credited, amount in streamed(session, rows):
        tally.violation(
            f"entry {entry} ({key})",
            f"{debited.value}/{credited.value} {_money(amount)} without a payment",
        )


def _receipts(session: Session, tally: Tally) -> None:
    """Look at the receipts of each shift: numbers from 1 without a gap, one for each payment."""
    paid = (
        select(Payment.shift_id, func.count().label("payments"))
        .where(Payment.shift_id.is_not(None))
        .group_by(Payment.shift_id)
        .subquery()
    )
    rows = (
        select(
            Shift.number, Shift.receipts, func.count(Receipt.id), func.min(Receipt.number),
            func.max(Receipt.number), func.count(Receipt.payment_id.distinct()), paid.c.payments,
        )
        .outerjoin(Receipt, Receipt.shift_id == Shift.id)
        .outerjoin(paid, paid.c.shift_id == Shift.id)
        .group_by(Shift.id, Shift.number, Shift.receipts, paid.c.payments)
    )  # fmt: skip
    for number, last, count, lowest, highest, of_payments, payments in streamed(session, rows):
        tally.count += 1 + count
        if count != last or (count and (lowest, highest) != (1, last)):
            tally.violation(f"shift {number}", f"{count} receipts, the last number is {last}")
        elif of_payments != count or count != (payments or 0):
            tally.violation(f"shift {number}", f"{count} receipts for {payments or 0} payments")


def _closed_shifts(session: Session, tally: Tally) -> None:
    """Look at the till of each closed shift: it is empty."""
    held = balances((AccountKind.CASH,), whole=True)
    rows = (
        select(Shift.number, held.c.balance)
        .join(held, held.c.owner_id == Shift.id)
        .where(Shift.state == ShiftState.CLOSED, held.c.balance != 0)
    )
    for number, balance in streamed(session, rows):
        tally.violation(f"shift {number}", f"is closed, its till has {_money(balance)}")


def _money(amount: int) -> str:
    return format_money(int(amount) * CENT)
