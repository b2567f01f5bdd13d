"""A day of a counter by its commands: sold, cancelled, counted short, closed, printed, proved."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from meterctl.journal import Journal
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.organisation import Desk, GrantState, Staff, StaffGrant
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import payments, sales, shifts
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, Asked, UnitOfWork, perform, unit_of_work
from protocols.quantities import DAY
from tests.support.desk_commands import DeskCommand, Ran
from tests.support.desk_databases import DeskDatabases
from tests.support.desk_days import without_triggers
from tests.support.desk_world import NOON, TODAY, a_person, a_world, opened

HEAD = "head"
ACCOUNTANT = "acc"


def _lived(url: str) -> None:
    """Live the day of the counter in a new database: see `counter`."""
    database = opened(url)
    world = a_world(database)
    with unit_of_work(database, WORKER, NOON) as work:
        people = {
            "v1": (Role.VENDOR, world.station),
            ACCOUNTANT: (Role.ACCOUNTANT, world.company),
            HEAD: (Role.STATION_HEAD, world.station),
        }
        for number, (role, node) in people.items():
            if number != "v1":
                a_person(work, number)
            person = work.session.query(Staff).filter_by(number=number).one()
            person.token_hash = hash_of(number)
            work.add(
                StaffGrant(
                    staff_id=person.id, role=role, node_id=node, from_on=TODAY, to_on=None,
                    state=GrantState.ACTIVE, proposer_id=None, approver_id=None,
                )
            )  # fmt: skip
    acts: tuple[Callable[[UnitOfWork], dict[str, Any]], ...] = (
        lambda work: sales.take(work, agreement="A1", amount=50_00),
        lambda work: sales.take(work, agreement="A1", amount=20_00),
        lambda work: sales.cancel(work, sale="S2"),
        lambda work: payments.pay(work, agreement="A1", amount=30_00, channel=PaymentChannel.CASH),
        lambda work: shifts.count(work, shift=None, counted=169_50),
        lambda work: shifts.close(work, shift=None, slip="B-77"),
    )
    for number, act in enumerate(acts):
        perform(database, world.vendor, NOON, Asked(f"day-{number}", "day", {}), act)
    database.close()


class Counter:
    """A desk in a file, its people by their tokens, and its commands."""

    def __init__(self, url: str, command: DeskCommand) -> None:
        self.url, self._command = url, command
        self.database = Database.open(url, lambda: NOON)

    def run(self, *words: str, who: str = "v1") -> Ran:
        """Run a command as a person."""
        return self._command(*words, token=who, url=self.url)

    def told(self, *words: str, who: str = "v1", code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return its last object."""
        ran = self.run(*words, "--json", who=who)
        assert ran.code == code, ran.err
        return ran.objects[-1]

    def later(self, days: int) -> None:
        """Move the desk's clock."""
        with self.database.engine.begin() as connection:
            connection.execute(update(Desk).values(clock=NOON + days * DAY))


