"""Lists of tasks: what waits at a person's nodes, and what of it is the person's."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import FOUR_EYES, Action
from meterctl.utility.rules.transitions import TaskState
from meterctl.utility.services.tasks import has_role
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.rights import is_within, require_anywhere, require_at
from meterctl.utility.store.tasks import NOT_ENDED, id_of, number_of
from meterctl.utility.store.unit_of_work import Actor


def show(session: Session, actor: Actor, number: str) -> dict[str, Any]:
    """Return a task with what it proposes; raises NotFound, NotPermitted."""
    task = session.get(Task, id_of(number))
    if task is None:
        raise NotFound("no_task", f"there is no task {number}")
    require_at(session, actor, Action.TASK_READ, task.node_id)
    (listed,) = _listed(session, select(Task).where(Task.id == task.id))
    return {**listed, "proposal": task.proposal, "outcome": task.outcome}


def list_(
    session: Session,
    actor: Actor,
    today: date,
    *,
    mine: bool = False,
    late: bool = False,
    node: str | None = None,
    state: TaskState | None = None,
) -> list[dict[str, Any]]:
    """Return the tasks that are not ended at the person's nodes, the earliest due first.

    Args:
        mine: only those that the person has taken or may do: with the role of the task, or for an
            approval, where it is another person's proposal, with a role for it.
        late: only those that were due before today.
        node: code of a node: only those there and below.
        state: only those in this state.
    """
    require_anywhere(actor, Action.TASK_READ)
    rows = (
        select(Task)
        .join(Organisation, Organisation.id == Task.node_id)
        .where(Task.state.in_(NOT_ENDED), is_within(actor, Action.TASK_READ))
        .order_by(Task.due_on, Task.id)
    )
    if node is not None:
        below = find_node(session, node).path
        rows = rows.where(Organisation.path.startswith(below, autoescape=True))
    if state is not None:
        rows = rows.where(Task.state == state)
    if late:
        rows = rows.where(Task.due_on < today)
    listed = _listed(session, rows)
    if not mine:
        return listed
    paths = dict(session.execute(select(Organisation.id, Organisation.path)).all())
    own = {number_of(t) for t in session.scalars(rows) if _is_for(actor, t, paths[t.node_id])}
    return [row for row in listed if row["number"] in own]


def _is_for(actor: Actor, task: Task, path: str) -> bool:
    """Return whether a person has a task, or may take it."""
    if task.state is TaskState.TAKEN:
        return task.staff_id == actor.staff_id
    if task.kind is TaskKind.APPROVAL and task.proposal is not None:
        is_own = task.proposer_id == actor.staff_id
        return not is_own and actor.may(FOUR_EYES[Action(task.proposal["action"])], path)
    return has_role(actor, task, path)


def _listed(session: Session, tasks: Select[Task]) -> list[dict[str, Any]]:
    """Return tasks as people see them in a list."""
    numbers = dict(session.execute(select(Staff.id, Staff.number)).all())
    codes = dict(session.execute(select(Organisation.id, Organisation.code)).all())
    return [
        {
            "number": number_of(task),
            "kind": task.kind.value,
            "about": f"{task.subject_kind}/{task.subject_id}",
            "action": None if task.proposal is None else task.proposal.get("action"),
            "node": codes[task.node_id],
            "role": task.role.value,
            "state": task.state.value,
            "due_on": task.due_on.isoformat(),
            "staff": numbers.get(task.staff_id or 0),
            "proposer": numbers.get(task.proposer_id or 0),
        }
        for task in session.scalars(tasks)
    ]
