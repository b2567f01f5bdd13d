"""Invariants of the ledger: I1, I2, and closing balances against all transfers."""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import (
    Account,
    Bill,
    BillState,
    ClosingBalance,
    Day,
    DayState,
    Entry,
    Sale,
    Transfer,
)
from meterctl.utility.rules.postings import NEVER_NEGATIVE, AccountKind
from meterctl.utility.rules.transitions import UNDELIVERED
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.queries.balances import balances, legs
from meterctl.utility.store.queries.ledger import on_side
from protocols.quantities import CENT, format_money

NEVER_BELOW = (
    "undelivered, advance, payable, suspense, cash, receivable, meter_debt are 0 or more; "
    "receivable is the sum of open bills"
)
"""What I1 says."""
_PER_BILL = (AccountKind.RECEIVABLE, AccountKind.METER_DEBT)
_MOVES_A_BILL = (*_PER_BILL, AccountKind.ADVANCE)
"""Credited kinds whose transfers to a bill's accounts demand nothing: what was open moves."""


def never_negative(session: Session, *, whole: bool) -> Checked:
    """I1: no balance is below 0 that may not be; what is open is what the bills say.

    Args:
        whole: sum all transfers; otherwise from closing balances, and the bills are not looked at.
    """
    tally = Tally()
    _balances(session, tally, whole)
    if whole:
        _open_bills(session, tally)
        _demands(session, tally)
    return tally.checked("I1", NEVER_BELOW, "accounts and bills" if whole else "accounts")


def undelivered_sales(session: Session) -> Checked:
    """I2: what is undelivered of an agreement is the sum of its sales that are on their way."""
    tally = Tally()
    sales = select(
        Sale.agreement_id.label("owner"),
        Sale.amount.label("sold"),
        (Sale.amount * 0).label("booked"),
    ).where(Sale.state.in_(UNDELIVERED))
    held = balances((AccountKind.UNDELIVERED,), whole=True)
    booked = select(held.c.owner_id, held.c.balance * 0, -held.c.balance)
    both = union_all(sales, booked).subquery("both")
    rows = (
        select(Agreement.number, both.c.owner, func.sum(both.c.sold), func.sum(both.c.booked))
        .outerjoin_from(both, Agreement, Agreement.id == both.c.owner)
        .group_by(Agreement.number, both.c.owner)
    )
    for number, owner, of_sales, of_account in streamed(session, rows):
        tally.count += 1
        if of_sales != of_account:
            tally.violation(
                f"agreement {number or owner}",
                f"sales on their way are {_money(of_sales)}, undelivered is {_money(of_account)}",
            )
    return tally.checked(
        "I2", "undelivered is the sum of sales taken, sending, on_card, unknown", "agreements"
    )


def closing_balances(session: Session) -> Checked:
    """Closing balances are the sums of all transfers up to their dates; none is missing."""
    tally = Tally()
    _transfers(session, tally)
    moved = legs(Transfer.booked_on)
    daily = (
        select(
            moved.c.account_id,
            moved.c.booked_on.label("on_date"),
            func.sum(moved.c.debit - moved.c.credit).label("moved"),
        )
        .group_by(moved.c.account_id, moved.c.booked_on)
        .subquery("daily")
    )
    running = select(
        daily.c.account_id,
        daily.c.on_date,
        func.sum(daily.c.moved)
        .over(partition_by=daily.c.account_id, order_by=daily.c.on_date)
        .label("balance"),
    ).subquery("running")
    same = and_(
        running.c.account_id == ClosingBalance.account_id, running.c.on_date == ClosingBalance.on
    )
    closed = select(Day.on).where(Day.state == DayState.CLOSED)
    derived = (
        select(
            Account.kind, Account.owner_id, running.c.on_date, running.c.balance,
            ClosingBalance.balance,
        )
        .join_from(running, Account, Account.id == running.c.account_id)
        .outerjoin(ClosingBalance, same)
        .where(running.c.on_date.in_(closed))
    )  # fmt: skip
    for kind, owner, on, balance, kept in streamed(session, derived):
        tally.count += 1
        if balance != kept:
            found = "is missing" if kept is None else f"is {_money(kept)}"
            tally.violation(
                f"{kind.value}[{owner}]", f"closing balance of {on} {found}, not {_money(balance)}"
            )
    surplus = (
        select(Account.kind, Account.owner_id, ClosingBalance.on, ClosingBalance.balance)
        .join_from(ClosingBalance, Account, Account.id == ClosingBalance.account_id)
        .outerjoin(running, same)
        .where(or_(running.c.account_id.is_(None), ClosingBalance.on.not_in(closed)))
    )
    for kind, owner, on, kept in streamed(session, surplus):
        tally.violation(
            f"{kind.value}[{owner}]", f"closing balance of {on} is {_money(kept)}, nothing moved"
        )
    return tally.checked(
        "balances", "closing balances are the sums of all transfers", "transfers and balances"
    )


