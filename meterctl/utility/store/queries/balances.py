"""Balances of accounts, as sets of rows: both legs of transfers, and their sums."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select, true, union_all

from meterctl.utility.model.money import (
    Account,
    ClosingBalance,
    Day,
    DayState,
    Entry,
    Transfer,
)
from meterctl.utility.rules.postings import AccountKind


def legs(
    *more: Any,
    kinds: Collection[AccountKind] = (),
    owner: int | None = None,
    of: ColumnElement[bool] | None = None,
    where: ColumnElement[bool] | None = None,
) -> Subquery:
    """Return rows `account_id, kind, owner_id, debit, credit` and more columns of transfers.

    One of `debit` and `credit` is 0.

    Args:
        more: further columns of Transfer.
        kinds: accounts of these kinds alone; empty: all.
        owner: accounts of this owner alone.
        of: which accounts, by their rows; None: all.
        where: which transfers; None: all.
    """
    sides = (
        (Transfer.debit_id, Transfer.amount, Transfer.amount * 0),
        (Transfer.credit_id, Transfer.amount * 0, Transfer.amount),
    )
    parts = []
    for account, debit, credit in sides:
        part = select(
            Account.id.label("account_id"), Account.kind, Account.owner_id,
            debit.label("debit"), credit.label("credit"), *more,
        ).join(Transfer, account == Account.id)  # fmt: skip
        part = part.where(*_chosen(kinds, owner, of))
        parts.append(part if where is None else part.where(where))
    return union_all(*parts).subquery()


def booked(first: date | None, last: date | None) -> ColumnElement[bool]:
    """Return the condition of transfers that are booked from one date to another, both with it."""
    conditions = []
    if first is not None:
        conditions.append(Transfer.booked_on >= first)
    if last is not None:
        conditions.append(Transfer.booked_on <= last)
    if first is not None:
        conditions.append(_among(Entry.booked_on >= first, last))
    return and_(true(), *conditions)


def _among(since: ColumnElement[bool], last: date | None) -> ColumnElement[bool]:
    """Return the condition of transfers between the first and the last entry of some dates.

    It says nothing new of transfers whose dates are chosen, but engines find them by it: numbers
    grow with dates, and transfers have no index of dates alone.
    """
    ids = Entry.id + 0  # so that PostgreSQL looks for it among the dates, not through all numbers
    entries = and_(since, true() if last is None else Entry.booked_on <= last)
    lowest = select(func.min(ids)).where(entries).scalar_subquery()
    highest = select(func.max(ids)).where(entries).scalar_subquery()
    return Transfer.entry_id.between(lowest, highest)


def balances(
    kinds: Collection[AccountKind],
    *,
    whole: bool,
    owner: int | None = None,
    of: ColumnElement[bool] | None = None,
    until: date | None = None,
) -> Subquery:
    """Return rows `kind, owner_id, balance`, debits less credits, of accounts of some kinds.

    Args:
        kinds: which; `owner`: those of one owner alone; `of`: which accounts, by their rows.
        whole: sum all transfers; otherwise the newest closing balances, and transfers after them.
        until: at the end of this date; None: as they stand now.
    """
    if not whole:
        moved = moved_since_close(kinds, until, owner=owner, of=of).subquery()
        balance = closing_balance(Account.id, until) + func.coalesce(moved.c.amount, 0)
        return (
            select(Account.kind, Account.owner_id, balance.label("balance"))
            .outerjoin(moved, moved.c.account_id == Account.id)
            .where(*_chosen(kinds, owner, of))
            .offset(0)  # so that a balance is looked up once, wherever it is used
            .subquery()
        )
    where = None if until is None else booked(None, until)
    moves = legs(kinds=kinds, owner=owner, of=of, where=where)
    return (
        select(
            moves.c.kind,
            moves.c.owner_id,
            func.sum(moves.c.debit - moves.c.credit).label("balance"),
        )
        .group_by(moves.c.kind, moves.c.owner_id)
        .subquery()
    )


def closing_balance(account: Any, until: date | None) -> ColumnElement[int]:
    """Return an account's newest closing balance, debits less credits; 0 where it has none.

    It is looked up for each account: all closing balances grow with each date.

    Args:
        until: the newest up to this date; None: of all.
    """
    kept = (
        select(ClosingBalance.balance)
        .where(ClosingBalance.account_id == account, ClosingBalance.on <= (until or date.max))
        .order_by(ClosingBalance.on.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(kept, 0)


def moved_since_close(
    kinds: Collection[AccountKind],
    until: date | None,
    *,
    owner: int | None = None,
    of: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """Return rows `account_id, amount`, debits less credits, moved since the last closed date.

    With `closing_balance` it is the balance at the end of a date. An account that did not move has
    no row; one of another kind may have one.

    Args:
        kinds: as `balances` takes them, `owner`, `of` and `until` too.
    """
    where = _after_last_close(until, owner)
    if owner is None and of is None:  # so many accounts that each transfer is better read once
        moved = _sides(where)
    else:
        moved = legs(kinds=kinds, owner=owner, of=of, where=where)
    amount = func.sum(moved.c.debit - moved.c.credit).label("amount")
    return select(moved.c.account_id, amount).group_by(moved.c.account_id)


def _sides(where: ColumnElement[bool]) -> Subquery:
    """Return rows `account_id, debit, credit` of transfers, without a look at the accounts."""
    debits = select(Transfer.debit_id.label("account_id"), Transfer.amount.label("debit"),
                    (Transfer.amount * 0).label("credit"))  # fmt: skip
    credits_ = select(Transfer.credit_id, Transfer.amount * 0, Transfer.amount)
    return union_all(debits.where(where), credits_.where(where)).subquery()


def _chosen(
    kinds: Collection[AccountKind], owner: int | None, of: ColumnElement[bool] | None
) -> Iterator[ColumnElement[bool]]:
    if kinds:
        yield Account.kind.in_(kinds)
    if owner is not None:
        yield Account.owner_id == owner
    if of is not None:
        yield of


def _after_last_close(until: date | None, owner: int | None) -> ColumnElement[bool]:
    """Return the condition of transfers after the last closed date, up to a date."""
    closed = select(func.max(Day.on)).where(Day.state == DayState.CLOSED)
    if until is not None:
        closed = closed.where(Day.on <= until)
    last = func.coalesce(closed.scalar_subquery(), date.min)
    conditions = [Transfer.booked_on > last]
    if until is not None:
        conditions.append(Transfer.booked_on <= until)
    if owner is None:  # the accounts of one owner have few transfers
        conditions.append(_among(Entry.booked_on > last, until))
    return and_(*conditions)
