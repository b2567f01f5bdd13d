"""Long journals: no command searches its rows one by one, and lists are read in pages."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.journal import NOWHERE, AuditFilter, EntryFilter, EntryState, Journal
from meterctl.journal.layout import INDEXES
from meterctl.journal.lists import PAGE
from meterctl.key_ring import DailyLimit
from meterctl.operations.card.sales import sell
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.withdrawal import carried_by_cards
from protocols.card.applet import Card
from tests.support.setup import METER, OTHER, Setup
from tests.support.wire_sales import meter_of, session_of, sold
from tests.unit.meterctl.journal.test_layout import old_journal

OTHER_METER = "000000000043"
_GROWING = re.compile(r"^SCAN (entries|audit|proved|write_backs|floors|ports)\b")


class Statements:
    """The statements that a journal runs, and how its database finds their rows."""

    def __init__(self, journal: Journal) -> None:
        self._connection: sqlite3.Connection = journal._db._connection
        self._run: set[str] = set()
        self._connection.set_trace_callback(self._run.add)

    def searches(self) -> list[str]:
        """Return the steps that go through a whole table or index, each with its statement."""
        self._connection.set_trace_callback(None)
        found = []
        for statement in sorted(self._run):
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                steps = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                found += [f"{step[3]}: {statement}" for step in steps if _GROWING.match(step[3])]
        return found


def test_a_sale_by_wire_searches_nothing_one_by_one(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    sold(session, journal)
    statements = Statements(journal)
    assert not carried_by_cards(session, journal, erased_only=True)
    sold(session, journal, 1000, reference="a key")
    resolve(session, journal)
    journal.limits.hold(DailyLimit("ring", 100_000), METER, "", 1, 1_767_225_600)
    assert len(statements._run) > 20
    assert statements.searches() == []


def test_sales_on_cards_search_nothing_one_by_one(setup: Setup, card: Card) -> None:
    statements = Statements(setup.journal)
    entry = setup.sell(card, 1000)
    setup.insert(card)
    setup.read(card)
    setup.formatted(OTHER)
    lost = setup.sell(card, 500)
    close_by_hand(setup.journal, lost, EntryState.REFUSED, setup.now)
    setup.journal.audit_of(entry)
    setup.journal.voids_of(entry)
    assert setup.journal.card_in_use(METER) == ""
    assert setup.journal.last_time(METER) == setup.now
    assert len(statements._run) > 20
    assert statements.searches() == []


class Work:
    """The work of a journal's database, in instructions of SQLite."""

    def __init__(self, journal: Journal) -> None:
        self._connection: sqlite3.Connection = journal._db._connection
        self.done = 0

    def __enter__(self) -> Work:
        self._connection.set_progress_handler(self._count, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.set_progress_handler(None, 0)

    def _count(self) -> None:
        self.done += 1


def worked_for_a_sale(entries: int) -> int:
    """Return the work of a sale by wire, a resolve and a void, after so many sales to the meter."""
    journal = Journal(NOWHERE)
    grown(journal, entries)
    meter = meter_of()
    session = session_of(meter)
    with Work(journal) as work:
        carried_by_cards(session, journal, erased_only=True)
        sold(session, journal, 1000, reference="a key")
        resolve(session, journal)
        journal.limits.hold(DailyLimit("ring", 100_000), METER, "", 1, 1_767_225_600)
        journal.card_in_use(METER)
        journal.last_time(METER)
        journal.newest_confirmed(METER)
        journal.has_audited("sold", "c")
        journal.carried("c")
    journal.close()
    return work.done


def test_the_work_of_a_sale_does_not_grow_with_the_sales_before() -> None:
    few, many = worked_for_a_sale(50), worked_for_a_sale(4000)
    assert many < few + 200, "the same work, whether the meter has had 50 sales or 4000"


def worked_for_a_page(entries: int) -> int:
    """Return the work of the first pages of all lists, and of one entry, without their counts."""
    journal = Journal(NOWHERE)
    grown(journal, entries)
    with Work(journal) as work:
        for meter in (None, METER):
            journal.entry_list.newest(EntryFilter(meter, EntryState.REFUSED), 50)
            for since in (None, 5):
                journal.audit_list.newest(AuditFilter(meter, since), 50)
                journal.entry_list.newest(EntryFilter(meter, since=since), 50)
        journal.entry_list.newest(EntryFilter(is_open=True), 50)
        journal.voids_of(journal.entry(20))
    journal.close()
    return work.done


def test_the_work_of_a_first_page_does_not_grow_with_the_journal() -> None:
    assert worked_for_a_page(4000) < worked_for_a_page(400) + 500


def test_a_first_page_searches_nothing_one_by_one(journal: Journal) -> None:
    statements = Statements(journal)
    for meter in (None, METER):
        for since in (None, 5):
            journal.audit_list.newest(AuditFilter(meter, since), 50)
            for state in (None, EntryState.REFUSED):
                journal.entry_list.newest(EntryFilter(meter, state, since=since), 50)
    journal.entry_list.newest(EntryFilter(is_open=True), 50)
    found = [step for step in statements.searches() if "WHERE" in step]
    assert found == [], "without a condition the first rows of the table are the page"


def test_a_sale_is_found_by_its_bytes_among_those_that_end_alike(journal: Journal) -> None:
    made = [
        journal.prepare(METER, epoch, 1, "credit", 5, bytes([epoch]) * 20 + bytes(8), 0)
        for epoch in (1, 2, 3)
    ]
    for entry in made:
        assert journal.find_message(METER, entry.message) == entry
    assert journal.find_message(METER, bytes(28)) is None


def grown(journal: Journal, count: int) -> None:
    """Add confirmed sales of two meters, a second apart."""
    with journal.together():
        journal._db._connection.executemany(
            "INSERT INTO entries (meter, epoch, sequence, kind, amount, state, outcome, created,"
            " changed, message) VALUES (?, 1, ?, 'credit', 100, ?, ?, ?, ?, x'00')",
            (
                (
                    (METER, OTHER_METER)[n % 2],
                    n,
                    *(("refused", "voided") if n % 3 == 0 else ("confirmed", "accepted")),
                    n,
                    n,
                )
                for n in range(1, count + 1)
            ),
        )


@pytest.fixture
def long() -> Iterator[Journal]:
    """A journal of more than two pages."""
    made = Journal(NOWHERE)
    grown(made, 2 * PAGE + 10)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (EntryFilter(), lambda n: True),
        (EntryFilter(meter=METER), lambda n: n % 2 == 0),
        (EntryFilter(state=EntryState.REFUSED), lambda n: n % 3 == 0),
        (EntryFilter(since=1500), lambda n: n >= 1500),
        (EntryFilter(METER, EntryState.REFUSED, False, 900), lambda n: n % 6 == 0 and n >= 900),
        (EntryFilter(is_open=True), lambda n: False),
        (EntryFilter(since=10**9), lambda n: False),
    ],
)
def test_a_list_is_read_in_pages_and_its_newest_rows_alone(
    long: Journal, wanted: EntryFilter, holds: object
) -> None:
    assert callable(holds)
    expected = [n for n in range(1, 2 * PAGE + 11) if holds(n)]
    assert [entry.id for entry in long.entry_list.listed(wanted)] == expected
    assert [entry.id for entry in long.entry_list.newest(wanted, 50)] == expected[-50:]
    assert long.entry_list.count(wanted) == len(expected)


