"""The journal's file: an older layout is brought up whole, another program's or a newer one is left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import BY_HAND, LAYOUT, EntryState, Journal, SeenWriteBack
from meterctl.key_ring import DailyLimit

_FIRST_LAYOUT = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, amount INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'on_card', 'unknown', 'confirmed', 'refused')),
    outcome TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, changed INTEGER NOT NULL,
    message BLOB NOT NULL, receipt BLOB NOT NULL DEFAULT x''
);
CREATE UNIQUE INDEX one_open ON entries (meter, epoch)
    WHERE kind != 'void' AND state IN ('prepared', 'on_card', 'unknown');
CREATE UNIQUE INDEX one_live ON entries (meter, epoch, sequence) WHERE kind != 'void' AND state != 'refused';
INSERT INTO entries (meter, epoch, sequence, kind, amount, state, created, changed, message)
    VALUES ('000000000001', 7, 1, 'credit', 5000, 'unknown', 1, 2, x'0102');
PRAGMA user_version = 1;
"""


def old_journal(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.executescript(_FIRST_LAYOUT)
    db.close()
    return path


def test_a_journal_of_the_first_layout_keeps_its_entries_and_their_rules(tmp_path: Path) -> None:
    journal = Journal(old_journal(tmp_path / "j.sqlite"))
    (entry,) = journal.entries()
    assert (entry.meter, entry.state, entry.message, entry.card, entry.reference) == (
        "000000000001", EntryState.UNKNOWN, b"\x01\x02", "", "",
    )  # fmt: skip
    with pytest.raises(NotPermittedError):
        journal.prepare("000000000001", 7, 2, "credit", 1, b"", 3)
    journal.audit("x", 1)
    journal.keep_write_back("000000000001", 7, "c", SeenWriteBack(1, 2, 3, 4), 5)
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.entries() == [entry]
    assert again.last_write_back("000000000001", 7, "c") == SeenWriteBack(1, 2, 3, 4)
    again.close()


def test_a_journal_that_cannot_be_brought_up_stays_as_it_was(tmp_path: Path) -> None:
    path = old_journal(tmp_path / "j.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE audit (something TEXT)")
        db.execute("CREATE INDEX one_request ON audit (something)")
        db.execute(
            "ALTER TABLE entries ADD COLUMN ring TEXT"
        )  # the last of three: two would be there after half a step
    db.close()
    with pytest.raises(UsageError):
        Journal(path)
    with sqlite3.connect(path) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(entries)")]
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()
    assert "card" not in names


@pytest.mark.parametrize("version", [LAYOUT + 1, 99])
def test_a_newer_layout_is_left_alone(tmp_path: Path, version: int) -> None:
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(UsageError, match="another version"):
        Journal(path)


def test_a_limit_is_of_one_ring_one_day_and_what_was_sold(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    limit = DailyLimit("aaaa", 1000)
    entry = journal.prepare("000000000001", 7, 1, "credit", 900, b"1", 86_400 * 3, limit=limit)
    with pytest.raises(NotPermittedError, match=r"9\.00 sold today"):
        journal.prepare("000000000002", 7, 1, "credit", 101, b"2", 86_400 * 4 - 1, limit=limit)
    journal.prepare("000000000002", 7, 1, "credit", 101, b"3", 86_400 * 4, limit=limit)
    journal.prepare("000000000003", 7, 1, "credit", 5000, b"4", 86_400 * 3, limit=DailyLimit("bbbb", None))
    journal.prepare("000000000004", 7, 1, "refund", 5000, b"5", 86_400 * 3, limit=limit)
    journal.settle(entry, EntryState.REFUSED, BY_HAND, 86_400 * 3)
    with pytest.raises(NotPermittedError, match=r"9\.00 sold today"):  # on a person's word its bytes are not dead
        journal.prepare("000000000005", 7, 1, "open", 1000, b"6", 86_400 * 3 + 9, limit=limit)
    journal.prepare("000000000005", 7, 1, "open", 100, b"6", 86_400 * 3 + 9, limit=limit)
    assert [line.amount for line in journal.audit_lines()] == [101, 1000]
    journal.close()


def test_a_key_of_a_requester_stands_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    entry = journal.prepare("000000000001", 7, 1, "credit", 900, b"1", 0, card="c", reference="r1")
    with pytest.raises(NotPermittedError):
        journal.prepare("000000000002", 7, 1, "credit", 900, b"2", 0, card="d", reference="r1")
    assert journal.find_reference("r1") == entry
    journal.settle(entry, EntryState.REFUSED, "x", 0)
    found = journal.find_reference("r1")
    assert found is not None, "it stands, whatever became of it"
    assert found.state is EntryState.REFUSED
    journal.close()
