"""A meter whose storage was set back: two persons serve it, and what differs is booked."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import Refused
from meterctl.utility.model.money import SaleKind
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import epoch_ends, tasks
from meterctl.utility.store.checks.meters import meters_agree, sales_proved
from protocols.quantities import CENT, HOUR
from tests.support.desk_gateway import FakeMeter, Line
from tests.support.desk_sales import balances
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
            for checked in (meters_agree(session, whole=True), sales_proved(session)):
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
