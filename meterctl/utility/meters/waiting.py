"""Waiting for a change of the database without asking it all the time."""

from __future__ import annotations

import threading
import time
from typing import Any

from sqlalchemy.exc import DBAPIError

from meterctl.utility.store.engine import Database

LOOK_S = 0.05
"""How often SQLite is asked for the number of its last change, which costs some microseconds."""
POLL_S = 0.1
"""How often PostgreSQL is asked for orders."""


class Changes:
    """The changes that other connections make to a database; for one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_file = database.engine.dialect.name == "sqlite"
        self._connection: Any = None
        self._seen = self._version()

    def wait(self, stop: threading.Event, most_s: float) -> None:
        """Return after a change since the last wait, after `most_s`, or when `stop` is set.

        On PostgreSQL it returns after a short time, whether there was a change or not.
        """
        if not self._is_file:
            stop.wait(min(POLL_S, most_s))
            return
        until = time.monotonic() + most_s
        while time.monotonic() < until:
            now = self._version()
            if now != self._seen:
                self._seen = now
                return
            if stop.wait(LOOK_S):
                return

    def close(self) -> None:
        """Close its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _version(self) -> int:
        """Return the number of the last change; it is asked outside of any transaction."""
        if not self._is_file:
            return 0
        try:
            if self._connection is None:
                self._connection = self._database.engine.raw_connection()
            cursor = self._connection.cursor()
            try:
                cursor.execute("PRAGMA data_version")
                return int(cursor.fetchone()[0])
            finally:
                cursor.close()
        except (DBAPIError, OSError):
            return 0
