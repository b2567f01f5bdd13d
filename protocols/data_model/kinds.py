"""Kinds of items and columns: how a value is held, shown, written in JSON and parsed.

Every kind holds a plain Python value (int, str, bool or None) and has the same methods:

    text(value)    for people        json(value)    one JSON value, numbers with fixed decimals
    parse(text)    of typed text     holds(value)   whether a value may be set
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from protocols.errors import QuantityError
from protocols.quantities import (
    LEDGER_DECIMALS,
    format_date,
    format_fixed,
    format_moment,
    parse_date,
    parse_fixed,
    parse_moment,
)


class Kind(Protocol):
    """Interface of every kind; values are plain integers, strings, booleans or None."""

    def text(self, value: Any) -> str: ...
    def json(self, value: Any) -> str: ...
    def parse(self, text: str) -> Any: ...


class SettableKind(Kind, Protocol):
    """A kind with a range of values that may be set."""

    def holds(self, value: Any) -> bool: ...
    def allowed(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A whole number of 10**-decimals units; shown with `shown` decimals, cut towards zero.

    `grain` is the number of decimals accepted in input; `low` and `high` bound the values that may
    be set. `wraps`: a counter of energy, which begins again at 1,000,000 units on a wire.
    """

    unit: str
    decimals: int
    shown: int
    grain: int | None = None
    low: int | None = None
    high: int | None = None
    wraps: bool = False

    def text(self, value: int) -> str:
        return format_fixed(value, self.decimals, self.shown)

    def json(self, value: int) -> str:
        return self.text(value)

    def parse(self, text: str) -> int:
        grain = self.decimals if self.grain is None else self.grain
        scale: int = 10 ** (self.decimals - grain)
        value = parse_fixed(text, grain) * scale
        if not self.holds(value):
            raise QuantityError(f"{text} is out of range: allowed is {self.allowed()}")
        return value

    def holds(self, value: int) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def allowed(self) -> str:
        low = "any" if self.low is None else self.text(self.low)
        high = "any" if self.high is None else self.text(self.high)
        return f"{low} to {high}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True, slots=True)
class Optional:
    """A kind or None; None is written "off" and is null in JSON."""

    inner: Fixed
    off: str = "off"

    def text(self, value: int | None) -> str:
        return self.off if value is None else self.inner.text(value)

    def json(self, value: int | None) -> str:
        return "null" if value is None else self.inner.json(value)

    def parse(self, text: str) -> int | None:
        return (
            None if text.strip().lower() in (self.off, "none", "null") else self.inner.parse(text)
        )

    def holds(self, value: int | None) -> bool:
        return value is None or self.inner.holds(value)

    def allowed(self) -> str:
        return f"{self.off} or {self.inner.allowed()}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few lower-case words, held and sent as its number."""

    words: tuple[str, ...]

    def text(self, value: int) -> str:
        return self.words[value] if 0 <= value < len(self.words) else f"unknown_{value}"

    def json(self, value: int) -> str:
        return json.dumps(self.text(value))

    def parse(self, text: str) -> int:
        word = text.strip().lower()
        if word not in self.words:
            raise QuantityError(f"{text!r} is not one of {', '.join(self.words)}")
        return self.words.index(word)

    def holds(self, value: int) -> bool:
        return 0 <= value < len(self.words)

    def allowed(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Flags:
    """A set of words, held and sent as bits; the first word is bit 0."""

    words: tuple[str, ...]

    def names(self, value: int) -> list[str]:
        return [word for bit, word in enumerate(self.words) if value >> bit & 1]

    def text(self, value: int) -> str:
        return " ".join(self.names(value)) or "none"

    def json(self, value: int) -> str:
        return json.dumps(self.names(value))

    def parse(self, text: str) -> int:
        value = 0
        for word in text.replace(",", " ").lower().split():
            if word == "none":
                continue
            if word not in self.words:
                raise QuantityError(f"{word!r} is not one of {', '.join(self.words)}")
            value |= 1 << self.words.index(word)
        return value

    def holds(self, value: int) -> bool:
        return 0 <= value < 1 << len(self.words)

    def allowed(self) -> str:
        return f"none or any of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Digits:
    """A string of exactly `count` decimal digits, sent as packed BCD."""

    count: int

    def text(self, value: str) -> str:
        return value

    def json(self, value: str) -> str:
        return json.dumps(value)

    def parse(self, text: str) -> str:
        word = text.strip()
        if len(word) != self.count or not (word.isascii() and word.isdigit()):
            raise QuantityError(f"{text!r} is not {self.count} decimal digits")
        return word


@dataclass(frozen=True, slots=True)
class Hex:
    """An identifier, shown as `digits` hexadecimal digits; a signed field may hold it."""

    digits: int

    def text(self, value: int) -> str:
        return f"{value % 16**self.digits:0{self.digits}x}"

    def json(self, value: int) -> str:
        return json.dumps(self.text(value))

    def parse(self, text: str) -> int:
        word = text.strip().lower()
        if not 1 <= len(word) <= self.digits or any(
            letter not in "0123456789abcdef" for letter in word
        ):
            raise QuantityError(
                f"{text!r} is not a hexadecimal number of at most {self.digits} digits"
            )
        return int(word, 16)


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, milliseconds since 1970 UTC; 0 is "never". Output carries the meter's offset."""

    def text(self, value: int, utc_offset_minutes: int = 0) -> str:
        return format_moment(value, utc_offset_minutes) if value else "never"

    def json(self, value: int, utc_offset_minutes: int = 0) -> str:
        return json.dumps(format_moment(value, utc_offset_minutes)) if value else "null"

    def parse(self, text: str) -> int:
        return parse_moment(text)


@dataclass(frozen=True, slots=True)
class Date:
    """A civil date, days since 1970-01-01; 0 is "off"."""

    def text(self, value: int) -> str:
        return format_date(value) if value else "off"

    def json(self, value: int) -> str:
        return json.dumps(format_date(value)) if value else "null"

    def parse(self, text: str) -> int:
        return 0 if text.strip().lower() == "off" else parse_date(text)


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false; written on and off as well."""

    def text(self, value: int) -> str:
        return "on" if value else "off"

    def json(self, value: int) -> str:
        return "true" if value else "false"

    def parse(self, text: str) -> int:
        word = text.strip().lower()
        if word in ("on", "true", "yes", "1"):
            return 1
        if word in ("off", "false", "no", "0"):
            return 0
        raise QuantityError(f"{text!r} is neither on nor off")

    def holds(self, value: int) -> bool:
        return value in (0, 1)

    def allowed(self) -> str:
        return "on, off"


MONEY = Fixed("", LEDGER_DECIMALS, 2, grain=2)
MONEY_EXACT = Fixed("", LEDGER_DECIMALS, LEDGER_DECIMALS)
PRICE = Fixed("per kWh", 4, 4)
ENERGY = Fixed("kWh", 6, 6, wraps=True)
REACTIVE_ENERGY = Fixed("kvarh", 6, 6, wraps=True)
APPARENT_ENERGY = Fixed("kVAh", 6, 6, wraps=True)
POWER = Fixed("kW", 6, 6)
COUNT = Fixed("", 0, 0)
