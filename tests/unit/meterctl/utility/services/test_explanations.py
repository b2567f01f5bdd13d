"""Credit that no sale explains: proposed, approved by another person, booked with figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from meterctl.utility.errors import NotPermitted, Refused
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.money import Bill, BillKind
from meterctl.utility.model.work import OrderKind, Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import TAKEN_OVER, AccountKind, Transfer
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleState, TaskState
from meterctl.utility.services import explanations, tasks
from meterctl.utility.store.checks.meters import sales_proved
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About, Ledger
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.unit_of_work import WORKER, Actor, unit_of_work
from tests.support.desk_agreements import accountant_and_head, act, desk_of, read_values
from tests.support.desk_databases import ENGINES
from tests.support.desk_world import (
    NOON,
    TODAY,
    World,
    a_bill,
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
    """An agreement whose meter shows 30.00 of credit that was never sold, 7.00 of it for debt."""
    world = a_world(desk)
    with unit_of_work(desk, WORKER, NOON) as work:
        bill = a_bill(work, world.agreement, 10_00).id
        debt = Transfer(postings.meter_debt(world.agreement), TAKEN_OVER, 10_00, bill)
        work.ledger.post("debt", "test", [debt], About(world.agreement))
        shown = {
            "cumulative_exact": 30_00 * AMOUNT, "to_debt_exact": 7_00 * AMOUNT + 5,
            "debt_entered_exact": 10_00 * AMOUNT, "credit_exact": 23_00 * AMOUNT - 5,
            "debt_exact": 3_00 * AMOUNT - 5, "account_state": "open",
        }  # fmt: skip
        accept(work, read_values(work, world.meter, **shown), world.agreement)
    return world


@pytest.fixture
def people(desk: Database, world: World) -> tuple[Actor, Actor]:
    """An accountant and the head of the station."""
    return accountant_and_head(desk, world)


def balances(desk: Database, world: World) -> dict[str, int]:
    kinds = (AccountKind.IN_METER, AccountKind.METER_DEBT, AccountKind.RECEIVABLE)
    with desk.reading() as session:
        ledger = Ledger(session, NOON, TODAY, None)
        told = {kind.value: ledger.balance(kind, world.agreement) for kind in kinds}
        told["transit"] = ledger.balance(AccountKind.TRANSIT, 4)
    return {kind: amount for kind, amount in told.items() if amount}


def findings(desk: Database) -> dict[str, FindingState]:
    with desk.reading() as session:
        return {row.rule: row.state for row in session.scalars(select(Finding))}


@on_each_engine
@pytest.mark.parametrize("bank", [None, 4])
def test_it_stands_against_the_agent_or_is_claimed(
    desk: Database, world: World, people: tuple[Actor, Actor], bank: int | None
) -> None:
    accountant, head = people
    assert findings(desk) == {"unknown_credit": FindingState.OPEN}
    told = act(
        desk, accountant, explanations.explain, meter=SERIAL, reason="sold by agent 7", bank=bank
    )
    assert told["amount"] == 30_00
    act(desk, head, tasks.approve, number=told["task"])
    against = "receivable" if bank is None else "transit"
    assert balances(desk, world) == {"in_meter": 23_00, "meter_debt": 3_00, against: 30_00}
    assert findings(desk) == {"unknown_credit": FindingState.CONFIRMED}
    with desk.reading() as session:
        meter = session.get_one(Meter, world.meter)
        assert (meter.explained_before, meter.to_debt_exact) == (30_00 * AMOUNT, 7_00 * AMOUNT + 5)
        claims = session.scalars(select(Bill).where(Bill.kind == BillKind.CLAIM)).all()
        assert [claim.amount for claim in claims] == ([30_00] if bank is None else [])


@on_each_engine
def test_credit_to_be_explained_is_a_task_and_noted_by_the_check(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    with desk.reading() as session:
        found = sales_proved(session)
        assert (found.broken, found.noted.partition(":")[0]) == (0, "1 with credit to be explained")
        (task,) = session.scalars(select(Task)).all()
        assert (task.kind, task.role) == (TaskKind.UNKNOWN_CREDIT, Role.ACCOUNTANT)
    told = act(desk, accountant, explanations.explain, meter=SERIAL, reason="sold by agent 7")
    act(desk, head, tasks.approve, number=told["task"])
    with desk.reading() as session:
        assert session.get_one(Task, task.id).state is TaskState.CANCELLED
        assert "explained" not in sales_proved(session).noted


def test_two_persons_are_needed(desk: Database, world: World, people: tuple[Actor, Actor]) -> None:
    accountant, head = people
    with pytest.raises(NotPermitted):
        act(desk, head, explanations.explain, meter=SERIAL, reason="x")
    told = act(desk, accountant, explanations.explain, meter="A1", reason="x")
    with pytest.raises(NotPermitted):
        act(desk, accountant, tasks.approve, number=told["task"])
    assert balances(desk, world) == {"meter_debt": 10_00}


def test_it_waits_for_orders_and_is_proposed_again_when_it_has_changed(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    accountant, head = people
    told = act(desk, accountant, explanations.explain, meter=SERIAL, reason="x")
    with unit_of_work(desk, WORKER, NOON + 1) as work:
        shown = {"cumulative_exact": 31_00 * AMOUNT, "credit_exact": 24_00 * AMOUNT, "elapsed": 1}
        shown |= {"to_debt_exact": 7_00 * AMOUNT + 5, "debt_entered_exact": 10_00 * AMOUNT}
        accept(work, read_values(work, world.meter, **shown), world.agreement)
    with pytest.raises(Refused, match="another amount"):
        act(desk, head, tasks.approve, number=told["task"])
    with unit_of_work(desk, WORKER, NOON + 2) as work:
        an_order(work, world.meter, OrderKind.REFUND, credit_state=SaleState.UNKNOWN)
    with pytest.raises(Refused, match="not settled"):
        act(desk, accountant, explanations.explain, meter=SERIAL, reason="x")


def test_nothing_is_explained_that_is_no_finding(
    desk: Database, world: World, people: tuple[Actor, Actor]
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.get_one(Meter, world.meter).explained_before = 30_00 * AMOUNT
    with pytest.raises(Refused, match="nothing is unexplained"):
        act(desk, people[0], explanations.explain, meter=SERIAL, reason="x")
