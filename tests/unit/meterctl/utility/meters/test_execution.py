"""What becomes of an order at its meter, and what is booked of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from meterctl.utility.meters.execution import Step
from meterctl.utility.meters.gateway import JournalWord
from meterctl.utility.model.metering import Finding, Reading
from meterctl.utility.model.money import SaleKind
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import CommandState, SaleEvent, SaleState
from meterctl.utility.store.order_books import FOLLOWING
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.data_model.items import MAX_CREDIT
from protocols.quantities import CENT, DAY, HOUR, MINUTE, SECOND
from tests.support.desk_gateway import Died, Line
from tests.support.desk_sales import a_debt, balances
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskAtWork]:
    with desk_at_work(sqlite_desk_url) as desk:
        yield desk


def test_a_sale_is_delivered_and_booked_on_both_engines(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        meter = desk.gateway.meter(SERIAL)
        meter.debt, meter.debt_share_percent = 15_00 * CENT + 7, 30
        with desk.transaction() as work:
            a_debt(work, desk.world, 15_01)
        desk.sell(50_00)
        assert desk.run_all() == [1]
        assert balances(desk.database) == {
            "cash/1": 50_00, "in_meter/1": 35_00, "meter_debt/1": 1, "taken_over": 15_01,
        }  # fmt: skip
        sale, order = desk.sale(), desk.row()
        assert (sale.state, sale.cause, sale.sequence) == (SaleState.DELIVERED, "", 1)
        assert sale.credit_after_exact == 35_00 * CENT
        assert (order.journal_entry, order.tries, order.worker_id) == (1, 1, 1)
        assert order.outcome is not None
        assert order.outcome["to_debt_exact"] == 15_00 * CENT
        assert [step for step, _, _ in desk.steps] == list(Step)
        assert desk.steps[-1] == (Step.POSTED, 1, "delivered")


def test_an_opening_is_sold_under_the_points_number(desk: DeskAtWork) -> None:
    desk.sell(kind=SaleKind.OPEN)
    desk.run()
    assert desk.gateway.entries["K1"].kind == "open"


def test_the_state_is_committed_before_the_journal_is_touched(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.DIES)
    desk.sell()
    with pytest.raises(Died):
        desk.run()
    assert desk.sale().state is SaleState.SENDING
    assert desk.gateway.entries["K1"].state is JournalWord.PREPARED


def test_a_silent_meter_leaves_the_sale_taken_with_the_cause(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SILENT)
    desk.sell()
    desk.run()
    assert (desk.sale().state, desk.sale().cause) == (SaleState.TAKEN, "no answer")
    with desk.transaction() as work:
        move(work, 1, SaleEvent.CANCEL)
    desk.later(DAY)
    assert desk.run() is None
    assert balances(desk.database) == {}


def test_what_was_not_settled_is_tried_after_10_s_1_5_15_minutes_and_hourly(
    desk: DeskAtWork,
) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST, *[Line.SILENT] * 6)
    desk.sell()
    desk.run()
    assert desk.sale().state is SaleState.UNKNOWN
    for wait in (10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, HOUR):
        desk.later(wait - 1)
        assert desk.run() is None
        desk.later(1)
        assert desk.run() is not None
    desk.later(HOUR)
    assert desk.run() is not None
    assert desk.sale().state is SaleState.DELIVERED
    assert len(desk.gateway.entries) == 1


def test_a_sale_unknown_for_a_day_makes_one_slip_that_its_proof_ends(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.MESSAGE_LOST, *[Line.SILENT] * 3)
    desk.sell()
    desk.run()
    desk.later(DAY - 1)
    desk.run()
    assert desk.tasks() == []
    for _ in range(2):
        desk.later(DAY)
        desk.run()
        assert desk.tasks() == ["slip"]
    desk.later(DAY)
    desk.run()
    assert desk.sale().state is SaleState.DEAD
    assert balances(desk.database) == {"cash/1": 50_00, "payable/1": 50_00}


def test_a_refused_sale_is_owed(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.REFUSED)
    desk.sell()
    desk.run()
    assert (desk.sale().state, desk.sale().cause) == (SaleState.DEAD, "exceeds_max_credit")
    assert balances(desk.database) == {"cash/1": 50_00, "payable/1": 50_00}


def test_a_proved_value_that_fell_stops_the_meter(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SET_BACK)
    desk.sell()
    desk.run()
    assert (desk.sale().state, desk.meter().stopped) == (SaleState.TAKEN, "set_back")
    assert desk.sale().cause == "a value fell; two persons decide what is done with it"
    assert desk.tasks() == ["set_back"]
    desk.later(DAY)
    assert desk.run() is None


def test_nothing_is_sealed_for_a_storage_that_was_never_read(desk: DeskAtWork) -> None:
    desk.sell(20_00, "K1")
    desk.run()
    desk.gateway.meters.pop(SERIAL)
    desk.gateway.meter(SERIAL).epoch = 2
    desk.sell(8_00, "K2", kind=SaleKind.CREDIT)
    desk.run()
    assert (desk.sale(2).state, desk.meter().stopped) == (SaleState.TAKEN, "epoch_changed")
    assert desk.meter().epoch == 1
    assert list(desk.gateway.entries) == ["K1"]
    assert desk.tasks() == ["set_back"]
    assert desk.run() is None


def test_an_entry_in_the_way_is_settled_and_booked_first(desk: DeskAtWork) -> None:
    """Two persons settled a sale as dead; the next sale finds that the meter has it."""
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell(50_00, "K1")
    desk.run()
    with desk.transaction() as work:
        move(work, 1, SaleEvent.SETTLED_AS_DEAD)
    desk.sell(20_00, "K2")
    desk.run_all()
    assert [desk.sale(n).state for n in (1, 2)] == [SaleState.DELIVERED] * 2
    assert balances(desk.database) == {"cash/1": 70_00, "in_meter/1": 70_00}
    assert desk.gateway.meter(SERIAL).credit == 70_00 * CENT


def test_a_state_that_two_persons_changed_meanwhile_stands(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell()
    desk.run()
    resolve = desk.gateway.settle

    def settled_meanwhile(entry):  # type: ignore[no-untyped-def]
        with desk.transaction() as work:
            move(work, 1, SaleEvent.SETTLED_AS_DELIVERED)
        return resolve(entry)

    desk.gateway.settle = settled_meanwhile  # type: ignore[method-assign]
    desk.later(DAY)
    desk.run()
    assert desk.sale().state is SaleState.DELIVERED
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


def test_a_refund_is_owed_when_it_is_proved_and_its_service_goes_on_once(
    desk: DeskAtWork,
) -> None:
    seen: list[tuple[int, str | None]] = []

    def act(work: UnitOfWork, order: Order) -> None:
        seen.append((order.id, order.credit_state))

    FOLLOWING["a test"] = act
    desk.sell(50_00, "K1")
    desk.order(OrderKind.REFUND, "K2", parameters={"amount": 20_00, "then": "a test"})
    desk.gateway.lie(SERIAL, Line.SOUND, Line.ANSWER_LOST)
    desk.run_all()
    assert (desk.row(2).credit_state, seen) == (SaleState.UNKNOWN, [])
    desk.later(MINUTE)
    desk.run_all()
    assert desk.row(2).credit_state is SaleState.DELIVERED
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 30_00, "payable/1": 20_00}
    assert seen == [(2, SaleState.DELIVERED)]
    del FOLLOWING["a test"]


def test_what_the_meter_accepted_without_a_receipt_is_credit(desk: DeskAtWork) -> None:
    desk.gateway.receipts = False
    desk.sell()
    desk.run()
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}
    assert desk.sale().to_debt_exact is None


def test_a_reading_is_accepted_and_booked(desk: DeskAtWork) -> None:
    desk.sell()
    desk.run()
    desk.gateway.meter(SERIAL).consume(1_23 * CENT + 99)
    desk.order(OrderKind.READ, "K2")
    desk.run()
    assert desk.row(2).command_state is CommandState.DONE
    assert balances(desk.database) == {
        "cash/1": 50_00, "in_meter/1": 48_77, "revenue_energy": 1_23,
    }  # fmt: skip
    with desk.database.reading() as session:
        reading = session.scalars(select(Reading)).one()
        assert desk.row(2).outcome == {"reading": reading.id}
        assert session.scalars(select(Finding)).all() == []


def test_a_silent_reading_is_tried_again_until_it_expires(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SILENT, Line.SILENT)
    number = desk.order(OrderKind.READ, expires=desk.database.now() + HOUR)
    desk.run()
    assert desk.row(number).command_state is CommandState.SILENT
    desk.later(10 * SECOND)
    assert desk.run() is not None
    desk.later(HOUR)
    assert desk.run() is None
    assert desk.row(number).command_state is CommandState.EXPIRED


def test_limits_are_set_and_kept_as_they_were_read_back(desk: DeskAtWork) -> None:
    number = desk.order(OrderKind.LIMITS, parameters={"settings": {"max_credit": "300.00"}})
    desk.run()
    assert desk.gateway.meter(SERIAL).settings == {MAX_CREDIT: 300_00 * CENT}
    assert desk.row(number).command_state is CommandState.DONE
    assert desk.row(number).outcome == {"settings": {"max_credit": "300.00"}}


@pytest.mark.parametrize(
    "parameters", [{}, {"settings": {"max_credit": "much"}}, {"settings": {"nothing": "1"}}]
)
def test_a_command_that_cannot_be_is_refused(desk: DeskAtWork, parameters: dict[str, str]) -> None:
    number = desk.order(OrderKind.LIMITS, parameters=parameters)
    desk.run()
    assert desk.row(number).command_state is CommandState.REFUSED
    assert desk.row(number).cause


def test_a_tariff_is_that_of_its_file(desk: DeskAtWork) -> None:
    desk.order(OrderKind.TARIFF, parameters={"text": 'prices = ["0.50", "0.60"]'})
    desk.run()
    assert desk.row().cause == ""
    assert len(desk.gateway.meter(SERIAL).tariffs) == 1


def test_an_order_to_resolve_settles_the_sale_of_its_key(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell()
    desk.run()
    number = desk.order(OrderKind.RESOLVE, "K2", parameters={"key": "K1"})
    desk.run()
    assert desk.sale().state is SaleState.DELIVERED
    assert desk.row(number).command_state is CommandState.DONE
