"""When a bank is asked for a due bill, and when no more (代扣, UTILITY S9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MOST_TRIES = 3
"""A debit that bounces is sent twice more, then given up."""


@dataclass(frozen=True, slots=True)
class LastDebit:
    """The last debit of a bill.

    Attributes:
        tries: how often it was sent in a row, that one included.
        is_open: the bank has not answered.
        not_before_on: where it bounced: the first date on which it may be sent again.
        is_paid: the bank had the money, and it is still good.
    """

    tries: int
    is_open: bool
    not_before_on: date | None
    is_paid: bool


def next_try(last: LastDebit | None, today: date) -> int | None:
    """Return which try of a due bill's debit may be sent today, from 1; None: none.

    Of a bill that was paid by a debit and is open again for another reason the first one.
    """
    if last is None or last.is_paid:
        return 1
    if last.is_open or last.tries >= MOST_TRIES:
        return None
    if last.not_before_on is not None and today < last.not_before_on:
        return None
    return last.tries + 1
