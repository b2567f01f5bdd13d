"""The ledger for people: totals of a date, and what moved on the accounts of an agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.money import Account, Bill, Entry, Transfer
from meterctl.utility.rules.postings import AccountKind, Side
from meterctl.utility.store.queries.balances import balances, booked, legs
from meterctl.utility.store.seals import last_close

OF_AGREEMENTS = (
    AccountKind.UNDELIVERED, AccountKind.IN_METER, AccountKind.ADVANCE, AccountKind.PAYABLE,
    AccountKind.RECEIVABLE, AccountKind.METER_DEBT,
)  # fmt: skip
"""Kinds of accounts that agreements own."""


@dataclass(frozen=True, slots=True)
class KindTotal:
    """All accounts of a kind on a date, 0.01; balances are positive on the side of the kind."""

    kind: AccountKind
    opening: int
    debit: int
    credit: int

    @property
    def closing(self) -> int:
        """The balance at the end of the date."""
        return self.opening + on_side(self.kind, self.debit - self.credit)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """What one entry moved on one account of an agreement, and what stood on it afterwards.

    Both are positive on the side of the account's kind, 0.01.
    """

    entry: int
    booked_at: int
    booked_on: date
    for_on: date
    event: str
    account: AccountKind
    amount: int
    balance: int
    bill: str | None


class EntryLine(NamedTuple):
    """One transfer of an entry (0.01)."""

    entry: int
    booked_at: int
    for_on: date
    event: str
    agreement: str | None
    sale: int | None
    debit: AccountKind
    credit: AccountKind
    amount: int


def on_side(kind: AccountKind, debits_less_credits: int) -> int:
    """Return a balance as it is shown: debits less credits of an asset, else the reverse."""
    return debits_less_credits if kind.side is Side.ASSET else -debits_less_credits


def totals(session: Session, on: date) -> list[KindTotal]:
    """Return the total of each kind of accounts on a date; kinds without accounts are 0.

    They go on from the totals that were sealed last before the date.
    """
    close = last_close(session, before=on)
    sealed = {} if close is None else sealed_closing(close.figures)
    first = None if close is None else close.on + timedelta(days=1)
    before = _moved(session, first, on - timedelta(days=1))
    moved = _moved(session, on, on)
    return [
        KindTotal(
            kind,
            sealed.get(kind, 0) + on_side(kind, _net(before.get(kind))),
            *moved.get(kind, (0, 0)),
        )
        for kind in AccountKind
    ]


def totals_of(session: Session, on: date, accounts: ColumnElement[bool]) -> list[KindTotal]:
    """Return the total of each kind of some accounts on a date; kinds without them are left out."""
    held = balances((), whole=False, of=accounts, until=on - timedelta(days=1))
    rows = session.execute(select(held.c.kind, func.sum(held.c.balance)).group_by(held.c.kind))
    before = {kind: int(balance) for kind, balance in rows}
    moved = _moved(session, on, on, accounts)
    return [
        KindTotal(kind, on_side(kind, before.get(kind, 0)), *moved.get(kind, (0, 0)))
        for kind in AccountKind
        if kind in before or kind in moved
    ]


def sealed_closing(figures: Mapping[str, Sequence[Mapping[str, int | str]]]) -> dict[str, int]:
    """Return the closing totals by kind from the figures of a closed date."""
    return {str(row["kind"]): int(row["closing"]) for row in figures["accounts"]}


def balances_of(session: Session, agreement: int) -> dict[AccountKind, int]:
    """Return the balances of an agreement's accounts, 0.01, on the sides of their kinds."""
    held = balances(OF_AGREEMENTS, whole=False, owner=agreement)
    found = {row.kind: on_side(row.kind, int(row.balance)) for row in session.execute(select(held))}
    return {kind: found.get(kind, 0) for kind in OF_AGREEMENTS}


def statement(session: Session, agreement: int) -> list[StatementLine]:
    """Return what moved on an agreement's accounts, oldest first."""
    more = (Transfer.entry_id, Transfer.n, Transfer.bill_id)
    moved = legs(*more, kinds=OF_AGREEMENTS, owner=agreement)
    rows = session.execute(
        select(
            Entry.id, Entry.booked_at, Entry.booked_on, Entry.for_on, Entry.kind.label("event"),
            moved.c.kind, moved.c.debit, moved.c.credit, Bill.number,
        )
        .join(moved, moved.c.entry_id == Entry.id)
        .outerjoin(Bill, Bill.id == moved.c.bill_id)
        .order_by(Entry.id, moved.c.n, moved.c.credit)
    )  # fmt: skip
    standing: dict[AccountKind, int] = {}
    lines = []
    for row in rows:
        amount = on_side(row.kind, row.debit - row.credit)
        standing[row.kind] = standing.get(row.kind, 0) + amount
        lines.append(
            StatementLine(
                row.id, row.booked_at, row.booked_on, row.for_on, row.event, row.kind, amount,
                standing[row.kind], row.number,
            )
        )  # fmt: skip
    return lines


def entries_on(session: Session, on: date, after: int, limit: int) -> list[EntryLine]:
    """Return the transfers of the entries that are booked on a date, by number.

    Args:
        after: the entry before the first one; 0: from the first one on.
        limit: of entries.
    """
    chosen = (
        select(Entry.id)
        .where(Entry.booked_on == on, Entry.id > after)
        .order_by(Entry.id + 0)  # so that PostgreSQL looks among the date's entries alone
        .limit(limit)
        .subquery()
    )
    debit, credit = aliased(Account), aliased(Account)
    rows = session.execute(
        select(
            Entry.id, Entry.booked_at, Entry.for_on, Entry.kind, Agreement.number, Entry.sale_id,
            debit.kind, credit.kind, Transfer.amount,
        )
        .join(chosen, chosen.c.id == Entry.id)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .outerjoin(Agreement, Agreement.id == Entry.agreement_id)
        .order_by(Entry.id, Transfer.n)
    )  # fmt: skip
    return [EntryLine(*row) for row in rows]


def _moved(
    session: Session, first: date | None, last: date, of: ColumnElement[bool] | None = None
) -> dict[AccountKind, tuple[int, int]]:
    """Return debits and credits by kind of what was booked from one date to another."""
    if first is not None and first > last:
        return {}
    if of is None:
        return _moved_of_all(session, first, last)
    moved = legs(of=of, where=booked(first, last))
    rows = session.execute(
        select(moved.c.kind, func.sum(moved.c.debit), func.sum(moved.c.credit)).group_by(
            moved.c.kind
        )
    )
    return {kind: (int(debit), int(credit)) for kind, debit, credit in rows}


def _moved_of_all(
    session: Session, first: date | None, last: date
) -> dict[AccountKind, tuple[int, int]]:
    """Return debits and credits by kind; each transfer is read once for both of its accounts."""
    debit, credit = aliased(Account), aliased(Account)
    rows = session.execute(
        select(debit.kind, credit.kind, func.sum(Transfer.amount))
        .select_from(Transfer)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .where(booked(first, last))
        .group_by(debit.kind, credit.kind)
    )
    moved: dict[AccountKind, tuple[int, int]] = {}
    for debited, credited, amount in rows:
        for kind, debits, credits_ in ((debited, amount, 0), (credited, 0, amount)):
            before = moved.get(kind, (0, 0))
            moved[kind] = (before[0] + int(debits), before[1] + int(credits_))
    return moved


def _net(moved: tuple[int, int] | None) -> int:
    return 0 if moved is None else moved[0] - moved[1]
