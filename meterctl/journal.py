"""The journal: what was sealed and what became of it, so that no credit is ever sold twice or lost (METER.md 8).

SQLite with FULL synchronisation: an entry is on the disk before its message is on the wire. One open entry for each
(serial number, epoch); while it is open no other credit message is sealed for that meter.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from meterctl.errors import NotPermittedError, UsageError

LAYOUT = 1
BY_HAND = "by_hand"
"""Outcome of an entry that a person closed: no proof."""


class EntryState(Enum):
    """What is known of a message; the first three are open."""

    PREPARED = "prepared"
    ON_CARD = "on_card"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


OPEN_STATES = (EntryState.PREPARED, EntryState.ON_CARD, EntryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed message. `amount` in 0.01; instants in s since 1970 UTC by the host's clock; `void_of` for voids."""

    id: int
    meter: str
    epoch: int
    sequence: int
    kind: str
    amount: int
    state: EntryState
    outcome: str
    created: int
    changed: int
    message: bytes
    receipt: bytes

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not settled."""
        return self.state in OPEN_STATES


_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, amount INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'on_card', 'unknown', 'confirmed', 'refused')),
    outcome TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, changed INTEGER NOT NULL,
    message BLOB NOT NULL, receipt BLOB NOT NULL DEFAULT x''
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON entries (meter, epoch)
    WHERE kind != 'void' AND state IN ('prepared', 'on_card', 'unknown');
CREATE UNIQUE INDEX IF NOT EXISTS one_live ON entries (meter, epoch, sequence)
    WHERE kind != 'void' AND state != 'refused';
"""
_COLUMNS = "id, meter, epoch, sequence, kind, amount, state, outcome, created, changed, message, receipt"


def default_path() -> Path:
    """Return where the journal lies when nobody says otherwise (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "meterctl" / "journal.sqlite"


class Journal:
    """The journal in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, LAYOUT):
                raise UsageError(f"journal {path}: it was written by another version; nothing was changed")
            if version == 0:
                if self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                    raise UsageError(f"journal {path}: it is another program's database; nothing was changed")
                self._db.executescript(_SCHEMA)
                self._db.execute(f"PRAGMA user_version = {LAYOUT}")
            os.chmod(path, 0o600)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}; nothing was sent") from error

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def prepare(self, meter: str, epoch: int, sequence: int, kind: str, amount: int, message: bytes, now: int) -> Entry:
        """Write an entry before its message is sent; raises NotPermittedError while another is open."""
        try:
            with self._guard():
                cursor = self._db.execute(
                    "INSERT INTO entries (meter, epoch, sequence, kind, amount, state, created, changed, message)"
                    " VALUES (?, ?, ?, ?, ?, 'prepared', ?, ?, ?)",
                    (meter, epoch, sequence, kind, amount, now, now, message),
                )
        except sqlite3.IntegrityError as error:
            raise NotPermittedError(
                f"meter {meter}: sequence {sequence} is taken or another entry is open in {self.path}; nothing was sent"
            ) from error
        except UsageError as error:
            raise UsageError(f"{error}; nothing was sent") from error
        assert cursor.lastrowid is not None
        return Entry(
            cursor.lastrowid, meter, epoch, sequence, kind, amount, EntryState.PREPARED, "", now, now, message, b""
        )  # not read back: it is written, and whoever holds the lock now must not make it look as if it were not

    def settle(self, entry: Entry, state: EntryState, outcome: str, now: int, receipt: bytes = b"") -> Entry:
        """Write what became of an open entry and return how it stands.

        What was settled before stays settled; only a receipt, which proves, goes over what a person has said.
        """
        with self._guard():
            cursor = self._db.execute(
                "UPDATE entries SET state = ?, outcome = ?, changed = ?, receipt = ?"
                " WHERE id = ? AND (state IN ('prepared', 'on_card', 'unknown') OR (outcome = ? AND length(?) > 0))",
                (state.value, outcome, now, receipt or entry.receipt, entry.id, BY_HAND, receipt),
            )
        if cursor.rowcount == 1:
            return replace(entry, state=state, outcome=outcome, changed=now, receipt=receipt or entry.receipt)
        return self.entry(entry.id)

    def entry(self, number: int) -> Entry:
        """Return an entry; raises UsageError where there is none."""
        rows = list(self._rows("WHERE id = ?", number))
        if not rows:
            raise UsageError(f"journal {self.path}: there is no entry {number}")
        return rows[0]

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first."""
        return list(self._rows("ORDER BY id"))

    def open_entries(self, meter: str) -> list[Entry]:
        """Return the open entries of a meter, of every epoch, oldest first."""
        return [e for e in self._rows("WHERE meter = ? ORDER BY id", meter) if e.is_open and e.kind != "void"]

    def find_void(self, meter: str, epoch: int, sequence: int) -> Entry | None:
        """Return the newest void of a sequence, None where there is none."""
        rows = list(
            self._rows("WHERE meter = ? AND epoch = ? AND sequence = ? AND kind = 'void' ORDER BY id DESC",
                       meter, epoch, sequence)
        )  # fmt: skip
        return rows[0] if rows else None

    def last_sequence(self, meter: str, epoch: int) -> int:
        """Return the highest sequence that was proved spent in a meter's epoch, 0 where none was."""
        with self._guard():
            row = self._db.execute(
                "SELECT MAX(sequence) FROM entries"
                " WHERE meter = ? AND epoch = ? AND state = 'confirmed' AND outcome != ?",
                (meter, epoch, BY_HAND),
            ).fetchone()
        return int(row[0] or 0)

    def _rows(self, where: str, *values: object) -> Iterator[Entry]:
        with self._guard():
            found = self._db.execute(f"SELECT {_COLUMNS} FROM entries {where}", values).fetchall()
        for row in found:
            number, meter, epoch, sequence, kind, amount, state, outcome, created, changed, message, receipt = row
            yield Entry(
                number, meter, epoch, sequence, kind, amount, EntryState(state), outcome, created, changed, message,
                receipt,
            )  # fmt: skip

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise UsageError(f"journal {self.path}: {error}") from error
