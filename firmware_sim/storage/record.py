"""The bytes of a state: a JSON array in field order, so that whole numbers of any size are exact.

The layout is derived from the dataclasses; its fingerprint stands in the storage's header, so that a state of another
version is recognised and never misread.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from firmware_sim.state import State, TailRow
from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps

_PARTS: tuple[type, ...] = (Seasons, DayTables, Prices, Steps)
_SCALARS = frozenset({int, str, bool, type(None)})
_NAMES: dict[type, tuple[str, ...]] = {}
"""Fields of each dataclass, found once: a record is written at every profile period."""


class RecordError(Exception):
    """Bytes that are no state of this layout."""


def encode(state: State) -> bytes:
    """Return the record of a state."""
    return json.dumps(_plain(state), separators=(",", ":")).encode()


def decode(data: bytes) -> State:
    """Return the state of a record; raises RecordError."""
    try:
        state = _build(State, json.loads(data))
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise RecordError(f"the record is no state: {error}") from error
    assert isinstance(state, State)
    return state


def fingerprint() -> int:
    """Return a number that changes whenever the layout of a state does."""
    return zlib.crc32(_describe(State).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, TailRow):
        return [value.ring, value.number, value.row.hex()]
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if not is_dataclass(kind):
        return value
    names = _NAMES.get(kind) or _NAMES.setdefault(kind, tuple(field.name for field in fields(kind)))
    plain = [_plain(getattr(value, name)) for name in names]
    return [_PARTS.index(kind), *plain] if kind in _PARTS else plain


def _build(kind: Any, plain: Any) -> Any:
    if kind is TailRow:
        return TailRow(plain[0], plain[1], bytes.fromhex(plain[2]))
    if kind == Part:
        return _build(_PARTS[plain[0]], plain)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        values = plain[1:] if kind in _PARTS else plain
        named = fields(kind)
        if len(values) != len(named):
            raise ValueError(f"{len(values)} values for the {len(named)} fields")
        return kind(*(_build(hints[field.name], value) for field, value in zip(named, values, strict=True)))  # type: ignore[operator]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return [_build(arguments[0], element) for element in plain]
    if origin is tuple:
        kinds = arguments if Ellipsis not in arguments else (arguments[0],) * len(plain)
        return tuple(_build(k, element) for k, element in zip(kinds, plain, strict=True))
    if origin in (Union, UnionType):
        return None if plain is None else _build(next(a for a in arguments if a is not type(None)), plain)
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain


def _describe(kind: Any) -> str:
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        inner = ",".join(f"{field.name}:{_describe(hints[field.name])}" for field in fields(kind))
        return f"{getattr(kind, '__name__', kind)}({inner})"
    return str(kind) if not get_args(kind) else f"{get_origin(kind)}[{','.join(map(_describe, get_args(kind)))}]"
