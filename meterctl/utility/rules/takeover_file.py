"""The file of a taking over: a row a supply point, with what the old books have of it.

docs/desk-takeover.md describes the columns. What a row names and the archive has, a point, a
customer or a meter, is used; else it is added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from meterctl.utility.errors import DeskError, Invalid
from meterctl.utility.rules.csv_rows import Columns, Mistakes, parse_rows
from meterctl.utility.rules.typed_text import day, whole
from protocols.errors import QuantityError
from protocols.quantities import parse_amount

COLUMNS = Columns(
    required=("meter", "port"),
    optional=(
        "unit",
        "mode",
        "terms",
        "point",
        "node",
        "address",
        "class",
        "capacity",
        "boundary",
        "route",
        "read_day",
        "customer",
        "name",
        "id_number",
        "phones",
        "bills",
        "advance",
    ),
)
BILLS_OF_ROW = 60
"""Open bills of a row at most: five years of months."""
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_SERIAL = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class OldBill:
    """An open bill of the old books: its month, what is open of it (0.01), when it was due."""

    month: str
    amount: int
    due_on: date


@dataclass(frozen=True, slots=True)
class TakeoverRow:
    """A row: the line on which it begins, its cells as written, and those that have a meaning."""

    line: int
    cells: Mapping[str, str]
    meter: str
    unit: int
    terms: str
    """Name of a file of terms; empty: the terms that its meter has."""
    bills: tuple[OldBill, ...]
    advance: int


def parse_takeover(text: str) -> list[TakeoverRow]:
    """Return the rows of a file.

    Raises:
        Invalid: a line for each mistake (`csv`); among them a meter or point that stands there
            twice.
    """
    mistakes, rows = Mistakes(), []
    seen: dict[tuple[str, str], int] = {}
    for row in parse_rows(text, COLUMNS):
        try:
            for name in ("meter", "point"):
                _require_once(seen, name, row.cells[name], row.line)
            rows.append(_parsed(row.line, row.cells))
        except DeskError as error:
            mistakes.add(row.line, str(error))
    mistakes.refuse_any()
    return rows


def _require_once(seen: dict[tuple[str, str], int], name: str, cell: str, line: int) -> None:
    if cell and seen.setdefault((name, cell), line) != line:
        raise Invalid("csv", f"{name} {cell} is in line {seen[name, cell]} too")


def _parsed(line: int, cells: Mapping[str, str]) -> TakeoverRow:
    if not _SERIAL.fullmatch(cells["meter"]):
        raise Invalid("meter", f"meter {cells['meter']!r}: a serial number has 12 digits")
    if not cells["port"]:
        raise Invalid("port", "a meter without a port cannot be read: name its port")
    return TakeoverRow(
        line=line,
        cells=cells,
        meter=cells["meter"],
        unit=whole(cells["unit"] or "1", "unit"),
        terms=cells["terms"],
        bills=_bills(cells["bills"]),
        advance=_amount(cells["advance"], "advance") if cells["advance"] else 0,
    )


def _bills(cell: str) -> tuple[OldBill, ...]:
    """Return bills from "2026-08 35.20 2026-09-15 / 2026-09 12.00 2026-10-15"; raises Invalid."""
    texts = [text.split() for text in cell.split("/")] if cell else []
    if len(texts) > BILLS_OF_ROW:
        raise Invalid("bills", f"{len(texts)} bills: at most {BILLS_OF_ROW} are open")
    found = []
    for words in texts:
        if len(words) != 3 or not _MONTH.fullmatch(words[0]):
            raise Invalid(
                "bills",
                f"bill {' '.join(words)!r}: write month, open amount and due date, such as "
                f"2026-08 35.20 2026-09-15, with / between bills",
            )
        found.append(OldBill(words[0], _amount(words[1], "bill"), day(words[2], "due date")))
    return tuple(found)


def _amount(text: str, name: str) -> int:
    """Return an amount above 0 in 0.01; raises Invalid."""
    try:
        return parse_amount(text)
    except QuantityError as error:
        raise Invalid(name, f"{name}: {error}") from error


class TakeoverState(StrEnum):
    """How far a row is."""

    NOT_READ = "not_read"
    """Its meter has not answered yet."""
    READ = "read"
    """Its meter was read, and the proposal is not approved."""
    WAITING = "waiting"
    """Approved; its meter is to be read again."""
    REFUSED = "refused"
    """Its meter cannot be taken over; the cause says why."""
    TAKEN_OVER = "taken_over"