def _balances(session: Session, tally: Tally, whole: bool) -> None:
    """Look at each account that may not be negative."""
    for kind, owner, debits_less_credits in streamed(
        session, select(balances(NEVER_NEGATIVE, whole=whole))
    ):
        tally.count += 1
        if (balance := on_side(kind, debits_less_credits)) < 0:
            tally.violation(f"{kind.value}[{owner}]", f"is {_money(balance)}")


def _open_bills(session: Session, tally: Tally) -> None:
    """Look at what is open of each bill and what of it lies in the meter."""
    moved = legs(Transfer.bill_id, kinds=_PER_BILL)
    total = func.sum(moved.c.debit - moved.c.credit)
    rows = (
        select(
            moved.c.kind, moved.c.owner_id, moved.c.bill_id, total,
            Bill.number, Bill.agreement_id, Bill.state, Bill.amount,
        )
        .outerjoin_from(moved, Bill, Bill.id == moved.c.bill_id)
        .group_by(moved.c.kind, moved.c.owner_id, moved.c.bill_id, Bill.id)
    )  # fmt: skip
    for kind, owner, bill, balance, number, agreement, state, amount in streamed(session, rows):
        tally.count += 1
        if number is None:
            tally.violation(f"{kind.value}[{owner}]", f"{_money(balance)} of no bill ({bill})")
        elif agreement != owner:
            tally.violation(f"bill {number}", f"is booked in {kind.value}[{owner}], not its own")
        elif not 0 <= balance <= amount:
            tally.violation(
                f"bill {number}", f"{_money(balance)} of {_money(amount)} is open in {kind.value}"
            )
        elif balance and state is BillState.CANCELLED:
            tally.violation(f"bill {number}", f"is cancelled, {_money(balance)} is open")


def _demands(session: Session, tally: Tally) -> None:
    """Look at what was demanded by each bill: its amount."""
    debit, credit = aliased(Account), aliased(Account)
    demanded = (
        select(Transfer.bill_id, func.sum(Transfer.amount).label("amount"))
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .where(debit.kind.in_(_PER_BILL), credit.kind.not_in(_MOVES_A_BILL))
        .group_by(Transfer.bill_id)
        .subquery("demanded")
    )
    rows = select(Bill.number, Bill.amount, demanded.c.amount).outerjoin_from(
        Bill, demanded, demanded.c.bill_id == Bill.id
    )
    for number, amount, booked in streamed(session, rows):
        tally.count += 1
        if amount > 0 and (booked or 0) != amount:
            tally.violation(
                f"bill {number}", f"of {_money(amount)} {_money(booked or 0)} was booked"
            )


def _transfers(session: Session, tally: Tally) -> None:
    """Look at each transfer: it has an entry of its date, and accounts."""
    tally.count += session.scalars(select(func.count()).select_from(Transfer)).one()
    debit, credit = aliased(Account), aliased(Account)
    wrong = (
        select(Transfer.entry_id, Transfer.n)
        .outerjoin(Entry, Entry.id == Transfer.entry_id)
        .outerjoin(debit, debit.id == Transfer.debit_id)
        .outerjoin(credit, credit.id == Transfer.credit_id)
        .where(
            or_(
                Entry.id.is_(None),
                Entry.booked_on != Transfer.booked_on,
                debit.id.is_(None),
                credit.id.is_(None),
            )
        )
    )
    for entry, n in streamed(session, wrong):
        tally.violation(f"transfer {entry}.{n}", "has no entry of its date, or no account")


def _money(amount: int) -> str:
    return format_money(int(amount) * CENT)
