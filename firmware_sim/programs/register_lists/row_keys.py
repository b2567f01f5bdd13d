"""Keys of registers that a cell of a list holds as in a map file: off = 65535, magnitude = true."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping

from protocols.errors import QuantityError
from protocols.suggestions import one_of

KEYS = ("off", "absent", "magnitude", "sign_of", "values", "bit", "wraps")
"""The keys that such a cell may hold; the others have columns of their own."""


def keys_text(keys: Mapping[str, object]) -> str:
    """Return keys and their values as the text of a cell, which is empty without one."""
    return ", ".join(f"{key} = {text}" for key, text in _texts(keys).items())


def parse_keys(text: str) -> dict[str, str]:
    """Return the keys of a cell and their values as TOML; raises QuantityError."""
    try:
        keys: Mapping[str, object] = tomllib.loads(f"keys = {{ {text} }}")["keys"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise QuantityError(f"{text!r} are no keys of a map: off = 65535, wraps = true") from error
    if unknown := [key for key in keys if key not in KEYS]:
        raise QuantityError(f"{unknown[0]!r} is no key of a cell; allowed are {one_of(KEYS)}")
    return _texts(keys)


def _texts(keys: Mapping[str, object]) -> dict[str, str]:
    return {key: _text(value) for key, value in keys.items()}


def _text(value: object) -> str:
    """Return a value as TOML in one line; raises QuantityError for one that no key has."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return json.dumps(value)
        case dict():
            parts = (f"{json.dumps(key)} = {_text(each)}" for key, each in value.items())
            return f"{{ {', '.join(parts)} }}"
        case _:
            raise QuantityError(f"{value!r} is no value of a key")