def test_no_lock_is_held_between_the_pages_of_a_list(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    grown(journal, 2 * PAGE)
    reading = Journal(tmp_path / "j.sqlite", reading=True)
    rows = reading.entry_list.listed(EntryFilter())
    next(rows)
    journal._db._connection.execute("PRAGMA busy_timeout = 0")
    journal.prepare(METER, 9, 1, "credit", 5, b"m", 0)
    assert len(list(rows)) == 2 * PAGE, "the rest of the list, with what was added"
    journal.close()
    reading.close()


def test_a_journal_without_indexes_gets_them_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    db = sqlite3.connect(path)
    before = db.execute("PRAGMA user_version").fetchone()
    for name in INDEXES:
        db.execute(f"DROP INDEX {name}")
    db.commit()
    held = path.read_bytes()
    reading = Journal(path, reading=True)
    assert reading.entry_list.newest(EntryFilter(METER), 50) == []
    reading.close()
    assert path.read_bytes() == held, "a read changes nothing"
    Journal(path).close()
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert set(INDEXES) <= names
    assert db.execute("PRAGMA user_version").fetchone() == before, "an older program reads it too"
    db.close()


def test_a_journal_of_an_older_layout_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    path = old_journal(tmp_path / "j.sqlite")
    held = path.read_bytes()
    reading = Journal(path, reading=True)
    (entry,) = reading.entry_list.newest(EntryFilter(is_open=True), 50)
    assert (entry.meter, entry.state) == ("000000000001", EntryState.UNKNOWN)
    reading.close()
    assert path.read_bytes() == held
    assert [one.name for one in tmp_path.iterdir()] == ["j.sqlite"]


def test_a_crash_of_a_writer_is_rolled_back_by_the_next_reader(tmp_path: Path) -> None:
    path, left = tmp_path / "j.sqlite", tmp_path / "left.sqlite"
    journal = Journal(path)
    grown(journal, 50)
    db = journal._db._connection
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE entries SET amount = 999, message = zeroblob(4000)")
    for name in ("j.sqlite", "j.sqlite-journal"):
        (tmp_path / name.replace("j.", "left.", 1)).write_bytes((tmp_path / name).read_bytes())
    db.execute("ROLLBACK")
    journal.close()
    reading = Journal(left, reading=True)
    assert {entry.amount for entry in reading.entry_list.listed(EntryFilter())} == {100}
    reading.close()


def test_a_journal_that_is_read_is_not_made_and_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unable to open"):
        Journal(tmp_path / "deep" / "none.sqlite", reading=True)
    assert list(tmp_path.iterdir()) == []
    Journal(tmp_path / "j.sqlite").close()
    reading = Journal(tmp_path / "j.sqlite", reading=True)
    with pytest.raises(UsageError, match="readonly"):
        reading.audit("x", 0)
    reading.close()


def test_the_sum_of_proved_sales_counts_what_was_paid(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        sell(setup.case(presented), 1000)
    setup.insert(card)
    setup.read(card)
    journal = setup.journal
    assert journal.confirmed_sum(METER, 0xE0, 9) == (2, 4000)
    assert journal.confirmed_sum(METER, 0xE0, 1) == (1, 3000)
    assert journal.confirmed_sum(OTHER_METER, 0xE0, 9) == (0, 0)
    assert [journal.confirmed_below(METER, 0xE0, n) for n in (1, 2, 3, 9)] == [0, 1, 2, 2]
    journal.proofs.begin_again(METER, 0xE0, journal.last_id())
    assert journal.confirmed_sum(METER, 0xE0, 9) == (0, 0)
    assert journal.confirmed_below(METER, 0xE0, 9) == 0
