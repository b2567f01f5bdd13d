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

from meterctl.errors import NotPermittedError, OverDailyLimitError, UsageError
from meterctl.key_ring import DailyLimit

LAYOUT = 2
NOWHERE = Path(":memory:")
"""Of a journal that is forgotten with its process: for rehearsals where there is none yet."""
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
    card: str = ""
    """Serial of the card that carries it, empty for the wire."""
    reference: str = ""
    """The key under which its requester asked for it; a second request under it is the same one."""

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not settled."""
        return self.state in OPEN_STATES


DAY_S = 86_400
_SALES = ("open", "credit")


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit."""

    id: int
    at: int
    what: str
    meter: str
    card: str
    amount: int
    detail: str


@dataclass(frozen=True, slots=True)
class SeenWriteBack:
    """What never goes back in a sound meter: sequence, cumulative purchases in 0.01, energy in mWh, elapsed in ms."""

    credit_sequence: int
    cumulative: int
    energy: int
    elapsed: int


def _cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, amount INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'on_card', 'unknown', 'confirmed', 'refused')),
    outcome TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, changed INTEGER NOT NULL,
    message BLOB NOT NULL, receipt BLOB NOT NULL DEFAULT x'',
    card TEXT NOT NULL DEFAULT '', reference TEXT NOT NULL DEFAULT '', ring TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON entries (meter, epoch)
    WHERE kind != 'void' AND state IN ('prepared', 'on_card', 'unknown');
"""
_SCHEMA_2 = """
CREATE UNIQUE INDEX IF NOT EXISTS one_live ON entries (meter, epoch, sequence)
    WHERE kind != 'void' AND state != 'refused' AND outcome != 'by_hand';
