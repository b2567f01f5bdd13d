"""How long the credit of a meter lasts (UTILITY S8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.terms import Terms
from protocols.quantities import DAY

WINDOW = 28 * DAY
"""The daily cost is the mean of so long, ms."""
LEAST = 1 * DAY
"""Readings must lie so far apart, ms."""


class Charged(NamedTuple):
    """What a meter has charged up to an instant (ms), exact units."""

    at: int
    exact: int


def days_left(credit: int, floor: int, readings: Sequence[Charged], now: int) -> int | None:
    """Return for how many days a meter's credit lasts; None: that is not known.

    Args:
        credit: exact units.
        floor: credit at which the meter trips, exact units.
        readings: of one epoch, by time.
        now: ms.
    """
    within = [each for each in readings if now - WINDOW <= each.at <= now]
    if len(within) < 2:
        return None
    first, last = within[0], within[-1]
    used, took = last.exact - first.exact, last.at - first.at
    if took < LEAST or used <= 0:
        return None
    return max(0, credit - floor) * took // (used * DAY)


def trip_level(credit: int, terms: Terms) -> int:
    """Return the credit at which a meter interrupts its supply next, exact units.

    In two stages these are the second threshold, 0 before an overdraft, and the overdraft's limit;
    else the limit alone. Below all of them it is the limit.

    Args:
        credit: exact units.
    """
    limit = -terms.overdraft_limit
    levels = [limit]
    if terms.trip_mode == "two_stage":
        levels += [0] if limit < 0 else []
        levels += [terms.low_credit_threshold_2] if terms.low_credit_threshold_2 is not None else []
    exact = [level * UNITS_IN_AMOUNT for level in levels]
    return max((level for level in exact if level < credit), default=limit * UNITS_IN_AMOUNT)
