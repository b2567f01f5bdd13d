"""The table of entries: rows as values, and the questions that a journal is asked about them."""

from __future__ import annotations

from typing import Any

from meterctl.errors import UsageError
from meterctl.journal.database import Database
from meterctl.journal.entries import Entry
from meterctl.journal.lists import OPEN_STATES, EntryFilter, RowList
from meterctl.journal.states import EntryOutcome, EntryState
from protocols.sealed_message import Origin

_COLUMNS = (
    "id, meter, epoch, sequence, kind, amount, state, outcome, created, changed, "
    "message, receipt, card, reference, journal, mark, void_of"
)
_ALONE = "(kind != 'void' OR (void_of = 0 AND journal != 0))"
"""SQL condition: entries settled on their own, also a void that advances the key version."""
_PROVED = f"state = 'confirmed' AND outcome != '{EntryOutcome.BY_HAND}'"
_OF_EPOCH = f"INDEXED BY proved_by_sequence WHERE meter = ? AND epoch = ? AND {_PROVED} AND id > ?"
"""SQL condition: the proved entries of an epoch that are newer than an entry."""
_OF_METER = {
    "open_of_meter": f"INDEXED BY open_of_meter WHERE meter = ? AND {OPEN_STATES}",
    "by_hand_of_meter": "INDEXED BY by_hand_of_meter WHERE meter = ? AND outcome = 'by_hand'",
    "openings_of_meter": "INDEXED BY openings_of_meter WHERE meter = ? AND kind = 'open'"
    " AND state = 'refused'",
}
"""SQL conditions: the entries of a meter that a proof may still change, each by its index."""
_CARRIED = "INDEXED BY on_card WHERE card > '' AND state IN ('on_card', 'unknown')"
"""SQL condition: the sales on cards that are not settled."""


