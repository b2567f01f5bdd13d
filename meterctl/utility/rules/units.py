"""The units of the fields of answers: which are money, exact money or instants, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Unit(StrEnum):
    """How a whole number is shown.

    `MONEY` is in 0.01, `EXACT` in 1e-10, `CUT` the same of which two decimals are shown, `INSTANT`
    in ms since 1970 UTC.
    """

    MONEY = "money"
    EXACT = "exact"
    CUT = "cut"
    INSTANT = "instant"


AMOUNTS = frozenset(
    {
        "advance", "amount", "balance", "bank_balance", "bank_booked", "bank_statements", "banked",
        "banks", "booked_amount", "cash", "claim", "claimed", "counted", "difference", "float",
        "given_back", "in_meter", "in_suspense", "in_transit", "known_amount", "later", "limit",
        "meter_debt", "open", "open_again", "ours", "owed", "paid_now", "paid_out", "payable",
        "receivable", "should_have", "still_held", "still_owed", "suspense_amount", "taken_in",
        "undelivered",
    }
)  # fmt: skip
"""Fields that are amounts in 0.01 where they are whole numbers."""
EXACT = "_exact"
"""Ending of the fields that are amounts in 1e-10."""
_INSTANT = "_at"


class Field(NamedTuple):
    """A field of an answer as it is shown; `unit` is None of what is no number with a unit."""

    name: str
    value: Any
    unit: Unit | None


def fields_of(values: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the fields of an answer as they are shown.

    A field `..._exact` stands twice: cut to two decimals without the ending, and whole.
    """
    for name, value in values.items():
        if name.endswith(EXACT):
            yield Field(name.removesuffix(EXACT), value, Unit.CUT)
            yield Field(name, value, Unit.EXACT)
        elif not isinstance(value, int):
            yield Field(name, value, None)
        elif name in AMOUNTS:
            yield Field(name, value, Unit.MONEY)
        elif name.endswith(_INSTANT):
            yield Field(name, value, Unit.INSTANT)
        else:
            yield Field(name, value, None)
