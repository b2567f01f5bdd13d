"""The items of a meter as values for people and scripts: Decimal for numbers, words for states.

They are as a host reads them on the native map: energy wraps at 1,000,000 kWh and money saturates
at 999,999.99 (METER.md 3 and 4). The edge makes JSON of them; nothing is computed from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, utc_offset_minutes
from protocols.data_model.items import ITEMS, Item
from protocols.data_model.json_lines import array, line
from protocols.data_model.kinds import Fixed, Optional
from protocols.data_model.tables import moment_json
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_parts import Register
from protocols.quantities import format_money

Value = Decimal | int | str | bool | None | tuple["Value", ...] | Mapping[str, "Value"]


def values(meter: Meter) -> dict[str, Value]:
    """Return every item of a meter by name, as `meterctl read --json` shows it."""
    return values_of(meter, ITEMS)


def values_of(meter: Meter, items: Iterable[Item]) -> dict[str, Value]:
    """Return some items of a meter by name, as `meterctl read --json` shows them."""
    return {name: _value(fragment) for name, fragment in fragments(meter, items).items()}


def fragments(meter: Meter, items: Iterable[Item] = ITEMS) -> dict[str, str]:
    """Return items of a meter by name, as JSON fragments; every item by default."""
    offset_at = partial(utc_offset_minutes, meter)
    return {
        item.name: moment_json(item.kind, as_read(item, GETTERS[item](meter)), offset_at)
        for item in items
    }


def as_read(item: Item, value: Any) -> Any:
    """Return the value that a host reads from the native map where the meter holds `value`."""
    pair = _on_the_wire().get(item)
    if pair is None:
        return value
    pack, register = pair
    return register.unpack(pack(value))


@cache
def _on_the_wire() -> dict[Item, tuple[Callable[[Any], bytes], Register]]:
    """Return encoder and register of the numbers that wrap or saturate."""
    best = NATIVE_MAP.best_registers
    return {
        item: (best[item][0].packer(), best[item][0])
        for item in ITEMS
        if item in best and isinstance(item.kind, Fixed | Optional)
    }


def _value(fragment: str) -> Value:
    value = json.loads(fragment, parse_float=Decimal, parse_int=Decimal)
    return tuple(value) if isinstance(value, list) else value


def money(amount: int) -> Value:
    """Return ledger units as the number of money that people see."""
    return Decimal(format_money(amount))


def to_json(value: Value) -> str:
    """Return a value as JSON; numbers keep their digits."""
    match value:
        case Decimal():
            return f"{value:f}"
        case tuple():
            return array(to_json(each) for each in value)
        case Mapping():
            return line({name: to_json(each) for name, each in value.items()})
        case _:
            return json.dumps(value)


def word(value: Value) -> str:
    """Return a value as a word: lists with commas, switches as on and off."""
    match value:
        case tuple():
            return ",".join(map(str, value)) or "none"
        case None | bool():
            return "on" if value else "off"
        case _:
            return str(value)
