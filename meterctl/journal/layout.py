"""The tables of a journal, and the migration from every older layout.

1   entries
2   cards, sale keys and key rings in entries; the audit log; totals that cards brought back
3   origins of messages, voids and their entries; journal numbers; proved state of meters; ports
4   prints of receipts

Indexes belong to no layout: a journal without them gets them when it is next written, and a program
that does not know them can still use it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from meterctl.errors import UsageError
from meterctl.journal.states import EntryOutcome
from protocols.errors import MalformedMessageError
from protocols.keys import DEVELOPMENT_KEY_VERSION
from protocols.sealed_message import Receipt

LAYOUT = 4

_ENTRIES = """
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
"""
_TO_2 = (
    "DROP INDEX IF EXISTS one_live;"
    + "".join(
        f"ALTER TABLE entries ADD COLUMN {n} TEXT NOT NULL DEFAULT '';"
        for n in ("card", "reference", "ring")
    )
    + """
CREATE UNIQUE INDEX IF NOT EXISTS one_request ON entries (reference)
    WHERE reference != '' AND state != 'refused';
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, what TEXT NOT NULL, meter TEXT NOT NULL, card TEXT NOT NULL,
    amount INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS write_backs (
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, card TEXT NOT NULL, at INTEGER NOT NULL,
    credit_sequence INTEGER NOT NULL, cumulative INTEGER NOT NULL, energy INTEGER NOT NULL,
    elapsed INTEGER NOT NULL,
    PRIMARY KEY (meter, epoch, card)
);
"""
)
_TO_3 = (
    "DROP INDEX IF EXISTS one_live;"
    + "".join(
        f"ALTER TABLE entries ADD COLUMN {n} INTEGER NOT NULL DEFAULT 0;"
        for n in ("journal", "mark", "void_of")
    )
    + """
