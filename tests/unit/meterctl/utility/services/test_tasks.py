"""Tasks: taken, put back, done; a proposal is approved by another person with a role for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import NotFound, NotPermitted, Refused
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services import tasks
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.tasks import cancel_task, number_of, open_task
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_founded import ON_SQLITE, FoundedDesk


def _slip(work: UnitOfWork) -> dict[str, Any]:
    node = find_node(work.session, "D1")
    task = open_task(work, TaskKind.SLIP, node, node.id, Role.FIELD, work.today)
    return {"task": number_of(task)}


def _propose(work: UnitOfWork) -> dict[str, Any]:
    node = find_node(work.session, "D1")
    task = tasks.propose(
        work, Action.CREDIT_EXPLAIN, node, node.id, Role.STATION_HEAD, {"amount": 5}
    )
    return {"task": number_of(task)}


@pytest.fixture
def explained() -> Iterator[list[int]]:
    """What an approval of the tests is called with, in place of the service's own."""
    called: list[int] = []
    before = tasks.APPROVALS.get(Action.CREDIT_EXPLAIN)

    @tasks.approval(Action.CREDIT_EXPLAIN)
    def explain(work: UnitOfWork, task: Task) -> dict[str, Any]:
        assert task.proposal is not None
        called.append(task.proposal["amount"])
        return {"explained": task.proposal["amount"]}

    yield called
    if before is None:
        del tasks.APPROVALS[Action.CREDIT_EXPLAIN]
    else:
        tasks.APPROVALS[Action.CREDIT_EXPLAIN] = before


@ON_SQLITE
def test_the_task_of_a_stopped_meter_is_not_ended_while_it_is_stopped(desk: FoundedDesk) -> None:
    head = desk.person("h1", Role.STATION_HEAD, "0101")

    def stop(work: UnitOfWork) -> dict[str, Any]:
        node = find_node(work.session, "D1")
        meter = work.add(
            Meter(serial="1", unit=1, explained_before=0, to_debt_exact=0, stopped="set_back")
        )
        task = open_task(work, TaskKind.SET_BACK, meter, node.id, Role.STATION_HEAD, work.today)
        return {"task": number_of(task)}

    def go_on(work: UnitOfWork) -> dict[str, Any]:
        work.session.execute(update(Meter).values(stopped=None))
        return {}

    task = desk.do(desk.admin, stop)["task"]
    with pytest.raises(Refused, match="still stopped"):
        desk.do(head, lambda work: tasks.done(work, task, "looked"))
    desk.do(desk.admin, go_on)
    assert desk.do(head, lambda work: tasks.done(work, task, "looked"))["state"] == "done"


def test_a_task_is_taken_put_back_taken_and_done(desk: FoundedDesk) -> None:
    field = desk.person("f1", Role.FIELD, "0101")
    other = desk.person("f2", Role.FIELD, "D1")
    desk.do(desk.admin, _slip)
    assert desk.do(field, lambda work: tasks.take(work, "T1"))["state"] == "taken"
    for act in (tasks.take, tasks.put_back, lambda work, task: tasks.done(work, task, "x")):
        with pytest.raises(Refused, match="T1 was taken by f1"):
            desk.do(other, lambda work, act=act: act(work, "T1"))
    desk.do(field, lambda work: tasks.put_back(work, "T1"))
    desk.do(other, lambda work: tasks.take(work, "t1"))
    ended = desk.do(other, lambda work: tasks.done(work, "T1", "the seal was broken"))
    assert (ended["state"], ended["outcome"]) == ("done", "the seal was broken")
    with pytest.raises(Refused):
        desk.do(other, lambda work: tasks.take(work, "T1"))


