"""Registers and bits of a frame, each with the name and the value that a register map gives it."""

from __future__ import annotations

import json

from protocols.modbus.areas import Area
from protocols.modbus.dissection.placed import Answered, Asked, MapView, Part, Question
from protocols.modbus.dissection.sealed import as_object
from protocols.modbus.dissection.sheet import Sheet, Shown
from protocols.modbus.dissection.values import (
    bit_value,
    numbers,
    place,
    register_value,
    text_or_hex,
)
from protocols.modbus.dissection.windows import read_answer, read_list, read_question
from protocols.modbus.register_parts import Constant, Register, RowList, Span

NAMES_TOLD = 4
"""Names or values in a summary; of more, their number is told."""


def tell_names(sheet: Sheet, view: MapView, asked: Asked) -> None:
    """Add the addresses of a request, and what the map has there, to the summary."""
    names = view.names(asked)
    sheet.decoded["items"] = json.dumps(names)
    span = _addresses(asked)
    sheet.told.append(f"{span} ({_few(names)})" if names else span)


def _addresses(asked: Asked) -> str:
    last = asked.address + max(asked.size, 1) - 1
    return f"{asked.address}" if last == asked.address else f"{asked.address}-{last}"


def _few(words: list[str]) -> str:
    more = len(words) - NAMES_TOLD
    told = words if more <= 1 else words[:NAMES_TOLD]
    return ", ".join(told) + (f" and {more} more" if more > 1 else "")


def read_register_values(
    sheet: Sheet, view: MapView, asked: Asked | None, size: int, *, written: bool = False
) -> None:
    """Read registers of so many bytes; without addresses they are numbers.

    Values go to `values` as objects of `address, name, value`, those of windows with their fields.
    """
    told: list[str] = []
    values: list[str] = []
    end = sheet.at + size
    parts = () if asked is None else view.parts(asked, written=written)
    for part in parts:
        left = (end - sheet.at) // 2
        if not left:
            break
        here = part if part.size <= left else part._replace(size=left, is_whole=False)
        values.append(_register_part(sheet, asked.area if asked else Area.HOLDING, here, told))
    if asked is not None and values and not told:
        told.append(f"{_addresses(asked)} of no name")
    if sheet.at < end:
        shown = numbers(sheet.take(end - sheet.at, "registers", lambda data: numbers(data).text))
        values.append(as_object({"address": "null", "name": "null", "value": shown.json}))
        told.append(shown.text)
    sheet.decoded["values"] = f"[{', '.join(values)}]"
    if told:
        sheet.told.append(_few(told))


def _register_part(sheet: Sheet, area: Area, part: Part, told: list[str]) -> str:
    """Read the registers of one part of a map; return them as a JSON object."""
    found = {"address": str(part.address), "name": json.dumps(part.name or None)}
    size = 2 * part.size
    match part.thing:
        case Register() as register if part.is_whole:
            value = register_value(register, sheet.ahead(size))
            sheet.take(size, part.name, f"{value.text}; {place(area, part.address)}")
            told.append(f"{part.name} {value.text}")
            return as_object({**found, "value": value.json})
        case (Question() | Answered() | RowList()) as thing if part.address == thing.extent.start:
            otherwise = {"value": numbers(sheet.ahead(size)).json}
            inner = sheet.part(size, part.name, lambda each: _read_window(each, thing), otherwise)
            told.append(f"{part.name}{_brief(inner)}")
            return as_object({**found, **inner})
        case Constant() if part.is_whole:
            shown = text_or_hex(sheet.ahead(size))
            sheet.take(size, part.name, f"{shown.text}; {place(area, part.address)}")
            told.append(f"{part.name} {shown.text}")
            return as_object({**found, "value": shown.json})
        case _:
            shown = numbers(sheet.ahead(size))
            is_cut = bool(part.name) and not part.is_whole and not isinstance(part.thing, Span)
            name = f"part of {part.name}" if is_cut else part.name
            sheet.take(size, name or "registers", f"{shown.text}; {place(area, part.address)}")
            if name:
                told.append(f"{name} {shown.text}")
            return as_object({**found, "name": json.dumps(name or None), "value": shown.json})


def _brief(values: dict[str, str]) -> str:
    """Return the words of a summary for what a window shows or takes."""
    found = {name: json.loads(value, parse_float=str) for name, value in values.items()}
    text = ""
    if sealed := found.get("message") or found.get("receipt"):
        text = ", ".join(str(sealed.get(name)) for name in ("kind", "amount", "sequence"))
    if answer := found.get("answer"):
        text = str(answer.get("outcome"))
    elif status := found.get("status"):
        text = f"credit {status.get('credit')}"
    elif "rows" in found:
        text = f"{len(found['rows'])} rows"
    return f" ({text})" if text else ""


def _read_window(sheet: Sheet, thing: Question | Answered | RowList) -> dict[str, str]:
    match thing:
        case Question():
            return read_question(sheet, thing)
        case Answered():
            return read_answer(sheet, thing)
        case RowList():
            return read_list(sheet, thing)


def read_bit_values(
    sheet: Sheet, view: MapView, asked: Asked | None, size: int, *, written: bool = False
) -> None:
    """Read coils or discrete inputs of so many bytes; the first is bit 0 of the first byte."""
    told: list[str] = []
    values: list[str] = []
    data = sheet.ahead(size)
    bits = int.from_bytes(data, "little")
    if asked is not None:
        asked = asked._replace(size=min(asked.size, 8 * size))
        for part in view.parts(asked, written=written):
            shown = _bit_part(part, bits >> (part.address - asked.address))
            name = part.name or (str(part.address) if part.size == 1 else _span(part))
            told.append(f"{name} {shown.text}")
            address, named = str(part.address), json.dumps(part.name or None)
            values.append(as_object({"address": address, "name": named, "value": shown.json}))
    else:
        shown = _plain_bits(bits, 8 * size)
        told.append(shown.text)
        values.append(as_object({"address": "null", "name": "null", "value": shown.json}))
    sheet.take(size, "bits", "; ".join(told))
    sheet.decoded["values"] = f"[{', '.join(values)}]"
    if told:
        sheet.told.append(_few(told))


def _span(part: Part) -> str:
    return f"{part.address}-{part.end - 1}"


def _bit_part(part: Part, bits: int) -> Shown:
    own = bits & ((1 << part.size) - 1)
    if isinstance(part.thing, Register) and part.is_whole:
        return bit_value(part.thing, own)
    return _plain_bits(own, part.size)


def _plain_bits(bits: int, size: int) -> Shown:
    """Return bits as digits, the first address first."""
    digits = [bits >> place & 1 for place in range(size)]
    return Shown("".join(map(str, digits)), json.dumps(digits))
