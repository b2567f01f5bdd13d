"""The printed receipts of entries: which print is the original, and how many followed it.

A print is written down before it is printed, so that a print that is killed never leaves two
originals.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.database import Database


@dataclass(frozen=True, slots=True)
class Print:
    """One print of an entry's receipt; instants in s since 1970 UTC by the host's clock."""

    number: int
    """1 for the original, 2 for the first reprint."""
    at: int
    first_at: int

    @property
    def reprint(self) -> int:
        """The number of the reprint; 0 for the original."""
        return self.number - 1


class Prints:
    """The prints of a journal's entries."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, entry: int, now: int) -> Print:
        """Write down that the receipt of an entry is printed; exactly one print is the original.

        Raises:
            UsageError: the journal cannot be written.
        """
        with self._db.together():
            before = self.of(entry)
            first_at = before[0].at if before else now
            made = Print(len(before) + 1, now, first_at)
            self._db.execute("INSERT INTO prints VALUES (?, ?, ?)", entry, made.number, now)
        return made

    def of(self, entry: int) -> list[Print]:
        """Return the prints of an entry, the original first."""
        rows = self._db.rows("SELECT number, at FROM prints WHERE entry = ? ORDER BY number", entry)
        return [Print(number, at, rows[0][1]) for number, at in rows]
