"""The file of a journal: its errors, its transactions, a rehearsal in memory."""

from __future__ import annotations

import gc
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from meterctl.errors import UsageError
from meterctl.journal import LAYOUT, NOWHERE, EntryEvent, Journal
from meterctl.journal.database import Database

METER = "000000000042"


@pytest.fixture
def db() -> Database:
    """A new database in memory; its journal number is 7."""
    return Database(NOWHERE, lambda: 7, 9, rehearsal=False)


def test_a_new_database_has_the_present_layout_and_a_dated_number(db: Database) -> None:
    assert db.row("PRAGMA user_version") == (LAYOUT,)
    assert db.row("PRAGMA synchronous") == (2,), "FULL"
    assert db.rows("SELECT number, drawn FROM numbers") == [(7, 9)]


def test_a_row_that_is_not_there_is_none(db: Database) -> None:
    assert db.row("SELECT * FROM ports WHERE port = ?", "tty") is None
    assert db.rows("SELECT * FROM ports") == []


def test_a_fault_of_the_file_is_a_usage_error_and_a_violated_constraint_is_not(
    db: Database,
) -> None:
    for call in (db.execute, db.row, db.rows):
        with pytest.raises(UsageError, match="journal :memory:: no such table"):
            call("SELECT * FROM absent")
    db.execute("INSERT INTO ports VALUES (?, ?, ?)", "tty", METER, 1)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO ports VALUES (?, ?, ?)", "tty", METER, 2)


def test_a_closed_database_is_a_usage_error(db: Database) -> None:
    db.close()
    with pytest.raises(UsageError, match="closed database"):
        db.rows("SELECT * FROM ports")


def test_a_block_that_ends_well_is_kept_whole(db: Database) -> None:
    with db.together(), db.together():
        db.execute("INSERT INTO ports VALUES ('tty', 'm', 1)")
    assert db.rows("SELECT port FROM ports") == [("tty",)]


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    def fail() -> None:
        with journal.together():
            journal.audit("one", 0)
            with journal.together():
                journal.audit("two", 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert journal.audit_lines() == []


def test_a_rehearsal_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    journal.prepare(METER, 0xE0, 1, "credit", 900, b"1", 0)
    copy = Journal(path, rehearsal=True)
    copy.settle(copy.entry(1), EntryEvent.RECEIPT, 1)
    assert journal.entry(1).is_open
    journal.close()
    absent = Journal(tmp_path / "absent.sqlite", rehearsal=True)
    assert absent.entries() == []
    assert not (tmp_path / "absent.sqlite").exists()


def test_the_file_of_a_journal_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.sqlite"
    Journal(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_database_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(UsageError, match="nothing was sent"):
        Journal(path)


def test_a_journal_that_is_dropped_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    connection = journal._db._connection
    del journal
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_journal_is_closed_in_whatever_thread_it_is_dropped(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / "j.sqlite")]
    connection = journals[0]._db._connection
    thread = threading.Thread(target=lambda: (journals.clear(), gc.collect()))
    thread.start()
    thread.join()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize("rehearsal", [False, True])
def test_a_journal_that_cannot_be_opened_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rehearsal: bool
) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 100)
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", noted)
    with pytest.raises(UsageError):
        Journal(path, rehearsal=rehearsal)
    gc.collect()
    assert len(made) == 1 + rehearsal
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_an_empty_file_is_read_as_no_journal(tmp_path: Path) -> None:
    empty = tmp_path / "j.sqlite"
    empty.touch()
    with pytest.raises(UsageError, match="it is empty, and no journal"):
        Journal(empty, reading=True)
    assert empty.read_bytes() == b""


@pytest.mark.parametrize("how", [{"reading": True}, {"rehearsal": True}, {}])
def test_a_device_is_no_journal(how: dict[str, bool]) -> None:
    with pytest.raises(UsageError, match="journal /dev/null: it is no file"):
        Journal(Path("/dev/null"), **how)


def test_threads_take_turns_on_a_file_however_short_the_waits_of_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meterctl.journal.database.BUSY_S", 0.0)
    path = tmp_path / "journal.sqlite"
    opened = [Database(path, lambda: 7, 9, rehearsal=False) for _ in range(4)]
    faults: list[Exception] = []

    line = "INSERT INTO audit (at, what, meter, card, amount, detail) VALUES (1, '', '', '', 0, '')"

    def write(database: Database) -> None:
        try:
            for _ in range(4):
                with database.together():
                    database.row("SELECT COUNT(*) FROM audit")
                    database.execute(line)
                database.execute(line)
        except UsageError as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(database,)) for database in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert opened[0].row("SELECT COUNT(*) FROM audit") == (32,)
    for database in opened:
        database.close()
