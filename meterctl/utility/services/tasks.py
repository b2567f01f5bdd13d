"""Tasks: what a person owes by a date, and the approval of what another person proposed.

An action of `rules.rights.FOUR_EYES` is proposed by one person and approved by another who has a
role for its approval at the node or above. The service of the action says what an approval does, in
a function that it names with `approval`; it runs in the approval's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from meterctl.utility.errors import NotPermitted, Refused
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.law import APPROVAL_DUE
from meterctl.utility.rules.rights import FOUR_EYES, Action, Role
from meterctl.utility.rules.transitions import TASK, TaskEvent, TaskState, after
from meterctl.utility.store import settings
from meterctl.utility.store.tasks import (
    find_task,
    number_of,
    open_task,
    unended_task,
)
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

Decided = Callable[[UnitOfWork, Task], dict[str, Any]]

APPROVALS: dict[Action, Decided] = {}
"""A proposal's action -> what its approval does, and the values that it adds to the answer."""
REFUSALS: dict[Action, Decided] = {}
"""A proposal's action -> what its refusal does; nothing where it is not named."""
APPROVED, REFUSED, WITHDRAWN = "approved", "refused", "withdrawn"


def approval(action: Action) -> Callable[[Decided], Decided]:
    """Name a function as what the approval of an action does."""

    def name(function: Decided) -> Decided:
        APPROVALS[action] = function
        return function

    return name


def refusal(action: Action) -> Callable[[Decided], Decided]:
    """Name a function as what the refusal of an action does."""

    def name(function: Decided) -> Decided:
        REFUSALS[action] = function
        return function

    return name


def propose(
    work: UnitOfWork,
    action: Action,
    subject: Base,
    node_id: int,
    role: Role,
    proposal: Mapping[str, Any],
    due_on: date | None = None,
) -> Task:
    """Open the task in which another person approves or refuses an action.

    The caller has checked that the proposer may do it.

    Args:
        action: of `FOUR_EYES`.
        subject: what it is about; one proposal a subject waits at a time.
        node_id: where the approver has the role, or above.
        role: in whose list the task is.
        proposal: JSON values that the approval needs.
        due_on: the last date in time; by the setting `approval_due` where it is not given.

    Raises:
        Refused: a proposal about the subject waits already.
    """
    waiting = unended_task(work, TaskKind.APPROVAL, subject)
    if waiting is not None:
        raise Refused(
            "proposed_already",
            f"{number_of(waiting)} proposes something about it already; nothing was changed",
        )
    if due_on is None:
        due_on = work.today + timedelta(
            settings.value(work.session, APPROVAL_DUE, node_id, None, work.today)
        )
    return open_task(
        work,
        TaskKind.APPROVAL,
        subject,
        node_id,
        role,
        due_on,
        {**proposal, "action": action.value},
    )


def take(work: UnitOfWork, number: str) -> dict[str, Any]:
    """Take a task, so that others leave it alone."""
    task = _locked(work, number, Action.TASK_TAKE)
    _move(work, task, TaskEvent.TAKE, Action.TASK_TAKE)
    task.staff_id = work.actor.staff_id
    return _answer(work, task)


def put_back(work: UnitOfWork, number: str) -> dict[str, Any]:
    """Put a task back that one has taken."""
    task = _locked(work, number, Action.TASK_TAKE)
    _move(work, task, TaskEvent.PUT_BACK, Action.TASK_TAKE)
    task.staff_id = None
    return _answer(work, task)


def done(work: UnitOfWork, number: str, outcome: str) -> dict[str, Any]:
    """End a task with its outcome; an approval is ended by `approve` or `refuse` alone.

    That a meter is stopped is ended by what two persons decide, which ends its task too.
    """
    task = _locked(work, number, Action.TASK_DONE)
    if task.kind is TaskKind.APPROVAL:
        raise Refused(
            "is_approval",
            f"{number_of(task)} is an approval: approve or refuse it; nothing was changed",
        )
    if task.kind is TaskKind.SET_BACK:
        _refuse_for_stopped(work, task)
    _end(work, task, outcome, Action.TASK_DONE)
    return _answer(work, task)


