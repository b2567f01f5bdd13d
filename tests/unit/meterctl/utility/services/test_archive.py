"""Customers, supply points, ports, meters, and where they are installed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from meterctl.utility.errors import Conflict, DeskError, NotPermitted, Refused, Stale
from meterctl.utility.model.evidence import Audit, Request
from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.numbering import checked_customer_number
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import organisation
from meterctl.utility.services.archive import customers, meters, points, ports
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from tests.support.desk_founded import ON_SQLITE, FoundedDesk
from tests.support.desk_world import a_customer

IDENTITY = "11010519491231002X"
POINT = partial(
    points.add,
    node="D1", address="1 First street", customer_class=CustomerClass.RESIDENT,
    capacity_mw=8_000_000, route="R1",
)  # fmt: skip


@pytest.fixture
def clerk(desk: FoundedDesk) -> Actor:
    """A clerk of the station."""
    return desk.person("c1", Role.CLERK, "0101")


def _code(refused: pytest.ExceptionInfo[DeskError]) -> str:
    return refused.value.code


@ON_SQLITE
def test_a_customers_secrets_are_masked_also_in_answer_and_audit(
    desk: FoundedDesk, clerk: Actor
) -> None:
    add = partial(customers.add, name="王芳", id_number=IDENTITY.lower(), phones=["138 0013 8000"])
    made = desk.do(clerk, add)
    assert made["number"] == "C0000001"
    assert (made["id_number"], made["phones"]) == ("110************02X", ["138******8000"])
    with desk.database.reading() as session:
        assert customers.show(session, clerk, "C0000001")["points"] == []
        kept = [str(row.answer) for row in session.scalars(select(Request))]
        kept += [f"{row.before}{row.after}" for row in session.scalars(select(Audit))]
    assert not any("194912" in text or "0013" in text for text in kept)
    with pytest.raises(Conflict) as refused:
        desk.do(clerk, add)
    assert _code(refused) == "id_number"


@ON_SQLITE
def test_showing_a_customers_secrets_is_in_the_audit(desk: FoundedDesk, clerk: Actor) -> None:
    desk.do(clerk, partial(customers.add, name="A", id_number=IDENTITY, phones=["13800138000"]))
    reason = "calls back"
    desk.do(clerk, partial(customers.unmask, number="C0000001", reason=reason))
    with desk.database.reading() as session:
        assert customers.secrets_of(session, clerk, "C0000001") == {
            "id_number": IDENTITY, "phones": ["13800138000"],
        }  # fmt: skip
        row = session.scalars(select(Audit).where(Audit.action == "customer_unmask")).one()
        assert (row.staff_id, row.subject, row.reason) == (clerk.staff_id, "party/1", reason)
    vendor = desk.person("v1", Role.VENDOR, "0101")
    with pytest.raises(NotPermitted):
        desk.do(vendor, partial(customers.unmask, number="C0000001", reason="x"))


def test_a_customer_of_another_station_is_not_seen(desk: FoundedDesk, clerk: Actor) -> None:
    desk.do(
        desk.admin,
        partial(
            organisation.add,
            parent="company", kind=OrganisationKind.STATION, code="0202", name="Two",
        ),
    )  # fmt: skip
    other = desk.person("c2", Role.CLERK, "0202")

    def customer(work: UnitOfWork) -> dict[str, Any]:
        a_customer(work, 3)
        return {}

    desk.do(desk.admin, customer)
    desk.do(other, partial(customers.add, name="Without a point", number="X1"))
    with desk.database.reading() as session:
        seen = {
            actor.number: [row["number"] for row in customers.list_(session, actor, None, 10)]
            for actor in (clerk, other)
        }
        assert seen == {"c1": ["1", "X1"], "c2": ["X1"]}
        assert customers.show(session, clerk, "1")["points"] == ["000100000001"]
        with pytest.raises(NotPermitted):
            customers.show(session, other, "1")
    with pytest.raises(NotPermitted):
        desk.do(other, partial(customers.edit, number="1", version=1, name="x"))


@ON_SQLITE
def test_an_edit_changes_what_is_named_and_names_its_version(
    desk: FoundedDesk, clerk: Actor
) -> None:
    desk.do(clerk, partial(customers.add, name="A", phones=["13800138000"]))
    edit = partial(customers.edit, number="C0000001")
    changed = desk.do(clerk, partial(edit, version=1, name="B", protected=True))
    assert (changed["name"], changed["protected"], changed["version"]) == ("B", True, 2)
    assert changed["phones"] == ["138****8000"]
    with pytest.raises(Stale):
        desk.do(clerk, partial(edit, version=1, name="C"))


def test_points_are_numbered_without_a_gap_in_their_station(
    desk: FoundedDesk, clerk: Actor
) -> None:
    numbers = [desk.do(clerk, POINT)["number"] for _ in range(2)]
    assert [checked_customer_number(number)[:11] for number in numbers] == [
        "01010000001", "01010000002",
    ]  # fmt: skip
    with pytest.raises(NotPermitted):
        desk.do(desk.admin, POINT)
    desk.do(clerk, POINT, dry_run=True)
    assert desk.do(clerk, partial(POINT, node="0101"))["number"][:11] == "01010000003"
    with pytest.raises(Conflict, match=f"supply point {numbers[0]}: there is one already"):
        desk.do(clerk, partial(POINT, number=numbers[0]))


@ON_SQLITE
def test_class_and_capacity_stay_while_an_agreement_is_in_force(
    desk: FoundedDesk, clerk: Actor
) -> None:
    def customer(work: UnitOfWork) -> dict[str, Any]:
        a_customer(work, 3)
        return {}

    desk.do(desk.admin, customer)
    edit = partial(points.edit, number="000100000001")
    assert desk.do(clerk, partial(edit, version=1, address="2"))["version"] == 2
    with pytest.raises(Refused) as refused:
        desk.do(clerk, partial(edit, version=2, capacity_mw=9_000_000))
    assert _code(refused) == "agreement_in_force"
    with pytest.raises(Stale):
        desk.do(clerk, partial(edit, version=1, address="3"))


def test_a_port_and_a_unit_have_one_meter(desk: FoundedDesk, clerk: Actor) -> None:
    port = partial(ports.add, name="P1", node="0101", url="tcp://10.0.0.1:502")
    desk.do(desk.admin, port)
    for again, code in ((port, "url"), (partial(port, url="m2.tty"), "exists")):
        with pytest.raises(Conflict) as refused:
            desk.do(desk.admin, again)
        assert _code(refused) == code
    desk.do(desk.admin, partial(ports.add, name="R1", node="0101", url="c.img", protocol="card"))
    meter = partial(meters.add, port="P1")
    added = desk.do(clerk, partial(meter, serial="000000000001", unit=7))
    assert (added["port"], added["unit"], added["point"]) == ("P1", 7, None)
    for values, code in (
        ({"serial": "000000000001", "unit": 8}, "exists"),
        ({"serial": "000000000002", "unit": 7}, "unit"),
        ({"serial": "000000000002", "unit": 248}, "unit"),
        ({"serial": "12", "unit": 9}, "serial"),
        ({"serial": "000000000002", "port": "R1"}, "port"),
    ):
        with pytest.raises(DeskError) as wrong:
            desk.do(clerk, partial(meter, **values))
        assert _code(wrong) == code
    moved = desk.do(clerk, partial(meters.edit, serial="000000000001", version=1, port="none"))
    assert (moved["port"], moved["version"]) == (None, 2)
    desk.do(desk.admin, partial(ports.edit, name="P1", version=1, url="m1.tty?baud=19200"))
    with desk.database.reading() as session:
        assert ports.show(session, clerk, "P1")["meters"] == []
        assert [row["baud"] for row in ports.list_(session, clerk)] == [19200, 9600]


def test_a_meter_is_at_one_point_and_a_point_has_one_meter(desk: FoundedDesk, clerk: Actor) -> None:
    first, second = (desk.do(clerk, POINT)["number"] for _ in range(2))
    one, two = "000000000001", "000000000002"
    desk.do(clerk, partial(meters.add, serial=one, point=first))
    of_company = desk.person("c3", Role.CLERK, "company")
    desk.do(of_company, partial(meters.add, serial=two))
    for serial, point, code in ((one, second, "installed"), (two, first, "point_has_meter")):
        with pytest.raises(Conflict) as refused:
            desk.do(clerk, partial(meters.install, serial=serial, point=point))
        assert _code(refused) == code
    desk.do(clerk, partial(meters.remove, serial=one, reason="wrong one"))
    again = partial(meters.remove, serial=one, reason="again")
    with pytest.raises(NotPermitted):
        desk.do(clerk, again)  # without a wire it lies in the company's store now
    with pytest.raises(Refused):
        desk.do(of_company, again)
    assert desk.do(clerk, partial(meters.install, serial=two, point=first))["point"] == first
    with desk.database.reading() as session:
        assert points.show(session, clerk, first)["meter"] == two
        listed = points.list_(session, clerk, "0101", None, 10)
        assert [row["meter"] for row in listed] == [two, None]
        assert [row["serial"] for row in meters.list_(session, clerk, "D1", 10)] == [two]


@ON_SQLITE
def test_a_meter_under_an_agreement_is_not_removed(desk: FoundedDesk, clerk: Actor) -> None:
    def customer(work: UnitOfWork) -> dict[str, Any]:
        a_customer(work, 3)
        return {}

    desk.do(desk.admin, customer)
    with pytest.raises(Refused) as refused:
        desk.do(clerk, partial(meters.remove, serial="000000000001", reason="x"))
    assert _code(refused) == "agreement_in_force"
