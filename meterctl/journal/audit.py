"""The audit log of a journal: actions and refusals, in lines that are never changed."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.database import Database
from meterctl.journal.lists import AuditFilter, RowList

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
        self.list = RowList[AuditFilter, AuditLine](db, "audit", self._lines)
        """All lines, as lists show them."""

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

    def mentioning(self, meter: str, text: str) -> list[AuditLine]:
        """Return the lines of a meter whose detail contains a text, oldest first."""
        return self._lines("WHERE meter = ? AND instr(detail, ?) ORDER BY id", meter, text)

    def _lines(self, where: str, *values: object) -> list[AuditLine]:
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM audit {where}", *values)
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
