"""Which order is begun next, and that two workers never begin the same one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from meterctl.utility.meters.due_orders import DUE, Scope, orders
from meterctl.utility.meters.gateway import CreditKind
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Begun, Claim, begin
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Carrier, SaleKind
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.statements import Prepared
from tests.support.desk_agreements import read_values
from tests.support.desk_gateway import Line
from tests.support.desk_sales import a_sale
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work
from tests.support.desk_world import NOON, a_customer

PORT = Claim(Scope.PORT, 1)


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskAtWork]:
    with desk_at_work(sqlite_desk_url) as desk:
        yield desk


def _begin(desk: DeskAtWork, claim: Claim = PORT, journal: int = 1) -> Begun | None:
    worker = Leases(desk.database, "test").worker_of(journal, f"journal {journal}")
    return begin(desk.database, worker, claim)


def _number(begun: Begun | None) -> int | None:
    return None if begun is None else begun.order


def test_orders_of_a_meter_run_in_the_order_of_their_numbers(desk: DeskAtWork) -> None:
    for n in range(1, 4):
        desk.sell(key=f"K{n}")
    assert desk.run_all() == [1, 2, 3]
    assert [desk.sale(n).sequence for n in (1, 2, 3)] == [1, 2, 3]


def _account(desk: DeskAtWork, state: str, at: int) -> None:
    """Read the meter of the desk: its account is in a state."""
    with desk.transaction() as work:
        known = {"account_state": state, "taken_at": at, "epoch": 1}
        values = read_values(work, desk.world.meter, **known)
        accept(work, values, None)


def test_a_sale_opens_the_account_if_the_one_before_it_was_cancelled(desk: DeskAtWork) -> None:
    _account(desk, "unopened", NOON)
    desk.sell(key="K1", kind=SaleKind.OPEN)
    desk.sell(key="K2")
    with desk.transaction() as work:
        move(work, 1, SaleEvent.CANCEL)
    begun = _begin(desk)
    assert begun is not None
    assert (begun.key, begun.credit) == ("K2", CreditKind.OPEN)
    assert desk.sale(2).kind is SaleKind.OPEN


def test_a_sale_is_plain_credit_if_the_account_was_opened_meanwhile(desk: DeskAtWork) -> None:
    _account(desk, "unopened", NOON)
    desk.sell(key="K1", kind=SaleKind.OPEN)
    _account(desk, "open", NOON + 1)
    begun = _begin(desk)
    assert begun is not None
    assert begun.credit is CreditKind.CREDIT


def test_a_sale_behind_an_opening_stays_what_it_was(desk: DeskAtWork) -> None:
    _account(desk, "unopened", NOON)
    desk.sell(key="K1", kind=SaleKind.OPEN)
    desk.sell(key="K2")
    assert desk.run_all() == [1, 2]
    assert [desk.sale(n).kind for n in (1, 2)] == [SaleKind.OPEN, SaleKind.CREDIT]


def test_one_credit_order_lives_a_meter_and_others_wait(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell(key="K1")
    desk.sell(key="K2")
    assert desk.run_all() == [1]
    assert [desk.sale(n).state for n in (1, 2)] == [SaleState.UNKNOWN, SaleState.TAKEN]


def test_what_waits_behind_a_sale_on_a_card_is_no_command(desk: DeskAtWork) -> None:
    desk.sell(key="K1", carrier=Carrier.CARD, parameters={"reader": "/card"})
    with desk.transaction() as work:
        move(work, 1, SaleEvent.RUN)
    with desk.transaction() as work:
        move(work, 1, SaleEvent.WRITTEN_ON_CARD)
    desk.sell(key="K2")
    limits = desk.order(OrderKind.LIMITS, "K3", parameters={"settings": {}})
    assert desk.run() is None
    with desk.transaction() as work:
        move(work, 2, SaleEvent.CANCEL)
    assert desk.run_all() == [limits]


def test_a_reading_waits_for_no_order(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SILENT)
    desk.sell(key="K1")
    desk.run()
    number = desk.order(OrderKind.READ, "K2")
    assert desk.run_all() == [number]


def test_a_command_waits_for_the_one_before_it(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SILENT)
    desk.order(OrderKind.LIMITS, "K1", parameters={"settings": {}})
    desk.order(OrderKind.OPEN, "K2", parameters={"amount": 0})
    assert desk.run_all() == [1]
    desk.later(60_000)
    assert desk.run_all() == [1, 2]


def test_sales_of_other_meters_are_begun_before_readings(desk: DeskAtWork) -> None:
    for n in range(1, 4):
        desk.order(OrderKind.READ, f"R{n}")
    desk.sell(key="K1")
    begun = _begin(desk)
    assert begun is not None
    assert (begun.order, begun.others) == (4, (1, 2, 3))
    assert _number(_begin(desk, Claim(Scope.ORDER, 2))) == 2
    assert _begin(desk, Claim(Scope.ORDER, 2)) is None


def test_an_order_of_a_meter_that_another_process_has_just_begun_waits(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of live orders refuses what the claim could not see yet (I5)."""
    desk.sell(key="K1")
    desk.sell(key="K2", carrier=Carrier.CARD, parameters={"reader": "/card"})
    assert _number(_begin(desk)) == 1
    seen = DUE[Scope.CARD_ORDER]
    second = Prepared(orders().where(Order.__table__.c.id == 2))
    monkeypatch.setitem(DUE, Scope.CARD_ORDER, second)
    assert _begin(desk, Claim(Scope.CARD_ORDER, 2)) is None
    monkeypatch.setitem(DUE, Scope.CARD_ORDER, seen)
    assert desk.sale(2).state is SaleState.TAKEN


