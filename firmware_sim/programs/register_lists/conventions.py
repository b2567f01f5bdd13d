"""How a whole list is written: its heading, its delimiter, its addresses, sizes and scales."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from firmware_sim.programs.register_lists.addresses import (
    Extent,
    Numbering,
    numbering_of,
    parse_extent,
)
from firmware_sim.programs.register_lists.cells import parse_factor, parse_unit, unit_in_name
from firmware_sim.programs.register_lists.columns import Column, Heading, Role, find_heading
from firmware_sim.programs.register_lists.names import item_named
from protocols.csv_text import Record, possible_delimiters, records, with_decimal_point
from protocols.data_model.items import BY_NAME
from protocols.errors import QuantityError
from protocols.modbus.map_units import is_coarse, unit_of

_PARTS = {"byte": 2, "octet": 2, "bit": 16}
"""What a column of sizes counts, where it is not registers -> how many are in a register."""
_RULE = re.compile(r"[:|\s-]*")
"""The line below the heading of a Markdown table."""
_MARKDOWN = "|"
_LEAST_DIVISOR = 10


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a list is written.

    `rows` are those below the heading, `titles` the texts above it; `parts` is what the sizes
    count, how many are in a register; with `scales_divide` a scale of 10 is a tenth.
    """

    heading: Heading
    titles: Sequence[str]
    rows: Sequence[Record]
    delimiter: str
    addresses: Column
    numbering: Numbering
    parts: int
    scales_divide: bool

    def extent(self, record: Record) -> Extent | None:
        """Return the addresses of a row, None where it has none."""
        return _extent(_cell(record, self.addresses), self.numbering)

    def address_problem(self, record: Record) -> str:
        """Return why a row has no addresses."""
        text = _cell(record, self.addresses)
        if not text:
            return "it has no address"
        try:
            parse_extent(text, self.numbering)
        except QuantityError as error:
            return str(error)
        return ""


def find_conventions(text: str, numbering: Numbering | None) -> Conventions:
    """Return how a list is written.

    Raises:
        QuantityError: no heading names a column of addresses and one of names.
    """
    heading, titles, rows, delimiter = _heading(text.split("\n"))
    column, written = _addresses(heading, rows, numbering)
    return Conventions(
        heading,
        titles,
        rows,
        delimiter,
        column,
        written,
        _parts(heading, rows, column, written),
        _divides(heading, rows, delimiter),
    )


def size_of(text: str) -> int:
    """Return the number of a cell of sizes, 0 where it has none."""
    found = re.match(r"(\d{1,3})(?:\.0+)?(?!\d)", text)
    return int(found[1]) if found else 0


def _heading(lines: Sequence[str]) -> tuple[Heading, list[str], list[Record], str]:
    """Return the heading with most columns of all delimiters, the titles above, the rows below."""
    found: list[tuple[Heading, list[str], list[Record], str]] = []
    problem = ""
    for delimiter in (*possible_delimiters(lines), _MARKDOWN):
        try:
            rows = list(records(lines, delimiter))
        except QuantityError as error:
            problem = problem or str(error)
            continue
        heading = find_heading(rows)
        if heading is not None:
            below = [row for row in rows if row.line > heading.line]
            below = [row for row in below if not _RULE.fullmatch("".join(row.cells))]
            above = [" ".join(row.cells) for row in rows if row.line < heading.line]
            found.append((heading, above, below, delimiter))
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
        texts = [text for row in rows if (text := _cell(row, column))]
        written = numbering or numbering_of(column.whole, texts)
        read = sum(_extent(text, written) is not None for text in texts)
        if read > count:
            best, count = (column, written), read
    assert best is not None
    return best


def _cell(record: Record, column: Column) -> str:
    cells = record.cells
    return cells[column.place].strip() if column.place < len(cells) else ""


def _extent(text: str, numbering: Numbering) -> Extent | None:
    try:
        return parse_extent(text, numbering) if text else None
    except QuantityError:
        return None


def _parts(heading: Heading, rows: Sequence[Record], column: Column, numbering: Numbering) -> int:
    """Return how many of what the sizes count are in a register.

    They count bytes where the heading says so, and where more of so many registers would reach
    into their neighbours than end at them.
    """
    sizes = heading.columns.get(Role.SIZE, ())
    if not sizes:
        return 1
    named = next((parts for word, parts in _PARTS.items() if word in sizes[0].whole), 0)
    return named or (2 if sum(_reaches(heading, rows, column, numbering)) > 0 else 1)


def _reaches(
    heading: Heading, rows: Sequence[Record], column: Column, numbering: Numbering
) -> Iterator[int]:
    """Yield for each pair of neighbours 1 if the first reaches into the second, -1 up to it."""
    placed = [
        (extent.address, size_of(heading.cell(Role.SIZE, row.cells)))
        for row in rows
        if (extent := _extent(_cell(row, column), numbering)) is not None
    ]
    for (address, size), (following, _) in pairwise(placed):
        gap = following - address
        if size > 1:
            yield (gap < size <= 2 * gap) - (gap == size)


def _divides(heading: Heading, rows: Sequence[Record], delimiter: str) -> bool:
    """Return whether scales can only be divisors: 100 of Hz. One below 1 is none."""
    scales = [(row, _scale(heading, row, delimiter)) for row in rows]
    if any(scale is not None and scale < 1 for _, scale in scales):
        return False
    return any(
        scale is not None and scale >= _LEAST_DIVISOR and is_coarse(scale, _unit(heading, row))
        for row, scale in scales
    )


def _scale(heading: Heading, row: Record, delimiter: str) -> Fraction | None:
    """Return the scale of a row, None without one."""
    try:
        return parse_factor(with_decimal_point(heading.cell(Role.SCALE, row.cells), delimiter))
    except QuantityError:
        return None


def _unit(heading: Heading, row: Record) -> str:
    """Return the unit of a row, "1" of a power factor, "" where none is known."""
    try:
        unit = parse_unit(heading.cell(Role.UNIT, row.cells)).unit
    except QuantityError:
        return ""
    names = [heading.cell(role, row.cells) for role in (Role.NAME, Role.DESCRIPTION, Role.ITEM)]
    unit = unit or next((found.unit for found in map(unit_in_name, names) if found.unit), "")
    return unit or assumed_unit(names)


def assumed_unit(names: Iterable[str]) -> str:
    """Return the unit of the item that a name means, "1" of a power factor, "" where none is."""
    for name in names:
        if item := BY_NAME.get(item_named(name, single_phase=True)):
            return "1" if item.name.startswith("power_factor") else unit_of(item)
    return ""