@ON_SQLITE
def test_a_task_is_for_its_role_at_its_node_or_above(desk: FoundedDesk) -> None:
    elsewhere = desk.person("f1", Role.COLLECTOR, "0101")
    desk.do(desk.admin, _slip)
    with pytest.raises(NotPermitted, match="T1 is for a field there"):
        desk.do(elsewhere, lambda work: tasks.take(work, "T1"))
    with pytest.raises(NotFound):
        desk.do(elsewhere, lambda work: tasks.take(work, "T9"))


def test_a_subject_has_one_unended_task_of_a_kind(desk: FoundedDesk) -> None:
    field = desk.person("f1", Role.FIELD, "0101")
    assert [desk.do(desk.admin, _slip)["task"] for _ in range(2)] == ["T1", "T1"]
    desk.do(field, lambda work: tasks.done(work, "T1", "seen"))
    assert desk.do(desk.admin, _slip)["task"] == "T2"

    def cancel(work: UnitOfWork) -> dict[str, Any]:
        cancel_task(work, TaskKind.SLIP, find_node(work.session, "D1"), "the meter answered")
        return {}

    for _ in range(2):
        desk.do(desk.admin, cancel)
    with desk.database.reading() as session:
        states = session.execute(select(Task.state, Task.outcome).order_by(Task.id)).all()
    assert [tuple(row) for row in states] == [("done", "seen"), ("cancelled", "the meter answered")]


def test_a_proposal_is_approved_by_another_person_alone(
    desk: FoundedDesk, explained: list[int]
) -> None:
    accountant = desk.person("a1", Role.ACCOUNTANT, "0101")
    head = desk.person("h1", Role.STATION_HEAD, "0101")
    other = desk.person("a2", Role.ACCOUNTANT, "0101")
    task = desk.do(accountant, _propose)["task"]
    with pytest.raises(Refused) as twice:
        desk.do(accountant, _propose)
    assert twice.value.code == "proposed_already"
    for actor, code in ((accountant, "not_allowed"), (other, "not_allowed")):
        with pytest.raises(NotPermitted) as refused:
            desk.do(actor, lambda work: tasks.approve(work, task))
        assert refused.value.code == code
    with pytest.raises(Refused, match="is an approval: approve or refuse it"):
        desk.do(head, lambda work: tasks.done(work, task, "x"))
    assert explained == []
    approved = desk.do(head, lambda work: tasks.approve(work, task))
    assert (approved["outcome"], approved["explained"], explained) == ("approved", 5, [5])
    with pytest.raises(Refused):
        desk.do(head, lambda work: tasks.approve(work, task))
    with desk.database.reading() as session:
        row = session.scalars(select(Task).where(Task.kind == TaskKind.APPROVAL)).all()[-1]
    assert (row.proposer_id, row.staff_id) == (accountant.staff_id, head.staff_id)


@ON_SQLITE
def test_a_refused_proposal_does_nothing(desk: FoundedDesk, explained: list[int]) -> None:
    accountant = desk.person("a1", Role.ACCOUNTANT, "0101")
    head = desk.person("h1", Role.STATION_HEAD, "0101")
    task = desk.do(accountant, _propose)["task"]
    refused = desk.do(head, lambda work: tasks.refuse(work, task, "no slip"))
    assert (refused["outcome"], explained) == ("refused: no slip", [])


@ON_SQLITE
def test_a_slip_is_not_approved(desk: FoundedDesk) -> None:
    desk.do(desk.admin, _slip)
    for act in (tasks.approve, lambda work, task: tasks.refuse(work, task, "x")):
        with pytest.raises(Refused) as refused:
            desk.do(desk.admin, lambda work, act=act: act(work, "T1"))
        assert refused.value.code == "no_proposal"


@ON_SQLITE
def test_the_approver_of_the_whole_company_approves_below(
    desk: FoundedDesk, explained: list[int]
) -> None:
    accountant = desk.person("a1", Role.ACCOUNTANT, "0101")
    head = desk.person("h1", Role.STATION_HEAD, "company")
    task = desk.do(accountant, _propose)["task"]
    desk.do(head, lambda work: tasks.approve(work, task))
    assert explained == [5]
