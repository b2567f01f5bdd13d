"""How long the credit lasts at the present rate: present power times present price. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import Fixed, Optional
from protocols.data_model.words import PhaseSummation

_DECIMALS = 2
DAYS_AT_PRESENT_RATE = Item(
    "days_left_at_present_rate",
    Optional(Fixed("d", _DECIMALS, _DECIMALS), "-"),
    "Days until the credit is 0 at the present power and price; null while nothing is charged.",
)
"""A value of a watch, made from items of one reading: no meter shows it."""
SOURCES = (items.AVAILABLE_CREDIT, items.ACTIVE_POWER, items.CURRENT_PRICE)
"""The items without which it is not known."""
FURTHER_SOURCES = (items.PHASE_SUMMATION, items.REVERSE_CHARGED)
"""Items that say which power is charged; without them it is the import of all phases together."""
_HOURS_A_DAY = 24


def charged_power_mw(values: Mapping[Item, Any]) -> int:
    """Return the power that is charged now, mW (METER 3)."""
    phases = [values.get(item) for item in items.ACTIVE_POWERS]
    is_per_phase = values.get(items.PHASE_SUMMATION) == PhaseSummation.PER_PHASE
    powers = [power or 0 for power in phases] if is_per_phase else [values[items.ACTIVE_POWER]]
    charged = sum(power for power in powers if power > 0)
    if values.get(items.REVERSE_CHARGED):
        charged -= sum(power for power in powers if power < 0)
    return int(charged)


def days_at_present_rate(values: Mapping[Item, Any]) -> int | None:
    """Return the days until the credit is 0, in 0.01 d, cut; None while nothing is charged.

    Standing charges and instalments are not in it. None too where a source is not among the values.
    """
    if any(values.get(item) is None for item in SOURCES):
        return None
    # mW times 1e-4 account unit per kWh is 1e-10 account unit an hour: the ledger unit
    cost_a_day: int = charged_power_mw(values) * values[items.CURRENT_PRICE] * _HOURS_A_DAY
    if cost_a_day <= 0:
        return None
    credit: int = max(values[items.AVAILABLE_CREDIT], 0)
    left: int = credit * 10**_DECIMALS // cost_a_day
    return left
