"""Kinds of values in a register map file.

`read` returns the value of a key or raises QuantityError; `allowed` is told to people, `schema` is
the JSON Schema of the values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Protocol

from protocols.errors import QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.pdu import Function
from protocols.modbus.value_layout import NAN, NotANumber
from protocols.suggestions import did_you_mean

AREAS = {
    "input": Area.INPUT,
    "holding": Area.HOLDING,
    "coil": Area.COIL,
    "discrete": Area.DISCRETE,
}
MAX_TEXT = 500
"""Characters of a text, so that a listing stays readable."""
_DECIMAL = r"[-+]?[0-9]+(?:\.[0-9]+)?"


class ValueKind(Protocol):
    """What the values of a key are."""

    @property
    def allowed(self) -> str: ...
    @property
    def schema(self) -> Mapping[str, Any]: ...
    def read(self, value: object) -> Any: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, written in decimal or as 0x1F."""

    low: int
    high: int

    @property
    def allowed(self) -> str:
        if self.low == self.high:
            return str(self.low)
        return f"a whole number from {self.low} to {self.high}"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def read(self, value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"0x[0-9A-Fa-f]+|-?[0-9]+", value):
            raise QuantityError(f"{shown(value)} is a text: write it without quotation marks")
        if not isinstance(value, int) or isinstance(value, bool):
            raise QuantityError(f"{shown(value)} is no whole number")
        if not self.low <= value <= self.high:
            raise QuantityError(f"{shown(value)} is out of range")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text of one line; `pattern` says which, `named` what such a text is called."""

    pattern: str = r".+"
    named: str = "a text"

    @property
    def allowed(self) -> str:
        return self.named

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": MAX_TEXT}

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise QuantityError(f"{shown(value)} is not {self.named}")
        if len(value) > MAX_TEXT or not value.isprintable():
            raise QuantityError(f"a text has at most {MAX_TEXT} characters, all of them printable")
        return value


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words; each stands for a value. `elsewhere` are their names in other lists."""

    values: Mapping[str, Any]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> str:
        return ", ".join(self.values)

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"enum": list(self.values)}

    def read(self, value: object) -> Any:
        if not isinstance(value, str) or value not in self.values:
            hint = self._hint(value) if isinstance(value, str) else ""
            raise QuantityError(f"{shown(value)} is not one of them{hint and f'; {hint}'}")
        return self.values[value]

    def _hint(self, value: str) -> str:
        word = self.elsewhere.get(value.lower(), value.lower())
        return f"write {word}" if word in self.values else did_you_mean(value, self.values)


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false."""

    allowed: str = "true or false"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "boolean"}

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise QuantityError(f"{shown(value)} is neither true nor false")
        return value


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of whole numbers, each one of `of`."""

    of: Whole
    named: str = ""

    @property
    def allowed(self) -> str:
        return self.named or f"a list of whole numbers from {self.of.low} to {self.of.high}"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "array", "items": self.of.schema}

    def read(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, list):
            raise QuantityError(f"{shown(value)} is no list")
        return tuple(self.of.read(each) for each in value)


@dataclass(frozen=True, slots=True)
class Functions:
    """A list of function codes."""

    @property
    def allowed(self) -> str:
        return f"a list of {', '.join(str(int(one)) for one in Function)}"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "array", "items": {"enum": [int(one) for one in Function]}}

    def read(self, value: object) -> frozenset[Function]:
        if not isinstance(value, list):
            raise QuantityError(f"{shown(value)} is no list")
        known = {int(one) for one in Function}
        wrong = [each for each in value if isinstance(each, bool) or each not in known]
        if wrong:
            raise QuantityError(f"there is no function {shown(wrong[0])}")
        return frozenset(map(Function, value))


