"""The worker: its journal, its ports, what it settles at its start, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from meterctl.errors import UsageError
from meterctl.utility.errors import Conflict
from meterctl.utility.meters import leases as leases_of_workers
from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.execution import Step
from meterctl.utility.meters.gateway import Consumption, Gateway, JournalWord, Presented
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Begun, Claim, begin
from meterctl.utility.meters.run_now import carry_out, run_order_now
from meterctl.utility.meters.upkeep import owe_card_tasks
from meterctl.utility.meters.worker import Worker
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import Carrier, SaleKind
from meterctl.utility.model.organisation import Setting
from meterctl.utility.model.work import Task
from meterctl.utility.model.work import Worker as WorkerRow
from meterctl.utility.rules.law import ANY_CLASS, CARD_OLD
from meterctl.utility.rules.leases import LATEST_MS, LEASE_MS
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from protocols.quantities import DAY, MINUTE
from tests.support.desk_gateway import Died, Line
from tests.support.desk_sales import a_sale, balances
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work
from tests.support.desk_world import a_customer

CARD = "/card"


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskAtWork]:
    with desk_at_work(sqlite_desk_url) as desk:
        yield desk


class Running:
    """A worker in a thread, with what it says and which orders it has ended."""

    def __init__(self, desk: DeskAtWork, **options: object) -> None:
        self.desk, self.said, self.ended = desk, [], 0
        self._changed = threading.Condition()
        self.worker = Worker(
            desk.database, cast(Gateway, desk.gateway), observer=self._observe,
            say=self._say, **options,  # type: ignore[arg-type]
        )  # fmt: skip
        self.thread = threading.Thread(target=self.worker.run)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        self.thread.join()

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something is so after an order has ended, or was said."""
        with self._changed:
            assert self._changed.wait_for(what, 60), (self.said, self.ended)

    def _say(self, text: str) -> None:
        with self._changed:
            self.said.append(text)
            self._changed.notify_all()

    def _observe(self, step: Step, begun: Begun, state: str) -> None:
        with self._changed:
            self.ended += step is Step.POSTED
            self._changed.notify_all()


def _lease(database: Database, table: type) -> tuple[str | None, int | None]:
    with database.reading() as session:
        row = session.get_one(table, 1)
        return row.lease_holder, row.lease_until


