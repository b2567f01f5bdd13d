"""Lists of a journal's rows: which rows, the newest ones, or all of them in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from meterctl.journal.database import Database
from meterctl.journal.states import EntryState

PAGE = 1000
"""Rows read at once of a long list."""
OPEN_STATES = "state IN ('prepared', 'on_card', 'unknown')"
"""SQL condition: entries that are not settled."""


class Row(Protocol):
    """A row with a number, which rises with time."""

    @property
    def id(self) -> int: ...


class Filter(Protocol):
    """Which rows of a table a list shows."""

    @property
    def since(self) -> int | None: ...
    @property
    def time(self) -> str: ...
    def terms(self) -> Sequence[tuple[str, object]]: ...


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Entries of a list: of a meter, in a state or open, made since an instant (s, UTC)."""

    meter: str | None = None
    state: EntryState | None = None
    is_open: bool = False
    since: int | None = None
    time: str = "created"

    def terms(self) -> Sequence[tuple[str, object]]:
        """Return the SQL conditions of the entries, each with its value; None without one."""
        state = None if self.state is None else self.state.value
        return (
            ("meter = ?", self.meter),
            ("state = ?", state),
            (f"? AND {OPEN_STATES}", self.is_open or None),
        )


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Lines of the audit log of a list: of a meter, written since an instant (s, UTC)."""

    meter: str | None = None
    since: int | None = None
    time: str = "at"

    def terms(self) -> Sequence[tuple[str, object]]:
        """Return the SQL conditions of the lines, each with its value; None without one."""
        return (("meter = ?", self.meter),)


AnyFilter = TypeVar("AnyFilter", bound=Filter)
AnyRow = TypeVar("AnyRow", bound=Row)


class RowList(Generic[AnyFilter, AnyRow]):
    """The rows of one table, as lists show them.

    Args:
        rows: returns the rows for the part of a query after the name of the table.
    """

    def __init__(self, db: Database, table: str, rows: Callable[..., list[AnyRow]]) -> None:
        self._db, self._table, self._rows = db, table, rows

    def listed(self, wanted: AnyFilter) -> Iterator[AnyRow]:
        """Return the rows of a list, oldest first, a page at a time.

        No lock is held between pages, so that a slow reader keeps no sale waiting.
        """
        last, more = 0, True
        while more:
            where, values = _where(wanted, last)
            page = self._rows(f"{where} ORDER BY id LIMIT {PAGE}", *values)
            yield from page
            last, more = (page[-1].id, True) if page else (last, False)

    def newest(self, wanted: AnyFilter, limit: int) -> list[AnyRow]:
        """Return the newest rows of a list, oldest first, at most `limit`."""
        where, values = _where(wanted)
        order = "id DESC" if wanted.since is None else f"{wanted.time} DESC, id DESC"
        rows = self._rows(f"{where} ORDER BY {order} LIMIT {limit}", *values)
        return sorted(rows, key=lambda row: row.id)

    def count(self, wanted: AnyFilter) -> int:
        """Return the number of rows of a list."""
        where, values = _where(wanted)
        return int(self._db.row(f"SELECT COUNT(*) FROM {self._table} {where}", *values)[0])


def _where(wanted: Filter, after: int = 0) -> tuple[str, list[object]]:
    """Return the SQL condition of the rows with a number above `after`, and its values."""
    terms = [
        ("id > ?", after or None),
        *wanted.terms(),
        (f"{wanted.time} >= ?", wanted.since),
    ]
    given = [(text, value) for text, value in terms if value is not None]
    condition = " AND ".join(text for text, _ in given)
    return f"WHERE {condition}" if condition else "", [value for _, value in given]
