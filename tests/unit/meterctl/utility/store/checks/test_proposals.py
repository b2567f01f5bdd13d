"""A proposal that was rewritten after its task was opened is found, before and after approval."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import Task
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services import tasks
from meterctl.utility.store.checks.people import two_persons
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_counter import BOTH_ENGINES, Counter


def _propose(work: UnitOfWork) -> dict[str, Any]:
    node = work.session.scalars(select(Organisation)).first()
    assert node is not None
    proposal = {"amount": 5_00, "name": "李雷", "rows": ((1, "x"),), "bank": None}
    task = tasks.propose(
        work, Action.CREDIT_EXPLAIN, node, node.id, Role.STATION_HEAD, proposal
    )  # fmt: skip
    return {"task": f"T{task.id}"}


def _found(counter: Counter) -> list[tuple[str, str]]:
    with counter.database.reading() as session:
        return [(each.subject, each.text) for each in two_persons(session).violations]


@BOTH_ENGINES
def test_a_proposal_is_the_one_that_its_task_was_opened_with(counter: Counter) -> None:
    counter.do(Role.ACCOUNTANT, _propose)
    assert _found(counter) == []
    with counter.database.reading() as session:
        proposed = session.get_one(Task, 1).proposal
    assert proposed is not None
    _write(counter, {**proposed, "amount": 9_00})
    assert _found(counter) == [("task T1", "proposes something else than it was opened with")]
    _write(counter, proposed)
    assert _found(counter) == []


def _write(counter: Counter, proposal: dict[str, Any]) -> None:
    counter.work(lambda work: work.session.execute(update(Task).values(proposal=proposal)))
