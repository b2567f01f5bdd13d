"""The journal in one SQLite file: no credit is ever sold twice or lost (METER.md 8).

SQLite with FULL synchronisation: an entry is on the disk before its message is on the wire. One
open entry for each (serial number, epoch); while it is open no other credit message is sealed for
that meter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from meterctl.errors import BusyError, NotPermittedError, OverDailyLimitError, UsageError
from meterctl.journal.entries import (
    BY_HAND,
    CONSEQUENCES,
    OPEN,
    SALES,
    VOID,
    AuditLine,
    Entry,
    EntryState,
    SeenWriteBack,
)
from meterctl.journal.layout import LAYOUT, bring_up
from meterctl.journal.proofs import ProvedStorages
from meterctl.key_ring import DailyLimit
from protocols.keys import DEVELOPMENT_KEY_VERSION
from protocols.sealed_message import NO_ORIGIN, Origin

NOWHERE = Path(":memory:")
"""Path of a journal that exists in memory only, such as that of a dry run."""
DAY_S = 86_400
WAIT_MS = 60_000
"""Longest wait for another process that works on the same meter with the same journal."""
WAIT_STEP_MS = 20
_ALONE = "(kind != 'void' OR (void_of = 0 AND journal != 0))"
"""SQL condition: entries settled on their own, also a void that advances the key version."""
_UNPROVED = "(state != 'confirmed' OR outcome = 'by_hand')"
"""SQL condition: entries that a proof may still change; the same as that of index `unproved`."""
_COLUMNS = (
    "id, meter, epoch, sequence, kind, amount, state, outcome, created, changed, "
    "message, receipt, card, reference,"
    " journal, mark, void_of"
)


def _cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def default_path() -> Path:
    """Return the default path of the journal (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(
        os.path.expanduser("~"), ".local", "state"
    )
    return Path(base) / "meterctl" / "journal.sqlite"


class Journal:
    """The journal in one file.

    Args:
        random: returns that many random bytes, for journal numbers and marks of messages.
        now: s since 1970 UTC, only to date a new journal number.
        rehearsal: work on a copy in memory, so that no write is kept, not even a new layout.
    """

    def __init__(
        self,
        path: Path,
        random: Callable[[int], bytes] = os.urandom,
        now: int = 0,
        *,
        rehearsal: bool = False,
    ) -> None:
        self.path = path
        self._random = random
        self.is_new = not path.exists()
        """Whether the file did not exist before."""
        self.notices: list[str] = []
        """Notices for the user, such as a closed entry that a proof overruled."""
        self._lock: int | None = None
        try:
            if rehearsal:
                self._db = _copied(path)
                self.path = NOWHERE
            else:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._db = sqlite3.connect(path, timeout=15.0, isolation_level=None)
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version != LAYOUT:
                bring_up(self._db, path, self._draw, now)
            if not rehearsal and path != NOWHERE:
                os.chmod(path, 0o600)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}; nothing was sent") from error
        self.proofs = ProvedStorages(self._db, self._guard, self.together)
        """The proved state of meters."""

    def close(self) -> None:
        """Close the database and the lock file."""
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ---- the journal number

    def _draw(self) -> int:
        """Return a random non-zero number of 4 bytes: a journal number or a mark."""
        return int.from_bytes(self._random(4), "big") or self._draw()

    @property
    def number(self) -> int:
        """The current journal number, under which new messages are sealed."""
        with self._guard():
            (number,) = self._db.execute(
                "SELECT number FROM numbers ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return int(number)

    def renew(self, now: int) -> int:
        """Draw and return a new journal number; entries keep the one they were sealed under."""
        number = self._draw()
        with self.together(), self._guard():
            self._db.execute("INSERT INTO numbers (number, drawn) VALUES (?, ?)", (number, now))
        return number

    def draw_origin(self) -> Origin:
        """Return the origin of a new message: the journal number and a newly drawn mark."""
        return Origin(self.number, self._draw())

    def knows_mark(self, meter: str, number: int, mark: int, sequence: int) -> bool:
        """Return whether this journal holds the message of this origin; voids count."""
        with self._guard():
            row = self._db.execute(
                "SELECT 1 FROM entries WHERE meter = ? AND journal = ? AND mark = ? AND "
                "sequence = ? LIMIT 1",
                (meter, number, mark, sequence),
            ).fetchone()
        return row is not None

    # ---- locks between processes

    @contextlib.contextmanager
    def alone_with(
        self, meter: str, ticks: Callable[[], int], pause: Callable[[int], None]
    ) -> Iterator[None]:
        """Lock a meter against other processes of this journal; wait at most WAIT_MS for the lock.

        Args:
            ticks: monotonic ms.
            pause: waits that many ms.

        Raises:
            BusyError: the other process did not finish in time; nothing was begun.
        """
        if self.path == NOWHERE:
            yield
            return
        place = int(meter)
        lock, began = self._lock_file(), ticks()
        while True:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                break
            except OSError as error:
                if ticks() - began > WAIT_MS:
                    raise BusyError(
                        f"meter {meter}: another process is at work on it with journal "
                        f"{self.path}, for more than "
                        f"{WAIT_MS // 1000} s; nothing was begun"
                    ) from error
                pause(WAIT_STEP_MS)
        try:
            yield
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN, 1, place)

    def _lock_file(self) -> int:
        """Return the open lock file: one byte per meter, at the offset of its serial number."""
        if self._lock is None:
            real = self.path.resolve()  # all paths of one journal share one lock
            path = real.with_name(f"{real.name}.lock")
            try:
                self._lock = os.open(
                    path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            except OSError as error:
                raise UsageError(f"journal {path}: {error.strerror}; nothing was begun") from error
        return self._lock

    # ---- entries

    def prepare(
        self,
        meter: str,
        epoch: int,
        sequence: int,
        kind: str,
        amount: int,
        message: bytes,
        now: int,
        *,
        card: str = "",
        reference: str = "",
        limit: DailyLimit | None = None,
        origin: Origin = NO_ORIGIN,
        void_of: int = 0,
    ) -> Entry:
        """Write an entry before its message is sent or written to a card.

        Raises:
            NotPermittedError: another entry is open, the sequence or key version was passed
                meanwhile, or the daily limit would be exceeded (audited).
        """
        state = EntryState.ON_CARD if card else EntryState.PREPARED
        ring = limit.ring if limit else ""
        try:
            with self._auditing(meter, card, amount, now), self._guard(), self.together():
                self._require_room(meter, epoch, sequence, kind)
                self._require_living(meter, epoch, sequence, message)
                if limit is not None and kind in SALES:
                    self._require_within(limit, meter, amount, now)
                cursor = self._db.execute(
                    "INSERT INTO entries (meter, epoch, sequence, kind, amount, state, "
                    "created, changed, message,"
                    " card, reference, ring, journal, mark, void_of)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        meter,
                        epoch,
                        sequence,
                        kind,
                        amount,
                        state.value,
                        now,
                        now,
                        message,
                        card,
                        reference,
                        ring,
                        origin.journal,
                        origin.mark,
                        void_of,
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise NotPermittedError(
                f"meter {meter}: sequence {sequence} is taken or another entry is open "
                f"in {self.path}; nothing was sent"
            ) from error
        except UsageError as error:
            raise UsageError(f"{error}; nothing was sent") from error
        assert cursor.lastrowid is not None
        return Entry(
            cursor.lastrowid,
            meter,
            epoch,
            sequence,
            kind,
            amount,
            state,
            "",
            now,
            now,
            message,
            b"",
            card,
            reference,
            origin,
            void_of,
        )  # not read back: it is committed, and another process may hold the lock

    def hold_limit(self, limit: DailyLimit, meter: str, card: str, amount: int, now: int) -> None:
        """Refuse a sale above the daily limit before it is made; the refusal is audited.

        `prepare` checks the limit again.

        Raises:
            OverDailyLimitError: the daily limit of the key ring would be exceeded.
        """
        with self._auditing(meter, card, amount, now), self._guard():
            self._require_within(limit, meter, amount, now)

    def settle(
        self,
        entry: Entry,
        state: EntryState,
        outcome: str,
        now: int,
        receipt: bytes = b"",
        epoch: int | None = None,
        *,
        proved: bool = False,
    ) -> Entry:
        """Write the outcome of an open entry and return the entry.

        A settled entry stays settled, with two exceptions: a proof overrules a closing by hand, and
        an acceptance overrules the void of an opening for epoch 0, which another storage of its
        meter may accept. Both are audited and reported.

        Args:
            epoch: the epoch in which the meter accepted an opening that was sold for epoch 0.
            proved: one of METER.md 8 (a) to (d) holds.
        """
        with self.together(), self._guard():
            before = self.entry(entry.id)
            if not before.is_open and not (proved and _gives_way(before, state)):
                return before
            after = replace(
                before,
                state=state,
                outcome=outcome,
                changed=now,
                receipt=receipt or before.receipt,
                epoch=before.epoch if epoch is None else epoch,
            )
            self._db.execute(
                "UPDATE entries SET state = ?, outcome = ?, changed = ?, receipt = ?, "
                "epoch = ? WHERE id = ?",
                (state.value, outcome, now, after.receipt, after.epoch, entry.id),
            )
            if not before.is_open:
                self._overrule(before, state, outcome, now)
        return after

    def _overrule(self, before: Entry, state: EntryState, outcome: str, now: int) -> None:
        """Audit and report that a proof contradicts the way an entry was closed."""
        said = "a person" if before.outcome == BY_HAND else "a void in another epoch"
        amount = _cents(before.amount)
        detail = (
            f"entry {before.id}: {said} had closed it as {before.state.value}; proved "
            f"{state.value} ({outcome})"
        )
        if state is not before.state and before.amount and before.kind in CONSEQUENCES:
            paid, owed = CONSEQUENCES[before.kind]
            detail += f": {amount} {paid if state is EntryState.CONFIRMED else owed}"
        self.audit(
            "overruled",
            now,
            meter=before.meter,
            card=before.card,
            amount=before.amount,
            detail=detail,
        )
        if state is not before.state:
            self.notices.append(f"meter {before.meter}: {detail}")

    def move_to_card(self, entry: Entry, card: str, now: int) -> Entry:
        """Move an open entry to another card; raises NotPermittedError if it was settled."""
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
                f"journal entry {entry.id}: another program settled it meanwhile; "
                f"nothing was changed"
            )
        return replace(entry, card=card, state=EntryState.ON_CARD, outcome="", changed=now)

    def entry(self, number: int) -> Entry:
        """Return an entry; raises UsageError if there is none with this number."""
        rows = list(self._rows("WHERE id = ?", number))
        if not rows:
            raise UsageError(f"journal {self.path}: there is no entry {number}")
        return rows[0]

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first."""
        return list(self._rows("ORDER BY id"))

    def open_entries(self, meter: str) -> list[Entry]:
        """Return the open entries of a meter, of every epoch, oldest first.

        The void of an entry is not listed: it is settled with its entry.
        """
        return list(
            self._rows(
                f"WHERE meter = ? AND {_UNPROVED} AND {_ALONE} AND state IN ('prepared', "
                f"'on_card', 'unknown')"
                " ORDER BY id",
                meter,
            )
        )

    def voids_of(self, entry: Entry) -> list[Entry]:
        """Return the voids that were sealed for an entry, oldest first.

        In a journal of an older layout they are the voids of its sequence and epoch; an opening for
        epoch 0 has none there.
        """
        return list(
            self._rows(
                "WHERE kind = 'void' AND meter = ? AND sequence = ?"
                " AND (void_of = ? OR (void_of = 0 AND journal = 0 AND epoch = ? AND epoch != 0))"
                " AND id != ? ORDER BY id",
                entry.meter,
                entry.sequence,
                entry.id,
                entry.epoch,
                entry.id,
            )
        )

    def void_codes(self, entry: Entry) -> list[bytes]:
        """Return the codes of the voids that were sealed for an entry."""
        return [sealed.code for sealed in self.voids_of(entry)]

    def last_sequence(self, meter: str, epoch: int) -> int:
        """Return the highest sequence proved used in a meter's epoch, by any seller; 0 if none."""
        proved = self.proofs.of(meter).get(epoch)
        return proved.sequence if proved else 0

    def confirmed(self, meter: str, epoch: int) -> list[Entry]:
        """Return the proved entries of a meter's epoch, in order of their sequences.

        Entries from before a known set-back of its storage are left out.
        """
        proved = self.proofs.of(meter).get(epoch)
        return list(
            self._rows(
                "WHERE meter = ? AND epoch = ? AND state = 'confirmed' AND outcome != ? AND id > ?"
                " ORDER BY sequence",
                meter,
                epoch,
                BY_HAND,
                proved.begun_after if proved else 0,
            )
        )

    def newest_confirmed(self, meter: str) -> Entry | None:
        """Return a meter's most recently proved entry, of any epoch, voids excluded; or None."""
        rows = list(
            self._rows(
                "WHERE meter = ? AND state = 'confirmed' AND outcome != ? AND kind != 'void'"
                " ORDER BY changed DESC, id DESC LIMIT 1",
                meter,
                BY_HAND,
            )
        )
        return rows[0] if rows else None

    def find_reference(self, reference: str) -> Entry | None:
        """Return the newest entry of a sale key, in any state; None for a new key."""
        return next(
            self._rows(
                "WHERE reference = ? AND reference != '' ORDER BY id DESC LIMIT 1", reference
            ),
            None,
        )

    def find_sale(self, meter: str, sequence: int, code: bytes) -> Entry | None:
        """Return a meter's newest entry with this sequence and code, in any epoch and state."""
        rows = self._rows(
            "WHERE meter = ? AND sequence = ? AND kind != 'void' ORDER BY id DESC", meter, sequence
        )
        return next((entry for entry in rows if entry.code == code), None)

    def provable_entries(self, meter: str) -> list[Entry]:
        """Return the entries of a meter that a proof can still change, oldest first."""
        rows = self._rows(f"WHERE meter = ? AND {_UNPROVED} AND {_ALONE} ORDER BY id", meter)
        return [entry for entry in rows if entry.is_open or _gives_way(entry, EntryState.CONFIRMED)]

    def find_message(self, meter: str, message: bytes) -> Entry | None:
        """Return the newest entry with exactly these message bytes; None if not sealed here."""
        return next(
            self._rows("WHERE meter = ? AND message = ? ORDER BY id DESC", meter, message), None
        )

    def carried(self, card: str | None = None) -> list[Entry]:
        """Return the open sales that one card, or any card, carries or carried; oldest first."""
        rows = self._rows(
            f"WHERE {_UNPROVED} AND card != '' AND state IN ('on_card', 'unknown') ORDER BY id"
        )
        return [entry for entry in rows if card in (None, entry.card)]

    def card_in_use(self, meter: str) -> str:
        """Return the serial number of the card that is current for a meter since a replacement.

        That is the last replacement card, or a later opening card; empty if no card was replaced.
        """
        with self._guard():
            replaced = self._db.execute(
                "SELECT card, at FROM audit WHERE meter = ? AND what = 'card_replaced' "
                "ORDER BY id DESC LIMIT 1",
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
        """Return the time of a meter's newest entry or audit line, s since 1970 UTC; else 0."""
        with self._guard():
            (at,) = self._db.execute(
                "SELECT MAX(at) FROM (SELECT created AS at FROM entries WHERE meter = ?"
                " UNION ALL SELECT at FROM audit WHERE meter = ?)",
                (meter, meter),
            ).fetchone()
        return int(at or 0)

    def is_spent(self, meter: str) -> bool:
        """Return whether sequence 1 of a known epoch is proved used, also by a void."""
        with self._guard():
            row = self._db.execute(
                "SELECT 1 FROM entries WHERE meter = ? AND state = 'confirmed' AND epoch "
                "!= 0 AND sequence = 1"
                " AND outcome != ? LIMIT 1",
                (meter, BY_HAND),
            ).fetchone()
        return row is not None

    # ---- the audit log and the write-backs of cards

    def audit(
        self,
        what: str,
        now: int,
        *,
        meter: str = "",
        card: str = "",
        amount: int = 0,
        detail: str = "",
    ) -> None:
        """Append a line to the audit log: an action or a refusal. Lines are never changed."""
        with self._guard():
            self._db.execute(
                "INSERT INTO audit (at, what, meter, card, amount, detail) VALUES (?, ?, "
                "?, ?, ?, ?)",
                (now, what, meter, card, amount, detail),
            )

    def audit_lines(self) -> list[AuditLine]:
        """Return the audit log, oldest first."""
        with self._guard():
            rows = self._db.execute(
                "SELECT id, at, what, meter, card, amount, detail FROM audit ORDER BY id"
            ).fetchall()
        return [AuditLine(*row) for row in rows]

    def has_audited(self, what: str, card: str) -> bool:
        """Return whether the audit log has an action for a card."""
        with self._guard():
            row = self._db.execute(
                "SELECT 1 FROM audit WHERE what = ? AND card = ? LIMIT 1", (what, card)
            ).fetchone()
        return row is not None

    def last_write_back(self, meter: str, epoch: int, card: str) -> SeenWriteBack | None:
        """Return the totals that a card last brought back from a meter; None if it never did."""
        with self._guard():
            row = self._db.execute(
                "SELECT credit_sequence, cumulative, energy, elapsed FROM write_backs"
                " WHERE meter = ? AND epoch = ? AND card = ?",
                (meter, epoch, card),
            ).fetchone()
        return SeenWriteBack(*row) if row else None

    def keep_write_back(
        self, meter: str, epoch: int, card: str, seen: SeenWriteBack, now: int
    ) -> None:
        """Store the totals that a card brought back."""
        with self._guard():
            self._db.execute(
                "INSERT OR REPLACE INTO write_backs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    meter,
                    epoch,
                    card,
                    now,
                    seen.credit_sequence,
                    seen.cumulative,
                    seen.energy,
                    seen.elapsed_ms,
                ),
            )

    def _require_room(self, meter: str, epoch: int, sequence: int, kind: str) -> None:
        """Raise IntegrityError for a second open entry, or a second valid message of a sequence.

        An opening for epoch 0 counts for every epoch. Entries from before a known set-back do not
        count.
        """
        if kind == VOID:
            return
        (rivals,) = self._db.execute(
            f"SELECT COUNT(*) FROM entries WHERE meter = ? AND {_UNPROVED} AND kind != "
            f"'void' AND (epoch = 0 OR ? = 0)"
            " AND state IN ('prepared', 'on_card', 'unknown')",
            (meter, epoch),
        ).fetchone()
        (twins,) = self._db.execute(
            "SELECT COUNT(*) FROM entries WHERE meter = ? AND epoch = ? AND sequence = ? "
            "AND kind != 'void'"
            " AND state != 'refused' AND outcome != ? AND id > COALESCE((SELECT "
            "begun_after FROM proved"
            " WHERE proved.meter = entries.meter AND proved.epoch = entries.epoch), 0)",
            (meter, epoch, sequence, BY_HAND),
        ).fetchone()
        if rivals or twins:
            raise sqlite3.IntegrityError("another entry is open, or holds the sequence")

    def _require_living(self, meter: str, epoch: int, sequence: int, message: bytes) -> None:
        """Refuse a message whose sequence or key version was passed since it was planned."""
        floor, version = self.proofs.floor(meter), message[1] if len(message) > 1 else 0
        if version != DEVELOPMENT_KEY_VERSION and version < floor:
            raise NotPermittedError(
                f"meter {meter}: it has passed key version {version} meanwhile "
                f"({floor}); nothing was sold"
            )
        if sequence <= self.last_sequence(meter, epoch):
            raise NotPermittedError(
                f"meter {meter}: it has reached sequence {sequence} meanwhile; nothing was sold"
            )

    def last_id(self) -> int:
        """Return the number of the newest entry; 0 if there is none."""
        with self._guard():
            (last,) = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM entries").fetchone()
        return int(last)

    # ---- ports

    def meter_of_port(self, port: str) -> str:
        """Return the meter that was last proved on a port; empty if none was."""
        with self._guard():
            row = self._db.execute("SELECT meter FROM ports WHERE port = ?", (port,)).fetchone()
        return str(row[0]) if row else ""

    def keep_port(self, port: str, meter: str, now: int) -> None:
        """Store which meter was proved on a port."""
        if self.meter_of_port(port) == meter:
            return
        with self._guard():
            self._db.execute("INSERT OR REPLACE INTO ports VALUES (?, ?, ?)", (port, meter, now))

    def _require_within(self, limit: DailyLimit, meter: str, amount: int, now: int) -> None:
        """Raise OverDailyLimitError if a sale would exceed the daily limit of its key ring."""
        if limit.amount is None:
            return
        day = now // DAY_S * DAY_S
        (sold,) = self._db.execute(
            "SELECT COALESCE(SUM(amount), 0) FROM entries"
            " WHERE ring = ? AND created >= ? AND created < ? AND (state != 'refused' OR "
            "outcome = ?)"
            " AND kind IN ('open', 'credit')",
            (limit.ring, day, day + DAY_S, BY_HAND),
        ).fetchone()
        if sold + amount > limit.amount:
            raise OverDailyLimitError(
                f"meter {meter}: {_cents(amount)} would pass the daily limit: "
                f"{_cents(sold)} sold today with this key "
                f"ring, its daily limit is {_cents(limit.amount)}. Nothing was sold"
            )

    @contextlib.contextmanager
    def _auditing(self, meter: str, card: str, amount: int, now: int) -> Iterator[None]:
        """Audit a sale that exceeds the daily limit."""
        try:
            yield
        except OverDailyLimitError as error:
            self.audit(
                "over_daily_limit", now, meter=meter, card=card, amount=amount, detail=str(error)
            )
            raise

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Run the block as one transaction, all or nothing; a nested block joins it."""
        if self._db.in_transaction:
            yield
            return
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._guard():
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _rows(self, where: str, *values: object) -> Iterator[Entry]:
        with self._guard():
            found = self._db.execute(f"SELECT {_COLUMNS} FROM entries {where}", values).fetchall()
        for row in found:
            (
                number,
                meter,
                epoch,
                sequence,
                kind,
                amount,
                state,
                outcome,
                created,
                changed,
                message,
                receipt,
                card,
                reference,
                journal,
                mark,
                void_of,
            ) = row
            yield Entry(
                number,
                meter,
                epoch,
                sequence,
                kind,
                amount,
                EntryState(state),
                outcome,
                created,
                changed,
                message,
                receipt,
                card,
                reference,
                Origin(journal, mark),
                void_of,
            )

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise UsageError(f"journal {self.path}: {error}") from error


def _copied(path: Path) -> sqlite3.Connection:
    """Return a copy in memory of a journal file, or an empty database if there is no file."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    if path.exists():
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=15.0, uri=True)
        ) as source:
            source.backup(copy)
    return copy


def _gives_way(entry: Entry, state: EntryState) -> bool:
    """Return whether a proof of `state` overrules a closed entry."""
    if entry.outcome == BY_HAND:
        return True
    elsewhere = entry.state is EntryState.REFUSED and entry.kind == OPEN and entry.opens_any_epoch
    return elsewhere and state is EntryState.CONFIRMED
