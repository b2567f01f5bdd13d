"""Units in which registers of real meters count, beside the unit of an item."""

from __future__ import annotations

from fractions import Fraction

from protocols.data_model.items import Item
from protocols.data_model.kinds import Moment

_COARSE = {
    **dict.fromkeys(("V", "A", "Hz", "deg"), 10),
    **dict.fromkeys(("W", "var", "VA"), 10_000),
    **dict.fromkeys(("Wh", "varh", "VAh"), 100_000),
    "1": 1,
}
"""Unit -> a step of a number that is larger than meters have: it hides the values themselves."""
_PREFIXES = {"": (1, 1), "m": (1, 1000), "k": (1000, 1), "M": (10**6, 1)}
_BASES = ("V", "A", "W", "var", "VA", "Wh", "varh", "VAh", "Hz")
_TIMES = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}


def units_of(item: Item) -> tuple[str, ...]:
    """Return the units in which the numbers of an item may be given, its own first."""
    own = unit_of(item)
    if own in _TIMES:
        return (own, *(unit for unit in _TIMES if unit != own))
    for base in _BASES:
        several = [prefix + base for prefix in _PREFIXES]
        if own in several:
            return (own, *(unit for unit in several if unit != own))
    if item.name.startswith("power_factor"):
        return ("1", "%")
    return (own,) if own else ()


def unit_of(item: Item) -> str:
    """Return the unit of an item; an instant is in milliseconds since 1970 UTC."""
    return "ms" if isinstance(item.kind, Moment) else item.unit


def factor_of(unit: str, item: Item) -> tuple[int, int] | None:
    """Return a unit as a fraction of the item's unit; None where the item is not in such units."""
    if unit not in units_of(item):
        return None
    if unit == "%" and item.unit != "%":
        return 1, 100
    over, under = _size(unit), _size(unit_of(item))
    return over[0] * under[1], over[1] * under[0]


def is_coarse(step: Fraction, unit: str) -> bool:
    """Return whether a step of a number in a unit is larger than meters have: 10 V, 10 kW.

    The unit of a power factor is "1".
    """
    base = next((base for base in _BASES if unit in [p + base for p in _PREFIXES]), unit)
    up, down = _size(unit)
    return base in _COARSE and abs(step) * up >= _COARSE[base] * down


def _size(unit: str) -> tuple[int, int]:
    """Return a unit as a fraction of its base."""
    if unit in _TIMES:
        return _TIMES[unit], 1
    base = next((base for base in _BASES if unit in [p + base for p in _PREFIXES]), None)
    return (1, 1) if base is None else _PREFIXES[unit.removesuffix(base)]
