"""The books of a meter without a wire, from a card's write-back (UTILITY 4).

A write-back has credit, debt and the sum of what the meter accepted; the rest of the books follows
from what the desk has proved and agreed.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.utility.rules.postings import Books


@dataclass(frozen=True, slots=True)
class KnownSums:
    """Cumulative values of the epoch that the desk knows, in exact units.

    `to_debt` is what top-ups paid for debt, `standing` midnights × the agreed charge.
    """

    opening: int
    refunds: int
    entered: int
    to_debt: int
    standing: int


def books_of(credit: int, debt: int, cumulative: int, known: KnownSums) -> Books:
    """Return the books that credit, debt and cumulative amount leave; exact units."""
    instalments = known.entered - debt - known.to_debt
    spent = known.opening + cumulative - known.to_debt - known.refunds - credit
    return Books(spent - known.standing - instalments, known.standing, instalments)
