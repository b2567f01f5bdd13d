"""Many rows at once, the fastest way of each engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from meterctl.utility.model import metadata


@dataclass(frozen=True, slots=True)
class Bulk:
    """Writes rows in one transaction."""

    connection: Connection

    def fill(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows; the columns' names have spaces between them."""
        names = columns.split()
        driver = self.connection.connection.driver_connection
        assert driver is not None
        if self._is_postgresql:
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * len(names))
        driver.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)

    def go_on_numbering(self) -> None:
        """Let PostgreSQL number further rows after those that are there; SQLite does so itself."""
        if not self._is_postgresql:
            return
        for name, table in metadata.tables.items():
            if "id" in table.c:
                sequence = f"pg_get_serial_sequence('{name}', 'id')"
                highest = f"coalesce(max(id), 0) + 1, false) FROM {name}"
                self.connection.execute(text(f"SELECT setval({sequence}, {highest}"))

    @property
    def _is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"
