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
            raise CorruptAnswerError(
                f"{table.name}: no rows from {at} on, though the newest was {pages.newest}"
            )
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
        self._kept: int | None = None
        """The smallest number of a row that was read."""

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
                return self._read(page)
            again = self._reader.page(self._table, number)
            if again.first == number:
                return self._read(again)
            if again.first >= page.first:
                self._check_drop(number, again.first)
                self.oldest = max(self.oldest, min(again.first, self.newest + 1))
                return self._read(again)
            page = again
        raise CorruptAnswerError(f"{self._table.name}: the rows from {number} on differ each time")

    def _read(self, page: Page) -> Page:
        """Note that the rows of a page are kept."""
        if page.rows and (self._kept is None or page.first < self._kept):
            self._kept = page.first
        return page

    def _check_drop(self, number: int, first: int) -> None:
        """Check that the meter can have dropped the rows from a number on up to another one.

        A row is dropped for each that is added, and no more are added in the time of a read than
        the table holds.

        Raises:
            CorruptAnswerError: it cannot.
        """
        dropped = 0 if self._kept is None or self._kept > number else first - self._kept
        newest = self.newest
        if first > newest or dropped:
            page = self._reader.page(self._table)
            newest = page.first + len(page.rows) - 1
        added = newest - self.newest
        if first > newest or not dropped <= added <= self._table.depth:
            raise CorruptAnswerError(
                f"{self._table.name}: rows from {first} on in place of those from {number} on, "
                f"though the newest is {self.newest}"
            )
