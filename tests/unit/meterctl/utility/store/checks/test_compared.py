"""Meters beside their accounts where instants do not say what came first."""

from __future__ import annotations

from meterctl.utility.model.money import SaleKind
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.store.checks.meters import meters_agree
from meterctl.utility.store.queries.compared import compared_meters
from meterctl.utility.store.queries.meters_at_end import MetersAtEnd, meter_sums
from meterctl.utility.store.sale_books import move
from protocols.quantities import CENT, HOUR
from tests.support.desk_gateway import Line
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work
from tests.support.desk_world import TODAY


def _read(desk: DeskAtWork, key: str) -> None:
    desk.order(OrderKind.READ, key)
    desk.run_all()


def _opened_and_read(desk: DeskAtWork) -> None:
    desk.sell(20_00, "K1", kind=SaleKind.OPEN)
    desk.run()
    desk.gateway.meter(SERIAL).consume(3_00 * CENT)
    _read(desk, "R1")


def test_a_sale_at_the_instant_of_the_last_reading_waits_for_the_next_one(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        _opened_and_read(desk)
        desk.sell(6_00, "K2")
        desk.run()
        with desk.database.reading() as session:
            assert meters_agree(session).violations == ()
            (compared,) = compared_meters(session)
        assert not compared.is_settled


def test_a_sale_settled_by_hand_waits_for_the_next_reading(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        _opened_and_read(desk)
        desk.gateway.lie(SERIAL, Line.MESSAGE_LOST)
        desk.sell(6_00, "K2")
        desk.run()
        with desk.transaction() as work:
            move(work, 2, SaleEvent.SETTLED_AS_DELIVERED)
        with desk.database.reading() as session:
            assert meters_agree(session).violations == ()
            (compared,) = compared_meters(session)
        assert not compared.is_settled
        desk.later(HOUR)
        desk.gateway.meter(SERIAL).consume(1_00 * CENT)
        _read(desk, "R2")
        with desk.database.reading() as session:
            (compared,) = compared_meters(session)
        assert (compared.is_settled, compared.agrees, compared.finding) == (
            True, False, "books_differ",
        )  # fmt: skip


def test_books_hold_where_the_clock_was_set_back_after_a_reading(desk_url: str) -> None:
    with desk_at_work(desk_url) as desk:
        _opened_and_read(desk)
        desk.later(-HOUR)
        desk.sell(6_00, "K2")
        desk.run()
        end = end_of(TODAY, desk.database.zone)
        with desk.database.reading() as session:
            assert meters_agree(session).violations == ()
            at_end = meter_sums(session, MetersAtEnd(end, ()), [])
        assert (at_end.compared, at_end.others) == (0, 1)
        _read(desk, "R2")
        with desk.database.reading() as session:
            (compared,) = compared_meters(session)
            at_end = meter_sums(session, MetersAtEnd(end, ()), [])
        assert (compared.is_settled, compared.agrees) == (True, True)
        assert (at_end.compared, at_end.differ) == (1, 0)
