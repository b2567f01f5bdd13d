"""Kinds of keys that no item has: balances, prices, instants, names of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.data_model.kinds import Boolean, Fixed, Hex
from protocols.errors import QuantityError
from protocols.modbus.named_maps import names_file
from protocols.quantities import (
    LEDGER_DECIMALS,
    MONEY_LIMIT,
    format_fixed,
    format_moment,
    parse_price,
    parse_written_moment,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A value that one function writes as a text, and another reads or refuses (QuantityError)."""

    text: Callable[[Any], str]
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class FileOrText:
    """A text that names a file if it ends in `suffix`, relative to the file that holds the key."""

    suffix: str

    def text(self, value: str) -> str:
        return value

    def parse(self, text: str) -> str:
        return text

    def names_file(self, text: str) -> bool:
        """Return whether a text names a file."""
        return text.lower().endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class MapName:
    """A shipped map by its name, or the file of one, relative to the file that holds the key."""

    def text(self, value: str) -> str:
        return value

    def parse(self, text: str) -> str:
        return text

    def names_file(self, text: str) -> bool:
        """Return whether a text names a file."""
        return names_file(text)


def _parse_epoch(text: str) -> int:
    epoch = Hex(8).parse(text)
    if epoch == 0:
        raise QuantityError(f"{text!r} is no epoch: allowed is 00000001 to ffffffff")
    return epoch


TEXT = Written(str, str)
"""Any text; its consumer checks it."""
CREDIT = Fixed("", LEDGER_DECIMALS, 2, grain=2, low=-MONEY_LIMIT, high=MONEY_LIMIT)
"""A balance with at most two decimals, in ledger units; an overdraft is negative."""
DEBT = Fixed("", LEDGER_DECIMALS, 2, grain=2, low=0, high=MONEY_LIMIT)
"""An amount that has no sign, with at most two decimals, in ledger units."""
PRICE = Written(lambda price: format_fixed(price, 4, 4), parse_price)
"""A price per kWh, in 1e-4 account unit."""
MOMENT = Written(format_moment, parse_written_moment)
"""ISO 8601, in ms since 1970 UTC; without an offset it is local time of the meter."""
SWITCH = Written(Boolean().text, lambda text: bool(Boolean().parse(text)))
"""On or off, held as a bool."""
MAP = MapName()
"""The register map of a meter."""
EPOCH = Written(Hex(8).text, _parse_epoch)
"""The epoch of a storage, 8 hexadecimal digits; never 0."""