@dataclass(frozen=True, slots=True)
class Areas:
    """One area, or a list of areas at whose same address a thing lies."""

    @property
    def allowed(self) -> str:
        return f"{', '.join(AREAS)}, or a list of them"

    @property
    def schema(self) -> Mapping[str, Any]:
        one = {"enum": list(AREAS)}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}

    def read(self, value: object) -> Area:
        found = Area(0)
        for each in value if isinstance(value, list) else [value]:
            found |= Words(AREAS).read(each)
        if not found:
            raise QuantityError("there is no area in it")
        return found


@dataclass(frozen=True, slots=True)
class NumberOrNan:
    """A whole number, or "nan" of a float. 0x8000 of a signed type is its bits."""

    allowed: str = 'a whole number, or "nan" of a float'

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"anyOf": [{"type": "integer"}, {"const": "nan"}]}

    def read(self, value: object) -> int | NotANumber:
        if isinstance(value, str) and value.lower() == "nan":
            return NAN
        return Whole(-(1 << 63), (1 << 64) - 1).read(value)


@dataclass(frozen=True, slots=True)
class Scale:
    """A number that is not 0: a decimal number, or a fraction in a text, such as "1/60"."""

    allowed: str = 'a number such as 0.01, "-1" or "1/60"'

    @property
    def schema(self) -> Mapping[str, Any]:
        pattern = f"^{_DECIMAL}(?:/{_DECIMAL})?$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}

    def read(self, value: object) -> tuple[int, int]:
        """Return numerator and denominator."""
        from fractions import Fraction  # noqa: PLC0415 - only a file with a scale needs it

        text = str(value) if not isinstance(value, bool | list | dict) else ""
        if len(text) > 40 or not re.fullmatch(f"{_DECIMAL}(?:/{_DECIMAL})?", text):
            raise QuantityError(f"{shown(value)} is no number")
        over, _, under = text.partition("/")
        if not Fraction(over) or (under and not Fraction(under)):
            raise QuantityError("a scale is not 0")
        scale = Fraction(over) / Fraction(under or 1)
        return scale.numerator, scale.denominator


@dataclass(frozen=True, slots=True)
class WordNumbers:
    """A table of the words of a choice and their numbers."""

    allowed: str = "a table such as { open = 0, closed = 1 }"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "integer"}}

    def read(self, value: object) -> Mapping[str, int]:
        if not isinstance(value, Mapping) or not value:
            raise QuantityError(f"{shown(value)} is no table")
        return {word: Whole(-(1 << 63), (1 << 64) - 1).read(each) for word, each in value.items()}


@dataclass(frozen=True, slots=True)
class ConstantValue:
    """A number or "unit", a text of an ascii constant, or true and false of a bool."""

    allowed: str = 'a number of its type or "unit", a text of ascii, true or false of a bool'

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": ["number", "string", "boolean"]}

    def read(self, value: object) -> int | str | bool:
        if not isinstance(value, int | str | bool):
            raise QuantityError(f"{shown(value)} is no value")
        return value


@dataclass(frozen=True, slots=True)
class Initial:
    """What scratch holds before it is written: numbers of registers or bits, or a hex text."""

    allowed: str = "a list of registers (0 to 65535) or bits (0, 1), or hexadecimal digits"

    @property
    def schema(self) -> Mapping[str, Any]:
        numbers = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 0xFFFF}}
        return {"anyOf": [numbers, HEX.schema]}

    def read(self, value: object) -> tuple[int, ...] | bytes:
        if isinstance(value, str):
            return bytes.fromhex(HEX.read(value))
        return Numbers(Whole(0, 0xFFFF)).read(value)


HEX = Text(r"(?:[0-9A-Fa-f]{2}[ _]*)+", "an even number of hexadecimal digits")


def shown(value: object) -> str:
    """Return a value of TOML as it is told in a mistake, _shortened where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return _shortened(f"[{', '.join(map(shown, value))}]")
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return _shortened(text)


def _shortened(text: str) -> str:
    """Return the beginning of a text that is too long for a line of its own."""
    return text if len(text) <= 60 else text[:57] + "..."
