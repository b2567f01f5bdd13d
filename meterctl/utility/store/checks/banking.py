"""Lines of banks' files beside what is booked of them, a part of I12."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, String, and_, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.banking import Bank, BankFile, BankLine, BankLineState
from meterctl.utility.model.money import Account, Entry, Payment, Transfer
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.checks.outcome import Tally, streamed
from meterctl.utility.store.queries.balances import balances
from meterctl.utility.store.queries.bank_sides import (
    SENT_BACK,
    STATEMENT,
    UNOWNED,
    items,
    statement_balance,
)
from meterctl.utility.store.queries.banking import line_number
from protocols.quantities import CENT, format_money

_CUSTOMERS = (BankFileKind.COLLECTED, BankFileKind.RETURNS)
_WITHOUT_PAYMENT = (BankLineState.SUSPENSE, BankLineState.SENT_BACK)
_EVENTS = {
    STATEMENT: ("/statement", AccountKind.BANK, (BankLineState.BOOKED,)),
    UNOWNED: (
        "/suspense",
        AccountKind.SUSPENSE,
        (BankLineState.SUSPENSE, BankLineState.MATCHED, BankLineState.SENT_BACK),
    ),
    SENT_BACK: ("/sent_back", AccountKind.SUSPENSE, (BankLineState.SENT_BACK,)),
}
"""Kind of an entry -> the end of its key, the account that has the line's amount, its states."""


def lines_booked(session: Session, tally: Tally) -> None:
    """Look at each bank: its lines are booked once, as their states say; its accounts follow."""
    tally.count += session.scalars(select(func.count()).select_from(BankLine)).one()
    for kind in _EVENTS:
        _entries(session, tally, kind)
    _payments(session, tally)
    _files(session, tally)
    for bank in session.scalars(select(Bank).order_by(Bank.id)):
        _balances(session, tally, bank)


def _entries(session: Session, tally: Tally, kind: str) -> None:
    """Look at the entries of a kind and the lines that have one: the same, with one amount."""
    end, account, states = _EVENTS[kind]
    key = literal("bank_line/") + cast(BankLine.id, String) + end
    moved = (
        select(func.sum(Transfer.amount))
        .join(Account, or_(Account.id == Transfer.debit_id, Account.id == Transfer.credit_id))
        .where(
            Transfer.entry_id == Entry.id,
            Account.kind == account,
            Account.owner_id == Bank.account,
        )
        .correlate(Entry, Bank)
        .scalar_subquery()
    )
    is_statement = BankLine.kind == BankFileKind.STATEMENT
    lines = (
        select(key, func.abs(BankLine.amount), moved)
        .join(Bank, Bank.code == BankLine.bank)
        .outerjoin(Entry, Entry.key == key)
        .where(is_statement if kind == STATEMENT else ~is_statement, BankLine.state.in_(states))
    )
    found = 0
    for named, amount, booked in streamed(session, lines):
        found += booked is not None
        if booked != amount:
            tally.violation(
                f"bank line {named}", f"of {_money(amount)} is booked with {_money(booked or 0)}"
            )
    entries = select(func.count()).select_from(Entry).where(Entry.kind == kind)
    if session.scalars(entries).one() != found:
        _without_line(session, tally, kind, lines)


def _without_line(session: Session, tally: Tally, kind: str, lines: Select[Any]) -> None:
    """Name the entries of a kind of which no line says so; there are some."""
    known = {named for named, _, booked in streamed(session, lines) if booked is not None}
    for (named,) in streamed(session, select(Entry.key).where(Entry.kind == kind)):
        if named not in known:
            tally.violation(f"entry {named}", f"is of kind {kind}, no line of a bank says so")


def _payments(session: Session, tally: Tally) -> None:
    """Look at lines of customers' money: each that is booked or matched has its payment."""
    wrong = (
        select(BankLine.id, BankLine.state)
        .outerjoin(Payment, Payment.id == BankLine.payment_id)
        .where(
            BankLine.kind.in_(_CUSTOMERS),
            or_(
                and_(
                    BankLine.state.in_((BankLineState.BOOKED, BankLineState.MATCHED)),
                    or_(
                        Payment.id.is_(None),
                        Payment.amount != BankLine.amount,
                        Payment.bank_reference.is_distinct_from(BankLine.reference),
                    ),
                ),
                and_(
                    BankLine.state.in_((*_WITHOUT_PAYMENT, BankLineState.BOUNCED)),
                    BankLine.payment_id.is_not(None),
                ),
            ),
        )
    )
    for line, state in streamed(session, wrong):
        tally.violation(
            f"bank line {line_number(line)}", f"is {state.value}, its payment is another one"
        )
    debit, sent = aliased(Account), aliased(BankLine)
    without = (
        select(Payment.id)
        .join(Entry, Entry.payment_id == Payment.id)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .join(debit, debit.id == Transfer.debit_id)
        .outerjoin(sent, and_(sent.payment_id == Payment.id, sent.kind.in_(_CUSTOMERS)))
        .where(
            or_(
                Entry.kind == "payment_matched",
                and_(Entry.kind == "payment_taken", debit.kind == AccountKind.TRANSIT),
            ),
            sent.id.is_(None),
        )
    )
    for (payment,) in streamed(session, without):
        tally.violation(f"payment P{payment}", "came by a bank, no line of its files brought it")


def _files(session: Session, tally: Tally) -> None:
    """Look at each file: its new lines are not more than it had."""
    counted = (
        select(BankLine.file_id, func.count().label("lines"))
        .group_by(BankLine.file_id)
        .subquery("counted")
    )
    rows = select(BankFile.id, BankFile.lines, counted.c.lines).join(
        counted, counted.c.file_id == BankFile.id
    )
    for file, lines, found in streamed(session, rows.where(counted.c.lines > BankFile.lines)):
        tally.violation(f"bank file F{file}", f"had {lines} lines, {found} are written of it")


def _balances(session: Session, tally: Tally, bank: Bank) -> None:
    """Look at the accounts of a bank: transit is what one side has alone, bank the statement."""
    kinds = (AccountKind.BANK, AccountKind.TRANSIT, AccountKind.SUSPENSE)
    held = balances(kinds, whole=True, owner=bank.account)
    found = {row.kind: int(row.balance) for row in session.execute(select(held))}
    suspense = select(func.coalesce(func.sum(BankLine.amount), 0)).where(
        BankLine.bank == bank.code, BankLine.state == BankLineState.SUSPENSE
    )
    expected = {
        AccountKind.BANK: ("its statements say", statement_balance(session, bank.code)),
        AccountKind.TRANSIT: (
            "lines not on both sides make", sum(item.in_transit for item in items(session, bank)),
        ),
        AccountKind.SUSPENSE: ("lines in suspense make", -session.scalars(suspense).one()),
    }  # fmt: skip
    for kind, (words, amount) in expected.items():
        tally.count += 1
        if found.get(kind, 0) != amount:
            tally.violation(
                f"{kind.value} of {bank.code}",
                f"is {_money(abs(found.get(kind, 0)))}, {words} {_money(abs(amount))}",
            )


def _money(amount: int) -> str:
    return format_money(int(amount) * CENT)
