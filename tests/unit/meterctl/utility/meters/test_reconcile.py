"""What a dead process left behind is what its journal says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from sqlalchemy import select

from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.endings import end
from meterctl.utility.meters.gateway import CreditKind, Gateway, JournalWord
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Claim, begin
from meterctl.utility.meters.reconcile import foreign_orders, reconcile
from meterctl.utility.model.metering import Finding
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import CommandState, SaleEvent, SaleState
from meterctl.utility.store.order_books import FOLLOWING
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_gateway import Died, Line
from tests.support.desk_sales import balances
from tests.support.desk_workers import SERIAL, URL, DeskAtWork, desk_at_work


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskAtWork]:
    with desk_at_work(sqlite_desk_url) as desk:
        yield desk


def _reconcile(desk: DeskAtWork, worker: int = 1) -> list[tuple[str, str]]:
    found = reconcile(desk.database, cast(Gateway, desk.gateway), worker)
    return [(each.before, each.after) for each in found]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        (None, SaleState.TAKEN),
        (JournalWord.PREPARED, SaleState.UNKNOWN),
        (JournalWord.UNKNOWN, SaleState.UNKNOWN),
        (JournalWord.ON_CARD, SaleState.ON_CARD),
        (JournalWord.CONFIRMED, SaleState.DELIVERED),
        (JournalWord.REFUSED, SaleState.DEAD),
    ],
)
def test_a_sale_that_was_being_sent_is_what_the_journal_says(
    desk: DeskAtWork, word: JournalWord | None, state: SaleState
) -> None:
    desk.sell()
    begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    if word is not None:
        entry = desk.gateway.seal("K1", CreditKind.CREDIT, SERIAL, 50_00)
        entry.state = word
        if word is JournalWord.CONFIRMED:
            entry.effect = desk.gateway.meter(SERIAL).accept(CreditKind.CREDIT, 50_00)
    assert _reconcile(desk) == [("sending", state.value)]
    assert desk.sale().state is state
    assert _reconcile(desk) == []


@pytest.mark.parametrize("line", [Line.DIES, Line.DIES_SENT])
def test_a_sale_cut_in_the_middle_is_resolved_at_once_and_sold_once(
    desk: DeskAtWork, line: Line
) -> None:
    desk.gateway.lie(SERIAL, line)
    desk.sell()
    with pytest.raises(Died):
        desk.run()
    _reconcile(desk)
    desk.run_all()
    accepted = line is Line.DIES_SENT
    assert desk.sale().state is (SaleState.DELIVERED if accepted else SaleState.DEAD)
    assert desk.gateway.meter(SERIAL).cumulative == (50_00 * 10**8 if accepted else 0)
    assert len(desk.gateway.entries) == 1


def test_a_sale_that_was_never_sealed_is_run_at_once(desk: DeskAtWork) -> None:
    desk.sell()
    begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    _reconcile(desk)
    assert desk.run_all() == [1]
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


def test_what_a_living_process_may_still_seal_is_not_concluded_absent(desk: DeskAtWork) -> None:
    desk.sell()
    begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    leases = Leases(desk.database, "a command that sells")
    with leases.kept_port(1) as taken:
        assert taken
        assert _reconcile(desk) == []
        assert desk.sale().state is SaleState.SENDING
    assert _reconcile(desk) == [("sending", "taken")]


def test_a_sale_that_was_thought_absent_and_is_sealed_is_booked(desk: DeskAtWork) -> None:
    desk.sell()
    begun = begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    assert begun is not None
    _reconcile(desk)
    assert desk.sale().state is SaleState.TAKEN
    with desk.gateway.wire(URL) as wire:
        assert begun.place is not None
        outcome = wire.sell(begun.place, "K1", CreditKind.CREDIT, 50_00)
    assert end(desk.database, begun, outcome) == "delivered"
    assert balances(desk.database) == {"cash/1": 50_00, "in_meter/1": 50_00}


def test_a_cancelled_sale_that_the_meter_has_is_a_finding(desk: DeskAtWork) -> None:
    desk.sell()
    begun = begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    assert begun is not None
    _reconcile(desk)
    with desk.transaction() as work:
        move(work, 1, SaleEvent.CANCEL)
    with desk.gateway.wire(URL) as wire:
        assert begun.place is not None
        outcome = wire.sell(begun.place, "K1", CreditKind.CREDIT, 50_00)
    assert end(desk.database, begun, outcome) == "cancelled"
    with desk.database.reading() as session:
        assert session.scalars(select(Finding.rule)).all() == ["proof_against_end"]


def test_a_command_of_a_dead_process_runs_again(desk: DeskAtWork) -> None:
    number = desk.order(OrderKind.LIMITS, parameters={"settings": {}})
    begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    assert _reconcile(desk) == [("running", "silent")]
    assert desk.run_all() == [number]
    assert desk.row(number).command_state is CommandState.DONE


def test_orders_of_another_journal_are_left_alone_and_named(desk: DeskAtWork) -> None:
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell()
    desk.run()
    desk.gateway.journal_number, desk.gateway.entries = 2, {}
    other = desk.execution.worker
    assert _reconcile(desk, other) == []
    assert desk.sale().state is SaleState.UNKNOWN
    assert foreign_orders(desk.database, other) == [(1, "K1", "journal")]
    assert foreign_orders(desk.database, 1) == []


def test_what_follows_an_order_is_done_when_the_process_died_before_it(desk: DeskAtWork) -> None:
    followed: list[int] = []

    def act(work: UnitOfWork, order: Order) -> None:
        followed.append(order.id)

    number = desk.order(OrderKind.OPEN, parameters={"amount": 0, "then": "unknown word"})
    with pytest.raises(Exception, match="no part of the desk goes on"):
        desk.run()
    assert [after.partition(":")[0] for _, after in _reconcile(desk)] == ["not gone on with"]
    FOLLOWING["unknown word"] = act
    assert (_reconcile(desk), _reconcile(desk), followed) == ([], [], [number])
    del FOLLOWING["unknown word"]
