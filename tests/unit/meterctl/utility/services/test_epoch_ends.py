"""A lost storage: its epoch is ended by an estimate of two persons, with figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted, Refused
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.money import Bill, BillKind
from meterctl.utility.model.work import Order, OrderKind, Task
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import TAKEN_OVER, AccountKind, Transfer
from meterctl.utility.rules.transitions import ReadingState, SaleEvent, SaleState, TaskState
from meterctl.utility.services import epoch_ends, sales, tasks
from meterctl.utility.store.checks.meters import meters_agree
from meterctl.utility.store.checks.people import two_persons
from meterctl.utility.store.engine import Database
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.ledger import About, Ledger
from meterctl.utility.store.order_books import move_order
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import WORKER, Actor, unit_of_work
from tests.support.desk_agreements import accountant_and_head, act, desk_of, read_values
from tests.support.desk_databases import ENGINES
from tests.support.desk_sales import a_sale
from tests.support.desk_world import (
    NOON,
    TODAY,
    World,
    a_bill,
    a_port,
    a_world,
    an_order,
)

AMOUNT = 10**8
SERIAL = "000000000001"
on_each_engine = pytest.mark.parametrize("desk", ENGINES, indirect=True)


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The desk, on SQLite where a test names no engine."""
    with desk_of(request) as database:
        yield database


@pytest.fixture
def world(desk: Database) -> World:
    """An agreement with 40.00 in its meter and 12.00 of debt; the meter shows another epoch."""
    world = a_world(desk)
    with unit_of_work(desk, WORKER, NOON) as work:
        bill = a_bill(work, world.agreement, 12_00).id
        booked = [
            Transfer(TAKEN_OVER, postings.in_meter(world.agreement), 40_00),
            Transfer(postings.meter_debt(world.agreement), TAKEN_OVER, 12_00, bill),
        ]
        work.ledger.post("in", "test", booked, About(world.agreement))
        work.session.get_one(Meter, world.meter).epoch = 6
        work.session.flush()
        held = accept(work, read_values(work, world.meter, epoch=7), world.agreement)
        assert held.state is ReadingState.HELD
    return world


@pytest.fixture
def people(desk: Database, world: World) -> tuple[Actor, Actor]:
    """An accountant and the head of the station."""
    return accountant_and_head(desk, world)


def balances(desk: Database, world: World) -> dict[str, int]:
    kinds = (
        AccountKind.IN_METER, AccountKind.METER_DEBT, AccountKind.RECEIVABLE, AccountKind.PAYABLE
    )  # fmt: skip
    with desk.reading() as session:
        ledger = Ledger(session, NOON, TODAY, None)
        told = {kind.value: ledger.balance(kind, world.agreement) for kind in kinds}
        told["revenue_energy"] = ledger.balance(AccountKind.REVENUE_ENERGY)
    return {kind: amount for kind, amount in told.items() if amount}


@on_each_engine
@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (10_00, {"revenue_energy": 10_00, "payable": 18_00}),
        (35_00, {"revenue_energy": 35_00, "receivable": 7_00}),
        (45_00, {"revenue_energy": 45_00, "receivable": 17_00}),
    ],
)
def test_the_rest_of_the_credit_pays_the_debt(
    desk: Database,
    world: World,
    people: tuple[Actor, Actor],
    estimate: int,
    expected: dict[str, int],
) -> None:
    accountant, head = people
    told = act(
        desk, accountant, epoch_ends.end_epoch, meter=SERIAL, estimate=estimate, reason="burnt"
    )
    assert told["in_meter"] == 40_00
    done = act(desk, head, tasks.approve, number=told["task"])
    assert done["owed"] == expected.get("payable", 0)
    assert balances(desk, world) == expected
    with desk.reading() as session:
        finals = session.scalars(select(Bill.amount).where(Bill.kind == BillKind.FINAL)).all()
        assert finals == ([5_00] if estimate == 45_00 else [])
        meter = session.get_one(Meter, world.meter)
        assert (meter.epoch, meter.stopped, meter.to_debt_exact) == (None, None, 0)
        assert session.scalars(select(Finding.state)).all() == [FindingState.CONFIRMED]
        states = session.scalars(select(Task.state).order_by(Task.id)).all()
        assert states == [TaskState.CANCELLED, TaskState.DONE]
    with unit_of_work(desk, WORKER, NOON + 1) as work:
        read = read_values(work, world.meter, epoch=7, elapsed=1)
        assert accept(work, read, world.agreement).state is ReadingState.ACCEPTED


