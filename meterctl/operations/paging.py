"""Rows of a table page by page, so that none is lost or doubled while the meter adds rows.

A page is asked for by the number of its first row. Numbers rise by one for each row and are never
used twice, whatever the clock does; a meter that no longer keeps a row shows the next one that it
keeps. A number that is skipped is a row that is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from meterctl.drivers import Page, Reader
from meterctl.errors import CorruptAnswerError
from protocols.data_model.tables import Table

OLDEST = 1
"""The number of the first row that a meter ever makes; asked for, it is the oldest row kept."""
_TRIES = 3
OnRead = Callable[[int, int], None]
"""Sees how many rows were read, and how many there are in all."""


def paged(reader: Reader, table: Table, first: int = OLDEST) -> Iterator[Any]:
    """Yield the rows of a table from a number on, oldest first, up to the newest at the start."""
    for _, row in numbered(reader, table, first):
        yield row


def numbered(
    reader: Reader, table: Table, first: int = OLDEST, on_read: OnRead | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield numbers and rows as `paged` does."""
    pages = Pages(reader, table)
    at = max(first, OLDEST)
    while at <= pages.newest:
        page = pages.at(at)
        if not page.rows:
            return
        at = page.first + len(page.rows)
        for number, row in enumerate(page.rows, page.first):
            if number <= pages.newest:
                yield number, row
        if on_read is not None:
            on_read(min(at, pages.newest + 1) - pages.oldest, pages.newest + 1 - pages.oldest)


class Pages:
    """The pages of a table; `newest` is the number of its newest row when they were opened.

    `oldest` is that of the oldest row that the meter is known to keep.
    """

    def __init__(self, reader: Reader, table: Table) -> None:
        """Read the newest page; `newest` is 0 for a table without rows."""
        self._reader, self._table = reader, table
        page = reader.page(table)
        self.newest = page.first + len(page.rows) - 1 if page.rows else 0
        self.oldest = OLDEST
        self._newest_page = page

    def at(self, number: int) -> Page:
        """Return the page that begins at a number, or at the oldest row kept.

        The late reply to a question for a later page would look like rows that are not kept any
        more: a page that begins later than the rows that are known to be kept is asked for again,
        until two replies agree.

        Raises:
            CorruptAnswerError: no two replies agree.
        """
        held = self._newest_page
        if number >= held.first and held.rows:
            return Page(number, held.rows[number - held.first :], held.is_full)
        page = self._reader.page(self._table, number)
        for _ in range(_TRIES):
            if page.first == number:
                return page
            again = self._reader.page(self._table, number)
            if again.first == number or again.first >= page.first:
                self.oldest = max(self.oldest, min(again.first, self.newest + 1))
                return again
            page = again
        raise CorruptAnswerError(f"{self._table.name}: the rows from {number} on differ each time")
