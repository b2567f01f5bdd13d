"""What lists tell of a thing that was at one station and is at another, and of one at neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.organisation import Organisation, StaffGrant
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import (
    duties,
    order_lists,
    organisation,
    payments,
    readings,
    receipts,
    settings,
    staff,
)
from meterctl.utility.services.archive import customers, ports
from meterctl.utility.services.status import status
from meterctl.utility.store.unit_of_work import Actor, Grant, UnitOfWork
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_stations import (
    AGREEMENT,
    FIRST,
    METER,
    ORDER,
    PORT,
    add_stations,
)
from tests.support.desk_world import TODAY, a_customer, a_reading

SECOND = "0012"


@pytest.fixture
def stations(counter: Counter) -> Iterator[Counter]:
    """A desk with two stations, whose people have their roles from no two persons (I7)."""
    add_stations(counter)
    yield counter
    counter.work(lambda work: work.session.execute(delete(StaffGrant)))


def _at(session: Session, code: str, role: Role) -> Actor:
    """Return a person with a role at a node."""
    node = session.query(Organisation).filter_by(code=code).one()
    return Actor(1, "x", (Grant(role, node.path),))


def _seen(counter: Counter, role: Role, list_: Callable[[Session, Actor], Any]) -> dict[str, Any]:
    """Return what a person with a role at each node is answered; None: nothing is."""
    found: dict[str, Any] = {}
    with counter.database.reading() as session:
        for code in ("0011", SECOND, "0001"):
            try:
                found[code] = list_(session, _at(session, code, role))
            except NotPermitted:
                found[code] = None
    return found


@BOTH_ENGINES
def test_orders_readings_and_persons_are_told_at_their_nodes(stations: Counter) -> None:
    clerk = Role.CLERK
    orders = _seen(stations, clerk, lambda s, a: {
        each["key"] for each in order_lists.list_(s, a, limit=99)
    })  # fmt: skip
    assert (ORDER in orders["0011"], orders[SECOND], orders["0001"]) == (
        True, set(), orders["0011"],
    )  # fmt: skip
    of_meter = _seen(stations, clerk, lambda s, a: len(readings.show(s, a, METER, 9)))
    assert of_meter == {"0011": 1, SECOND: None, "0001": 1}
    people = _seen(stations, clerk, lambda s, a: {
        each["number"] for each in staff.list_(s, a, TODAY)
    })  # fmt: skip
    assert {FIRST, "all"} & people["0011"] == {FIRST}
    assert {FIRST, "all"} & people[SECOND] == {"all"}
    assert {FIRST, "all", "v1"} < people["0001"]
    nodes = _seen(stations, clerk, lambda s, a: [
        each["code"] for each in organisation.list_(s, a, None)
    ])  # fmt: skip
    assert nodes == {
        "0011": ["0001", "0011"], SECOND: ["0001", SECOND], "0001": ["0001", "0011", SECOND],
    }  # fmt: skip
    for list_ in (
        lambda s, a: duties.list_(s, a, TODAY),
        lambda s, a: settings.rows_of(s, a, "cash_limit"),
    ):
        told = _seen(stations, clerk, list_)
        assert [len(told[code]) for code in ("0011", SECOND, "0001")] == [1, 0, 1]
    counts = _seen(stations, clerk, lambda s, a: status(s, a, TODAY))
    for name, expected in (("nodes", (1, 1, 3)), ("meters", (3, 1, 4)), ("points", (3, 1, 4)),
                           ("ports", (1, 0, 1)), ("tasks", (2, 0, 2))):  # fmt: skip
        assert tuple(counts[code][name] for code in ("0011", SECOND, "0001")) == expected, name


def test_the_device_of_a_port_is_told_to_those_who_serve_it(stations: Counter) -> None:
    told = {
        role: _seen(stations, role, lambda s, a: ports.show(s, a, PORT)["url"]) for role in Role
    }
    assert {role for role in Role if told[role]["0011"] is not None} == {
        Role.VENDOR, Role.COLLECTOR, Role.REVIEWER, Role.CLERK, Role.STATION_HEAD, Role.ADMIN,
        Role.AUDITOR, Role.COMPANY_MANAGER,
    }  # fmt: skip
    assert {each[SECOND] for each in told.values()} == {None}


def test_readings_of_another_station_stay_there_when_their_meter_moves(stations: Counter) -> None:
    def move(work: UnitOfWork) -> None:
        meter = work.session.query(Meter).filter_by(serial=METER).one().id
        node = work.session.query(Organisation).filter_by(code=SECOND).one().id
        _, point, other, agreement = a_customer(work, node, "50000002")
        at = update(Installation)
        work.session.execute(
            at.where(Installation.meter_id.in_((meter, other))).values(to_at=work.now + 1)
        )
        held = {"reading_in_id": None, "reading_out_id": None, "to_at": None}
        work.add(Installation(meter_id=meter, point_id=point, from_at=work.now + 1, **held))
        a_reading(work, meter, agreement, energy_mwh=5, taken_at=work.now + 2)

    stations.work(move)
    found = _seen(stations, Role.CLERK, lambda s, a: [
        each["energy_mwh"] for each in readings.show(s, a, METER, 9)
    ])  # fmt: skip
    assert found == {"0011": None, SECOND: [5], "0001": [5, 0]}


def test_a_receipt_is_told_where_it_was_paid_for_also_when_its_payment_moved(
    stations: Counter,
) -> None:
    vendor = stations.world.vendor
    paid = stations.do(
        vendor, payments.pay, agreement="A1", amount=7_00, channel=PaymentChannel.CASH
    )
    stations.do(Role.ACCOUNTANT, payments.move, payment=paid["payment"], to="A50000001")
    told = _seen(stations, Role.VENDOR, lambda s, a: receipts.show(s, a, paid["payment"]))
    assert (told["0011"]["agreement"], told[SECOND]) == ("A1", None)


def test_a_customer_of_two_stations_is_told_with_the_points_of_ones_own(stations: Counter) -> None:
    def sign_here_too(work: UnitOfWork) -> None:
        mine = work.session.query(Agreement).filter_by(number="A50000001").one()
        theirs = work.session.query(Agreement).filter_by(number=AGREEMENT).one()
        mine.party_id = theirs.party_id

    stations.work(sign_here_too)
    found = _seen(stations, Role.CLERK, lambda s, a: customers.show(s, a, FIRST)["points"])
    assert found == {
        "0011": [f"0001{FIRST}"], SECOND: ["000150000001"],
        "0001": ["000150000001", f"0001{FIRST}"],
    }  # fmt: skip
