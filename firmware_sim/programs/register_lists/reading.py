"""A register list (CSV) as values: where each of its registers lies and how it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from firmware_sim.programs.register_lists.addresses import (
    Extent,
    Numbering,
    numbering_of,
    parse_extent,
)
from firmware_sim.programs.register_lists.cells import (
    WrittenType,
    WrittenUnit,
    areas_in,
    parse_access,
    parse_factor,
    parse_functions,
    parse_order,
    parse_type,
    parse_unit,
)
from firmware_sim.programs.register_lists.columns import Column, Heading, Role, find_heading
from protocols.csv_text import Record, possible_delimiters, records, with_decimal_point
from protocols.errors import QuantityError

_PARTS = {"byte": 2, "bit": 16}
"""What a column of sizes counts, where it is not registers -> how many are in a register."""
_UNIT_IN_NAME = re.compile(r"(.+?)\s*[(\[]([^()\[\]]{1,8})[)\]]")


class ListedRegister(NamedTuple):
    """A register of a list: what its row says. `scale` is in `unit`; `areas` may be empty."""

    line: int
    name: str
    description: str
    item: str
    extent: Extent
    areas: tuple[str, ...]
    type: WrittenType
    unit: str
    scale: Fraction
    writes: bool


class UnreadRow(NamedTuple):
    """A row without a register that can be placed: its text and why."""

    line: int
    text: str
    reason: str


class Title(NamedTuple):
    """A row of one text: a title of the rows below it, or a note."""

    line: int
    text: str


Row = ListedRegister | UnreadRow | Title


@dataclass(frozen=True, slots=True)
class RegisterList:
    """A list: its rows in order, how it writes addresses, and the headings that were understood."""

    rows: tuple[Row, ...]
    numbering: Numbering
    used: tuple[str, ...]


def parse_register_list(text: str, numbering: Numbering | None = None) -> RegisterList:
    """Return the registers of a list.

    Args:
        text: the CSV, separated by commas, semicolons or tabs; titles may stand above its heading.
        numbering: how addresses are written; None where the list shows it.

    Raises:
        QuantityError: no heading names a column of addresses and one of names.
    """
    lines = text.split("\n")
    heading, rows, delimiter = _heading(lines)
    column, written = _addresses(heading, rows, numbering)
    reader = _Reader(heading, column, written, delimiter)
    read = tuple(found for record in rows if (found := reader.row(record)) is not None)
    names = [
        f"{role.value} ({columns[0].whole})" for role, columns in heading.columns.items() if columns
    ]
    return RegisterList(read, written, tuple(names))


def _heading(lines: Sequence[str]) -> tuple[Heading, list[Record], str]:
    """Return the heading with most columns of all delimiters, and the rows below it."""
    found: list[tuple[Heading, list[Record], str]] = []
    problem = ""
    for delimiter in possible_delimiters(lines):
        try:
            rows = list(records(lines, delimiter))
        except QuantityError as error:
            problem = problem or str(error)
            continue
        heading = find_heading(rows)
        if heading is not None:
            below = [row for row in rows if row.line > heading.line]
            found.append((heading, below, delimiter))
    if not found:
        raise QuantityError(
            problem
            or "no line names its columns: one of addresses (address, register) and one of "
            "names (name, description, item) are needed"
        )
    return max(found, key=lambda one: len(one[0].columns))


def _addresses(
    heading: Heading, rows: Sequence[Record], numbering: Numbering | None
) -> tuple[Column, Numbering]:
    """Return the column of addresses in which most cells are one, and how it writes them."""
    best, count = None, -1
    for column in heading.columns[Role.ADDRESS]:
        texts = [row.cells[column.place] for row in rows if column.place < len(row.cells)]
        texts = [text for text in texts if text.strip()]
        written = numbering or numbering_of(column.whole, texts)
        read = sum(_is_address(text, written) for text in texts)
        if read > count:
            best, count = (column, written), read
    assert best is not None
    return best


def _is_address(text: str, numbering: Numbering) -> bool:
    try:
        parse_extent(text, numbering)
    except QuantityError:
        return False
    return True


class _Reader:
    """Reads rows; a title that names an area names it for the rows below."""

    def __init__(
        self, heading: Heading, column: Column, numbering: Numbering, delimiter: str
    ) -> None:
        self._heading, self._column, self._numbering = heading, column, numbering
        self._delimiter = delimiter
        self._titled: tuple[str, ...] = ()

    def row(self, record: Record) -> Row | None:
        """Return what a row says; None for a repeated heading."""
        place, cells = self._column.place, record.cells
        address = cells[place].strip() if place < len(cells) else ""
        if not address or not _is_address(address, self._numbering):
            return self._without_address(record, address)
        try:
            return self._register(record, parse_extent(address, self._numbering))
        except QuantityError as error:
            return UnreadRow(record.line, _text(cells), str(error))

    def _without_address(self, record: Record, address: str) -> UnreadRow | Title | None:
        texts = [cell for cell in record.cells if cell]
        if len(set(texts)) == 1:
            self._titled = areas_in(texts[0]) or self._titled
            return Title(record.line, texts[0])
        if find_heading([record]) is not None:
            return None
        reason = f"{address!r} is no address" if address else "it has no address"
        return UnreadRow(record.line, _text(record.cells), reason)

    def _register(self, record: Record, extent: Extent) -> ListedRegister:
        def cell(role: Role) -> str:
            return self._heading.cell(role, record.cells)

        name, in_name = _split_name(cell(Role.NAME) or cell(Role.DESCRIPTION))
        functions = parse_functions(cell(Role.FUNCTION))
        access = parse_access(cell(Role.ACCESS))
        if not access.reads:
            raise QuantityError("it can only be written")
        written = parse_type(cell(Role.TYPE), self._size(cell(Role.SIZE)) or extent.size)
        word_order, byte_order = parse_order(cell(Role.ORDER))
        unit = parse_unit(cell(Role.UNIT)) if cell(Role.UNIT) else in_name
        factor = self._factor(cell(Role.SCALE), cell(Role.GAIN), cell(Role.DECIMALS))
        if factor is not None and unit.factor not in (1, factor):
            raise QuantityError(f"its unit says {unit.factor} and its scale {factor}")
        return ListedRegister(
            record.line,
            name,
            cell(Role.DESCRIPTION),
            cell(Role.ITEM),
            extent,
            functions.areas or ((extent.area,) if extent.area else ()) or self._titled,
            written._replace(
                word_order=written.word_order or word_order,
                byte_order=written.byte_order or byte_order,
            ),
            unit.unit,
            unit.factor if factor is None else factor,
            access.writes or functions.writes,
        )

    def _size(self, text: str) -> int:
        """Return the number of registers that a cell of sizes says, 0 where it says none."""
        found = re.match(r"(\d{1,3})(?:\.0+)?(?!\d)", text)
        if found is None:
            return 0
        (column, *_) = self._heading.columns[Role.SIZE]
        parts = next((n for word, n in _PARTS.items() if word in column.whole), 1)
        return -(-int(found[1]) // parts)

    def _factor(self, scale: str, gain: str, decimals: str) -> Fraction | None:
        """Return what the columns of scales say, None without one."""
        if _says(scale):
            number = with_decimal_point(scale, self._delimiter)
            if re.match(r"[\d.]+\s*[A-Za-zµ°%]+$", number):
                return parse_unit(number).factor
            return parse_factor(number)
        if _says(gain):
            divisor = parse_factor(with_decimal_point(gain, self._delimiter))
            return 1 / divisor
        if _says(decimals):
            if not re.fullmatch(r"\d", decimals):
                raise QuantityError(f"{decimals!r} is no number of decimals")
            return Fraction(1, 10 ** int(decimals))
        return None


def _says(text: str) -> bool:
    return text.strip(" -/—") != "" and text.lower() not in ("n/a", "none")


def _split_name(text: str) -> tuple[str, WrittenUnit]:
    """Return a name without the unit that stands behind it in brackets, and that unit."""
    found = _UNIT_IN_NAME.fullmatch(text)
    if found is not None:
        try:
            unit = parse_unit(found[2])
        except QuantityError:
            return text, WrittenUnit("", Fraction(1))
        if unit.unit:
            return found[1], unit
    return text, WrittenUnit("", Fraction(1))


def _text(cells: Sequence[str]) -> str:
    return " | ".join(cell for cell in cells if cell.strip())
