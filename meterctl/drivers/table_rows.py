"""The rows of a table as Modbus carries them, and whether they can be the rows asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from meterctl.drivers import Page
from protocols.data_model.row_types import ROW_TYPES
from protocols.data_model.tables import Table
from protocols.errors import FrameError
from protocols.modbus.register_parts import RowWindow

_HEAD = 6
"""Bytes of a window before its rows: the number of the first one, and their count."""


def window_rows(window: RowWindow, first: int, data: bytes) -> list[Any]:
    """Return the rows that a window shows, oldest first; `first` is the number asked for.

    Columns that the window does not show are None.

    Raises:
        FrameError: they cannot be the answer: too many, of smaller numbers, or out of order.
    """
    shown, count = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:_HEAD], "big")
    table = window.table
    if count > window.rows:
        raise FrameError(f"{count} rows in a window of {window.rows}")
    if shown < first:
        raise FrameError(f"{table.name} from number {shown} on, {first} was asked for")
    cut = _cut(window.row_size, data[_HEAD:])[:count]
    rows = [ROW_TYPES[table.name].unpack(table.completed(row)) for row in cut]
    check_order(table, rows)
    if rows and (own := getattr(rows[0], "number", shown)) != shown:
        raise FrameError(f"{table.name} from number {shown} on begin with row {own}")
    return rows


def window_page(window: RowWindow, first: int, data: bytes) -> Page:
    """Return the rows that a window shows with the number of the first; raises as `window_rows`."""
    rows = window_rows(window, first, data)
    return Page(int.from_bytes(data[:4], "big"), rows, len(rows) == window.rows)


def list_rows(table: Table, data: bytes) -> tuple[list[Any], bool]:
    """Return the rows of a part of a list, in its order, and whether the list ends in it.

    Registers that are 0 hold no row.
    """
    some = _cut(table.row_size, data)
    return [ROW_TYPES[table.name].unpack(row) for row in some if any(row)], not any(some[-1])


def check_order(table: Table, rows: Sequence[Any]) -> None:
    """Raise FrameError unless the numbers of rows that have them, oldest first, rise."""
    numbers = [row.number for row in rows if hasattr(row, "number")]
    for earlier, later in pairwise(numbers):
        if later <= earlier:
            raise FrameError(f"the numbers of {table.name} do not rise: {earlier}, {later}")


def _cut(size: int, data: bytes) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data) - size + 1, size)]
