"""Orders through the real gateway and journal, to meters in this process, over lines that fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Claim
from meterctl.utility.meters.worker import Worker
from meterctl.utility.model.metering import Finding, Meter
from meterctl.utility.model.money import Sale, SaleKind
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import CommandState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from protocols.quantities import MINUTE
from tests.support.desk_lines import (
    URL,
    AtDelivery,
    DeskLine,
    Killed,
    killing_at_delivery,
    silent,
)
from tests.support.desk_sales import a_port, a_sale, an_order, balances
from tests.support.desk_world import World, a_world, opened
from tests.support.meters import make

SERIAL = "000000000042"
POINT = "000100000001"


class DeskOnLine:
    """A desk with one customer, whose meter is new and lies on a line."""

    def __init__(self, url: str) -> None:
        self.meter = make(serial_number=SERIAL, epoch=0xE0, credit=0, opened=False)
        self.line = DeskLine(self.meter)
        self.folder = Path(url.removeprefix("sqlite:///")).parent
        self.database: Database = opened(url)
        self.database = Database(
            self.database.engine, self.database.zone, False, lambda: self.line.now_ms
        )
        self.world: World = a_world(self.database)
        with unit_of_work(self.database, WORKER, self.line.now_ms) as work:
            a_port(work, self.world, URL)
            work.session.get_one(Meter, self.world.meter).serial = SERIAL

    def sell(self, amount: int = 50_00, key: str = "K1", kind: SaleKind = SaleKind.OPEN) -> None:
        """Take a sale; the first one opens the account."""
        with unit_of_work(self.database, WORKER, self.line.now_ms) as work:
            a_sale(work, self.world, amount, key, kind=kind)

    def order(self, kind: OrderKind, key: str, **parameters: object) -> None:
        """Write an order without a sale."""
        with unit_of_work(self.database, WORKER, self.line.now_ms) as work:
            an_order(
                work, kind, self.world.meter, key, agreement=self.world.agreement,
                parameters=parameters,
            )  # fmt: skip

    def run(self) -> int:
        """Run a worker once."""
        return Worker(self.database, self.line.gateway(self.folder)).run_once()

    def states(self) -> list[str]:
        """Return the states of the orders."""
        with self.database.reading() as session:
            rows = session.scalars(select(Order).order_by(Order.id)).all()
            return [str(row.credit_state or row.command_state) for row in rows]

    def findings(self) -> list[str]:
        """Return the rules of the findings."""
        with self.database.reading() as session:
            return list(session.scalars(select(Finding.rule)))


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskOnLine]:
    desk = DeskOnLine(sqlite_desk_url)
    yield desk
    desk.database.close()


def test_a_new_meter_is_opened_sold_to_set_and_read(desk: DeskOnLine) -> None:
    desk.sell(50_00)
    desk.sell(20_00, "K2", SaleKind.CREDIT)
    desk.order(OrderKind.LIMITS, "K3", settings={"max_credit": "300.00"})
    desk.order(OrderKind.READ, "K4")
    desk.order(OrderKind.REFUND, "K5", amount=5_00)
    desk.order(OrderKind.READ, "K6", terms=True)
    assert desk.run() == 6
    assert desk.states() == ["delivered", "delivered", "done", "done", "delivered", "done"]
    assert balances(desk.database) == {"cash/1": 70_00, "in_meter/1": 65_00, "payable/1": 5_00}
    assert desk.findings() == []
    with desk.database.reading() as session:
        sale, meter = session.get_one(Sale, 1), session.get_one(Meter, 1)
        assert (sale.epoch, sale.supply_state) == (0xE0, "connected")
        assert (meter.epoch, meter.proved_sequence) == (0xE0, 3)
        outcome = session.get_one(Order, 6).outcome
        assert outcome is not None
        assert outcome["settings"]["max_credit"] == "300.00"
        assert outcome["current"]["prices"]


def test_a_silent_meter_leaves_the_sale_taken(desk: DeskOnLine) -> None:
    desk.line.fault = silent
    desk.sell()
    desk.run()
    assert desk.states() == ["taken"]
    desk.line.fault = None
    desk.line.now_ms += MINUTE
    desk.run()
    assert desk.states() == ["delivered"]


@pytest.mark.parametrize("lost", [True, False])
def test_a_sale_whose_answer_is_lost_is_unknown_until_the_meter_answers(
    desk: DeskOnLine, lost: bool
) -> None:
    desk.line.fault = AtDelivery(lost=lost)
    desk.sell()
    desk.run()
    assert desk.states() == ["unknown"]
    assert balances(desk.database) == {"cash/1": 50_00, "undelivered/1": 50_00}
    desk.line.fault = None
    desk.run()
    assert desk.states() == ["delivered"]
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


@pytest.mark.parametrize("lost", [True, False])
def test_a_process_killed_at_the_delivery_is_settled_by_the_next_one(
    desk: DeskOnLine, lost: bool
) -> None:
    desk.line.fault = killing_at_delivery(lost=lost)
    desk.sell()
    gateway = desk.line.gateway(desk.folder)
    worker = Leases(desk.database, "killed").worker_of(gateway.journal_number, "journal")
    execution = Execution(desk.database, gateway, worker)
    with pytest.raises(Killed), gateway.wire(URL) as wire:
        execution.run_next(wire, Claim(Scope.PORT, 1))
    assert desk.states() == ["sending"]
    desk.line.fault = None
    desk.run()
    assert desk.states() == ["delivered"]
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}
    desk.order(OrderKind.READ, "K2")
    desk.run()
    assert (desk.states()[1], desk.findings()) == (CommandState.DONE, [])


def test_a_sale_that_the_meter_refuses_is_owed(desk: DeskOnLine) -> None:
    desk.sell()
    desk.order(OrderKind.LIMITS, "K2", settings={"max_credit": "60.00"})
    desk.run()
    desk.sell(20_00, "K3", SaleKind.CREDIT)
    desk.run()
    assert desk.states() == ["delivered", "done", "dead"]
    assert balances(desk.database) == {"cash/1": 70_00, "in_meter/1": 50_00, "payable/1": 20_00}
    with desk.database.reading() as session:
        assert "exceeds_max_credit" in session.get_one(Sale, 2).cause.replace(" ", "_")
