"""The audit log of a journal: actions and refusals, in lines that are never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meterctl.journal.database import Database
from meterctl.journal.filters import PAGE, AuditFilter

_COLUMNS = "id, at, what, meter, card, amount, detail"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit log. `at` in s since 1970 UTC, `amount` in 0.01."""

    id: int
    at: int
    what: str
    meter: str
    card: str
    amount: int
    detail: str


class AuditLog:
    """The audit log: lines are appended and read."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(
        self,
        what: str,
        now: int,
        *,
        meter: str = "",
        card: str = "",
        amount: int = 0,
        detail: str = "",
    ) -> None:
        """Append a line: an action or a refusal."""
        self._db.execute(
            "INSERT INTO audit (at, what, meter, card, amount, detail) VALUES (?, ?, ?, ?, ?, ?)",
            now,
            what,
            meter,
            card,
            amount,
            detail,
        )

    def listed(self, wanted: AuditFilter) -> Iterator[AuditLine]:
        """Return the lines of a list, oldest first, a page at a time without a lock between."""
        last, more = 0, True
        while more:
            where, values = wanted.sql(last)
            page = self._lines(f"{where} ORDER BY id LIMIT {PAGE}", *values)
            yield from page
            last, more = (page[-1].id, True) if page else (last, False)

    def newest(self, wanted: AuditFilter, limit: int) -> list[AuditLine]:
        """Return the newest lines of a list, oldest first."""
        where, values = wanted.sql()
        rows = self._lines(f"{where} ORDER BY {wanted.newest_first} LIMIT {limit}", *values)
        return sorted(rows, key=lambda line: line.id)

    def count(self, wanted: AuditFilter) -> int:
        """Return the number of lines of a list."""
        where, values = wanted.sql()
        return int(self._db.row(f"SELECT COUNT(*) FROM audit WHERE {where}", *values)[0])

    def mentioning(self, meter: str, text: str) -> list[AuditLine]:
        """Return the lines of a meter whose detail contains a text, oldest first."""
        return self._lines("meter = ? AND instr(detail, ?) ORDER BY id", meter, text)

    def _lines(self, where: str, *values: object) -> list[AuditLine]:
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM audit WHERE {where}", *values)
        return [AuditLine(*row) for row in rows]

    def has(self, what: str, card: str) -> bool:
        """Return whether there is a line of an action for a card."""
        row = self._db.row(
            "SELECT 1 FROM audit INDEXED BY audit_of_card WHERE what = ? AND card = ? LIMIT 1",
            what,
            card,
        )
        return row is not None

    def newest_replacement(self, meter: str) -> tuple[str, int] | None:
        """Return a meter's last replacement card and its time; None if no card was replaced."""
        row = self._db.row(
            "SELECT card, at FROM audit INDEXED BY replaced_of_meter"
            " WHERE meter = ? AND what = 'card_replaced' ORDER BY id DESC LIMIT 1",
            meter,
        )
        return (str(row[0]), int(row[1])) if row else None
