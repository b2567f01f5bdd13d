"""What a meter shows, as a person writes it: Decimal for numbers, words for states. To look at, not
to reckon with.
"""

from __future__ import annotations

import json
from decimal import Decimal

from firmware_sim.meter import Meter
from firmware_sim.rack import show

Value = Decimal | str | bool | None | tuple[str, ...]


def values(meter: Meter) -> dict[str, Value]:
    """Return every item of a meter by name, as `meterctl read --json` shows it."""
    return {name: _value(text) for name, text in show(meter).items()}


def _value(text: str) -> Value:
    value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return tuple(value) if isinstance(value, list) else value


def word(value: Value) -> str:
    """Return a value as a word: lists with commas, switches as on and off."""
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