def test_two_persons_and_no_order_under_way(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 0, "reason": "x"}
    with pytest.raises(NotPermitted):
        act(desk, head, epoch_ends.end_epoch, **values)
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    with pytest.raises(NotPermitted):
        act(desk, accountant, tasks.approve, number=told["task"])
    with unit_of_work(desk, WORKER, NOON) as work:
        an_order(work, world.meter, OrderKind.SALE, credit_state=SaleState.UNKNOWN)
    with pytest.raises(Refused, match="not settled"):
        act(desk, head, tasks.approve, number=told["task"])
    assert balances(desk, world) == {"in_meter": 40_00, "meter_debt": 12_00}


@on_each_engine
def test_what_was_delivered_into_the_new_storage_stays_in_the_meter(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    _deliver(desk, world, "K1", 8_00, epoch=7, sequence=1)
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 10_00, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    assert told["in_meter"] == 40_00
    assert act(desk, head, tasks.approve, number=told["task"])["owed"] == 18_00
    assert balances(desk, world) == {"revenue_energy": 10_00, "payable": 18_00, "in_meter": 8_00}
    read_again(desk, world, credit=8_00, cumulative=8_00)
    assert open_findings(desk) == set()


@on_each_engine
def test_what_the_new_storage_gave_back_is_not_of_the_epoch_that_ended(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    """40.00 were lost with the old storage; of 8.00 in the new one 5.00 were given back."""
    accountant, head = people
    _deliver(desk, world, "K1", 8_00, epoch=7, sequence=1)
    _refund(desk, world, 5_00, epoch=7, sequence=2)
    assert balances(desk, world)["in_meter"] == 40_00 + 8_00 - 5_00
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 10_00, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    assert told["in_meter"] == 40_00
    assert act(desk, head, tasks.approve, number=told["task"])["owed"] == 18_00
    expected = {"revenue_energy": 10_00, "payable": 18_00 + 5_00, "in_meter": 3_00}
    assert balances(desk, world) == expected
    read_again(desk, world, credit=3_00, cumulative=8_00, sequence=2)
    assert open_findings(desk) == set()


def test_a_refund_of_the_epoch_that_ended_is_booked_in_it(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, _ = people
    _refund(desk, world, 5_00, epoch=6, sequence=2)
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 10_00, "reason": "burnt"}
    assert act(desk, accountant, epoch_ends.end_epoch, **values)["in_meter"] == 35_00


@on_each_engine
def test_each_ended_epoch_has_an_approval_of_its_own(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 10_00, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    act(desk, head, tasks.approve, number=told["task"])
    with desk.reading() as session:
        assert _unapproved(session) == set()
    key = f"epoch/{world.meter}/5/ended"
    with unit_of_work(desk, WORKER, NOON) as work:
        booked = postings.epoch_lost(world.agreement, 1_00, 0, 0)
        work.ledger.post(key, "epoch_ended", booked, About(world.agreement))
    with desk.reading() as session:
        assert _unapproved(session) == {f"entry {key}"}


def test_a_new_storage_is_read_before_anything_is_sealed_for_it(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.get_one(Meter, world.meter).port_id = a_port(work, world.station).id
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 0, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    act(desk, head, tasks.approve, number=told["task"])
    with desk.reading() as session:
        (order,) = session.scalars(select(Order)).all()
        assert (order.kind, order.key) == (OrderKind.READ, f"epoch/{world.meter}/6/read")
    with pytest.raises(Refused, match=r"new storage that was not read yet.*no money was taken"):
        act(desk, world.vendor, sales.take, agreement="A1", amount=10_00)
    read_again(desk, world, credit=0, cumulative=0, sequence=0)
    assert act(desk, world.vendor, sales.take, agreement="A1", amount=10_00)["sale"] == "S1"


def test_an_order_that_only_the_lost_storage_could_prove_ends_with_its_epoch(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    with unit_of_work(desk, WORKER, NOON) as work:
        refund = an_order(
            work, world.meter, OrderKind.REFUND, credit_state=SaleState.UNKNOWN,
            agreement_id=world.agreement,
        ).id  # fmt: skip
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 10_00, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    assert act(desk, head, tasks.approve, number=told["task"])["owed"] == 18_00
    with desk.reading() as session:
        order = session.get_one(Order, refund)
        assert (order.credit_state, order.cause) == (
            SaleState.HAND_DEAD, "the storage for which it was sealed is lost",
        )  # fmt: skip


def test_the_first_reading_of_a_new_storage_is_held_against_the_books(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 0, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    act(desk, head, tasks.approve, number=told["task"])
    read_again(desk, world, credit=28_00, cumulative=8_00)
    assert open_findings(desk) == {FindingRule.UNKNOWN_CREDIT}


def test_the_credit_that_a_new_storage_began_with_is_in_no_books(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    values: dict[str, Any] = {"meter": SERIAL, "estimate": 0, "reason": "burnt"}
    told = act(desk, accountant, epoch_ends.end_epoch, **values)
    act(desk, head, tasks.approve, number=told["task"])
    read_again(desk, world, credit=20_00, cumulative=0, sequence=0)
    assert open_findings(desk) == {FindingRule.BOOKS_DIFFER}
    with desk.reading() as session:
        assert len(meters_agree(session).violations) == 0


def _unapproved(session: Session) -> set[str]:
    """Return the entries that no second person approved (I7)."""
    found = two_persons(session).violations
    return {each.subject for each in found if each.subject.startswith("entry ")}


def _deliver(
    desk: Database, world: World, key: str, amount: int, *, epoch: int, sequence: int
) -> None:
    """Let a sale be delivered into a storage."""
    proved = Proved(epoch, sequence, to_debt=0, credit_after=0, cumulative=amount * AMOUNT)
    with unit_of_work(desk, WORKER, NOON) as work:
        sale = a_sale(work, world, amount, key).id
        move(work, sale, SaleEvent.RUN)
    with unit_of_work(desk, WORKER, NOON) as work:
        move(work, sale, SaleEvent.CONFIRMED, proved=proved)


def _refund(desk: Database, world: World, amount: int, *, epoch: int, sequence: int) -> None:
    """Let a storage give credit back."""
    with unit_of_work(desk, WORKER, NOON) as work:
        order = an_order(
            work, world.meter, OrderKind.REFUND, credit_state=SaleState.SENDING,
            agreement_id=world.agreement, parameters={"amount": amount},
        )  # fmt: skip
        move_order(work, order.id, SaleEvent.CONFIRMED, proved=Proved(epoch, sequence))


def read_again(
    desk: Database, world: World, *, credit: int, cumulative: int, sequence: int = 1
) -> None:
    """Accept the first reading of the new storage."""
    with unit_of_work(desk, WORKER, NOON + 1) as work:
        values = read_values(
            work,
            world.meter,
            epoch=7,
            elapsed=1,
            credit_exact=credit * AMOUNT,
            cumulative_exact=cumulative * AMOUNT,
            credit_sequence=sequence,
        )
        assert accept(work, values, world.agreement).state is ReadingState.ACCEPTED


def open_findings(desk: Database) -> set[str]:
    """Return the rules of the open findings."""
    with desk.reading() as session:
        return set(session.scalars(select(Finding.rule).where(Finding.state == FindingState.OPEN)))