CREATE UNIQUE INDEX IF NOT EXISTS one_request ON entries (reference) WHERE reference != '' AND state != 'refused';
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, what TEXT NOT NULL, meter TEXT NOT NULL, card TEXT NOT NULL, amount INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS write_backs (
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, card TEXT NOT NULL, at INTEGER NOT NULL,
    credit_sequence INTEGER NOT NULL, cumulative INTEGER NOT NULL, energy INTEGER NOT NULL, elapsed INTEGER NOT NULL,
    PRIMARY KEY (meter, epoch, card)
);
"""
_FROM_1 = "DROP INDEX IF EXISTS one_live;" + "".join(
    f"ALTER TABLE entries ADD COLUMN {name} TEXT NOT NULL DEFAULT '';" for name in ("card", "reference", "ring")
)
_COLUMNS = (
    "id, meter, epoch, sequence, kind, amount, state, outcome, created, changed, message, receipt, card, reference"
)


def default_path() -> Path:
    """Return where the journal lies when nobody says otherwise (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "meterctl" / "journal.sqlite"


class Journal:
    """The journal in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new = not path.exists()
        """Whether there was none before."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, 1, LAYOUT):
                raise UsageError(f"journal {path}: it was written by another version; nothing was changed")
            if version == 0 and self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                raise UsageError(f"journal {path}: it is another program's database; nothing was changed")
            if version != LAYOUT:
                self._lay_out(version)
            if path != NOWHERE:
                os.chmod(path, 0o600)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}; nothing was sent") from error

    def rehearse(self) -> None:
        """Let nothing that is written from now on stand: closing takes it back."""
        with self._guard():
            self._db.execute("BEGIN")

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def _lay_out(self, version: int) -> None:
        """Make the tables, or bring those of an older version up, whole or not at all."""
        steps = _SCHEMA + _SCHEMA_2 if version == 0 else _FROM_1 + _SCHEMA_2
        self._db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {LAYOUT}; COMMIT;")

    def prepare(
        self, meter: str, epoch: int, sequence: int, kind: str, amount: int, message: bytes, now: int, *,
        card: str = "", reference: str = "", limit: DailyLimit | None = None,
    ) -> Entry:  # fmt: skip
        """Write an entry before its message is sent, or before it is written on a card.

        Raises:
            NotPermittedError: another entry is open, or the day's limit would be passed (which is audited).
        """
        state = EntryState.ON_CARD if card else EntryState.PREPARED
        ring = limit.ring if limit else ""
        try:
            with self._auditing(meter, card, amount, now), self._guard(), self._alone():
                self._require_room(meter, epoch, kind)
                if limit is not None and kind in _SALES:
                    self._require_within(limit, meter, amount, now)
                cursor = self._db.execute(
                    "INSERT INTO entries (meter, epoch, sequence, kind, amount, state, created, changed, message,"
                    " card, reference, ring) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (meter, epoch, sequence, kind, amount, state.value, now, now, message, card, reference, ring),
                )
        except sqlite3.IntegrityError as error:
            raise NotPermittedError(
                f"meter {meter}: sequence {sequence} is taken or another entry is open in {self.path}; nothing was sent"
            ) from error
        except UsageError as error:
            raise UsageError(f"{error}; nothing was sent") from error
        assert cursor.lastrowid is not None
        return Entry(
            cursor.lastrowid, meter, epoch, sequence, kind, amount, state, "", now, now, message, b"", card, reference
        )  # not read back: it is written, and whoever holds the lock now must not make it look as if it were not

    def hold_limit(self, limit: DailyLimit, meter: str, card: str, amount: int, now: int) -> None:
        """Refuse a sale before anything is done for it; the refusal is audited, and `prepare` looks once more.

        Raises:
            OverDailyLimitError: the day's limit of the key ring would be passed.
        """
        with self._auditing(meter, card, amount, now), self._guard():
            self._require_within(limit, meter, amount, now)

    def settle(
        self, entry: Entry, state: EntryState, outcome: str, now: int, receipt: bytes = b"", epoch: int | None = None
    ) -> Entry:
        """Write what became of an open entry and return how it stands.

        What was settled before stays settled; only a receipt, which proves, goes over what a person has said. An
        opening sold for epoch 0 takes the `epoch` in which its meter took it.
        """
        lived = entry.epoch if epoch is None else epoch
        try:
            cursor = self._update(entry, state, outcome, now, receipt, lived)
        except sqlite3.IntegrityError:  # the place in that epoch is taken: it keeps the one that it was sold for
            lived = entry.epoch
            try:
                cursor = self._update(entry, state, outcome, now, receipt, lived)
            except sqlite3.IntegrityError as error:
                raise NotPermittedError(
                    f"journal entry {entry.id} (meter {entry.meter}, sequence {entry.sequence}) is {outcome}, and so "
                    f"is another one of that sequence: settle that one first"
                ) from error
        if cursor.rowcount == 1:
            return replace(
                entry, state=state, outcome=outcome, changed=now, receipt=receipt or entry.receipt, epoch=lived
            )
        return self.entry(entry.id)

    def _update(
        self, entry: Entry, state: EntryState, outcome: str, now: int, receipt: bytes, epoch: int
    ) -> sqlite3.Cursor:
        with self._guard():
            return self._db.execute(
                "UPDATE entries SET state = ?, outcome = ?, changed = ?, receipt = ?, epoch = ?"
                " WHERE id = ? AND (state IN ('prepared', 'on_card', 'unknown') OR (outcome = ? AND length(?) > 0))",
                (state.value, outcome, now, receipt or entry.receipt, epoch, entry.id, BY_HAND, receipt),
            )

    def move_to_card(self, entry: Entry, card: str, now: int) -> Entry:
        """Write that another card carries an entry now; raises NotPermittedError where it was settled meanwhile."""
        try:
            with self._guard():
                moved = self._db.execute(
                    "UPDATE entries SET card = ?, state = 'on_card', outcome = '', changed = ?"
                    " WHERE id = ? AND state IN ('prepared', 'on_card', 'unknown')",
                    (card, now, entry.id),
                ).rowcount
        except sqlite3.IntegrityError:
            moved = 0
        if not moved:
            raise NotPermittedError(
                f"journal entry {entry.id}: another program settled it meanwhile; nothing was changed"
            )
        return replace(entry, card=card, state=EntryState.ON_CARD, outcome="", changed=now)

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
        """Return the highest sequence that was proved spent in a meter's epoch, by whomever; 0 where none was."""
        with self._guard():
            row = self._db.execute(
                "SELECT MAX(sequence) FROM entries"
                " WHERE meter = ? AND epoch = ? AND ((state = 'confirmed' AND outcome != ?)"
                " OR (state = 'refused' AND outcome = 'sequence_conflict'))",
                (meter, epoch, BY_HAND),
            ).fetchone()
        return int(row[0] or 0)

    def confirmed(self, meter: str, epoch: int) -> list[Entry]:
        """Return what is proved to stand in the books of a meter's epoch, in the order of its sequences."""
        return list(self._rows("WHERE meter = ? AND epoch = ? AND state = 'confirmed' ORDER BY sequence", meter, epoch))

    def newest_confirmed(self, meter: str) -> Entry | None:
        """Return the entry of a meter, of any epoch, that was proved last; None where none was."""
        rows = list(
            self._rows("WHERE meter = ? AND state = 'confirmed' AND outcome != ? AND kind != 'void'"
                       " ORDER BY changed DESC, id DESC LIMIT 1", meter, BY_HAND)
        )  # fmt: skip
        return rows[0] if rows else None

    def find_reference(self, reference: str) -> Entry | None:
        """Return what was sold under a requester's key, whatever became of it; None where nothing was."""
        rows = list(self._rows("WHERE reference = ? ORDER BY id DESC", reference))
        return rows[0] if rows else None

    def find_confirmed(self, meter: str, epoch: int, sequence: int) -> Entry | None:
        """Return what was proved to have taken a sequence, voids aside; None where nothing was."""
        found = [e for e in self.confirmed(meter, epoch) if e.sequence == sequence and e.kind != "void"]
        return found[0] if found else None

    def find_sale(self, meter: str, sequence: int, code: bytes) -> Entry | None:
        """Return the newest entry of a meter, of any epoch and state, with this sequence and code; None where none."""
        rows = self._rows("WHERE meter = ? AND sequence = ? AND kind != 'void' ORDER BY id DESC", meter, sequence)
        return next((entry for entry in rows if entry.message[-16:-12] == code), None)

    def provable_entries(self, meter: str) -> list[Entry]:
        """Return the entries of a meter that a proof would still change: open ones, and those closed by hand."""
        rows = self._rows("WHERE meter = ? AND kind != 'void' ORDER BY id", meter)
        return [entry for entry in rows if entry.is_open or entry.outcome == BY_HAND]

    def find_message(self, meter: str, message: bytes) -> Entry | None:
        """Return the newest entry of these very bytes, None where they were not sealed here."""
        return next(self._rows("WHERE meter = ? AND message = ? ORDER BY id DESC", meter, message), None)

    def carried(self, card: str | None = None) -> list[Entry]:
        """Return the open sales that a card carries or carried, or all cards, oldest first."""
        rows = self._rows("WHERE card != '' AND state IN ('on_card', 'unknown') ORDER BY id")
        return [entry for entry in rows if card in (None, entry.card)]

    def card_in_use(self, meter: str) -> str:
        """Return the serial of the card that last replaced another for a meter, or opened its account since.

        Empty where none ever replaced another.
        """
        with self._guard():
            replaced = self._db.execute(
                "SELECT card, at FROM audit WHERE meter = ? AND what = 'card_replaced' ORDER BY id DESC LIMIT 1",
                (meter,),
            ).fetchone()
            opened = self._db.execute(
                "SELECT card, created FROM entries WHERE meter = ? AND kind = 'open' AND card != ''"
                " AND state != 'refused' ORDER BY id DESC LIMIT 1",
                (meter,),
            ).fetchone()
        if replaced is None:
            return ""
        return str(opened[0] if opened is not None and opened[1] > replaced[1] else replaced[0])

    def last_time(self, meter: str) -> int:
        """Return when something was last done here for a meter, s since 1970 UTC; 0 where nothing was."""
        with self._guard():
            (at,) = self._db.execute(
                "SELECT MAX(at) FROM (SELECT created AS at FROM entries WHERE meter = ?"
                " UNION ALL SELECT at FROM audit WHERE meter = ?)",
                (meter, meter),
            ).fetchone()
        return int(at or 0)

    def is_spent(self, meter: str) -> bool:
        """Say whether the first sequence of the newest known epoch of a meter was proved spent, if only by a void."""
        with self._guard():
            row = self._db.execute(
                "SELECT 1 FROM entries WHERE meter = ? AND state = 'confirmed' AND epoch != 0 AND sequence = 1"
                " AND outcome != ? LIMIT 1",
                (meter, BY_HAND),
            ).fetchone()
        return row is not None

    # ---- what is kept beside the entries

    def audit(self, what: str, now: int, *, meter: str = "", card: str = "", amount: int = 0, detail: str = "") -> None:
        """Write a line that nothing ever changes: what was done, or was not allowed."""
        with self._guard():
            self._db.execute(
                "INSERT INTO audit (at, what, meter, card, amount, detail) VALUES (?, ?, ?, ?, ?, ?)",
                (now, what, meter, card, amount, detail),
            )

    def audit_lines(self) -> list[AuditLine]:
        """Return the audit, oldest first."""
        with self._guard():
            rows = self._db.execute(
                "SELECT id, at, what, meter, card, amount, detail FROM audit ORDER BY id"
            ).fetchall()
        return [AuditLine(*row) for row in rows]

    def has_audited(self, what: str, card: str) -> bool:
        """Say whether something was done with a card."""
        with self._guard():
            row = self._db.execute("SELECT 1 FROM audit WHERE what = ? AND card = ? LIMIT 1", (what, card)).fetchone()
        return row is not None

    def last_write_back(self, meter: str, epoch: int, card: str) -> SeenWriteBack | None:
        """Return what a card last brought back from a meter, None where it never did."""
        with self._guard():
            row = self._db.execute(
                "SELECT credit_sequence, cumulative, energy, elapsed FROM write_backs"
                " WHERE meter = ? AND epoch = ? AND card = ?",
                (meter, epoch, card),
            ).fetchone()
        return SeenWriteBack(*row) if row else None

    def keep_write_back(self, meter: str, epoch: int, card: str, seen: SeenWriteBack, now: int) -> None:
        """Remember what a card brought back."""
        with self._guard():
            self._db.execute(
                "INSERT OR REPLACE INTO write_backs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (meter, epoch, card, now, seen.credit_sequence, seen.cumulative, seen.energy, seen.elapsed),
            )

    def _require_room(self, meter: str, epoch: int, kind: str) -> None:
        """Raise IntegrityError where an opening (epoch 0) and a message of a known epoch would be open at once."""
        if kind == "void":
            return
        (rivals,) = self._db.execute(
            "SELECT COUNT(*) FROM entries WHERE meter = ? AND kind != 'void' AND (epoch = 0 OR ? = 0)"
            " AND state IN ('prepared', 'on_card', 'unknown')",
            (meter, epoch),
        ).fetchone()
        if rivals:
            raise sqlite3.IntegrityError("another entry is open")

    def _require_within(self, limit: DailyLimit, meter: str, amount: int, now: int) -> None:
        """Raise OverDailyLimitError where a sale would pass the day's limit of a key ring."""
        if limit.amount is None:
            return
        day = now // DAY_S * DAY_S
        (sold,) = self._db.execute(
            "SELECT COALESCE(SUM(amount), 0) FROM entries"
            " WHERE ring = ? AND created >= ? AND created < ? AND (state != 'refused' OR outcome = ?)"
            " AND kind IN ('open', 'credit')",
            (limit.ring, day, day + DAY_S, BY_HAND),
        ).fetchone()
        if sold + amount > limit.amount:
            raise OverDailyLimitError(
                f"meter {meter}: {_cents(amount)} would pass the daily limit: {_cents(sold)} sold today with this key "
                f"ring, its daily limit is {_cents(limit.amount)}. Nothing was sold"
            )

    @contextlib.contextmanager
    def _auditing(self, meter: str, card: str, amount: int, now: int) -> Iterator[None]:
        """Write a line for a sale that passes the day's limit."""
        try:
            yield
        except OverDailyLimitError as error:
            self.audit("over_daily_limit", now, meter=meter, card=card, amount=amount, detail=str(error))
            raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Do several things as one: nobody writes between them, and all of it stands or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _rows(self, where: str, *values: object) -> Iterator[Entry]:
        with self._guard():
            found = self._db.execute(f"SELECT {_COLUMNS} FROM entries {where}", values).fetchall()
        for row in found:
            (number, meter, epoch, sequence, kind, amount, state, outcome, created, changed, message, receipt, card,
             reference) = row  # fmt: skip
            yield Entry(
                number, meter, epoch, sequence, kind, amount, EntryState(state), outcome, created, changed, message,
                receipt, card, reference,
            )  # fmt: skip

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise UsageError(f"journal {self.path}: {error}") from error
