"""Payments beside what is booked of them in tills and banks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.money import (
    Account,
    Entry,
    Payment,
    PaymentChannel,
    PaymentPurpose,
    Transfer,
)
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.queries.balances import booked, legs

TAKEN_IN = (PaymentPurpose.SALE, PaymentPurpose.BILLS)
"""Purposes of money that comes in; the others are paid out."""
PAID_INTO = (AccountKind.CASH, AccountKind.TRANSIT)
"""W of UTILITY 4: kinds of accounts into which customers pay."""


@dataclass(frozen=True, slots=True)
class ChannelTotal:
    """What came and went by one channel on a date, 0.01.

    Attributes:
        receipts: payments that came in; `received` their sum, by the receipts.
        booked: what was debited to tills and banks for them, by the ledger.
        given_back: cancelled or bounced; `paid_out` payouts and refunds, both by the ledger.
    """

    channel: PaymentChannel
    receipts: int
    received: int
    booked: int
    given_back: int
    paid_out: int


def booked_by_payment(on: date | None = None) -> Subquery:
    """Return rows of payments with what is booked of them in accounts that customers pay into.

    `payment_id, debit, credit`; `debits` and `credits` are transfers; `debit_kind, debit_owner,
    credit_kind, credit_owner` name the accounts, one of them where there are several.

    Args:
        on: what was booked on this date alone.
    """
    where: ColumnElement[bool] = Transfer.entry_id.in_(
        select(Entry.id).where(Entry.payment_id.is_not(None))
    )
    if on is not None:
        where = booked(on, on)
    kinds = (*PAID_INTO, AccountKind.SUSPENSE)  # money of a payment that was matched lay there
    moved = legs(Transfer.entry_id, kinds=kinds, where=where)
    return (
        select(
            Entry.payment_id,
            func.sum(moved.c.debit).label("debit"),
            func.sum(moved.c.credit).label("credit"),
            *(column for side in ("debit", "credit") for column in _accounts_of(moved, side)),
        )
        .join(moved, moved.c.entry_id == Entry.id)
        .where(Entry.payment_id.is_not(None))
        .group_by(Entry.payment_id)
        .subquery()
    )


def _accounts_of(moved: Subquery, side: str) -> Iterator[ColumnElement[Any]]:
    """Yield how many transfers are on a side of accounts, and the account's kind and owner."""
    is_side = moved.c[side] > 0
    yield func.count(case((is_side, 1))).label(f"{side}s")
    yield func.min(case((is_side, moved.c.kind))).label(f"{side}_kind")
    yield func.min(case((is_side, moved.c.owner_id))).label(f"{side}_owner")


def channel_totals(
    session: Session, on: date | None = None, of: ColumnElement[bool] | None = None
) -> list[ChannelTotal]:
    """Return the total of each channel in which anything moved.

    Args:
        on: what was booked on this date alone.
        of: which payments, by their rows; None: all.
    """
    moved = booked_by_payment(on)
    came = case((moved.c.debit > 0, 1), else_=0)
    wanted = select(
        Payment.channel, Payment.purpose, func.sum(came), func.sum(came * Payment.amount),
        func.sum(moved.c.debit), func.sum(moved.c.credit),
    ).join(moved, moved.c.payment_id == Payment.id)  # fmt: skip
    if of is not None:
        wanted = wanted.where(of)
    sums: dict[PaymentChannel, list[int]] = {}
    for channel, purpose, *numbers in session.execute(
        wanted.group_by(Payment.channel, Payment.purpose)
    ):
        receipts, received, debit, credit = map(int, numbers)
        comes_in = purpose in TAKEN_IN
        row = (receipts, received, debit, credit, 0) if comes_in else (0, 0, 0, 0, credit)
        before = sums.setdefault(channel, [0] * len(row))
        sums[channel] = [one + other for one, other in zip(before, row, strict=True)]
    return [ChannelTotal(channel, *sums[channel]) for channel in PaymentChannel if channel in sums]


@dataclass(slots=True)
class TillTotal:
    """What moved in a shift's till by the ledger, 0.01; `difference` is over, or below 0 short."""

    received: int = 0
    paid_out: int = 0
    difference: int = 0
    banked: int = 0

    @property
    def moved(self) -> int:
        """What the till's balance changed by."""
        return self.received - self.paid_out + self.difference - self.banked


def till_totals(
    session: Session, on: date | None = None, shift: int | None = None
) -> dict[int, TillTotal]:
    """Return by shift what moved in its till, on a date or of one shift."""
    till, other = aliased(Account), aliased(Account)
    found: dict[int, TillTotal] = {}
    for sign, of_till, of_other in (
        (1, Transfer.debit_id, Transfer.credit_id), (-1, Transfer.credit_id, Transfer.debit_id),
    ):  # fmt: skip
        rows = (
            select(till.owner_id, other.kind, func.sum(Transfer.amount))
            .join_from(Transfer, till, till.id == of_till)
            .join(other, other.id == of_other)
            .where(till.kind == AccountKind.CASH)
            .group_by(till.owner_id, other.kind)
        )
        rows = rows if on is None else rows.where(booked(on, on))
        rows = rows if shift is None else rows.where(till.owner_id == shift)
        for owner, kind, amount in session.execute(rows):
            total = found.setdefault(owner, TillTotal())
            if kind is AccountKind.TILL_DIFFERENCE:
                total.difference += sign * int(amount)
            elif sign > 0:
                total.received += int(amount)
            elif kind is AccountKind.TRANSIT:
                total.banked += int(amount)
            else:
                total.paid_out += int(amount)
    return found
