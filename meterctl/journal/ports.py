"""The ports of a journal: which meter was last proved on each."""

from __future__ import annotations

from meterctl.journal.database import Database


class Ports:
    """The last meter of every port (path or address, protocol, unit)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def meter_of(self, port: str) -> str:
        """Return the meter that was last proved on a port; empty if none was."""
        row = self._db.row("SELECT meter FROM ports WHERE port = ?", port)
        return str(row[0]) if row else ""

    def keep(self, port: str, meter: str, now: int) -> None:
        """Store which meter was proved on a port, at `now` in s since 1970 UTC."""
        if self.meter_of(port) != meter:
            self._db.execute("INSERT OR REPLACE INTO ports VALUES (?, ?, ?)", port, meter, now)
