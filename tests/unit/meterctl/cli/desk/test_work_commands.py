"""desk work, order, worker, card: what they carry out and print, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.cli.desk import desk_gateway
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.model.metering import Port
from meterctl.utility.model.organisation import GrantState, Organisation, Staff, StaffGrant
from meterctl.utility.model.work import Worker
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from tests.support.desk_commands import DeskCommand, Ran
from tests.support.desk_sales import a_port, a_sale
from tests.support.desk_world import NOON, TODAY, World, a_person, a_world, opened

NOTHING_THERE = "tcp://127.0.0.1:1"


class DeskInFile:
    """A desk in a file with a vendor and an admin, and a port at which nothing answers."""

    def __init__(self, url: str, folder: Path, command: DeskCommand) -> None:
        self.url, self.folder, self._command = url, folder, command
        self.database: Database = opened(url)
        self.world: World = a_world(self.database)
        with unit_of_work(self.database, WORKER, NOON) as work:
            company = work.session.get_one(Organisation, self.world.company)
            a_person(work, "admin", (Role.ADMIN, company))
            a_port(work, self.world, NOTHING_THERE, "bus-1")
            self._let_in(work, "v1", Role.VENDOR, self.world.station)
            self._let_in(work, "admin", Role.ADMIN, company.id)

    def _let_in(self, work: UnitOfWork, number: str, role: Role, node: int) -> None:
        person = work.session.scalars(select(Staff).where(Staff.number == number)).one()
        person.token_hash = hash_of(number)
        work.add(
            StaffGrant(
                staff_id=person.id, role=role, node_id=node, from_on=TODAY,
                state=GrantState.ACTIVE,
            )
        )  # fmt: skip

    def sell(self, key: str = "K1") -> None:
        """Take a sale."""
        with unit_of_work(self.database, WORKER, NOON) as work:
            a_sale(work, self.world, key=key)

    def run(self, *words: str, who: str = "admin") -> Ran:
        """Run a command as a person."""
        return self._command(*words, token=who, url=self.url)


@pytest.fixture
def desk(sqlite_desk_url: str, tmp_path: Path, desk_command: DeskCommand) -> Iterator[DeskInFile]:
    desk = DeskInFile(sqlite_desk_url, tmp_path, desk_command)
    yield desk
    desk.database.close()


def test_work_once_tries_what_is_due_and_prints_each_order(desk: DeskInFile) -> None:
    desk.sell()
    ran = desk.run("work", "--once")
    assert (ran.code, ran.out) == (0, "O1 sale S1, meter 000000000001: taken\n")
    assert "journal.sqlite: new" in ran.err
    assert ran.err.endswith("1 orders were carried out; 1 wait, the next one is due in 10 s\n")
    (shown,) = desk.run("order", "list", "--json", who="v1").objects
    assert (shown["number"], shown["sale"], shown["state"]) == ("O1", "S1", "taken")
    assert NOTHING_THERE in shown["cause"]


def test_an_admin_who_runs_workers_sees_their_orders(desk: DeskInFile) -> None:
    desk.sell()
    (listed,) = desk.run("order", "list", "--json").objects
    assert (listed["number"], listed["state"]) == ("O1", "taken")
    assert desk.run("order", "show", "O1").code == 0


def test_a_check_before_the_first_worker_misses_no_journal(desk: DeskInFile) -> None:
    assert "I12" in desk.run("check").out
    desk.run("work", "--once")
    (desk.folder / "journal.sqlite").unlink()
    missing = desk.run("check")
    assert (missing.code, "there is no such file" in missing.err) == (2, True)


def test_work_tells_json_an_object_for_each_order(desk: DeskInFile) -> None:
    desk.sell()
    first, last = desk.run("work", "--once", "--json").objects
    assert (first["order"], first["key"], first["state"]) == ("O1", "K1", "taken")
    assert last["result"] == "done"


def test_a_port_that_may_not_be_used_is_said_and_its_orders_wait(desk: DeskInFile) -> None:
    with unit_of_work(desk.database, WORKER, NOON) as work:
        work.session.execute(update(Port).values(url="tcp://10.0.0.1:502"))
    desk.sell()
    ran = desk.run("work", "--once")
    assert (ran.code, ran.out) == (0, "")
    assert "port bus-1: port tcp://10.0.0.1:502: the published development key" in ran.err


def test_work_is_for_those_who_may_and_only_the_named_port(desk: DeskInFile) -> None:
    desk.sell()
    assert desk.run("work", "--once", who="v1").code == 6
    assert desk.run("work", "--once", "--dry-run").code == 2
    ran = desk.run("work", "--once", "--only", "bus-2")
    assert (ran.code, ran.out) == (0, "")


def test_an_order_is_shown_with_what_it_asks_for(desk: DeskInFile) -> None:
    desk.sell()
    (shown,) = desk.run("order", "show", "O1", "--json", who="v1").objects
    assert (shown["key"], shown["kind"], shown["parameters"]) == ("K1", "sale", {})
    assert desk.run("order", "show", "K1", who="v1").out
    assert desk.run("order", "show", "O9", who="v1").code == 2


def test_the_journal_beside_the_database_is_listed_adopted_and_given_up(desk: DeskInFile) -> None:
    assert desk.run("worker", "list", "--json").objects == []
    desk.run("work", "--once")
    (row,) = desk.run("worker", "list", "--json").objects
    assert (row["lives"], row["live_orders"]) == (False, 0)
    assert row["journal"] == str(desk.folder / "journal.sqlite")
    moved = (desk.folder / "journal.sqlite").rename(desk.folder / "moved.sqlite")
    told = desk.run("worker", "adopt", str(moved), "--json").objects[-1]
    assert (told["journal"], told["orders"], told["result"]) == (str(moved), [], "done")
    assert desk.run("worker", "adopt", str(desk.folder / "none.sqlite")).code == 2
    told = desk.run("worker", "give-up", "1", "--reason", "burnt", "--json").objects[-1]
    assert (told["orders"], told["result"]) == ([], "done")
    with desk.database.reading() as session:
        assert [row.journal for row in session.scalars(select(Worker))] == [str(moved)]


def test_a_card_that_is_not_there_is_refused(desk: DeskInFile) -> None:
    ran = desk.run("card", "present", str(desk.folder / "none.card"), who="v1")
    assert ran.code == 2
    assert "none.card" in ran.err
    named = desk.run("card", "present", "none.card", who="v1")
    assert named.code == 2
    assert "none.card: there is no such file" in named.err
    assert "--file" not in named.err


def test_a_time_out_holds_for_what_a_command_sends(
    desk: DeskInFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts = []

    class Opened(Gateway):
        def __init__(self, *given: Any, timeout_ms: int) -> None:
            timeouts.append(timeout_ms)
            super().__init__(*given, timeout_ms=timeout_ms)

    monkeypatch.setattr(desk_gateway, "Gateway", Opened)
    assert desk.run("work", "--once", "--timeout", "250ms").code == 0
    assert timeouts == [250]
