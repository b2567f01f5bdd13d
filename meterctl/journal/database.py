"""The SQLite file of a journal: its connection, its errors, its transactions.

SQLite with FULL synchronisation: a statement that returned is on the disk.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meterctl.errors import UsageError
from meterctl.journal.layout import LAYOUT, DrawNumber, bring_up, is_up_to_date

NOWHERE = Path(":memory:")
"""Path of a journal that exists in memory only, such as that of a dry run."""
BUSY_S = 15.0
"""Longest wait for the lock of another connection."""
_TURNS: dict[Path, threading.RLock] = {}
_TURNS_GUARD = threading.Lock()


class Database:
    """The open database of a journal, in the present layout.

    Args:
        draw: returns a new journal number, for a new file or an older layout.
        now: s since 1970 UTC, only to date a new journal number.
        rehearsal: work on a copy in memory, so that no write is kept, not even a new layout.
        reading: only read a file, which must exist; one of an older layout is read as a copy.

    Raises:
        UsageError: the file cannot be used; nothing was sent.
    """

    def __init__(
        self, path: Path, draw: DrawNumber, now: int, *, rehearsal: bool, reading: bool = False
    ) -> None:
        self.path = NOWHERE if rehearsal else path
        self._turn = _turn_of(self.path)
        if path.exists() and not path.is_file():
            raise UsageError(f"journal {path}: it is no file; nothing was sent")
        try:
            if reading:
                self._connection = _readable(path)
            else:
                self._connection = _copied(path) if rehearsal else _connected(path)
            self._closing = weakref.finalize(self, self._connection.close)
            self._connection.execute("PRAGMA synchronous = FULL")
            is_ready = _has_layout if reading else is_up_to_date
            if not is_ready(self._connection):
                bring_up(self._connection, path, draw, now)
            if reading:
                self._connection.execute("PRAGMA query_only = ON")
            elif self.path != NOWHERE:
                os.chmod(path, 0o600)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}; nothing was sent") from error

    def close(self) -> None:
        """Close the file; a database that is dropped is closed as well, in whatever thread."""
        self._closing()

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run a statement that writes.

        Raises:
            sqlite3.IntegrityError: the statement violates a constraint of the tables.
            UsageError: the file cannot be read or written.
        """
        with self._turn, self._errors():
            return self._connection.execute(sql, values)

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Return all rows of a query; raises as `execute`."""
        with self._turn, self._errors():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Any:
        """Return the first row of a query, None if there is none; raises as `execute`."""
        with self._turn, self._errors():
            return self._connection.execute(sql, values).fetchone()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Run the block as one transaction, all or nothing; a nested block joins it."""
        with self._turn:
            if self._connection.in_transaction:
                yield
                return
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise UsageError(f"journal {self.path}: {error}") from error


def _turn_of(path: Path) -> threading.RLock:
    """Return the lock by which the threads of this process take turns on a file.

    SQLite lets connections wait for each other by asking again after a while: of many threads one
    may wait until its time is over.
    """
    if path == NOWHERE:
        return threading.RLock()
    with _TURNS_GUARD:
        return _TURNS.setdefault(path.resolve(), threading.RLock())


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _readable(path: Path) -> sqlite3.Connection:
    """Open a file to read it; one of another layout as a copy in memory, to be brought up."""
    with contextlib.ExitStack() as opened:
        file = _existing(path)
        opened.callback(file.close)
        if not file.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise UsageError(f"journal {path}: it is empty, and no journal")
        if _has_layout(file):
            opened.pop_all()
            return file
    return _copied(path)


def _has_layout(connection: sqlite3.Connection) -> bool:
    found: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return found == (LAYOUT,)


def _existing(path: Path) -> sqlite3.Connection:
    """Open a file that exists; an interrupted transaction of another process is rolled back."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        uri, timeout=BUSY_S, isolation_level=None, uri=True, check_same_thread=False
    )


def _copied(path: Path) -> sqlite3.Connection:
    """Return a copy in memory of a journal file, or an empty database if there is no file."""
    with contextlib.ExitStack() as opened:
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        opened.callback(copy.close)
        if path.exists():
            source = _existing(path)
            opened.callback(source.close)
            source.backup(copy)
            source.close()
        opened.pop_all()
    return copy
