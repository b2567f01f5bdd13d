"""Balances of accounts, as sets of rows: both legs of transfers, and their sums."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, func, select, true, union_all

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
    where = None if until is None else booked(None, until)
    moved = legs(
        kinds=kinds, owner=owner, of=of, where=where if whole else _after_last_close(until, owner)
    )
    parts: list[Any] = [
        select(moved.c.kind, moved.c.owner_id, (moved.c.debit - moved.c.credit).label("amount"))
    ]
    if not whole:
        kept = (
            select(ClosingBalance.balance)
            .where(
                ClosingBalance.account_id == Account.id, ClosingBalance.on <= (until or date.max)
            )
            .order_by(ClosingBalance.on.desc())
            .limit(1)
            .scalar_subquery()
        )
        parts.append(
            select(Account.kind, Account.owner_id, func.coalesce(kept, 0)).where(
                *_chosen(kinds, owner, of)
            )
        )
    rows = union_all(*parts).subquery()
    return (
        select(rows.c.kind, rows.c.owner_id, func.sum(rows.c.amount).label("balance"))
        .group_by(rows.c.kind, rows.c.owner_id)
        .subquery()
    )


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