CREATE TABLE numbers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL UNIQUE, drawn INTEGER NOT NULL
);
CREATE TABLE floors (meter TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE proved (
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, turn INTEGER NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0, cumulative INTEGER NOT NULL DEFAULT 0,
    energy INTEGER NOT NULL DEFAULT 0, elapsed INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0, last_code BLOB NOT NULL DEFAULT x'',
    last_at INTEGER NOT NULL DEFAULT 0,
    receipt BLOB NOT NULL DEFAULT x'', proof BLOB NOT NULL DEFAULT x'',
    begun_after INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (meter, epoch)
);
CREATE TABLE ports (port TEXT PRIMARY KEY, meter TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX of_meter ON entries (meter, sequence);
CREATE INDEX unproved ON entries (meter) WHERE (state != 'confirmed' OR outcome = 'by_hand');
CREATE INDEX of_reference ON entries (reference) WHERE reference != '';
"""
)
_TO_4 = """
CREATE TABLE prints (
    entry INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (entry, number)
);
"""
_STEPS = {0: _ENTRIES, 1: _TO_2, 2: _TO_3, 3: _TO_4}
_WITH_PROOFS = 3
"""Layout from which on a journal has its number and the proved state of meters."""
INDEXES = {
    # of lists
    "listed_by_meter": "entries (meter)",
    "listed_by_state": "entries (state)",
    "listed_by_meter_and_state": "entries (meter, state)",
    "listed_by_time": "entries (created)",
    "audit_by_meter": "audit (meter)",
    "audit_by_time": "audit (at)",
    # of sales and proofs
    "open_of_meter": "entries (meter) WHERE state IN ('prepared', 'on_card', 'unknown')",
    "by_hand_of_meter": "entries (meter) WHERE outcome = 'by_hand'",
    "openings_of_meter": "entries (meter) WHERE kind = 'open'",
    "on_card": "entries (card) WHERE card > '' AND state IN ('on_card', 'unknown')",
    "proved_by_change": "entries (meter, changed)"
    " WHERE state = 'confirmed' AND outcome != 'by_hand' AND kind != 'void'",
    "proved_by_sequence": "entries (meter, epoch, sequence, id, kind, amount)"
    " WHERE state = 'confirmed' AND outcome != 'by_hand'",
    "created_of_meter": "entries (meter, created)",
    "code_of_message": "entries (meter, substr(message, -8))",
    "sold_of_ring": "entries (ring, created, kind, state, outcome, amount)",
    "audit_of_meter": "audit (meter, at)",
    "audit_of_card": "audit (card, what)",
    "replaced_of_meter": "audit (meter) WHERE what = 'card_replaced'",
    "turn_of_proved": "proved (turn)",
}
"""Index -> what it is on: no command searches the entries, audit lines or meters one by one."""
DrawNumber = Callable[[], int]


def is_up_to_date(db: sqlite3.Connection) -> bool:
    """Return whether a journal has the present layout and all indexes."""
    if db.execute("PRAGMA user_version").fetchone() != (LAYOUT,):
        return False
    names = ", ".join(f"'{name}'" for name in INDEXES)
    (found,) = db.execute(f"SELECT COUNT(*) FROM sqlite_master WHERE name IN ({names})").fetchone()
    return int(found) == len(INDEXES)


def bring_up(db: sqlite3.Connection, path: Path, draw: DrawNumber, now: int) -> None:
    """Create the tables or migrate an older layout, all or nothing; draws the journal number.

    A journal that has a number and proofs keeps them.
    A journal of the present layout gets the indexes that it lacks.

    Raises:
        UsageError: the file is of a later version, or of another program.
    """
    db.execute("BEGIN IMMEDIATE")  # another process may migrate at the same time
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > LAYOUT or version < 0:
            raise UsageError(
                f"journal {path}: it was written by a later version; nothing was changed"
            )
        if version == 0 and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise UsageError(
                f"journal {path}: it is another program's database; nothing was changed"
            )
        if version < LAYOUT:
            for step in range(version, LAYOUT):
                for statement in _STEPS[step].split(";"):
                    db.execute(statement)
            if version < _WITH_PROOFS:
                _prove_from_entries(db)
                db.execute("INSERT INTO numbers (number, drawn) VALUES (?, ?)", (draw(), now))
            db.execute(f"PRAGMA user_version = {LAYOUT}")
        for name, on in INDEXES.items():
            db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {on}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _prove_from_entries(db: sqlite3.Connection) -> None:
    """Derive the proved state of meters from the settled entries of an older layout."""
    rows = db.execute(
        "SELECT meter, epoch, MAX(sequence) FROM entries"
        " WHERE epoch != 0 AND ((state = 'confirmed' AND outcome != ?)"
        " OR (state = 'refused' AND outcome = 'sequence_conflict'))"
        " GROUP BY meter, epoch ORDER BY MAX(changed), MAX(id)",
        (EntryOutcome.BY_HAND.value,),
    ).fetchall()
    for turn, (meter, epoch, sequence) in enumerate(rows, 1):
        db.execute(
            "INSERT INTO proved (meter, epoch, turn, sequence) VALUES (?, ?, ?, ?)",
            (meter, epoch, turn, sequence),
        )
    receipts = db.execute(
        "SELECT receipt FROM entries WHERE length(receipt) > 0 ORDER BY sequence"
    ).fetchall()
    for (sealed,) in receipts:
        try:
            receipt = Receipt.decode(sealed)
        except MalformedMessageError:
            continue
        db.execute(
            "UPDATE proved SET last_sequence = ?, last_code = ?, last_at = ?, receipt = ?,"
            " cumulative = MAX(cumulative, ?) WHERE meter = ? AND epoch = ? AND last_sequence <= ?",
            (
                receipt.sequence,
                receipt.code,
                receipt.at,
                sealed,
                receipt.cumulative,
                receipt.serial_number,
                receipt.epoch,
                receipt.sequence,
            ),
        )
        if receipt.key_version != DEVELOPMENT_KEY_VERSION:
            db.execute(
                "INSERT INTO floors VALUES (?, ?) ON CONFLICT (meter) DO UPDATE SET "
                "version = MAX(version, ?)",
                (receipt.serial_number, receipt.key_version, receipt.key_version),
            )
