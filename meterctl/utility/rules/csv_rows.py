"""Rows of a CSV file by the names of its columns; every mistake is told with its line.

Commas, semicolons and tabs, as spreadsheets write them (`protocols.csv_text`). The columns may
stand in any order; an unknown one is a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meterctl.utility.errors import Invalid
from protocols.csv_text import find_header, records, trimmed
from protocols.errors import QuantityError
from protocols.suggestions import did_you_mean

MISTAKES_NAMED = 20
"""Mistakes that an error names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: those that it must have, and those that it may have."""

    required: Sequence[str]
    optional: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row: the number of its line, from 1, and its cells by column; one left out is empty."""

    line: int
    cells: Mapping[str, str]


@dataclass(slots=True)
class Mistakes:
    """The mistakes of a file, so that one run tells all of them."""

    texts: list[str] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Keep a mistake; a text that names its line already stays as it is."""
        self.texts.append(text if text.startswith("line ") else f"line {line}: {text}")

    def refuse_any(self) -> None:
        """Raise Invalid with a line for each mistake, if there are any (`csv`)."""
        if not self.texts:
            return
        more = len(self.texts) - MISTAKES_NAMED
        named = self.texts[:MISTAKES_NAMED] + ([f"{more} more lines are wrong"] if more > 0 else [])
        raise Invalid("csv", "\n".join([*named, "nothing was changed"]))


def parse_rows(text: str, columns: Columns) -> list[CsvRow]:
    """Return the rows of a CSV text.

    Raises:
        Invalid: no header or no row, a wrong column, or a line for each wrong row.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    mistakes = Mistakes()
    try:
        header = find_header(lines)
        if header is None:
            raise Invalid("csv", f"there is no line with {','.join(columns.required)}")
        _check_header(header.line, header.names, columns)
        rows = []
        below = [""] * header.line + lines[header.line :]
        for line, row in records(below, header.delimiter):
            cells = trimmed(row, len(header.names))
            if len(cells) > len(header.names):
                mistakes.add(
                    line, f"it has {len(cells)} cells, and there are {len(header.names)} columns"
                )
                continue
            named = dict.fromkeys((*columns.required, *columns.optional), "")
            named |= dict(zip(header.names, (cell.strip() for cell in cells), strict=False))
            rows.append(CsvRow(line, named))
    except QuantityError as error:
        raise Invalid("csv", f"{error}; nothing was changed") from error
    mistakes.refuse_any()
    if not rows:
        raise Invalid("csv", "there is no row in it; nothing was changed")
    return rows


def _check_header(line: int, names: Sequence[str], columns: Columns) -> None:
    """Refuse a header with a missing, unknown or repeated column; raises Invalid."""
    known = (*columns.required, *columns.optional)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"columns are {', '.join(known)}")
            raise Invalid("csv", f"line {line}: there is no column {name!r}; {hint}")
        if names.count(name) > 1:
            raise Invalid("csv", f"line {line}: column {name} stands there twice")
    missing = [name for name in columns.required if name not in names]
    if missing:
        raise Invalid("csv", f"line {line}: {', '.join(missing)} is missing")