class EntryTable:
    """The rows of a journal's entries. Nothing here decides what may be written."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.list = RowList[EntryFilter, Entry](db, "entries", self._rows)
        """All entries, as lists show them."""

    # ---- writing

    def insert(self, entry: Entry, ring: str) -> int:
        """Insert an entry and return its number; `entry.id` is not used.

        Raises:
            sqlite3.IntegrityError: a second open entry, or a second living one of a sale key.
        """
        cursor = self._db.execute(
            "INSERT INTO entries (meter, epoch, sequence, kind, amount, state, created, changed, "
            "message, card, reference, ring, journal, mark, void_of)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            entry.meter,
            entry.epoch,
            entry.sequence,
            entry.kind,
            entry.amount,
            entry.state.value,
            entry.created,
            entry.changed,
            entry.message,
            entry.card,
            entry.reference,
            ring,
            entry.origin.journal,
            entry.origin.mark,
            entry.void_of,
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def update(self, entry: Entry) -> None:
        """Write the columns of an entry that a settlement or a move to another card changes."""
        self._db.execute(
            "UPDATE entries SET state = ?, outcome = ?, changed = ?, receipt = ?, epoch = ?, "
            "card = ? WHERE id = ?",
            entry.state.value,
            entry.outcome.value,
            entry.changed,
            entry.receipt,
            entry.epoch,
            entry.card,
            entry.id,
        )

    # ---- single entries

    def find(self, number: int) -> Entry | None:
        """Return an entry by its number."""
        return self._first("WHERE id = ?", number)

    def find_reference(self, reference: str) -> Entry | None:
        """Return the newest entry of a sale key."""
        return self._first(
            "WHERE reference = ? AND reference != '' ORDER BY id DESC LIMIT 1", reference
        )

    def find_message(self, meter: str, message: bytes) -> Entry | None:
        """Return the newest entry with exactly these message bytes."""
        return self._first(
            "INDEXED BY code_of_message WHERE meter = ? AND substr(message, -8) = substr(?, -8)"
            " AND message = ? ORDER BY id DESC LIMIT 1",
            meter,
            message,
            message,
        )

    def newest_confirmed(self, meter: str) -> Entry | None:
        """Return a meter's most recently proved entry, voids excluded."""
        return self._first(
            f"INDEXED BY proved_by_change WHERE meter = ? AND {_PROVED} AND kind != 'void'"
            " ORDER BY changed DESC, id DESC LIMIT 1",
            meter,
        )

    # ---- lists of entries

    def open_of(self, meter: str) -> list[Entry]:
        """Return the open entries of a meter that are settled on their own, oldest first."""
        return self._rows(f"{_OF_METER['open_of_meter']} AND {_ALONE} ORDER BY id", meter)

    def unproved_of(self, meter: str) -> list[Entry]:
        """Return the entries of a meter that are settled on their own and may yet be proved.

        They are open, closed by hand, or openings that were refused.
        """
        found = [
            entry
            for source in _OF_METER.values()
            for entry in self._rows(f"{source} AND {_ALONE}", meter)
        ]
        return sorted({entry.id: entry for entry in found}.values(), key=lambda entry: entry.id)

    def voids_of(self, entry: Entry) -> list[Entry]:
        """Return the voids that were sealed for an entry, oldest first."""
        return self._rows(
            "WHERE kind = 'void' AND meter = ? AND sequence = ?"
            " AND (void_of = ? OR (void_of = 0 AND journal = 0 AND epoch = ? AND epoch != 0))"
            " AND id != ? ORDER BY id",
            entry.meter,
            entry.sequence,
            entry.id,
            entry.epoch,
            entry.id,
        )

    def confirmed_of(self, meter: str, epoch: int, after: int, above: int) -> list[Entry]:
        """Return the proved entries of an epoch above a sequence, by their sequences.

        Only those that are newer than entry `after`, here and in the next two.
        """
        return self._rows(
            f"{_OF_EPOCH} AND sequence > ? ORDER BY sequence",
            *(meter, epoch, after, above),
        )

    def confirmed_below(self, meter: str, epoch: int, after: int, sequence: int) -> int:
        """Return the highest sequence below another one of a proved entry; 0 if there is none."""
        row = self._db.row(
            f"SELECT sequence FROM entries {_OF_EPOCH} AND sequence < ?"
            " ORDER BY sequence DESC LIMIT 1",
            *(meter, epoch, after, sequence),
        )
        return int(row[0]) if row else 0

    def confirmed_sum(self, meter: str, epoch: int, after: int, sequence: int) -> tuple[int, int]:
        """Return the number of proved entries up to a sequence, and the sum of sales, 0.01."""
        row = self._db.row(
            "SELECT COUNT(*), COALESCE(SUM(amount) FILTER (WHERE kind IN ('open', 'credit')), 0)"
            f" FROM entries {_OF_EPOCH} AND sequence <= ?",
            *(meter, epoch, after, sequence),
        )
        return int(row[0]), int(row[1])

    def of_sequence(self, meter: str, sequence: int) -> list[Entry]:
        """Return a meter's entries of a sequence in any epoch, newest first, voids excluded."""
        return self._rows(
            "WHERE meter = ? AND sequence = ? AND kind != 'void' ORDER BY id DESC", meter, sequence
        )

    def carried(self, card: str | None) -> list[Entry]:
        """Return the open sales that one card, or any card, carries or carried, oldest first."""
        if card is None:
            return self._rows(f"{_CARRIED} ORDER BY id")
        return self._rows(f"{_CARRIED} AND card = ? ORDER BY id", card)

    # ---- facts

    def has_carried(self) -> bool:
        """Return whether any card carries or carried an open sale."""
        return self._db.row(f"SELECT 1 FROM entries {_CARRIED} LIMIT 1") is not None

    def last_id(self) -> int:
        """Return the number of the newest entry; 0 if there is none."""
        return int(self._db.row("SELECT COALESCE(MAX(id), 0) FROM entries")[0])

    def last_time(self, meter: str) -> int:
        """Return the time of a meter's newest entry or audit line, s since 1970 UTC; else 0."""
        (sold,) = self._db.row(
            "SELECT MAX(created) FROM entries INDEXED BY created_of_meter WHERE meter = ?", meter
        )
        (audited,) = self._db.row(
            "SELECT MAX(at) FROM audit INDEXED BY audit_of_meter WHERE meter = ?", meter
        )
        return max(int(sold or 0), int(audited or 0))

    def newest_opening(self, meter: str) -> tuple[str, int] | None:
        """Return card and time of a meter's newest opening by card that was not refused."""
        row = self._db.row(
            "SELECT card, created FROM entries INDEXED BY openings_of_meter"
            " WHERE meter = ? AND kind = 'open' AND card != '' AND state != 'refused'"
            " ORDER BY id DESC LIMIT 1",
            meter,
        )
        return (str(row[0]), int(row[1])) if row else None

    def knows_mark(self, meter: str, origin: Origin, sequence: int) -> bool:
        """Return whether there is a message of this origin and sequence; voids count."""
        row = self._db.row(
            "SELECT 1 FROM entries WHERE meter = ? AND journal = ? AND mark = ? AND "
            "sequence = ? LIMIT 1",
            meter,
            origin.journal,
            origin.mark,
            sequence,
        )
        return row is not None

    def is_spent(self, meter: str) -> bool:
        """Return whether sequence 1 of a known epoch is proved used, also by a void."""
        row = self._db.row(
            f"SELECT 1 FROM entries WHERE meter = ? AND {_PROVED} AND epoch != 0 AND sequence = 1"
            " LIMIT 1",
            meter,
        )
        return row is not None

    def has_room(self, meter: str, epoch: int, sequence: int) -> bool:
        """Return whether no entry but a void is open for any epoch or living at this sequence.

        The index of the table refuses a second open entry of the same epoch. Entries from before a
        known set-back do not count.
        """
        (rivals,) = self._db.row(
            f"SELECT COUNT(*) FROM entries {_OF_METER['open_of_meter']} AND kind != 'void'"
            " AND (epoch = 0 OR ? = 0)",
            meter,
            epoch,
        )
        (twins,) = self._db.row(
            "SELECT COUNT(*) FROM entries WHERE meter = ? AND epoch = ? AND sequence = ? "
            "AND kind != 'void'"
            " AND state != 'refused' AND outcome != ? AND id > COALESCE((SELECT "
            "begun_after FROM proved"
            " WHERE proved.meter = entries.meter AND proved.epoch = entries.epoch), 0)",
            meter,
            epoch,
            sequence,
            EntryOutcome.BY_HAND.value,
        )
        return not (rivals or twins)

    def _first(self, where: str, *values: object) -> Entry | None:
        row = self._db.row(f"SELECT {_COLUMNS} FROM entries {where}", *values)
        return self._entry(row) if row else None

    def _rows(self, where: str, *values: object) -> list[Entry]:
        return [
            self._entry(row)
            for row in self._db.rows(f"SELECT {_COLUMNS} FROM entries {where}", *values)
        ]

    def _entry(self, row: Any) -> Entry:
        """Return a row of `_COLUMNS` as a value."""
        (number, meter, epoch, sequence, kind, amount, state, outcome, created, changed) = row[:10]
        (message, receipt, card, reference, journal, mark, void_of) = row[10:]
        try:
            word = EntryOutcome(outcome)
        except ValueError as error:
            raise UsageError(
                f"journal {self._db.path}: entry {number} has the outcome {outcome!r}, "
                f"which is not known"
            ) from error
        return Entry(
            number,
            meter,
            epoch,
            sequence,
            kind,
            amount,
            EntryState(state),
            word,
            created,
            changed,
            message,
            receipt,
            card,
            reference,
            Origin(journal, mark),
            void_of,
        )
