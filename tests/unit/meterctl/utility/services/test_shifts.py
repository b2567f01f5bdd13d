"""Shifts: one a vendor, counted, closed with its cash at 0.00, short and over."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from meterctl.utility.errors import Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import Entry
from meterctl.utility.model.work import Order, Task, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState, TaskState
from meterctl.utility.services import sales, shifts
from meterctl.utility.store.sale_books import move
from protocols.quantities import DAY
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import a_port, balances


def _sell(counter: Counter, amount: int = 50_00) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=amount)


def _deliver(counter: Counter, sale: int = 1) -> None:
    counter.work(lambda work: move(work, sale, SaleEvent.RUN))
    counter.work(lambda work: move(work, sale, SaleEvent.CONFIRMED))


def _closed(counter: Counter, counted: int, slip: str | None = "B-7") -> dict[str, object]:
    vendor = counter.world.vendor
    counter.do(vendor, shifts.count, shift=None, counted=counted)
    closed: dict[str, object] = counter.do(vendor, shifts.close, shift=None, slip=slip)
    return closed


def test_a_vendor_opens_one_shift_at_the_only_node_of_his(counter: Counter) -> None:
    vendor = counter.person(Role.VENDOR)
    answer = counter.do(vendor, shifts.open_shift, node=None, float_amount=200_00)
    assert (answer["shift"], answer["node"], answer["state"]) == ("0001-000001", "0001", "open")
    assert (answer["float"], answer["limit"], answer["cash"]) == (200_00, 20_000_00, 0)
    with pytest.raises(Refused, match="close it first"):
        counter.do(vendor, shifts.open_shift, node="0011", float_amount=0)
    other = counter.person(Role.ACCOUNTANT)
    again = counter.do(other, shifts.open_shift, node="0001", float_amount=0)
    assert again["shift"] == "0001-000002"
    assert balances(counter.database) == {}


def test_a_negative_float_opens_nothing(counter: Counter) -> None:
    with pytest.raises(Invalid, match=r"float -0\.01"):
        counter.do(Role.VENDOR, shifts.open_shift, node=None, float_amount=-1)


@BOTH_ENGINES
def test_a_till_that_agrees_is_banked_and_its_cash_is_zero(counter: Counter) -> None:
    _sell(counter)
    _deliver(counter)
    counted = counter.do(counter.world.vendor, shifts.count, shift=None, counted=150_00)
    assert (counted["state"], counted["should_have"], counted["difference"]) == (
        "counted", 150_00, 0,
    )  # fmt: skip
    closed = counter.do(counter.world.vendor, shifts.close, shift=None, slip=" B-7 ")
    assert (closed["state"], closed["banked"], closed["slip"]) == ("closed", 50_00, "B-7")
    assert (closed["difference"], closed["task"], closed["cash"]) == (0, None, 0)
    assert (closed["taken_in"], closed["paid_out"], closed["receipts"]) == (50_00, 0, 1)
    assert balances(counter.database) == {"in_meter/1": 50_00, "transit": 50_00}


@pytest.mark.parametrize(
    ("counted", "booked", "task"),
    [
        (139_50, {"till_difference": -10_50, "transit": 39_50}, True),
        (140_00, {"till_difference": -10_00, "transit": 40_00}, False),
        (160_00, {"till_difference": 10_00, "transit": 60_00}, False),
        (160_01, {"till_difference": 10_01, "transit": 60_01}, True),
        (100_00, {"till_difference": -50_00}, True),
        (80_00, {"till_difference": -70_00, "transit": -20_00}, True),
        (0, {"till_difference": -150_00, "transit": -100_00}, True),
    ],
)
def test_what_is_short_or_over_is_booked_and_a_large_difference_makes_a_task(
    counter: Counter, counted: int, booked: dict[str, int], task: bool
) -> None:
    _sell(counter)
    _deliver(counter)
    closed = _closed(counter, counted)
    assert closed["difference"] == counted - 150_00
    assert (closed["task"] is not None) is task
    assert balances(counter.database) == {"in_meter/1": 50_00} | booked
    with counter.database.reading() as session:
        tasks = session.scalars(select(Task)).all()
        assert [(row.kind, row.role) for row in tasks] == (
            [(TaskKind.TILL_DIFFERENCE, Role.STATION_HEAD)] if task else []
        )
        assert all(row.state is TaskState.OPEN for row in tasks)


def test_cash_is_banked_with_a_slip_and_an_empty_till_needs_none(counter: Counter) -> None:
    _sell(counter)
    counter.do(counter.world.vendor, sales.cancel, sale="S1")
    assert _closed(counter, 100_00, slip=None)["banked"] == 0
    counter.do(counter.world.vendor, shifts.open_shift, node=None, float_amount=0)
    _sell(counter)
    _deliver(counter, 2)
    with pytest.raises(Invalid, match="slip"):
        _closed(counter, 50_00, slip=" ")


def test_a_count_may_be_repeated_and_taken_back(counter: Counter) -> None:
    vendor = counter.world.vendor
    counter.do(vendor, shifts.count, shift=None, counted=90_00)
    again = counter.do(vendor, shifts.count, shift=None, counted=100_00)
    assert (again["counted"], again["difference"]) == (100_00, 0)
    opened = counter.do(vendor, shifts.recount, shift=None)
    assert (opened["state"], opened["counted"]) == ("open", None)
    _sell(counter)
    with pytest.raises(Refused):
        counter.do(vendor, shifts.close, shift=None, slip="B-7")
    with pytest.raises(Refused):
        counter.do(vendor, shifts.recount, shift=None)
    with pytest.raises(Invalid):
        counter.do(vendor, shifts.count, shift=None, counted=-1)


def test_a_shift_left_open_overnight_is_counted_and_closed_by_the_station_head(
    counter: Counter,
) -> None:
    counter.serve_wire()
    _sell(counter)
    _deliver(counter)
    counter.at += DAY
    head = counter.person(Role.STATION_HEAD)
    counted = counter.do(head, shifts.count, shift="1", counted=150_00)
    assert counted["counter"] == head.number
    closed = counter.do(head, shifts.close, shift="1", slip="B-8")
    assert (closed["state"], closed["vendor"], closed["banked"]) == ("closed", "v1", 50_00)
    with pytest.raises(NotFound):
        counter.do(counter.world.vendor, shifts.count, shift=None, counted=0)


def test_roles_that_open_count_and_close_shifts(counter: Counter) -> None:
    for role in Role:
        person = counter.person(role)
        if role in {Role.VENDOR, Role.ACCOUNTANT}:
            own = counter.do(person, shifts.open_shift, node=None, float_amount=0)["shift"]
            counter.do(person, shifts.count, shift=own, counted=0)
            assert counter.do(person, shifts.close, shift=own, slip=None)["state"] == "closed"
        else:
            with pytest.raises(NotPermitted):
                counter.do(person, shifts.open_shift, node="0001", float_amount=0)
        if role in {Role.ACCOUNTANT, Role.STATION_HEAD}:
            counter.do(person, shifts.count, shift="1", counted=100_00)
            counter.do(person, shifts.recount, shift="1")
        else:
            with pytest.raises(NotPermitted):
                counter.do(person, shifts.count, shift="1", counted=100_00)
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=100_00)
    for role in Role:
        if role not in {Role.ACCOUNTANT, Role.STATION_HEAD}:
            with pytest.raises(NotPermitted):
                counter.do(role, shifts.close, shift="1", slip=None)
    assert counter.do(Role.ACCOUNTANT, shifts.close, shift="1", slip=None)["state"] == "closed"


@BOTH_ENGINES
def test_a_taken_sale_whose_worker_is_gone_is_owed_when_its_shift_closes(counter: Counter) -> None:
    counter.work(lambda work: a_port(work, counter.world))
    _sell(counter, 50_00)
    _sell(counter, 20_00)
    counter.work(lambda work: move(work, 1, SaleEvent.RUN))
    closed = _closed(counter, 170_00)
    assert closed["ended_sales"] == ["S2"]
    assert balances(counter.database) == {
        "payable/1": 20_00,
        "transit": 70_00,
        "undelivered/1": 50_00,
    }
    with counter.database.reading() as session:
        states = session.scalars(select(Order.credit_state).order_by(Order.id)).all()
        assert states == [SaleState.SENDING, SaleState.DEAD]


def test_a_taken_sale_whose_worker_lives_stays(counter: Counter) -> None:
    counter.serve_wire()
    _sell(counter)
    assert _closed(counter, 150_00)["ended_sales"] == []
    assert balances(counter.database) == {"transit": 50_00, "undelivered/1": 50_00}


def test_closing_is_booked_once_and_audited(counter: Counter) -> None:
    vendor = counter.world.vendor
    counter.do(vendor, shifts.count, shift=None, counted=101_00)
    asked = {"shift": "1", "slip": "B-7", "key": "C-1"}
    first = counter.ask(vendor, shifts.close, **asked)
    again = counter.ask(vendor, shifts.close, **asked)
    assert again.replayed
    assert again.values == first.values
    with pytest.raises(Refused):
        counter.do(vendor, shifts.close, shift="1", slip="B-7")
    with counter.database.reading() as session:
        assert session.scalars(select(Entry.kind)).all() == ["shift_closed"]
        row = session.scalars(select(Audit).where(Audit.action == "shift_close")).one()
        assert row.after is not None
        assert row.after["difference"] == 1_00