def test_a_running_worker_sells_what_is_taken_and_gives_its_leases_back(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk, Running(desk) as running:
        desk.sell(key="K1")
        running.wait_for(lambda: running.ended == 1)
        assert _lease(desk.database, Port)[0] == _lease(desk.database, WorkerRow)[0] is not None
        desk.sell(key="K2")
        running.wait_for(lambda: running.ended == 2)
        assert balances(desk.database) == {"cash/1": 100_00, "in_meter/1": 100_00}
        running.worker.stop()
        running.thread.join()
        assert _lease(desk.database, Port) == _lease(desk.database, WorkerRow) == (None, None)


def test_a_worker_settles_what_a_dead_one_left_and_says_it(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.DIES_SENT)
    desk.sell()
    with pytest.raises(Died):
        desk.run()
    with Running(desk) as running:
        running.wait_for(lambda: running.ended == 1)
    assert running.said == ["O1 was sending; by the journal it is unknown"]
    assert desk.sale().state is SaleState.DELIVERED
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


def test_a_journal_has_one_worker(desk: DeskAtWork) -> None:
    leases = Leases(desk.database, "another")
    worker = leases.worker_of(1, "journal")
    leases.take_journal(worker)
    with pytest.raises(Conflict, match="worker another has it"):
        Worker(desk.database, cast(Gateway, desk.gateway)).run()
    with desk.transaction() as work:
        work.session.execute(update(WorkerRow).values(lease_until=-LEASE_MS))
    desk.sell()
    assert Worker(desk.database, cast(Gateway, desk.gateway)).run_once() == 1


def test_a_lease_from_before_the_clock_was_set_back_is_a_dead_workers(desk: DeskAtWork) -> None:
    leases = Leases(desk.database, "another")
    leases.take_journal(leases.worker_of(1, "journal"))
    assert leases.take_port(1)
    late = desk.database.host_clock() + LATEST_MS + 1
    with desk.transaction() as work:
        for table in (WorkerRow, Port):
            work.session.execute(update(table).values(lease_until=late))
    desk.sell()
    assert Worker(desk.database, cast(Gateway, desk.gateway)).run_once() == 1


def test_a_worker_waits_for_the_journal_of_a_dead_one(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_of_workers, "LOOK_S", 0.01)
    leases = Leases(desk.database, "another")
    leases.take_journal(leases.worker_of(1, "journal"))
    desk.sell()
    with Running(desk, waits=True) as running:
        running.wait_for(lambda: len(running.said) == 1)
        assert running.said[0].endswith("worker another has it; waiting until it ends, or is dead")
        assert running.ended == 0
        with desk.transaction() as work:
            work.session.execute(update(WorkerRow).values(lease_until=-LEASE_MS))
        running.wait_for(lambda: running.ended == 1)


def test_a_worker_that_waits_ends_where_the_other_one_lives(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_of_workers, "LOOK_S", 0.01)
    leases = Leases(desk.database, "another")
    number = leases.worker_of(1, "journal")
    leases.take_journal(number)

    def renewed(_: str) -> None:
        with desk.transaction() as work:
            later = desk.database.host_clock() + LEASE_MS + 1
            work.session.execute(update(WorkerRow).values(lease_until=later))

    waiting = Worker(desk.database, cast(Gateway, desk.gateway), say=renewed, waits=True)
    with pytest.raises(Conflict, match="worker another has it"):
        waiting.run()


def test_a_port_has_one_worker(desk: DeskAtWork) -> None:
    assert Leases(desk.database, "another").take_port(1)
    desk.sell()
    assert Worker(desk.database, cast(Gateway, desk.gateway)).run_once() == 0
    assert desk.sale().state is SaleState.TAKEN


def test_a_worker_takes_the_ports_that_it_is_told(desk: DeskAtWork) -> None:
    desk.sell()
    other = Worker(desk.database, cast(Gateway, desk.gateway), ports=frozenset({"P2"}))
    assert other.run_once() == 0
    mine = Worker(desk.database, cast(Gateway, desk.gateway), ports=frozenset({"P1"}))
    assert mine.run_once() == 1


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (UsageError("journal: disk full"), "journal: disk full"),
        (OperationalError("x", {}, Exception("gone")), "(builtins.Exception) gone"),
        (KeyError("x"), "internal fault (KeyError: 'x')"),
    ],
)
def test_a_failure_of_journal_or_database_is_said_and_what_it_interrupted_is_settled(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    sell, failures = desk.gateway.sell, [failure]

    def fails_first(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return sell(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.gateway, "sell", fails_first)
    monkeypatch.setattr("meterctl.utility.meters.ports.AFTER_FAILURE_S", 0.0)
    desk.sell()
    with Running(desk) as running:
        running.wait_for(lambda: len(running.said) == 1)
    assert running.said == [f"port P1: {said}; trying again"]
    assert desk.sale().state in (SaleState.SENDING, SaleState.TAKEN)
    desk.later(MINUTE)
    assert Worker(desk.database, cast(Gateway, desk.gateway)).run_once() == 1
    assert desk.sale().state is SaleState.DELIVERED


def test_an_order_without_a_worker_is_run_by_the_command_that_wrote_it(desk: DeskAtWork) -> None:
    desk.sell(key="K1")
    desk.sell(key="K2")
    assert run_order_now(desk.database, cast(Gateway, desk.gateway), 2) == "delivered"
    assert [desk.sale(n).state for n in (1, 2)] == [SaleState.DELIVERED] * 2
    assert _lease(desk.database, Port) == (None, None)


def test_a_command_that_runs_its_order_settles_what_was_left_behind_before(
    desk: DeskAtWork,
) -> None:
    desk.gateway.lie(SERIAL, Line.DIES_SENT)
    desk.sell(key="K1")
    with pytest.raises(Died):
        desk.run()
    desk.sell(key="K2")
    assert run_order_now(desk.database, cast(Gateway, desk.gateway), 2) == "delivered"
    assert desk.sale(1).state is SaleState.DELIVERED
    assert desk.gateway.meter(SERIAL).credit == 100_00 * 10**8


def test_a_command_waits_for_the_worker_of_its_port(desk: DeskAtWork) -> None:
    def no_gateway() -> Gateway:
        raise AssertionError("the worker does it")

    with Running(desk) as running:
        desk.sell(key="K1")
        running.wait_for(lambda: running.ended == 1)
        desk.sell(key="K2")
        assert carry_out(desk.database, no_gateway, 2, wait_s=60) == "delivered"


def test_a_command_that_waited_long_enough_tells_that_its_order_waits(desk: DeskAtWork) -> None:
    assert Leases(desk.database, "a worker that is busy").take_port(1)
    desk.sell()
    gateway = cast(Gateway, desk.gateway)
    assert carry_out(desk.database, lambda: gateway, 1, wait_s=0) == "taken"
    assert run_order_now(desk.database, gateway, 1) == "taken"


def test_two_commands_at_one_port_take_turns(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        with desk.transaction() as work:
            _, _, meter, agreement = a_customer(work, desk.world.station, "2")
            work.session.get_one(Meter, meter).port_id = 1
            a_sale(work, desk.world, key="K1")
            a_sale(work, desk.world, key="K2", agreement=agreement, meter=meter)
        gateway, states = cast(Gateway, desk.gateway), {}

        def sell(order: int) -> None:
            states[order] = carry_out(desk.database, lambda: gateway, order, wait_s=60)

        threads = [threading.Thread(target=sell, args=(order,)) for order in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert states == {1: "delivered", 2: "delivered"}


def test_a_card_before_the_command_is_written_by_it(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL)
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    gateway = cast(Gateway, desk.gateway)
    assert carry_out(desk.database, lambda: gateway, 1) == "on_card"
    assert (desk.sale().state, desk.sale().card) == (SaleState.ON_CARD, "C1")
    assert balances(desk.database) == {"cash/1": 50_00, "undelivered/1": 50_00}


def _reader(desk: DeskAtWork) -> Worker:
    with desk.transaction() as work:
        found = work.session.scalars(select(Port).where(Port.url == CARD)).first()
        if found is None:
            work.add(
                Port(
                    node_id=desk.world.station, name="R1", url=CARD, protocol="card", baud=9600,
                    lease_holder=None, lease_until=None,
                )
            )  # fmt: skip
    return Worker(desk.database, cast(Gateway, desk.gateway), readers=frozenset({"R1"}))


def test_a_reader_writes_the_sale_for_its_card_and_books_its_write_back(desk: DeskAtWork) -> None:
    desk.sell(carrier=Carrier.CARD, parameters={"reader": "R1"})
    desk.gateway.card_in_reader = Presented("C9", "000000000002")
    assert _reader(desk).run_once() == 0
    desk.gateway.card_in_reader = Presented("C1", SERIAL, consumption=Consumption.UNCONSUMED)
    assert _reader(desk).run_once() == 1
    assert desk.sale().state is SaleState.ON_CARD
    desk.gateway.cards.insert("K1")
    _reader(desk).run_once()
    assert desk.sale().state is SaleState.DELIVERED
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


def test_nothing_is_written_on_a_card_for_another_storage_than_is_known(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL, consumption=Consumption.UNCONSUMED)
    desk.sell(20_00, "K1", carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    desk.gateway.cards.insert("K1")
    _reader(desk).run_once()
    desk.gateway.meter(SERIAL).epoch = 2
    desk.sell(8_00, "K2", kind=SaleKind.CREDIT, carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    assert (desk.sale(2).state, desk.meter().stopped) == (SaleState.TAKEN, "epoch_changed")
    assert desk.sale(2).cause.endswith("`desk reading end-epoch`")
    assert list(desk.gateway.entries) == ["K1"]


def test_an_empty_reader_writes_nothing(desk: DeskAtWork) -> None:
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    assert _reader(desk).run_once() == 0
    assert desk.sale().state is SaleState.TAKEN


def test_a_sale_whose_card_was_pulled_is_written_whole_when_it_is_back(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL, consumption=Consumption.UNCONSUMED)
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    before = desk.gateway.calls.count(("card", "K1"))
    _reader(desk).run_once()
    assert desk.gateway.calls.count(("card", "K1")) == before + 1
    assert desk.sale().state is SaleState.ON_CARD


def test_an_erased_card_is_unknown_and_its_meter_is_asked_at_once(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL)
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    desk.gateway.entries["K1"].state = JournalWord.UNKNOWN
    desk.gateway.card_in_reader = Presented()
    assert _reader(desk).run_once() == 1
    assert desk.sale().state is SaleState.DEAD


def test_a_sale_that_lies_on_a_card_for_60_days_makes_one_task(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL)
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    desk.later(60 * DAY - 1)
    assert owe_card_tasks(desk.database) == 0
    desk.later(1)
    assert (owe_card_tasks(desk.database), owe_card_tasks(desk.database)) == (1, 0)
    with desk.database.reading() as session:
        assert session.scalars(select(Task.kind)).all() == ["card_old"]


def test_a_card_is_old_after_the_days_of_the_setting(desk: DeskAtWork) -> None:
    desk.gateway.card_in_reader = Presented("C1", SERIAL)
    desk.sell(carrier=Carrier.CARD, parameters={"reader": CARD})
    _reader(desk).run_once()
    with unit_of_work(desk.database, WORKER, desk.database.now()) as work:
        values = {"code": CARD_OLD.code, "node_id": company(work.session).id, "value": {"value": 9}}
        work.add(Setting(**values, customer_class=ANY_CLASS, from_on=work.today, set_at=work.now))
    desk.later(9 * DAY - 1)
    assert owe_card_tasks(desk.database) == 0
    desk.later(1)
    assert owe_card_tasks(desk.database) == 1


def test_an_order_that_is_carried_out_elsewhere_too_long_is_sought_in_the_journal(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meterctl.utility.meters.worker.LEFT_BEHIND_S", 0.0)
    worker = Worker(desk.database, cast(Gateway, desk.gateway))
    desk.sell()
    begin(desk.database, 1, Claim(Scope.PORT, 1))
    worker._renew()
    assert desk.sale().state is SaleState.TAKEN


def test_a_journal_that_several_use_at_once_has_one_row(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        found: list[int] = []
        leases = Leases(desk.database, "one of them")
        threads = [
            threading.Thread(target=lambda: found.append(leases.worker_of(1, "journal")))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [1] * 8


def test_a_journal_is_written_down_when_it_is_used_first(desk: DeskAtWork) -> None:
    desk.gateway.journal_path = Path("/somewhere/journal.sqlite")
    Worker(desk.database, cast(Gateway, desk.gateway)).run_once()
    with desk.database.reading() as session:
        rows = session.scalars(select(WorkerRow)).all()
    assert [(row.journal_number, row.journal) for row in rows] == [(1, "/somewhere/journal.sqlite")]
