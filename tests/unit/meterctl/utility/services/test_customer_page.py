"""All that is known of an agreement on one page, masked, with one line of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from meterctl.utility.errors import Invalid, NotPermitted
from meterctl.utility.model.agreement import AgreementVersion
from meterctl.utility.model.evidence import Document
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.money import Sale
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, VersionState
from meterctl.utility.services.curves import CreditPoint
from meterctl.utility.services.customer_page import customer_page
from meterctl.utility.store.engine import Database
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import WORKER, Actor, Grant, unit_of_work
from protocols.quantities import CENT, DAY
from tests.support.desk_sales import a_debt, a_sale, an_order
from tests.support.desk_world import NOON, TODAY, World, a_reading, a_world, opened


@pytest.fixture
def desk(desk_url: str) -> Iterator[Database]:
    """A desk with the rows of a world, on each engine in turn."""
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(desk: Database) -> World:
    """The world of the desk, its customer with a name and a telephone."""
    world = a_world(desk)
    with unit_of_work(desk, WORKER, NOON) as work:
        told: dict[str, Any] = {"name": "王小明", "phones": ["13812345678"]}
        work.session.execute(update(Party).values(told))
        work.session.execute(update(SupplyPoint).values(address="幸福路12号"))
        work.add(
            AgreementVersion(
                agreement_id=world.agreement, n=1, state=VersionState.ACTIVE, effective_on=TODAY,
                terms={"low_credit_threshold_2": 5_00}, cause="",
            )
        )  # fmt: skip
    return world


def _page(desk: Database, actor: Actor = WORKER, **more: Any) -> dict[str, Any]:
    with desk.reading() as session:
        return customer_page(session, actor, NOON, desk.zone, "A1", **more)


def _read(desk: Database, world: World, days_ago: int, credit: int, cost: int, **more: Any) -> None:
    """Store an accepted reading; credit and cost in 0.01."""
    at = NOON - days_ago * DAY
    with unit_of_work(desk, WORKER, at) as work:
        work.session.execute(update(Meter).values(epoch=1))
        a_reading(
            work, world.meter, world.agreement, credit_exact=credit * CENT,
            consumption_exact=cost * CENT, elapsed=at, **more,
        )  # fmt: skip


def test_a_page_has_the_customer_masked_and_the_point(desk: Database, world: World) -> None:
    page = _page(desk)
    assert (page["agreement"]["name"], page["party"]["name"]) == ("王**", "王**")
    assert page["party"]["phones"] == ["138****5678"]
    assert (page["point"]["number"], page["point"]["address"]) == ("000100000001", "幸福路12号")
    assert page["counter"]["supply_state"] is None
    assert page["counter"]["days_left"] is None
    assert (page["live_sales"], page["tasks"], page["findings"]) == ([], [], [])


def test_credit_lasts_to_the_level_at_which_the_supply_is_interrupted(
    desk: Database, world: World
) -> None:
    _read(desk, world, 60, 200_00, 0)
    _read(desk, world, 20, 90_00, 30_00)
    assert _page(desk)["counter"]["days_left"] is None, "one reading within 28 days"
    _read(desk, world, 0, 50_00, 70_00)
    told = _page(desk)["counter"]
    assert (told["credit_exact"], told["days_left"]) == (50_00 * CENT, 22), "45.00 at 2.00 a day"


def test_a_later_receipt_tells_the_supply_and_is_a_purchase_of_the_curve(
    desk: Database, world: World
) -> None:
    _read(desk, world, 2, -1_00, 0, supply_state="disconnected", causes=["credit_exhausted"])
    with unit_of_work(desk, WORKER, NOON - DAY, "K1") as work:
        number = a_sale(work, world).id
    for event in (SaleEvent.RUN, SaleEvent.CONFIRMED):
        with unit_of_work(desk, WORKER, NOON - DAY, f"K1 {event}") as work:
            proved = Proved(
                1, 4, "connected", 0, 1_00 * CENT, 49_00 * CENT, 50_00 * CENT
            ) if event is SaleEvent.CONFIRMED else None  # fmt: skip
            move(work, number, event, proved=proved)
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.execute(
            update(Sale).values(supply_state="connected", credit_after_exact=49_00 * CENT, epoch=1,
                                sequence=4, proved_at=NOON - DAY)
        )  # fmt: skip
    page = _page(desk)
    assert page["counter"]["supply_state"] == "connected"
    assert page["curve"] == [
        CreditPoint(NOON - 2 * DAY, -1_00 * CENT),
        CreditPoint(NOON - DAY, 49_00 * CENT, 50_00),
    ]
    delivered = next(each for each in page["time_line"]["events"] if each["kind"] == "delivered")
    assert (delivered["sale"], delivered["sequence"], delivered["at"]) == ("S1", 4, NOON - DAY)


def test_what_is_open_stands_on_the_page(desk: Database, world: World) -> None:
    with unit_of_work(desk, WORKER, NOON, "open") as work:
        sale = a_sale(work, world)
        a_debt(work, world, 80_00)
        open_task(work, TaskKind.CARD_OLD, sale, world.station, Role.VENDOR, TODAY)
        meter = work.session.get_one(Meter, world.meter)
        open_task(work, TaskKind.SLIP, meter, world.station, Role.FIELD, TODAY + timedelta(1))
        work.add(
            Finding(
                rule="terms_differ", subject_kind="meter", subject_id=world.meter, note="",
                agreement_id=world.agreement, value="4", limit_value="8",
                state=FindingState.OPEN, first_seen=NOON, last_seen=NOON,
            )
        )  # fmt: skip
        work.add(
            Document(
                subject_kind="agreement", subject_id=world.agreement, kind="agreement",
                name="a.pdf", media_type="application/pdf", size=3, sha256="00", at=NOON,
                staff_id=world.vendor.staff_id,
            )
        )  # fmt: skip
    page = _page(desk)
    assert [each["sale"] for each in page["live_sales"]] == ["S1"]
    assert page["agreement"]["undelivered"] == 50_00
    assert [each["meter_debt"] for each in page["agreement"]["debts_in_meter"]] == [80_00]
    assert [each["kind"] for each in page["tasks"]] == ["card_old", "slip"]
    assert [each["rule"] for each in page["findings"]] == ["terms_differ"]
    assert [each["name"] for each in page["documents"]] == ["a.pdf"]
    kinds = {each["kind"] for each in page["time_line"]["events"]}
    assert {"sale", "payment", "bill", "finding", "document"} <= kinds
    sold = next(each for each in page["time_line"]["events"] if each["kind"] == "sale")
    assert (sold["who"], sold["amount"]) == ("v1", 50_00)


def test_the_line_of_time_is_read_in_parts_without_a_gap(desk: Database, world: World) -> None:
    for days in range(5):
        _read(desk, world, days, 50_00, 0)
    with unit_of_work(desk, WORKER, NOON, "K1") as work:
        a_sale(work, world)
        order = an_order(work, OrderKind.READ, world.meter, "O1", agreement=world.agreement)
        work.audit("seen", work.session.get_one(Party, world.party), None, None, "why")
        assert isinstance(order, Order)
    whole = _page(desk, limit=100)["time_line"]
    assert whole["next"] is None
    instants = [each["at"] for each in whole["events"]]
    assert instants == sorted(instants, reverse=True)
    parts, after = [], None
    while True:
        part = _page(desk, limit=2, after=after)["time_line"]
        parts += part["events"]
        after = part["next"]
        if after is None:
            break
    assert parts == whole["events"]
    assert {"reading", "sale", "payment", "order", "audit"} == {each["kind"] for each in parts}


def test_a_page_is_for_those_who_see_customers_at_its_node(desk: Database, world: World) -> None:
    assert _page(desk, world.vendor)["agreement"]["agreement"] == "A1"
    other = Actor(1, "x", (Grant(Role.VENDOR, "/99/"),))
    with pytest.raises(NotPermitted):
        _page(desk, other)
    for after in ("x", "1.2", "1.2.-3"):
        with pytest.raises(Invalid, match="no place"):
            _page(desk, after=after)
