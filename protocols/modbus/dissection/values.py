"""Values of registers and bits, for people and as JSON. Nothing raises on bytes."""

from __future__ import annotations

import json
from typing import Any

from protocols.data_model.items import Item
from protocols.data_model.kinds import Fixed, Kind, Optional
from protocols.errors import ProtocolError
from protocols.modbus.areas import Area
from protocols.modbus.dissection.sheet import Shown
from protocols.modbus.register_parts import Register

REGISTERS_SHOWN = 8
"""Registers without a name are shown as numbers up to so many."""
_FIRST_OF_AREA = {Area.COIL: "0", Area.DISCRETE: "1", Area.INPUT: "3", Area.HOLDING: "4"}
_AREA_WORDS = {
    Area.COIL: "coil",
    Area.DISCRETE: "discrete input",
    Area.INPUT: "input register",
    Area.HOLDING: "holding register",
}


def place(area: Area, address: int) -> str:
    """Return an address as people write it: decimal, hexadecimal, and as numbered from 1."""
    number = address + 1
    digits = f"{number:04d}" if number <= 9999 else f"{number:05d}"
    return f"{_AREA_WORDS[area]} {address} ({address:04X}H, no. {_FIRST_OF_AREA[area]}{digits})"


def register_value(register: Register, data: bytes) -> Shown:
    """Return the value of the registers of an item."""
    try:
        return item_value(register.item, register.unpack(data), without_sign=register.magnitude)
    except ProtocolError:
        return Shown("no value of its kind", "null")


def bit_value(register: Register, bits: int) -> Shown:
    """Return the value of the bits of an item, the first in bit 0."""
    try:
        return item_value(register.item, register.of_bits(bits))
    except ProtocolError:
        return Shown("no value of its kind", "null")


def item_value(item: Item, value: Any, *, without_sign: bool = False) -> Shown:
    """Return a value of an item with its unit; a moment is in UTC."""
    if value is None:
        return Shown("off, or not in this meter", "null")
    kind = item.kind
    unit = f" {item.unit}" if item.unit and _is_number(kind) else ""
    sign = " (without its sign)" if without_sign else ""
    return Shown(f"{kind.text(value)}{unit}{sign}", kind.json(value))


def _is_number(kind: Kind) -> bool:
    return isinstance(kind, Fixed | Optional)


def numbers(data: bytes) -> Shown:
    """Return registers that have no name."""
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    few = ", ".join(map(str, words[:REGISTERS_SHOWN]))
    more = f", … ({len(words)} registers)" if len(words) > REGISTERS_SHOWN else ""
    return Shown(few + more, json.dumps(words))


def text_or_hex(data: bytes) -> Shown:
    """Return bytes as text where they are printable ASCII, else in hexadecimal."""
    if data and data.isascii() and data.decode("ascii").isprintable():
        text = data.decode("ascii")
        return Shown(json.dumps(text), json.dumps(text))
    return Shown(data.hex(" "), json.dumps(data.hex(" ")))
