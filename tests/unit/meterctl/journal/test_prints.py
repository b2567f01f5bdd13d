"""Prints of receipts: exactly one original, whatever prints at once; kept in the journal."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.journal import LAYOUT, Journal, Print


def test_the_first_print_is_the_original_and_each_further_one_a_reprint(journal: Journal) -> None:
    assert journal.prints.of(7) == []
    assert journal.prints.add(7, 100) == Print(1, 100, 100)
    again = journal.prints.add(7, 250)
    assert (again, again.reprint) == (Print(2, 250, 100), 1)
    assert journal.prints.add(8, 300).reprint == 0, "of another entry"
    assert journal.prints.of(7) == [Print(1, 100, 100), Print(2, 250, 100)]


def test_of_processes_that_print_at_once_one_has_the_original(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    Journal(path).close()

    def printed(now: int) -> int:
        mine = Journal(path)
        try:
            return mine.prints.add(1, now).number
        finally:
            mine.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(printed, range(8))) == list(range(1, 9))


def before_prints(path: Path) -> int:
    """Make a journal of the layout before prints; return its number."""
    journal = Journal(path, now=5)
    number = journal.numbers.renew(6)
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE prints")
        db.execute("PRAGMA user_version = 3")
        db.execute("INSERT INTO proved (meter, epoch, turn, sequence) VALUES ('42', 7, 1, 9)")
    db.close()
    return number


def test_a_journal_of_the_layout_before_keeps_its_number_and_its_proofs(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    number = before_prints(path)
    looked = Journal(path, reading=True)
    assert (looked.numbers.current, looked.prints.of(1)) == (number, [])
    looked.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,), "only read"
    db.close()
    journal = Journal(path)
    assert journal.numbers.current == number
    assert journal.last_sequence("42", 7) == 9
    assert journal.prints.add(1, 5).reprint == 0
    journal.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
    db.close()


def test_a_journal_that_cannot_be_written_counts_no_print(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    looked = Journal(path, reading=True)
    with pytest.raises(UsageError, match=r"j\.sqlite"):
        looked.prints.add(1, 5)
    looked.close()
