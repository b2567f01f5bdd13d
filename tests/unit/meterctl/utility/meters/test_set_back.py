"""A meter whose storage was set back: two persons serve it, and what differs is booked."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from meterctl.utility.errors import Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.money import SaleKind
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import epoch_ends, tasks
from meterctl.utility.store.checks.books import never_negative
from meterctl.utility.store.checks.entries import entries_sourced
from meterctl.utility.store.checks.meters import meters_agree, sales_proved
from meterctl.utility.store.checks.people import two_persons
from protocols.quantities import CENT, HOUR
from tests.support.desk_gateway import FakeMeter, Line
from tests.support.desk_sales import a_debt, balances
from tests.support.desk_workers import SERIAL, DeskAtWork, desk_at_work
from tests.support.desk_world import a_person


def test_a_meter_that_was_set_back_is_served_when_two_persons_have_decided_so(
    desk_url: str,
) -> None:
    """20.00 sold, 6.00 sold and lost, 3.00 charged and taken back; 1.00 of it is estimated."""
    with desk_at_work(desk_url) as desk:
        desk.sell(20_00, "K1", kind=SaleKind.OPEN)
        desk.run()
        saved = FakeMeter(**vars(desk.gateway.meter(SERIAL)))
        desk.sell(6_00, "K2")
        desk.run()
        desk.gateway.meter(SERIAL).consume(3_00 * CENT)
        _read(desk, "R1")
        assert balances(desk.database)["in_meter/1"] == 23_00
        desk.gateway.meters[SERIAL] = saved
        desk.gateway.lie(SERIAL, Line.SET_BACK)
        desk.sell(7_00, "K3")
        desk.run()
        assert desk.meter().stopped == "set_back"

        _served(desk, estimate=1_00)
        assert desk.meter().stopped == "set_back"
        desk.run_all()
        assert desk.meter().stopped is None
        desk.later(HOUR)
        desk.run_all()
        assert desk.sale(3).state is SaleState.DELIVERED
        booked = balances(desk.database)
        assert (booked["in_meter/1"], booked["payable/1"]) == (27_00, 2_00)
        assert booked["revenue_energy"] == 4_00
        desk.gateway.meter(SERIAL).consume(2_00 * CENT)
        _read(desk, "R2")
        assert balances(desk.database)["in_meter/1"] == 25_00
        with desk.database.reading() as session:
            for checked in (meters_agree(session), sales_proved(session), two_persons(session)):
                assert checked.broken == 0, checked.violations


def test_credit_that_a_meter_has_again_is_a_claim(sqlite_desk_url: str) -> None:
    with desk_at_work(sqlite_desk_url) as desk:
        desk.sell(20_00, "K1", kind=SaleKind.OPEN)
        desk.run()
        saved = FakeMeter(**vars(desk.gateway.meter(SERIAL)))
        desk.gateway.meter(SERIAL).consume(3_00 * CENT)
        _read(desk, "R1")
        desk.gateway.meters[SERIAL] = saved
        _read(desk, "R2")
        assert desk.meter().stopped == "set_back"
        _served(desk, estimate=50)
        desk.run_all()
        booked = balances(desk.database)
        assert (booked["in_meter/1"], booked["receivable/1"]) == (20_00, 3_50)


@pytest.mark.parametrize(
    ("saved_debt", "expected"),
    [
        (10_00, {"meter_debt/1": 10_00, "payable/1": 4_00 + 2_00}),
        (5_00, {"meter_debt/1": 5_00, "payable/1": 4_00, "receivable/1": 3_00}),
    ],
)
def test_debt_that_differs_after_a_set_back_is_booked(
    sqlite_desk_url: str, saved_debt: int, expected: dict[str, int]
) -> None:
    """10.00 of debt; 4.00 sold, 2.00 of them for debt, and 2.00 more: all is set back."""
    with desk_at_work(sqlite_desk_url) as desk:
        desk.sell(20_00, "K1", kind=SaleKind.OPEN)
        desk.run()
        meter = desk.gateway.meter(SERIAL)
        meter.debt, meter.debt_share_percent = 10_00 * CENT, 50
        with desk.transaction() as work:
            a_debt(work, desk.world, 10_00)
        saved = FakeMeter(**vars(meter))
        desk.sell(4_00, "K2")
        desk.run()
        meter.debt_share_percent = 0
        desk.sell(2_00, "K3")
        desk.run()
        assert balances(desk.database)["meter_debt/1"] == 8_00
        saved.debt = saved_debt * CENT
        desk.gateway.meters[SERIAL] = saved
        _read(desk, "R1")
        _served(desk, estimate=0)
        desk.run_all()
        kinds = ("meter_debt/1", "payable/1", "receivable/1")
        booked = balances(desk.database)
        assert {kind: booked[kind] for kind in kinds if kind in booked} == expected
        with desk.database.reading() as session:
            for checked in (meters_agree(session), never_negative(session, whole=True)):
                assert checked.broken == 0, checked.violations
            wrong = {each.subject for each in entries_sourced(session).violations}
            assert wrong == {"entry 3 (debt/B1)"}  # of this test


def test_a_meter_without_booked_credit_is_served_again(sqlite_desk_url: str) -> None:
    """In mode account nothing is booked of its credit, and nothing is to be estimated."""
    with desk_at_work(sqlite_desk_url) as desk:
        with desk.transaction() as work:
            work.session.execute(update(Agreement).values(mode=AgreementMode.ACCOUNT))
        desk.gateway.meter(SERIAL).consume(-20_00 * CENT)
        saved = FakeMeter(**vars(desk.gateway.meter(SERIAL)))
        desk.gateway.meter(SERIAL).consume(3_00 * CENT)
        _read(desk, "R1")
        desk.gateway.meters[SERIAL] = saved
        _read(desk, "R2")
        assert desk.meter().stopped == "set_back"
        with pytest.raises(Refused, match="mode account: no credit is booked"):
            _served(desk, estimate=1_00)
        _served(desk, estimate=0)
        desk.run_all()
        assert desk.meter().stopped is None
        assert balances(desk.database) == {}


def test_a_meter_that_was_not_set_back_is_not_served_so(sqlite_desk_url: str) -> None:
    with desk_at_work(sqlite_desk_url) as desk:
        desk.sell(20_00, "K1", kind=SaleKind.OPEN)
        desk.run()
        with pytest.raises(Refused, match="not stopped as set back"):
            _served(desk, estimate=0)


def _read(desk: DeskAtWork, key: str) -> None:
    desk.later(HOUR)
    desk.order(OrderKind.READ, key)
    desk.run_all()


def _served(desk: DeskAtWork, *, estimate: int) -> None:
    """Let one person propose it, and another approve it."""
    with desk.transaction() as work:
        station = work.session.get_one(Organisation, desk.world.station)
        work.actor = a_person(work, "a1", (Role.ACCOUNTANT, station))
        head = a_person(work, "h1", (Role.STATION_HEAD, station))
        told = epoch_ends.serve_set_back(work, meter=SERIAL, estimate=estimate, reason="restored")
    with desk.transaction() as work:
        work.actor = head
        tasks.approve(work, told["task"])
