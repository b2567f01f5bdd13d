"""Sealed messages, answers, receipts and statuses, field by field.

Their layouts are those of docs/sealed-messages.md; nothing in them is secret. The code at their end
is never verified here: that needs the keys of the meter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from protocols.data_model.items import AccountUnit
from protocols.data_model.kinds import MONEY_EXACT, Choice, Fixed, Flags, Kind
from protocols.data_model.words import AccountState, Cause, SupplyState, choice, flags
from protocols.keys import CODE_SIZE
from protocols.modbus.dissection.sheet import Reading, Sheet, Shown
from protocols.quantities import format_moment
from protocols.sealed_message import FORMAT_VERSION, FORMER_VERSION, MessageKind, Outcome

CODE_NOTE = "AES-CMAC; not verified here, that needs the meter's keys"


class Part(NamedTuple):
    """A field of a sealed form: its name, which is its key in JSON, its size and its reading."""

    name: str
    size: int
    reading: Reading


def of_kind(kind: Kind, unit: str = "", *, signed: bool = False) -> Reading:
    """Return the reading of a big-endian number of a kind."""

    def read(data: bytes) -> Shown:
        value = int.from_bytes(data, "big", signed=signed)
        return Shown(f"{kind.text(value)} {unit}".rstrip(), kind.json(value))

    return read


def _digits(data: bytes) -> Shown:
    text = data.hex()
    return Shown(text, json.dumps(text))


def _instant(scale: int, never: str = "never") -> Reading:
    """Return the reading of an instant that counts from 1970 in `scale` ms."""

    def read(data: bytes) -> Shown:
        value = int.from_bytes(data, "big") * scale
        text = format_moment(value) if value else never
        return Shown(text, json.dumps(text) if value else "null")

    return read


def _word_of(words: Mapping[int, str]) -> Reading:
    """Return the reading of a number that stands for a word."""

    def read(data: bytes) -> Shown:
        value = int.from_bytes(data, "big")
        word = words.get(value, f"unknown_{value}")
        return Shown(f"{value}: {word}", json.dumps(word))

    return read


def _count(unit: str = "") -> Reading:
    return of_kind(Fixed("", 0, 0), unit)


_MONEY = of_kind(MONEY_EXACT, signed=True)
_CENTS = of_kind(Fixed("", 2, 2))
_KINDS = _word_of({kind: kind.word for kind in MessageKind})
_OUTCOMES = _word_of({outcome: outcome.name.lower() for outcome in Outcome})
_STATES: Choice = choice(SupplyState)
_ACCOUNT_STATES: Choice = choice(AccountState)
_CAUSES: Flags = flags(Cause)
_CODE = Part("code", CODE_SIZE, lambda data: Shown(CODE_NOTE, json.dumps(data.hex())))
_CODE_BEGIN = 4
_VERSIONS = {
    FORMAT_VERSION: "sealed message",
    FORMER_VERSION: "sealed message of the former format",
    FORMAT_VERSION | 0x80: "receipt",
    FORMER_VERSION | 0x80: "receipt of a message of the former format",
    FORMAT_VERSION | 0x40: "sealed status",
}


def _first(data: bytes) -> Shown:
    word = _VERSIONS.get(data[0], "unknown")
    return Shown(f"{word}, {data[0]:02X}H", str(data[0]))


def _hexadecimal(data: bytes) -> Shown:
    return Shown(data.hex(), json.dumps(data.hex()))


_HEAD = (
    Part("format", 1, _first),
    Part("key_version", 1, _count()),
    Part("serial_number", 6, _digits),
    Part("epoch", 4, _hexadecimal),
)
_ORIGIN = (Part("journal", 4, _hexadecimal), Part("mark", 4, _hexadecimal))


def _message_head(*, former: bool) -> tuple[Part, ...]:
    return (
        *_HEAD,
        Part("kind", 1, _KINDS),
        Part("account_unit", 2, of_kind(AccountUnit())),
        Part("customer_number", 6, _digits),
        Part("sequence", 4, _count()),
        Part("amount", 4, _CENTS),
        Part("issued_at", 4, _instant(1000)),
        Part("expires_at_s", 4, _count("s of elapsed time; 0 is never")),
        *(() if former else _ORIGIN),
        Part("parameter_bytes", 2, _count()),
    )


_MESSAGE = _message_head(former=False)
_FORMER_MESSAGE = _message_head(former=True)
ANSWER = (
    Part("outcome", 1, _OUTCOMES),
    Part("sequence", 4, _count()),
    Part("code_begins", _CODE_BEGIN, _hexadecimal),
    Part("credit_before", 8, _MONEY),
    Part("credit_after", 8, _MONEY),
    Part("to_overdraft", 8, _MONEY),
    Part("to_debt", 8, _MONEY),
    Part("supply_state", 1, of_kind(_STATES)),
    Part("supply_causes", 2, of_kind(_CAUSES)),
    Part("amount_to_reconnect", 8, _MONEY),
)
RECEIPT = (
    *_HEAD,
    Part("kind", 1, _KINDS),
    Part("sequence", 4, _count()),
    Part("amount", 4, _CENTS),
    Part("code_begins", _CODE_BEGIN, _hexadecimal),
    Part("at", 8, _instant(1)),
    Part("credit_before", 8, _MONEY),
    Part("credit_after", 8, _MONEY),
    Part("to_overdraft", 8, _MONEY),
    Part("to_debt", 8, _MONEY),
    Part("cumulative", 8, _MONEY),
    Part("settlement", 8, _MONEY),
    _CODE,
)
STATUS = (
    *_HEAD,
    Part("nonce", 8, _hexadecimal),
    Part("journal", 4, _hexadecimal),
    Part("current_version", 1, _count()),
    Part("account_state", 1, of_kind(_ACCOUNT_STATES)),
    Part("account_unit", 2, of_kind(AccountUnit())),
    Part("customer_number", 6, _digits),
    Part("credit_sequence", 4, _count()),
    Part("command_sequence", 4, _count()),
    Part("clock", 8, _instant(1)),
    Part("elapsed_ms", 8, _count("ms")),
    Part("credit", 8, _MONEY),
    Part("committed_elapsed_ms", 8, _count("ms")),
    Part("committed_energy_kwh", 8, of_kind(Fixed("kWh", 6, 6), "kWh")),
    Part("committed_cumulative", 8, _MONEY),
    Part("last_code_begins", _CODE_BEGIN, _hexadecimal),
    Part("last_at", 8, _instant(1)),
    Part("mark_of_journal", 4, _hexadecimal),
    Part("sequence_of_journal", 4, _count()),
    Part("code_of_journal_begins", _CODE_BEGIN, _hexadecimal),
    Part("forgotten", 4, _count()),
    _CODE,
)


def read_parts(sheet: Sheet, parts: Sequence[Part]) -> dict[str, str]:
    """Read fields in order; return their JSON values. Raises CutShortError."""
    return {part.name: sheet.shown(part.size, part.name, part.reading) for part in parts}


def read_message(sheet: Sheet, size: int) -> dict[str, str]:
    """Read a whole sealed message of so many bytes; return its JSON values.

    Bytes that are none are one field. Raises CutShortError.
    """
    version = sheet.peek()
    head = _FORMER_MESSAGE if version == FORMER_VERSION else _MESSAGE
    header_size = sum(part.size for part in head)
    if size < header_size + CODE_SIZE or version not in (FORMAT_VERSION, FORMER_VERSION):
        data = sheet.take(size, "message", "no sealed message of a known format")
        return {"bytes": json.dumps(data.hex(" "))}
    found = read_parts(sheet, head)
    parameters = size - header_size - CODE_SIZE
    if parameters:
        found["parameters"] = sheet.shown(parameters, "parameters", _hexadecimal)
    found |= read_parts(sheet, (_CODE,))
    return found


def read_form(sheet: Sheet, size: int, name: str, parts: Sequence[Part]) -> dict[str, str]:
    """Read a receipt, an answer or a status; bytes of another size are one field."""
    if size != sum(part.size for part in parts):
        data = sheet.take(size, name, f"no {name} of a known format")
        return {"bytes": json.dumps(data.hex(" "))}
    return read_parts(sheet, parts)


def brief_of_message(values: Mapping[str, str]) -> str:
    """Return kind, amount and sequence of a message or a receipt, from its JSON values."""
    named = (values.get(name, "?") for name in ("kind", "amount", "sequence"))
    return ", ".join(value.strip('"') for value in named)


def as_object(values: Mapping[str, str]) -> str:
    """Return JSON values by name as one JSON object."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"
