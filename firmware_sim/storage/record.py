"""Encoding of a state: a JSON array of its fields, exact for integers of any size.

The array begins with the version of the layout, except in layout 1. The order is that of the fields
in the dataclasses; class names do not matter. `storage/layouts.py` converts records of older
layouts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from firmware_sim.records.publishing import TailRow
from firmware_sim.state import State
from firmware_sim.storage.layouts import LAYOUT, brought_up
from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps

_PARTS: tuple[type, ...] = (Seasons, DayTables, Prices, Steps)
_FROZEN = ("identity", "settings", "tariff", "pending")
"""Fields that are replaced as a whole and never changed in place; first in a record."""
_CHANGING = tuple(field.name for field in fields(State) if field.name not in _FROZEN)
_HINTS = get_type_hints(State)
FIELDS = (*_FROZEN, *_CHANGING)
"""Fields of a state in the order of a record."""
_values = attrgetter(*_CHANGING)
_JSON = json.JSONEncoder(separators=(",", ":"))
_Writer = Callable[[Any], Any]
"""Converts a value for JSON; None in its place means that JSON holds the value unchanged."""


class RecordError(Exception):
    """The bytes are not a state of a known layout."""


class Encoder:
    """Encodes the states of one meter; caches the text of frozen fields by object identity."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, str]] = {}

    def encode(self, state: State) -> bytes:
        """Return the record of a state."""
        texts = [self._text(name, getattr(state, name)) for name in _FROZEN]
        changing = [
            write(value) if write else value
            for write, value in zip(_WRITERS, _values(state), strict=True)
        ]
        return f"[{LAYOUT},{','.join(texts)},{_JSON.encode(changing)[1:]}".encode()

    def _text(self, name: str, value: object) -> str:
        kept = self._kept.get(name)
        if kept is None or kept[0] is not value:
            write = _FROZEN_WRITERS[name]
            kept = self._kept[name] = (value, _JSON.encode(write(value) if write else value))
        return kept[1]


def encode(state: State) -> bytes:
    """Return the record of a state."""
    return Encoder().encode(state)


def decode(data: bytes) -> tuple[State, int]:
    """Return the state of a record and the layout in which it was written; raises RecordError."""
    try:
        plain = json.loads(data)
        layout = plain.pop(0) if isinstance(plain[0], int) else 1
        named = dict(zip(FIELDS, brought_up(plain, layout), strict=True))
        return State(**{name: _build(_HINTS[name], value) for name, value in named.items()}), layout
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError) as error:
        raise RecordError(f"the record is no state: {error}") from error


def shape() -> str:
    """Return the layout as text: field names and types in order, without names of dataclasses."""
    return _describe(State, (*_FROZEN, *_CHANGING))


def _writer(kind: Any) -> _Writer | None:
    """Return the writer for a type hint, None where JSON holds the value unchanged."""
    if kind is TailRow:
        return lambda row: [row.ring, row.number, row.row.hex()]
    if kind == Part:
        return lambda part: _part_writers()[type(part)](part)
    if is_dataclass(kind):
        return _dataclass_writer(kind)
    inner = [
        _writer(argument) for argument in get_args(kind) if argument not in (Ellipsis, type(None))
    ]
    each = next((writer for writer in inner if writer is not None), None)
    if each is None:
        return None
    if get_origin(kind) in (Union, UnionType):
        return lambda value: None if value is None else each(value)
    if len(inner) > 1:
        raise TypeError(f"{kind} has no place in a record")
    return lambda values: [each(value) for value in values]


def _dataclass_writer(kind: Any) -> _Writer:
    hints, names = get_type_hints(kind), [field.name for field in fields(kind)]
    values = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    inner = [
        (index, writer)
        for index, name in enumerate(names)
        if (writer := _writer(hints[name])) is not None
    ]
    head = [_PARTS.index(kind)] if kind in _PARTS else []

    def write(value: Any) -> list[Any]:
        plain = list(values(value))
        for index, writer in inner:
            plain[index] = writer(plain[index])
        return head + plain

    return write


@cache
def _part_writers() -> dict[type, _Writer]:
    return {kind: _dataclass_writer(kind) for kind in _PARTS}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, plain: Any) -> Any:
    if kind is TailRow:
        return TailRow(plain[0], plain[1], bytes.fromhex(plain[2]))
    if kind == Part:
        return _build(_PARTS[plain[0]], plain)
    if is_dataclass(kind):
        described: Any = kind
        hints = _hints(described)
        values = plain[1:] if kind in _PARTS else plain
        named = fields(kind)
        if len(values) != len(named):
            raise ValueError(f"{len(values)} values for the {len(named)} fields")
        return kind(
            *(_build(hints[field.name], value) for field, value in zip(named, values, strict=True))
        )  # type: ignore[operator]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return [_build(arguments[0], element) for element in plain]
    if origin is tuple:
        kinds = arguments if Ellipsis not in arguments else (arguments[0],) * len(plain)
        return tuple(_build(k, element) for k, element in zip(kinds, plain, strict=True))
    if origin in (Union, UnionType):
        return (
            None
            if plain is None
            else _build(next(a for a in arguments if a is not type(None)), plain)
        )
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain


def _describe(kind: Any, names: tuple[str, ...] = ()) -> str:
    if kind == Part:
        return "|".join(_describe(part) for part in _PARTS)
    if is_dataclass(kind) or kind is TailRow:
        described: Any = kind
        hints = _hints(described)
        inner = (f"{name}:{_describe(hints[name])}" for name in names or hints)
        return f"({','.join(inner)})"
    arguments = [
        "..." if argument is Ellipsis else _describe(argument) for argument in get_args(kind)
    ]
    if get_origin(kind) in (Union, UnionType):
        return "|".join(arguments)
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    return f"{name}[{','.join(arguments)}]" if arguments else name


_WRITERS = tuple(_writer(_HINTS[name]) for name in _CHANGING)
_FROZEN_WRITERS = {name: _writer(_HINTS[name]) for name in _FROZEN}
