"""Journals that were moved are adopted; of those that are lost people learn what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select

from meterctl.utility.errors import Conflict, NotFound, NotPermitted
from meterctl.utility.meters.adoption import adopt, give_up
from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Claim, begin
from meterctl.utility.meters.reconcile import reconcile
from meterctl.utility.model.work import OrderKind, Worker
from meterctl.utility.rules.transitions import CommandState, SaleState
from meterctl.utility.store.unit_of_work import unit_of_work
from tests.support.desk_gateway import FakeGateway, Line
from tests.support.desk_sales import balances
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work


@pytest.fixture
def desk(sqlite_desk_url: str) -> Iterator[DeskAtWork]:
    with desk_at_work(sqlite_desk_url) as desk:
        yield desk


def _unknown(desk: DeskAtWork) -> None:
    """Bring a sale to the state in which only its journal can settle it."""
    desk.gateway.lie(SERIAL, Line.ANSWER_LOST)
    desk.sell()
    desk.run()


def _moved(desk: DeskAtWork, number: int) -> FakeGateway:
    """Return the gateway of the same journal in another place."""
    other = FakeGateway(Path("/elsewhere/journal.sqlite"), number)
    other.entries, other.meters = desk.gateway.entries, desk.gateway.meters
    return other


@pytest.mark.parametrize("number", [1, 7])
def test_an_adopted_journal_settles_the_orders_that_it_has_sealed(
    desk: DeskAtWork, number: int
) -> None:
    """Under its number, and under a new one that the moved file drew."""
    _unknown(desk)
    other = _moved(desk, number)
    with desk.transaction() as work:
        told = adopt(work, cast(Gateway, other))
    assert told["journal"] == "/elsewhere/journal.sqlite"
    assert told["orders"] == ([] if number == 1 else ["O1"])
    reconcile(desk.database, cast(Gateway, other), told["worker"])
    desk.gateway = other
    desk.run_all()
    assert desk.sale().state is SaleState.DELIVERED


def test_orders_that_a_journal_has_not_sealed_stay_where_they_are(desk: DeskAtWork) -> None:
    _unknown(desk)
    with desk.transaction() as work:
        told = adopt(work, cast(Gateway, FakeGateway(Path("/other.sqlite"), 2)))
    assert told["orders"] == []
    assert desk.row().worker_id == 1


def test_a_journal_of_a_living_worker_is_neither_adopted_nor_given_up(desk: DeskAtWork) -> None:
    _unknown(desk)
    Leases(desk.database, "alive").take_journal(1)
    with pytest.raises(Conflict), desk.transaction() as work:
        adopt(work, cast(Gateway, _moved(desk, 1)))
    with pytest.raises(Conflict), desk.transaction() as work:
        give_up(work, worker=1, reason="burnt")


def test_orders_of_a_lost_journal_are_unknown_and_make_slips(desk: DeskAtWork) -> None:
    desk.sell(key="K1")
    begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
    number = desk.order(OrderKind.LIMITS, "K2", parameters={"settings": {}})
    with desk.transaction() as work:
        command = desk.row(number)
        assert command.command_state is CommandState.QUEUED
        told = give_up(work, worker=1, reason="burnt")
    assert told["orders"] == ["O1"]
    assert (desk.sale().state, desk.sale().cause) == (SaleState.UNKNOWN, "burnt")
    assert desk.tasks() == ["slip"]
    assert balances(desk.database) == {"cash/1": 50_00, "undelivered/1": 50_00}


def test_several_orders_of_a_lost_journal_are_given_up_together(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        _unknown(desk)
        desk.order(OrderKind.READ, "K2")
        begin(desk.database, desk.execution.worker, Claim(Scope.PORT, 1))
        with desk.transaction() as work:
            told = give_up(work, worker=1, reason="burnt")
        assert told["orders"] == ["O1", "O2"]
        assert desk.sale().state is SaleState.UNKNOWN
        assert desk.row(2).command_state is CommandState.SILENT
        assert desk.tasks() == ["slip"]


def test_a_worker_that_is_not_there_is_not_found(desk: DeskAtWork) -> None:
    with pytest.raises(NotFound), desk.transaction() as work:
        give_up(work, worker=9, reason="burnt")


def test_a_vendor_adopts_no_journal(desk: DeskAtWork) -> None:
    vendor, now = desk.world.vendor, desk.database.now()
    with pytest.raises(NotPermitted), unit_of_work(desk.database, vendor, now) as work:
        adopt(work, cast(Gateway, desk.gateway))
    with desk.database.reading() as session:
        assert session.scalars(select(Worker)).all() == []