@pytest.fixture(scope="module")
def lived(desk_databases: DeskDatabases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's file after the day."""
    path = tmp_path_factory.mktemp("counter") / "desk.sqlite"
    shutil.copyfile(desk_databases.template_file(), path)
    _lived(f"sqlite:///{path}")
    return path


@pytest.fixture
def counter(lived: Path, tmp_path: Path, desk_command: DeskCommand) -> Iterator[Counter]:
    """A counter after its day: 50.00 sold, 20.00 cancelled, 30.00 paid, 10.50 short; closed."""
    path = tmp_path / "desk.sqlite"
    shutil.copyfile(lived, path)
    Journal(tmp_path / "journal.sqlite").close()
    made = Counter(f"sqlite:///{path}", desk_command)
    yield made
    made.database.close()


def test_the_sheet_of_the_shift_names_what_is_short_and_its_task(counter: Counter) -> None:
    told = counter.told("sheet", "shift", "1")
    figures = (told["received"], told["paid_out"], told["expected"], told["counted"])
    assert figures == ("100.00", "20.00", "180.00", "169.50")
    assert (told["difference"], told["banked"], told["slip"]) == ("-10.50", "69.50", "B-77")
    assert (told["task"], told["cancelled"], told["receipts_without_gap"]) == ("T1 open", [2], True)
    text = counter.run("sheet", "shift", "1").out
    for wanted in ("1 to 3, without a gap; cancelled: 2", "task T1 open", "2 sale S2 CANCELLED"):
        assert wanted in text


def test_a_date_is_closed_and_its_sheet_stays_as_it_was_signed(counter: Counter) -> None:
    date = TODAY.isoformat()
    assert counter.run("close", "day", date, who=ACCOUNTANT).code == 3
    counter.later(days=1)
    assert counter.run("close", "day", date).code == 6
    assert counter.run("close", "day", "yesterday", who=ACCOUNTANT).code == 2
    planned = counter.told("close", "day", date, "--dry-run", who=ACCOUNTANT)
    assert planned["result"] == "planned"
    done = counter.told("close", "day", date, "--key", "CLOSE-1", who=ACCOUNTANT)
    assert (done["result"], done["replayed"], done["broken"]) == ("done", False, 0)
    again = counter.told("close", "day", date, "--key", "CLOSE-1", who=ACCOUNTANT)
    assert (again["seal"], again["replayed"]) == (done["seal"], True)
    assert counter.run("close", "day", date, who=ACCOUNTANT).code == 3
    signed = counter.told("sheet", "day", date, who=ACCOUNTANT)
    assert signed["seal"] == done["seal"]
    counter.told("shift", "open")
    counter.told("pay", "A1", "1.00")
    assert counter.told("sheet", "day", date, who=ACCOUNTANT) == signed
    till = signed["tills"][0]
    assert (till["received"], till["difference"], till["left"]) == ("100.00", "-10.50", "0.00")
    assert till["task"] == "T1 open"
    channel = signed["channels"][0]
    assert (channel["receipts"], channel["received"], channel["difference"]) == (
        3, "100.00", "0.00",
    )  # fmt: skip
    accounts = {each["kind"]: each for each in signed["accounts"]}
    assert accounts["transit"]["closing"] == "69.50"
    assert sum(int(each["debit"].replace(".", "")) for each in accounts.values()) == sum(
        int(each["credit"].replace(".", "")) for each in accounts.values()
    )
    next_day = counter.told("sheet", "day", who=ACCOUNTANT)
    assert (next_day["seal"], next_day["on"]) == (None, "2026-09-22")
    opening = {each["kind"]: each["opening"] for each in next_day["accounts"]}
    assert opening["transit"] == "69.50"


def test_a_sheet_is_written_as_a_page_once_more_over_itself(
    counter: Counter, tmp_path: Path
) -> None:
    page, other = tmp_path / "sheet.html", tmp_path / "other.html"
    other.write_text("mine")
    for _ in range(2):
        ran = counter.run("sheet", "day", "--html", str(page), who=ACCOUNTANT)
        assert (ran.code, ran.out) == (0, "")
    assert "日结单" in page.read_text()
    assert counter.run("sheet", "day", "--html", str(other), who=ACCOUNTANT).code == 2
    assert other.read_text() == "mine"
    assert counter.run("sheet", "day", "--html", "-", "--json", who=ACCOUNTANT).code == 2
    assert counter.run("sheet", "day", "--html", "-", who=ACCOUNTANT).out.isascii()


def test_sheets_are_for_those_who_may_see_them(counter: Counter) -> None:
    refused = counter.run("sheet", "day", who=HEAD)
    assert (refused.code, "node 0001" in refused.err, "--node 0011" in refused.err) == (
        6, True, True,
    )  # fmt: skip
    part = counter.told("sheet", "day", "--node", "0011", who=HEAD)
    assert (part["node"], part["seal"], part["tills"][0]["received"]) == ("0011", None, "100.00")
    text = counter.run("sheet", "day", "--node", "0011", who=HEAD).out
    assert "PART OF THE COMPANY" in text
    assert counter.run("sheet", "day", "--node", "0001", who=HEAD).code == 6
    assert counter.run("sheet", "day", "--node", "9", who=HEAD).code == 2
    assert counter.run("sheet", "day").code == 6
    assert counter.run("sheet", "shift", "99").code == 2
    assert counter.run("sheet", "day", "2025-01-01", who=ACCOUNTANT).code == 2
    assert counter.run("check").code == 6


def test_what_moved_for_a_customer_is_shown_line_by_line(counter: Counter) -> None:
    lines = counter.run("ledger", "show", "A1", "--json").objects
    assert [(line["event"], line["account"], line["amount"], line["balance"]) for line in lines][
        :3
    ] == [
        ("sale_taken", "undelivered", "50.00", "50.00"),
        ("sale_taken", "undelivered", "20.00", "70.00"),
        ("sale_cancel", "undelivered", "-20.00", "50.00"),
    ]
    assert (lines[-1]["account"], lines[-1]["balance"]) == ("payable", "50.00")
    assert "payable 50.00" in counter.run("ledger", "show", "A1").err
    assert counter.run("ledger", "show", "A9").code == 2


def test_check_proves_every_invariant_and_names_what_is_broken(counter: Counter) -> None:
    audited = ("I11", "I7")  # the rows of the world were made without audit
    ran = counter.run("check", "--json", who=ACCOUNTANT)
    found = {each["invariant"]: each for each in ran.objects}
    assert list(found) == [
        "I1", "I2", "I3", "I4", "journal", "I5", "I7", "I11", "requests", "I12", "entries",
        "sources", "documents", "triggers", "balances", "seals",
    ]  # fmt: skip
    assert [name for name, each in found.items() if each["broken"]] == sorted(audited, reverse=True)
    assert found["I12"]["count"] == 7
    assert found["I4"]["noted"] == ""
    missing = counter.run("check", "--journal", "/nowhere/journal", who=ACCOUNTANT)
    assert (missing.code, "/nowhere/journal" in missing.err) == (2, True)
    without_triggers(counter.database)
    with counter.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE transfer SET amount = amount + 1 WHERE entry_id = 1")
    ran = counter.run("check", who=ACCOUNTANT)
    assert ran.code == 3
    assert "payment 1 of 50.00" in ran.out
    assert "broken: I" in ran.err
