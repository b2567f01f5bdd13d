"""What clients are asked, by map: addresses as the manuals of the meters have them.

Nothing here is taken from our maps; a wrong address in one of them is a wrong value here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

FLOAT_STEP = Fraction(1, 1 << 23)
"""Relative distance of two numbers of type f32."""
OF_A_STATE = Fraction(1, 1_000_000)
"""The last decimal of values in a state, where it has fewer than the wire."""


class Question(NamedTuple):
    """What a client is asked, the item that it should return, and the item's value of a 1.

    A whole number on the wire is less than one step from the item; a float is its neighbour.
    """

    asked: tuple[Any, ...]
    item: str
    scale: Fraction = Fraction(1)
    floating: bool = False

    def agrees(self, read: float | None, state: Any) -> bool:
        """Return whether a value that was read is that of a state."""
        if read is None or state is None:
            return read is None and state is None
        value, wanted = Fraction(read) * self.scale, Fraction(str(state))
        if self.floating:
            step = abs(wanted) * FLOAT_STEP + max(OF_A_STATE, _last_decimal(state))
            return abs(value - wanted) <= step
        return abs(value - wanted) < self.scale or value == wanted


def _last_decimal(state: Any) -> Fraction:
    return Fraction(1, 10 ** len(str(state).partition(".")[2]))


def _whole(address: int, kind: str, item: str, decimals: int) -> Question:
    return Question(("holding", address, kind), item, Fraction(1, 10**decimals))


def _native() -> tuple[Question, ...]:
    both = [
        (66, "u32", "remaining_credit", 2),
        (64, "s32", "available_credit", 2),
        (96, "u32", "energy_import_kwh", 2),
        (96, "s32", "energy_import_kwh", 2),
        (98, "s32", "energy_export_kwh", 2),
        (112, "u64", "energy_import_kwh", 6),
        (116, "s64", "energy_export_kwh", 6),
        (144, "s32", "voltage_l1_v", 3),
        (146, "s32", "voltage_l2_v", 3),
        (148, "u32", "voltage_l3_v", 3),
        (150, "s32", "current_l1_a", 3),
        (152, "s32", "current_l2_a", 3),
        (154, "s32", "current_l3_a", 3),
        (156, "s64", "active_power_kw", 6),
        (160, "s64", "active_power_l1_kw", 6),
        (164, "s64", "active_power_l2_kw", 6),
        (168, "s64", "active_power_l3_kw", 6),
        (172, "s64", "reactive_power_kvar", 6),
        (176, "s64", "apparent_power_kva", 6),
        (180, "u16", "power_factor", 4),
        (181, "u16", "frequency_hz", 2),
        (14, "s16", "utc_offset_minutes", 0),
        (15, "u64", "elapsed_ms", 0),
    ]
    return tuple(
        Question((area, address, kind), item, Fraction(1, 10**decimals))
        for address, kind, item, decimals in both
        for area in ("holding", "input")
    )


NATIVE = _native()
