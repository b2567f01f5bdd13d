"""Transfers of one amount, or of an amount for each bill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings.accounts import Account, Transfer, Transfers


def move(debit: Account, credit: Account, amount: int, bill: int | None = None) -> Transfers:
    """Return the transfer of an amount; none of 0.

    Raises:
        Invalid: a negative amount, or no bill where an account has bills.
    """
    if amount > 0 and bill is None and (debit.kind.has_bill or credit.kind.has_bill):
        raise Invalid("no_bill", f"{debit.kind}/{credit.kind} names no bill; nothing was booked")
    if amount < 0:
        raise Invalid(
            "negative_amount",
            f"{debit.kind}/{credit.kind}: the amount would be {amount}; nothing was booked",
        )
    return (Transfer(debit, credit, amount, bill),) if amount else ()


def move_signed(debit: Account, credit: Account, amount: int, bill: int | None = None) -> Transfers:
    """Return the transfer of an amount; of a negative one in the other direction."""
    return move(credit, debit, -amount, bill) if amount < 0 else move(debit, credit, amount, bill)


def per_bill(debit: Account, credit: Account, parts: Iterable[Part]) -> Transfers:
    """Return a transfer for each bill."""
    return tuple(Transfer(debit, credit, part.amount, part.id) for part in parts)


def open_parts(parts: Iterable[Part]) -> Iterator[Part]:
    """Return the parts that are not 0."""
    return (part for part in parts if part.amount > 0)
