"""Spreading an amount over open amounts, in an order that the caller gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """An amount of a thing: what is open of a bill, or what of it is paid now."""

    id: int
    amount: int


class Spread(NamedTuple):
    """The parts of an amount, each above 0, and the rest for which nothing was open."""

    parts: tuple[Part, ...]
    rest: int


def spread(amount: int, opened: Iterable[Part]) -> Spread:
    """Return an amount spread over open amounts, the first ones first; 0 or less is not spread."""
    parts, rest = [], max(amount, 0)
    for each in opened:
        taken = min(rest, each.amount)
        if taken > 0:
            parts.append(Part(each.id, taken))
            rest -= taken
    return Spread(tuple(parts), rest)


def taken_back(amount: int, allocations: Sequence[Part]) -> Spread:
    """Return which allocations go back for an amount, the newest first.

    Args:
        allocations: in the order in which they were made; a bill may occur several times.
    """
    return spread(amount, reversed(allocations))
