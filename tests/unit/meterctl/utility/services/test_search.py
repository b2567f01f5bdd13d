"""One field finds a customer by whatever is known, within the person's rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services.search import find_customers
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, Actor, Grant, unit_of_work
from tests.support.desk_sales import a_sale
from tests.support.desk_world import NOON, World, a_customer, a_node, a_world, opened

COMPANY_CODE = "91110000600037341L"


@pytest.fixture
def desk(desk_url: str) -> Iterator[Database]:
    """A desk with the rows of a world, on each engine in turn."""
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(desk: Database) -> World:
    """The world of the desk: its customer has a name, an address, two telephones and a card."""
    world = a_world(desk)
    with unit_of_work(desk, WORKER, NOON) as work:
        named: dict[str, Any] = {
            "number": "C0000001", "name": "王小明", "phones": ["0571-8888 1234", "+86 13812345678"],
        }  # fmt: skip
        work.session.execute(update(Party).values(named))
        place = {"number": "001100000018", "address": "幸福路12号3单元501"}
        work.session.execute(update(SupplyPoint).values(place))
        work.session.execute(update(Meter).values(serial="310000007007"))
        work.session.execute(update(Agreement).values(number="0011-2026-000001"))
        a_sale(work, world).card = "C4D5E6"
    return world


def _found(desk: Database, text: str, actor: Actor = WORKER, limit: int = 20) -> list[Any]:
    with desk.reading() as session:
        return find_customers(session, actor, text, limit)


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("0011-2026-000001", "agreement"), ("001100000018", "point"), ("0011 0000 0018", "point"),
        ("００１１００００００１８", "point"), ("00110000", "point_begins"),
        ("310000007007", "meter"), ("31000000", "meter_begins"), ("c4d5e6", "card"),
        ("c0000001", "customer"), ("13812345678", "phone"), ("+86 138-1234-5678", "phone"),
        ("5678", "phone"), ("057188881234", "phone"), ("王小明", "name"), ("小明", "name"),
        ("12号3单元", "address"), ("501", "address"),
    ],
)  # fmt: skip
def test_a_customer_is_found_by(desk: Database, world: World, text: str, matched: str) -> None:
    (row,) = _found(desk, text)
    assert row["matched"] == matched
    assert (row["agreement"], row["point"]) == ("0011-2026-000001", "001100000018")
    assert (row["name"], row["meter"]) == ("王**", "310000007007")


@pytest.mark.parametrize(
    "text", ["", " ", "678", "9999", "%", "_", "李", "幸福路13", "13812345679"]
)
def test_nothing_is_found_by(desk: Database, world: World, text: str) -> None:
    assert _found(desk, text) == []


def test_small_letters_are_as_capitals_and_marks_are_themselves(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.execute(update(Party).values(name="Li Xiao_ming"))
    assert [row["name"] for row in _found(desk, "xiao_MING")] == ["L* X********"]
    assert _found(desk, "xiaoxming") == []


def test_an_organisations_name_is_whole(desk: Database, world: World) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.execute(update(Party).values(name="城北纺织厂", id_number=COMPANY_CODE))
    assert [row["name"] for row in _found(desk, "纺织")] == ["城北纺织厂"]


def test_a_person_finds_customers_of_the_own_nodes_alone(desk: Database, world: World) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        company = work.session.get_one(Organisation, world.company)
        other = a_node(work, OrganisationKind.STATION, "0012", company)
        a_customer(work, other.id, "77")
        work.session.execute(update(SupplyPoint).values(address="一号路"))
    vendor = Actor(1, "v", (Grant(Role.VENDOR, other.path),))
    assert [row["agreement"] for row in _found(desk, "一号", vendor)] == ["A77"]
    assert _found(desk, "001100000018", vendor) == []
    assert len(_found(desk, "一号", world.vendor)) == 1
    admin = Actor(1, "a", (Grant(Role.ADMIN, "/1/"),))
    with pytest.raises(NotPermitted):
        _found(desk, "一号", admin)


def test_agreements_in_force_come_before_closed_ones_and_each_once(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        old = work.session.get_one(Agreement, world.agreement)
        old.state = AgreementState.CLOSED
        work.add(
            Agreement(
                number="0011-2026-000002", party_id=world.party, point_id=world.point,
                mode=old.mode, state=AgreementState.ACTIVE,
            )
        )  # fmt: skip
        work.session.flush()
    found = _found(desk, "5678")
    assert [row["state"] for row in found] == ["active", "closed"]
    assert len(_found(desk, "5678", limit=1)) == 1
