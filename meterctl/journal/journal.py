"""The journal in one SQLite file: no credit is ever sold twice or lost (METER.md 8).

An entry is on the disk before its message is on the wire. One open entry for each (serial number,
epoch); while it is open no other credit message is sealed for that meter.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from meterctl.errors import NotPermittedError, OverDailyLimitError, UsageError
from meterctl.journal.audit import AuditLine, AuditLog
from meterctl.journal.database import Database
from meterctl.journal.entries import SALES, VOID, Entry, proof_text
from meterctl.journal.entry_table import EntryTable
from meterctl.journal.limits import DailyLimits
from meterctl.journal.lists import AuditFilter, EntryFilter
from meterctl.journal.locks import MeterLocks
from meterctl.journal.numbers import JournalNumbers, RandomBytes, draw_number
from meterctl.journal.ports import Ports
from meterctl.journal.prints import Prints
from meterctl.journal.proofs import ProvedStorages
from meterctl.journal.states import (
    EntryEvent,
    EntryOutcome,
    EntryState,
    SettledError,
    is_provable,
    outcome_after,
    transition,
)
from meterctl.journal.write_backs import SeenWriteBacks
from meterctl.key_ring import DailyLimit
from protocols.keys import DEVELOPMENT_KEY_VERSION
from protocols.sealed_message import NO_ORIGIN, Origin, Outcome

LAST_NUMBER = (1 << 63) - 1
"""Largest number of a row that SQLite can have."""


def default_path() -> Path:
    """Return the default path of the journal (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(
        os.path.expanduser("~"), ".local", "state"
    )
    return Path(base) / "meterctl" / "journal.sqlite"


class Journal:
    """The journal in one file: its entries, and beside them what belongs to them.

    Args:
        random: returns that many random bytes, for journal numbers and marks of messages.
        now: s since 1970 UTC, only to date a new journal number.
        rehearsal: work on a copy in memory, so that no write is kept, not even a new layout.
        reading: only read a file, which must exist.
    """

    def __init__(
        self,
        path: Path,
        random: RandomBytes = os.urandom,
        now: int = 0,
        *,
        rehearsal: bool = False,
        reading: bool = False,
    ) -> None:
        self.is_new = not path.exists()
        """Whether the file did not exist before."""
        self.notices: list[str] = []
        """Notices for the user, such as a closed entry that a proof overruled."""
        self._db = Database(
            path, lambda: draw_number(random), now, rehearsal=rehearsal, reading=reading
        )
        self.path = self._db.path
        self._entries = EntryTable(self._db)
        self._audit_log = AuditLog(self._db)
        self.entry_list, self.audit_list = self._entries.list, self._audit_log.list
        """Its entries and its audit log, as lists show them."""
        self.audit = self._audit_log.append
        """Append a line to the audit log: an action or a refusal. Lines are never changed."""
        self.numbers = JournalNumbers(self._db, random)
        """Its numbers, and the origins of new messages."""
        self.locks = MeterLocks(self.path)
        """Locks on meters against other processes of this journal."""
        self.limits = DailyLimits(self._db, self._audit_log)
        """The daily limits of key rings."""
        self.proofs = ProvedStorages(self._db)
        """The proved state of meters."""
        self.ports = Ports(self._db)
        """Which meter was last proved on a port."""
        self.prints = Prints(self._db)
        """The printed receipts of entries."""
        self.write_backs = SeenWriteBacks(self._db)
        """The totals that cards brought back."""

    def close(self) -> None:
        """Close the database and the lock file."""
        self._db.close()
        self.locks.close()

    def together(self) -> AbstractContextManager[None]:
        """Run a block as one transaction, all or nothing; a nested block joins it."""
        return self._db.together()

    # ---- writing entries

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
        entry = Entry(
            0,
            meter,
            epoch,
            sequence,
            kind,
            amount,
            EntryState.ON_CARD if card else EntryState.PREPARED,
            EntryOutcome.NONE,
            now,
            now,
            message,
            b"",
            card,
            reference,
            origin,
            void_of,
        )
        try:
            number = self._insert(entry, limit)
        except sqlite3.IntegrityError as error:
            raise NotPermittedError(
                f"meter {meter}: sequence {sequence} is taken or another entry is open "
                f"in {self.path}; nothing was sent",
                serial_number=meter,
            ) from error
        except UsageError as error:
            raise UsageError(f"{error}; nothing was sent") from error
        return replace(entry, id=number)  # not read back: another process may hold the lock

    def settle(
        self,
        entry: Entry,
        event: EntryEvent,
        now: int,
        *,
        receipt: bytes = b"",
        epoch: int | None = None,
        refusal: Outcome | None = None,
    ) -> Entry:
        """Write what an event makes of an entry (`states.py`), and return the entry.

        A settled entry stays settled, unless it was closed without a proof and the event is one:
        that is audited, and reported where it overrules the end. The state that counts is that of
        the file: another process may have settled the entry meanwhile.

        Args:
            receipt: the sealed receipt of the entry, to be kept.
            epoch: the epoch in which the meter accepted an opening that was sold for epoch 0.
            refusal: the meter's unsealed refusal of the message, kept as the outcome word.
        """
        with self.together():
            before = self.entry(entry.id)
            try:
                state = transition(before.ledger_state, event)
            except SettledError:
                return before
            after = replace(
                before,
                state=state.shown,
                outcome=outcome_after(event, before.outcome, refusal),
                changed=now,
                receipt=receipt or before.receipt,
                epoch=before.epoch if epoch is None else epoch,
            )
            self._entries.update(after)
            if not before.is_open:
                self._report_proof_of_closed(before, after)
        return after

    def move_to_card(self, entry: Entry, card: str, now: int) -> Entry:
        """Move an open entry to another card; raises NotPermittedError if it was settled."""
        event = EntryEvent.MOVED_TO_CARD
        with self.together():
            before = self.entry(entry.id)
            try:
                state = transition(before.ledger_state, event)
            except SettledError as error:
                raise NotPermittedError(
                    f"journal entry {entry.id}: another program settled it meanwhile; "
                    f"nothing was changed"
                ) from error
            outcome = outcome_after(event, before.outcome)
            after = replace(before, card=card, state=state.shown, outcome=outcome, changed=now)
            self._entries.update(after)
        return after

    # ---- entries

    def entry(self, number: int) -> Entry:
        """Return an entry; raises UsageError if there is none with this number."""
        entry = self._entries.find(number) if 0 < number <= LAST_NUMBER else None
        if entry is None:
            raise UsageError(f"journal {self.path}: there is no entry {number}")
        return entry

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first."""
        return list(self.entry_list.listed(EntryFilter()))

    def open_entries(self, meter: str) -> list[Entry]:
        """Return the open entries of a meter, of every epoch, oldest first.

        The void of an entry is not listed: it is settled with its entry.
        """
        return self._entries.open_of(meter)

    def provable_entries(self, meter: str) -> list[Entry]:
        """Return the entries of a meter that a proof can still change, oldest first."""
        entries = self._entries.unproved_of(meter)
        return [entry for entry in entries if is_provable(entry.ledger_state)]

    def voids_of(self, entry: Entry) -> list[Entry]:
        """Return the voids that were sealed for an entry, oldest first.

        In a journal of an older layout they are the voids of its sequence and epoch; an opening for
        epoch 0 has none there.
        """
        return self._entries.voids_of(entry)

    def void_codes(self, entry: Entry) -> list[bytes]:
        """Return the codes of the voids that were sealed for an entry."""
        return [sealed.code for sealed in self.voids_of(entry)]

    def confirmed(self, meter: str, epoch: int, above: int = 0) -> list[Entry]:
        """Return the proved entries of a meter's epoch above a sequence, by their sequences.

        Entries from before a known set-back of its storage are left out, here and below.
        """
        return self._entries.confirmed_of(meter, epoch, self._begun_after(meter, epoch), above)

    def confirmed_below(self, meter: str, epoch: int, sequence: int) -> int:
        """Return the highest sequence below another one of a proved entry; 0 if there is none."""
        begun = self._begun_after(meter, epoch)
        return self._entries.confirmed_below(meter, epoch, begun, sequence)

    def confirmed_sum(self, meter: str, epoch: int, sequence: int) -> tuple[int, int]:
        """Return the number of proved entries up to a sequence, and the sum of sales, 0.01."""
        begun = self._begun_after(meter, epoch)
        return self._entries.confirmed_sum(meter, epoch, begun, sequence)

    def newest_confirmed(self, meter: str) -> Entry | None:
        """Return a meter's most recently proved entry, of any epoch, voids excluded; or None."""
        return self._entries.newest_confirmed(meter)

    def find_reference(self, reference: str) -> Entry | None:
        """Return the newest entry of a sale key, in any state; None for a new key."""
        return self._entries.find_reference(reference)

    def find_sale(self, meter: str, sequence: int, code: bytes) -> Entry | None:
        """Return a meter's newest entry with this sequence and code, in any epoch and state."""
        rows = self._entries.of_sequence(meter, sequence)
        return next((entry for entry in rows if entry.code == code), None)

    def find_message(self, meter: str, message: bytes) -> Entry | None:
        """Return the newest entry with exactly these message bytes; None if not sealed here."""
        return self._entries.find_message(meter, message)

    def carried(self, card: str | None = None) -> list[Entry]:
        """Return the open sales that one card, or any card, carries or carried; oldest first."""
        return self._entries.carried(card)

    def has_carried(self) -> bool:
        """Return whether any card carries or carried an open sale."""
        return self._entries.has_carried()

    # ---- facts about meters

    def last_sequence(self, meter: str, epoch: int) -> int:
        """Return the highest sequence proved used in a meter's epoch, by any seller; 0 if none."""
        proved = self.proofs.of(meter).get(epoch)
        return proved.sequence if proved else 0

    def last_time(self, meter: str) -> int:
        """Return the time of a meter's newest entry or audit line, s since 1970 UTC; else 0."""
        return self._entries.last_time(meter)

    def last_id(self) -> int:
        """Return the number of the newest entry; 0 if there is none."""
        return self._entries.last_id()

    def is_spent(self, meter: str) -> bool:
        """Return whether sequence 1 of a known epoch is proved used, also by a void."""
        return self._entries.is_spent(meter)

    def knows_mark(self, meter: str, number: int, mark: int, sequence: int) -> bool:
        """Return whether this journal holds the message of this origin; voids count."""
        return self._entries.knows_mark(meter, Origin(number, mark), sequence)

    def card_in_use(self, meter: str) -> str:
        """Return the serial number of the card that is current for a meter since a replacement.

        That is the last replacement card, or a later opening card; empty if no card was replaced.
        """
        replaced = self._audit_log.newest_replacement(meter)
        opened = self._entries.newest_opening(meter)
        if replaced is None:
            return ""
        return opened[0] if opened is not None and opened[1] > replaced[1] else replaced[0]

    def card_of(self, meter: str) -> str:
        """Return the serial number of the card that was made last for a meter; empty: none was."""
        opened = self._entries.newest_opening(meter)
        return self.card_in_use(meter) or (opened[0] if opened is not None else "")

    # ---- the audit log

    def audit_lines(self) -> list[AuditLine]:
        """Return the audit log, oldest first."""
        return list(self.audit_list.listed(AuditFilter()))

    def audit_of(self, entry: Entry) -> list[AuditLine]:
        """Return the lines of the audit log that name an entry, oldest first."""
        named = re.compile(rf"\bentry {entry.id}\b")
        lines = self.audit_mentioning(entry.meter, f"entry {entry.id}")
        return [line for line in lines if named.search(line.detail)]

    def audit_mentioning(self, meter: str, text: str) -> list[AuditLine]:
        """Return the lines of a meter whose detail contains a text, oldest first."""
        return self._audit_log.mentioning(meter, text)

    def has_audited(self, what: str, card: str) -> bool:
        """Return whether the audit log has an action for a card."""
        return self._audit_log.has(what, card)

    def _begun_after(self, meter: str, epoch: int) -> int:
        proved = self.proofs.of(meter).get(epoch)
        return proved.begun_after if proved else 0

    # ---- rules of writing

    def _insert(self, entry: Entry, limit: DailyLimit | None) -> int:
        try:
            with self.together():
                if entry.kind != VOID and not self._entries.has_room(
                    entry.meter, entry.epoch, entry.sequence
                ):
                    raise sqlite3.IntegrityError("another entry is open, or holds the sequence")
                self._require_living(entry)
                if limit is not None and entry.kind in SALES:
                    self.limits.require_within(limit, entry.meter, entry.amount, entry.created)
                return self._entries.insert(entry, limit.ring if limit else "")
        except OverDailyLimitError as error:
            self.limits.audit_refusal(error, entry.meter, entry.card, entry.amount, entry.created)
            raise

    def _require_living(self, entry: Entry) -> None:
        """Refuse a message whose sequence or key version was passed since it was planned."""
        floor, version = self.proofs.floor(entry.meter), entry.key_version
        if version != DEVELOPMENT_KEY_VERSION and version < floor:
            raise NotPermittedError(
                f"meter {entry.meter}: it has passed key version {version} meanwhile "
                f"({floor}); nothing was sold",
                serial_number=entry.meter,
            )
        if entry.sequence <= self.last_sequence(entry.meter, entry.epoch):
            raise NotPermittedError(
                f"meter {entry.meter}: it has reached sequence {entry.sequence} meanwhile; "
                f"nothing was sold",
                serial_number=entry.meter,
            )

    def _report_proof_of_closed(self, before: Entry, after: Entry) -> None:
        """Audit the proof of a closed entry; report it if it overrules the way it was closed."""
        text, overrules = proof_text(before, after), after.state is not before.state
        self.audit(
            "overruled" if overrules else "proved",
            after.changed,
            meter=before.meter,
            card=before.card,
            amount=before.amount,
            detail=text,
        )
        if overrules:
            self.notices.append(f"meter {before.meter}: {text}")