def test_a_meter_that_is_stopped_gets_no_credit_but_is_read(desk: DeskAtWork) -> None:
    with desk.transaction() as work:
        work.session.get_one(Meter, desk.world.meter).stopped = "set_back"
    desk.sell(key="K1")
    number = desk.order(OrderKind.READ, "K2")
    assert desk.run_all() == [number]


def test_sales_by_card_are_not_begun_at_a_port(desk: DeskAtWork) -> None:
    desk.sell(key="K1", carrier=Carrier.CARD, parameters={"reader": "/card"})
    assert _begin(desk) is None
    assert _number(_begin(desk, Claim(Scope.CARD_ORDER, 1))) == 1


def test_a_reader_gets_sales_for_the_meter_of_its_card(desk: DeskAtWork) -> None:
    desk.sell(key="K1", carrier=Carrier.CARD, parameters={"reader": "/card"})
    for reader in (("R", "/other", SERIAL), ("R", "/card", "000000000002"), ("R", "/card", "")):
        assert _begin(desk, Claim(Scope.READER, reader=reader)) is None
    assert _number(_begin(desk, Claim(Scope.READER, reader=("R", "/card", SERIAL)))) == 1


def test_an_unknown_sale_is_left_to_the_journal_that_sealed_it(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell()
    desk.run()
    desk.later(60_000)
    assert _begin(desk, journal=2) is None
    assert _number(_begin(desk, journal=1)) == 1


def test_a_person_who_waits_does_not_wait_for_the_next_try(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.SILENT)
    desk.sell(key="K1")
    desk.sell(key="K2")
    desk.run()
    assert _begin(desk) is None
    claim = Claim(Scope.METER, desk.world.meter, upto=2)
    assert _number(_begin(desk, claim)) == 1


def test_a_retired_orders_parameters_are_told(desk: DeskAtWork) -> None:
    desk.sell(12_34)
    begun = _begin(desk)
    assert begun is not None
    assert begun.place is not None
    assert (begun.amount, begun.credit, begun.customer) == (12_34, "credit", "000100000001")
    assert (begun.place.serial, begun.place.url, begun.place.protocol) == (
        SERIAL, "/tmp/wire", "modbus",
    )  # fmt: skip


def test_every_claim_can_be_asked_of_both_engines(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        desk.sell(carrier=Carrier.CARD, parameters={"reader": "/card"})
        found = {scope: _number(_begin(desk, Claim(scope, 1, 0, 1))) for scope in Scope}
        assert found == {scope: 1 if scope is Scope.CARD_ORDER else None for scope in Scope}


def test_two_workers_begin_each_order_once(desk_url: str) -> None:
    """Forty meters of one port, two processes' worth of claims at the same time."""
    with desk_at_work(desk_url) as desk:
        with desk.transaction() as work:
            for n in range(2, 22):
                _, _, meter, agreement = a_customer(work, desk.world.station, str(n))
                work.session.get_one(Meter, meter).port_id = 1
                a_sale(work, desk.world, key=f"K{n}", agreement=agreement, meter=meter)
        begun: list[list[int]] = [[], []]
        errors: list[BaseException] = []

        def claim(mine: list[int], journal: int) -> None:
            try:
                while (order := _begin(desk, journal=journal)) is not None:
                    mine.append(order.order)
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=claim, args=(mine, n)) for n, mine in enumerate(begun, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(begun[0] + begun[1]) == list(range(1, 21))
