"""Kinds of keys that no item has: money, prices, words, names of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.data_model.kinds import Boolean, Hex
from protocols.errors import QuantityError
from protocols.quantities import (
    format_fixed,
    format_moment,
    format_money,
    parse_moment,
    parse_money,
    parse_price,
)


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; its consumer checks it. None is not given."""

    def text(self, value: str | None) -> str:
        return value or ""

    def parse(self, text: str) -> str:
        return text


@dataclass(frozen=True, slots=True)
class FileOrText:
    """A text that names a file if it ends in `suffix`, relative to the file that holds the key."""

    suffix: str

    def text(self, value: str | None) -> str:
        return value or ""

    def parse(self, text: str) -> str:
        return text

    def names_file(self, text: str) -> bool:
        """Return whether a text names a file."""
        return text.lower().endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words, exactly as written; each stands for a value."""

    values: Mapping[str, Any]

    def text(self, value: Any) -> str:
        return next(word for word, meant in self.values.items() if meant == value)

    def parse(self, text: str) -> Any:
        if text not in self.values:
            *others, last = map(repr, self.values)
            raise QuantityError(f"allowed is {', '.join(others)} or {last}")
        return self.values[text]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with at most two decimals, in ledger units."""

    def text(self, value: int) -> str:
        return format_money(value)

    def parse(self, text: str) -> int:
        return parse_money(text)


@dataclass(frozen=True, slots=True)
class Price:
    """A price per kWh, in 1e-4 account unit; None is not given."""

    def text(self, value: int | None) -> str:
        return "" if value is None else format_fixed(value, 4, 4)

    def parse(self, text: str) -> int:
        return parse_price(text)


@dataclass(frozen=True, slots=True)
class Instant:
    """ISO 8601, in ms since 1970 UTC."""

    def text(self, value: int) -> str:
        return format_moment(value)

    def parse(self, text: str) -> int:
        return parse_moment(text)


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off, held as a bool."""

    def text(self, value: bool) -> str:
        return Boolean().text(value)

    def parse(self, text: str) -> bool:
        return bool(Boolean().parse(text))


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of a storage, 8 hexadecimal digits; never 0."""

    def text(self, value: int) -> str:
        return Hex(8).text(value)

    def parse(self, text: str) -> int:
        epoch = Hex(8).parse(text)
        if epoch == 0:
            raise QuantityError(f"{text!r} is no epoch: allowed is 00000001 to ffffffff")
        return epoch
