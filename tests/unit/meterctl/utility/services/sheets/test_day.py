"""The sheet of a date is of its end, whatever was read, sold and booked before it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.money import Shift
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState, ShiftState
from meterctl.utility.services.sheets.figures import DaySheet, SealFigures
from meterctl.utility.services.sheets.lookup import day_sheet
from meterctl.utility.store.engine import Database
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import WORKER, Actor, Grant, unit_of_work
from protocols.quantities import CENT
from tests.support import desk_world
from tests.support.desk_agreements import read_values
from tests.support.desk_days import an_accountant, at, close, end_shifts, post
from tests.support.desk_sales import a_sale, an_order
from tests.support.desk_world import (
    TODAY,
    World,
    a_customer,
    a_node,
    a_person,
    a_shift,
    a_world,
    opened,
)

TOMORROW = TODAY + timedelta(days=1)
LATER = TODAY + timedelta(days=2)


@pytest.fixture
def desk(desk_url: str) -> Iterator[Database]:
    """A desk with the rows of a world, on each engine in turn."""
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(desk: Database) -> World:
    """The world of the desk."""
    return a_world(desk)


def _sell(desk: Database, world: World, key: str, on: date, *events: SaleEvent) -> int:
    """Take a sale on a date and move it by events on it; return its number."""
    with unit_of_work(desk, WORKER, at(on), key) as work:
        number = a_sale(work, world, 50_00, key).id
    _move(desk, number, on, *events)
    return number


def _move(desk: Database, number: int, on: date, *events: SaleEvent) -> None:
    for event in events:
        with unit_of_work(desk, WORKER, at(on), f"{number} {event}") as work:
            proved = Proved(7, number, "", 0, 0, 50_00 * CENT, number * 50_00 * CENT)
            move(work, number, event, proved=proved if event is SaleEvent.CONFIRMED else None)


def _read(desk: Database, world: World, on: date, consumed: int, sold: int = 1) -> None:
    """Accept a reading of a date, an hour after noon."""
    with unit_of_work(desk, WORKER, at(on) + 3_600_000, f"reading {on}") as work:
        values = read_values(
            work, world.meter, account_state="open", credit_sequence=sold, for_on=on,
            consumption_exact=consumed * CENT, credit_exact=(sold * 50_00 - consumed) * CENT,
            cumulative_exact=sold * 50_00 * CENT, elapsed=(on - TODAY).days + 1,
        )  # fmt: skip
        accept(work, values, world.agreement)


def _closed(desk: Database, world: World, on: date, now: date) -> DaySheet:
    """Close a date on a later one; return its sheet."""
    end_shifts(desk, [world.shift])
    actor = an_accountant(world, world.vendor.staff_id or 0)
    close(desk, actor, on, at(now))
    sheet, seal = _sheet(desk, actor, on, now)
    assert seal is not None
    return sheet


def _sheet(
    desk: Database, actor: Actor, on: date, now: date, node: str | None = None
) -> tuple[DaySheet, SealFigures | None]:
    with desk.reading() as session:
        return day_sheet(session, actor, at(now), end_of(on, desk.zone), node)


def _closing(sheet: DaySheet, kind: AccountKind) -> int:
    return next(total.closing for total in sheet.accounts if total.kind is kind)


def test_a_reading_after_the_date_is_not_on_its_sheet(desk: Database, world: World) -> None:
    _sell(desk, world, "K1", TODAY, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _read(desk, world, TODAY, 1_00)
    _read(desk, world, TOMORROW, 20_00)
    sheet = _closed(desk, world, TODAY, LATER)
    found = sheet.meters
    assert (found.compared, found.in_meter, found.credit_read) == (1, 49_00, 49_00 * CENT)
    assert (found.difference, found.differ, found.others) == (0, 0, 0)
    assert _closing(sheet, AccountKind.IN_METER) == 49_00
    assert [each.age for each in found.ages if each.meters] == ["under 1 day"]


def test_a_sale_after_the_date_takes_nothing_from_its_comparison(
    desk: Database, world: World
) -> None:
    _sell(desk, world, "K1", TODAY, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _read(desk, world, TODAY, 1_00)
    _sell(desk, world, "K2", TOMORROW, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _read(desk, world, TOMORROW, 20_00, sold=2)
    found = _closed(desk, world, TODAY, LATER).meters
    assert (found.compared, found.in_meter, found.credit_read) == (1, 49_00, 49_00 * CENT)


def test_a_reading_before_the_sales_of_the_date_takes_nothing_from_its_comparison(
    desk: Database, world: World
) -> None:
    _read(desk, world, TODAY, 0, sold=0)
    _sell(desk, world, "K1", TOMORROW, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _read(desk, world, TOMORROW, 1_00)
    _sell(desk, world, "K2", LATER, SaleEvent.RUN, SaleEvent.CONFIRMED)
    actor = an_accountant(world, world.vendor.staff_id or 0)
    sheet, _ = _sheet(desk, actor, TOMORROW, LATER)
    found = sheet.meters
    assert (found.compared, found.in_meter, found.credit_read) == (1, 49_00, 49_00 * CENT)


def test_what_is_sold_after_the_reading_of_the_date_is_not_compared(
    desk: Database, world: World
) -> None:
    _sell(desk, world, "K1", TODAY, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _read(desk, world, TODAY, 1_00)
    _sell(desk, world, "K2", TOMORROW, SaleEvent.RUN, SaleEvent.CONFIRMED)
    end_shifts(desk, [world.shift])
    actor = an_accountant(world, world.vendor.staff_id or 0)
    close(desk, actor, TODAY, at(LATER))
    close(desk, actor, TOMORROW, at(LATER))
    sheet, _ = _sheet(desk, actor, TOMORROW, LATER)
    found = sheet.meters
    assert (found.compared, found.others, found.others_in_meter) == (0, 1, 99_00)
    assert _closing(sheet, AccountKind.IN_METER) == 99_00


def test_a_sale_after_the_date_is_not_on_its_sheet(desk: Database, world: World) -> None:
    _sell(desk, world, "K1", TODAY, SaleEvent.RUN, SaleEvent.CONFIRMED)
    _sell(desk, world, "K2", TOMORROW)
    sheet = _closed(desk, world, TODAY, LATER)
    assert (sheet.undelivered, sheet.open_sales) == ((), ())
    assert _closing(sheet, AccountKind.UNDELIVERED) == 0


@pytest.mark.parametrize("later", [SaleEvent.CONFIRMED, SaleEvent.OPEN_OUTCOME, SaleEvent.REFUSED])
def test_a_sale_has_the_state_of_the_end_of_the_date(
    desk: Database, world: World, later: SaleEvent
) -> None:
    number = _sell(desk, world, "K1", TODAY, SaleEvent.RUN)
    _move(desk, number, TOMORROW, later)
    sheet = _closed(desk, world, TODAY, LATER)
    assert [(each.state, each.sales, each.amount) for each in sheet.undelivered] == [
        (SaleState.SENDING, 1, 50_00)
    ]
    assert [(each.sale, each.state) for each in sheet.open_sales] == [("S1", SaleState.SENDING)]
    assert _closing(sheet, AccountKind.UNDELIVERED) == 50_00
    assert not sum(check.broken for check in sheet.checks)


def test_a_sale_that_no_worker_had_begun_was_taken(desk: Database, world: World) -> None:
    number = _sell(desk, world, "K1", TODAY)
    _move(desk, number, TOMORROW, SaleEvent.RUN, SaleEvent.CONFIRMED)
    sheet = _closed(desk, world, TODAY, LATER)
    assert [each.state for each in sheet.open_sales] == [SaleState.TAKEN]


def test_a_sale_that_was_sold_again_later_was_on_its_way(desk: Database, world: World) -> None:
    number = _sell(desk, world, "K1", TODAY, SaleEvent.RUN)
    _move(desk, number, TOMORROW, SaleEvent.REFUSED)
    with unit_of_work(desk, WORKER, at(TOMORROW), "again") as work:
        follower = desk_world.a_sale(
            work, world.agreement, world.meter, 50_00, key="K2", follows_id=number
        )
        an_order(work, OrderKind.SALE, world.meter, "K2", sale=follower)
        move(work, number, SaleEvent.SELL_AGAIN, follower=follower)
    first = _closed(desk, world, TODAY, LATER)
    assert [(each.sale, each.state) for each in first.open_sales] == [("S1", SaleState.SENDING)]
    second = _closed(desk, world, TOMORROW, LATER)
    assert [(each.sale, each.state) for each in second.open_sales] == [("S2", SaleState.TAKEN)]
    assert _closing(second, AccountKind.UNDELIVERED) == 50_00
    assert not sum(check.broken for check in (*first.checks, *second.checks))


def test_a_till_is_as_it_was_at_the_end_of_the_date(desk: Database, world: World) -> None:
    _sell(desk, world, "K1", TODAY)
    post(desk, "banked", postings.cash_banked(world.shift, 0, 50_00), TOMORROW)
    with desk.engine.begin() as connection:
        closed = {
            "state": ShiftState.CLOSED, "counted": 50_00, "counted_at": at(TODAY),
            "closed_at": at(TOMORROW), "slip": "B-77",
        }  # fmt: skip
        connection.execute(update(Shift).values(closed))
    first = _closed(desk, world, TODAY, LATER).tills
    assert [(each.state, each.left, each.slip) for each in first] == [
        (ShiftState.COUNTED, 50_00, None)
    ]
    second = _closed(desk, world, TOMORROW, LATER).tills
    assert [(each.state, each.left, each.banked, each.slip) for each in second] == [
        (ShiftState.CLOSED, 0, 50_00, "B-77")
    ]


def test_the_sheet_of_a_date_that_has_not_ended_is_of_now(desk: Database, world: World) -> None:
    _sell(desk, world, "K1", TODAY)
    actor = an_accountant(world, world.vendor.staff_id or 0)
    sheet, seal = _sheet(desk, actor, TODAY, TODAY)
    assert (seal, sheet.has_ended, sheet.as_of) == (None, False, at(TODAY))
    ended, _ = _sheet(desk, actor, TODAY, TOMORROW)
    assert (ended.has_ended, ended.as_of) == (True, end_of(TODAY, desk.zone).at)


def test_a_sale_of_another_amount_than_is_undelivered_is_broken_on_the_sheet(
    desk: Database, world: World
) -> None:
    _sell(desk, world, "K1", TODAY)
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sale SET amount = 4900")
    actor = an_accountant(world, world.vendor.staff_id or 0)
    sheet, _ = _sheet(desk, actor, TODAY, TODAY)
    broken = {check.invariant: check.broken for check in sheet.checks}
    assert broken == {"I1": 0, "I2": 1, "I3": 0, "I5": 0, "I12": 0}


def test_the_sheet_of_a_node_has_its_tills_channels_and_accounts(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, at(TODAY), "other") as work:
        company = work.session.get_one(Organisation, world.company)
        other = a_node(work, OrganisationKind.STATION, "0012", company)
        vendor = a_person(work, "v2", (Role.VENDOR, other))
        shift = a_shift(work, vendor, other.id, "2")
        _, point, meter, agreement = a_customer(work, other.id, "2")
    there = World(world.company, other.id, vendor, shift.id, world.party, point, meter, agreement)
    _sell(desk, world, "K1", TODAY)
    _sell(desk, there, "K2", TODAY)
    _sell(desk, there, "K3", TODAY)
    head = Actor(vendor.staff_id, "h2", (Grant(Role.STATION_HEAD, other.path),))
    sheet, seal = _sheet(desk, head, TODAY, TODAY, "0012")
    assert (sheet.node, seal) == ("0012", None)
    assert [(each.shift, each.received, each.left) for each in sheet.tills] == [
        ("2", 100_00, 100_00)
    ]
    assert [(each.receipts, each.received) for each in sheet.channels] == [(2, 100_00)]
    assert {each.kind: each.closing for each in sheet.accounts} == {
        AccountKind.CASH: 100_00, AccountKind.UNDELIVERED: 100_00,
    }  # fmt: skip
    assert (sheet.entries, sheet.transfers) == (2, 2)
    assert [each.sale for each in sheet.open_sales] == ["S2", "S3"]
    assert sheet.meters.others == 1
    whole, _ = _sheet(desk, an_accountant(world, vendor.staff_id or 0), TODAY, TODAY)
    assert _closing(whole, AccountKind.CASH) == 150_00


def test_a_refusal_names_the_node_and_where_the_sheet_may_be_seen(
    desk: Database, world: World
) -> None:
    head = Actor(1, "h1", (Grant(Role.STATION_HEAD, f"/{world.company}/{world.station}/"),))
    with pytest.raises(NotPermitted) as refused:
        _sheet(desk, head, TODAY, TODAY)
    text = str(refused.value)
    assert "node 0001" in text
    assert "--node 0011" in text
    assert "station_head" not in text
