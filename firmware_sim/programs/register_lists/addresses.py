"""Addresses of a register list: decimal or hexadecimal, wire addresses or register numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from protocols.errors import QuantityError
from protocols.modbus.areas import ADDRESSES


class Numbering(Enum):
    """How a list writes its addresses; the value is the word of `--addresses`."""

    DECIMAL = "decimal"
    HEX = "hex"
    FROM_ONE = "from-1"
    REFERENCE = "reference"

    @property
    def meaning(self) -> str:
        """What an address of the list is."""
        match self:
            case Numbering.DECIMAL:
                return "wire addresses, from 0 (decimal, or hexadecimal with a mark such as 0x)"
            case Numbering.HEX:
                return "hexadecimal wire addresses, from 0"
            case Numbering.FROM_ONE:
                return "decimal register numbers, from 1 (register 1 is address 0)"
            case Numbering.REFERENCE:
                return "register numbers with their area (30001 is input 0, 40001 is holding 0)"


class Extent(NamedTuple):
    """The first address, how many addresses the cell spans (0: not said), and its area or ""."""

    address: int
    size: int
    area: str


_AREAS = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_MARKED_HEX = re.compile(r"(?:0x|16#|&h|\$)([0-9a-f]{1,6})|([0-9][0-9a-f]{0,5}|[0-9a-f]{4})h")
_BARE_HEX = re.compile(r"[0-9a-f]{1,4}")
_BYTES = re.compile(r"([0-9a-f]{2}) ([0-9a-f]{2})")
_NUMBER = re.compile(r"([0-9]{1,6})(?:\.0+)?")
_WITH_AREA = re.compile(r"([0134])x ?([0-9]{1,5})")
_MARKS = re.compile(r"(0x|16#|&h|\$|[0134]x ?|)([0-9a-f]+?)(h?)")
"""The mark before digits of an address, the digits, and the mark behind them."""
_RANGE = re.compile(r"(.+?)\s*(?:-|–|~|\.\.+|…|/|,|&|\bto\b|\bbis\b|至)\s*(.+)")
_FROM_ONE = re.compile(r"1-based|one-based|from 1\b|start(?:s|ing) (?:at|with) 1\b")


def numbering_of(heading: str, texts: Iterable[str]) -> Numbering:
    """Return how a column writes its addresses, by its heading and its cells."""
    bare = [part for text in texts for part in _parts(text) if not _is_explicit(part)]
    if _FROM_ONE.search(heading):
        return Numbering.FROM_ONE
    if "hex" in heading:
        return Numbering.HEX
    if any(_BARE_HEX.fullmatch(part) and not part.isdigit() for part in bare):
        return Numbering.HEX
    numbers = [found[1] for part in bare if (found := _NUMBER.fullmatch(part))]
    if numbers and all(_is_reference(number) for number in numbers):
        return Numbering.REFERENCE
    return Numbering.DECIMAL


def parse_extent(text: str, numbering: Numbering) -> Extent:
    """Return the addresses of a cell such as 0x004A, 40001-40002 or 0046H; QuantityError."""
    parts = _parts(text)
    first, area = _address(parts[0], numbering, text)
    if len(parts) == 1:
        return Extent(first, 0, area)
    last = _address(parts[1], numbering, text)[0]
    if last < first:
        raise QuantityError(f"address {text!r}: its end is before its beginning")
    return Extent(first, last - first + 1, area)


def _parts(text: str) -> list[str]:
    """Return the one or two addresses of a cell, in lower case, the second one in full."""
    cell = " ".join(text.lower().split())
    if _BYTES.fullmatch(cell):
        return [cell.replace(" ", "")]
    found = _RANGE.fullmatch(cell)
    return [found[1], _in_full(found[1], found[2])] if found else [cell]


def _in_full(first: str, last: str) -> str:
    """Return the second address of a range with what it leaves out: 40072 of 40071/2."""
    found = _MARKS.fullmatch(first)
    if found is None or not _BARE_HEX.fullmatch(last):
        return last
    before, digits, behind = found.groups()
    return f"{before}{digits[: max(len(digits) - len(last), 0)]}{last}{behind}"


def _is_explicit(part: str) -> bool:
    return bool(_MARKED_HEX.fullmatch(part) or _WITH_AREA.fullmatch(part))


def _is_reference(number: str) -> bool:
    """Return whether a number is one of 10001 to 19999, 30001 ..., 40001 ... or of six digits."""
    return len(number) in (5, 6) and number[0] in "134" and int(number[1:]) > 0


def _address(part: str, numbering: Numbering, text: str) -> tuple[int, str]:
    area = ""
    if marked := _MARKED_HEX.fullmatch(part):
        address = int(marked[1] or marked[2], 16)
    elif placed := _WITH_AREA.fullmatch(part):
        address, area = int(placed[2]) - 1, _AREAS[placed[1]]
    elif numbering is Numbering.HEX and _BARE_HEX.fullmatch(part):
        address = int(part, 16)
    elif numbering is not Numbering.HEX and (number := _NUMBER.fullmatch(part)):
        address, area = _decimal(number[1], numbering)
    else:
        raise QuantityError(f"{text!r} is no address")
    if not 0 <= address < ADDRESSES:
        raise QuantityError(f"address {text!r}: allowed are wire addresses 0 to {ADDRESSES - 1}")
    return address, area


def _decimal(number: str, numbering: Numbering) -> tuple[int, str]:
    if numbering is Numbering.REFERENCE:
        digits = number.rjust(5, "0")
        if len(digits) in (5, 6) and digits[0] in _AREAS:
            return int(digits[1:]) - 1, _AREAS[digits[0]]
    return int(number) - (numbering is not Numbering.DECIMAL), ""
