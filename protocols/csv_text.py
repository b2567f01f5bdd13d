"""CSV text as spreadsheets write it: commas, semicolons or tabs, quotes, empty lines and cells.

Where cells are not separated by commas, a comma in a number is its decimal sign, as in a European
Excel. In a file with commas a quoted "1,500" could be 1500 or 1.5, so it is refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.errors import QuantityError

_DELIMITERS = (",", ";", "\t")
_NAMED = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)
"""A first line by which a spreadsheet is told the delimiter."""


class Header(NamedTuple):
    """The line that names the columns: its number from 1, the names, the delimiter of all lines."""

    line: int
    names: list[str]
    delimiter: str


def find_header(lines: Sequence[str], first: int = 1) -> Header | None:
    """Return the header of a text, after empty lines; None where all lines are empty.

    Args:
        first: the number of the first of these lines.

    Raises:
        QuantityError: the header has a quotation mark that is not closed.
    """
    delimiter = ""
    for number, line in enumerate(lines, first):
        if named := _NAMED.fullmatch(line):
            delimiter = named[1]
            continue
        used = delimiter or max(_DELIMITERS, key=line.count)
        names = trimmed(cells(line, used, number))
        if names:
            return Header(number, [name.strip() for name in names], used)
    return None


class Record(NamedTuple):
    """The cells of a row, and the number of its first line, from 1."""

    line: int
    cells: list[str]


def records(lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    """Yield the rows of a text that are not empty; a quoted cell may hold line breaks.

    Raises:
        QuantityError: a quotation mark is not closed; it names the line.
    """
    reader = csv.reader(
        (f"{line}\n" for line in lines), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    first = 1
    try:
        for row in reader:
            if not is_empty(row) and not _NAMED.fullmatch(delimiter.join(row)):
                yield Record(first, [" ".join(cell.split()) for cell in row])
            first = reader.line_num + 1
    except csv.Error as error:
        raise QuantityError(f"line {first}: {_reason(error)}") from error


def possible_delimiters(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the delimiter that the first line names, or all that a text may have."""
    named = _NAMED.fullmatch(lines[0]) if lines else None
    return (named[1],) if named else _DELIMITERS


def cells(line: str, delimiter: str, number: int) -> list[str]:
    """Return the cells of a line; raises QuantityError, which names the line by `number`."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise QuantityError(f"line {number}: {_reason(error)}") from error


def _reason(error: csv.Error) -> str:
    return "a quotation mark is not closed" if "end of data" in str(error) else str(error)


def trimmed(row: Sequence[str], width: int = 0) -> list[str]:
    """Return a row without the empty cells at its end, beyond the first `width`."""
    end = len(row)
    while end > width and not row[end - 1].strip():
        end -= 1
    return list(row[:end])


def is_empty(row: Sequence[str]) -> bool:
    """Return whether a row has no text."""
    return not any(cell.strip() for cell in row)


def with_decimal_point(text: str, delimiter: str) -> str:
    """Return a number with a decimal point; raises QuantityError for a point and a comma in it."""
    if delimiter == "," or "," not in text:
        return text
    if "." in text or text.count(",") > 1:
        raise QuantityError(f"{text!r} has separators of thousands: write 1234.5 or 1234,5")
    return text.replace(",", ".")
