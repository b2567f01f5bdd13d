"""Tasks of people, as services and workers open and close them in their transactions."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from meterctl.utility.errors import Conflict, Invalid, NotFound
from meterctl.utility.model.base import Base
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import TASK, TaskEvent, TaskState, after
from meterctl.utility.store.unit_of_work import UnitOfWork, sha256_of

OPENED, CANCELLED = "task_opened", "task_cancelled"
"""Words of the audit."""
PROPOSAL = "proposal_sha256"
"""Value in the audit of a task that proposes something: what it was opened with."""
NOT_ENDED = (TaskState.OPEN, TaskState.TAKEN)


def open_task(
    work: UnitOfWork,
    kind: TaskKind,
    subject: Base,
    node_id: int,
    role: Role,
    due_on: date,
    proposal: dict[str, Any] | None = None,
) -> Task:
    """Return the task of a kind for a subject: the one that is not ended yet, else a new one.

    Args:
        subject: the row that it is about; it has its number already.
        node_id: where the people work who may do it.
        role: theirs.
        due_on: the last date on which it is in time.
        proposal: what an approval is about.
    """
    found = unended_task(work, kind, subject)
    if found is not None:
        return found
    task = Task(
        kind=kind,
        subject_kind=subject.__tablename__,
        subject_id=subject.id,  # type: ignore[attr-defined]
        node_id=node_id,
        role=role,
        staff_id=None,
        state=TaskState.OPEN,
        due_on=due_on,
        proposer_id=work.actor.staff_id,
        proposal=proposal,
        outcome="",
        made_at=work.now,
        changed_at=work.now,
    )
    try:
        work.add(task)
    except IntegrityError as error:
        raise Conflict(
            "task_exists", f"another action opened the {kind} of it; nothing was changed"
        ) from error
    about = f"{subject.__tablename__}/{task.subject_id}"
    told = {"state": task.state, "kind": kind, "subject": about}
    if proposal is not None:
        told[PROPOSAL] = sha256_of(proposal)
    work.audit(OPENED, task, None, told)
    return task


def unended_task(work: UnitOfWork, kind: TaskKind, subject: Base) -> Task | None:
    """Return the open or taken task of a kind for a subject, None without one."""
    return work.session.scalars(
        select(Task).where(
            Task.kind == kind,
            Task.subject_kind == subject.__tablename__,
            Task.subject_id == subject.id,  # type: ignore[attr-defined]
            Task.state.in_(NOT_ENDED),
        )
    ).one_or_none()


def cancel_task(work: UnitOfWork, kind: TaskKind, subject: Base, cause: str) -> None:
    """Cancel the task of a kind for a subject that needs it no more, if there is one.

    Its subject is locked by the caller, so that no approval of it is under way.
    """
    task = unended_task(work, kind, subject)
    if task is None:
        return
    before = task.state
    task.state = after(TASK, task.state, TaskEvent.CANCEL)
    task.outcome = cause
    task.changed_at = work.now
    task.version += 1
    work.audit(CANCELLED, task, {"state": before}, {"state": task.state}, cause)


def number_of(task: Task) -> str:
    """Return a task's number as people see it."""
    return f"T{task.id}"


def id_of(number: str) -> int:
    """Return the id of a task from its number, such as T3; raises Invalid."""
    digits = number.strip().upper().removeprefix("T")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise Invalid("task_number", f"{number!r} is no task: tasks are T1, T2 and so on")
    return int(digits)


def find_task(work: UnitOfWork, number: str) -> Task:
    """Return a task by its number, locked; raises NotFound."""
    try:
        return work.lock(Task, id_of(number))
    except NotFound as error:
        raise NotFound("no_task", f"there is no task {number}") from error