def approve(work: UnitOfWork, number: str, decided: Decided | None = None) -> dict[str, Any]:
    """Approve what another person proposed, and do it.

    Args:
        decided: does it in place of what its service named with `approval`.

    Raises:
        NotPermitted: it is one's own proposal, or no role of the approver's allows it there.
        Refused: it is no proposal, is ended or taken by another person, or what it proposes is not
            possible any more.
    """
    task = find_task(work, number)
    action = _proposed(work, task)
    work.require(FOUR_EYES[action], task.node_id)
    if task.proposer_id == work.actor.staff_id:
        raise NotPermitted(
            "own_proposal",
            f"{number_of(task)} is your own proposal: another person approves it; "
            f"nothing was changed",
        )
    _end(work, task, APPROVED, FOUR_EYES[action])
    work.session.flush()
    return {**_answer(work, task), **(decided or APPROVALS[action])(work, task)}


def refuse(work: UnitOfWork, number: str, reason: str) -> dict[str, Any]:
    """Refuse what another person proposed; its proposer withdraws it so.

    Raises:
        NotPermitted: no role of the person's allows it there.
        Refused: it is no proposal, is ended, or taken by another person.
    """
    task = find_task(work, number)
    action = _proposed(work, task)
    is_own = task.proposer_id is not None and task.proposer_id == work.actor.staff_id
    if not is_own:
        work.require(FOUR_EYES[action], task.node_id)
    word = WITHDRAWN if is_own else REFUSED
    _end(work, task, f"{word}: {reason}", FOUR_EYES[action], reason)
    work.session.flush()
    undone = REFUSALS[action](work, task) if action in REFUSALS else {}
    return {**_answer(work, task), **undone}


def has_role(actor: Actor, task: Task, path: str) -> bool:
    """Return whether a person has the role of a task at its node or above."""
    return any(grant.role is task.role and path.startswith(grant.path) for grant in actor.grants)


def _proposed(work: UnitOfWork, task: Task) -> Action:
    """Return the action that a task proposes.

    Raises:
        NotPermitted: it proposes none, and the person may not see it.
        Refused: it proposes none.
    """
    if task.kind is not TaskKind.APPROVAL or task.proposal is None:
        work.require(Action.TASK_READ, task.node_id)
        raise Refused(
            "no_proposal", f"{number_of(task)} proposes nothing: `desk task done` ends it"
        )
    return Action(task.proposal["action"])


def _locked(work: UnitOfWork, number: str, action: Action) -> Task:
    """Return a task, locked, that the person may work on: with its role, at its node or above."""
    task = find_task(work, number)
    work.require(action, task.node_id)
    path = work.session.get_one(Organisation, task.node_id).path
    if not has_role(work.actor, task, path):
        raise NotPermitted(
            "no_role", f"{number_of(task)} is for a {task.role} there; nothing was changed"
        )
    return task


def _refuse_for_stopped(work: UnitOfWork, task: Task) -> None:
    """Refuse to end the task of a meter to which nothing is sold; raises Refused."""
    meter = work.session.get_one(Meter, task.subject_id)
    if meter.stopped is not None:
        raise Refused(
            "still_stopped",
            f"meter {meter.serial} is still stopped ({meter.stopped}): two persons decide by "
            f"`desk reading set-back` or `desk reading end-epoch`; nothing was changed",
        )


def _end(work: UnitOfWork, task: Task, outcome: str, action: Action, reason: str = "") -> None:
    """End a task with its outcome, by the person who acts."""
    task.outcome = outcome
    _move(work, task, TaskEvent.FINISH, action, reason)
    task.staff_id = work.actor.staff_id


def _move(work: UnitOfWork, task: Task, event: TaskEvent, action: Action, reason: str = "") -> None:
    """Move a task by an event; one that another person has taken stays with that one."""
    if task.state is TaskState.TAKEN and task.staff_id != work.actor.staff_id:
        holder = work.session.get(Staff, task.staff_id)
        raise Refused(
            "taken",
            f"{number_of(task)} was taken by {holder.number if holder else 'another'}; "
            f"nothing was changed",
        )
    before = task.state
    task.state = after(TASK, task.state, event)
    task.changed_at = work.now
    task.version += 1
    work.audit(
        action, task, {"state": before}, {"state": task.state, "outcome": task.outcome}, reason
    )


def _answer(work: UnitOfWork, task: Task) -> dict[str, Any]:
    return {
        "task": number_of(task),
        "kind": task.kind.value,
        "state": task.state.value,
        "outcome": task.outcome,
    }
