"""Tasks: what waits for a person, late first; taken, done, approved, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from meterctl.utility.rules.rights import FOUR_EYES, Action
from meterctl.utility.rules.units import AMOUNTS
from meterctl.utility.services import approvals, task_lists, task_subjects, tasks
from meterctl.utility.store.rights import paths
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.pages.asking import Asking, Form, Posted, new_key
from meterctl.utility.web.pages.rendering import page

router = APIRouter()
MONEY_NAMES = AMOUNTS | frozenset(
    {"amount", "claim", "given_back", "estimate", "credit", "debt", "ours", "banks"}
)
"""Names of a proposal's values that are amounts (0.01)."""
assert approvals.SERVICES  # imported for what an approval does
_Asked = tuple[str, dict[str, Any], Callable[[UnitOfWork], dict[str, Any]]]


def _take(number: str, _: Form) -> _Asked:
    return "task take", {"task": number}, lambda work: tasks.take(work, number)


def _put_back(number: str, _: Form) -> _Asked:
    return "task put-back", {"task": number}, lambda work: tasks.put_back(work, number)


def _done(number: str, form: Form) -> _Asked:
    outcome = form.text("outcome")
    body = {"task": number, "outcome": outcome}
    return "task done", body, lambda work: tasks.done(work, number, outcome)


def _approve(number: str, _: Form) -> _Asked:
    return "task approve", {"task": number}, lambda work: tasks.approve(work, number)


def _refuse(number: str, form: Form) -> _Asked:
    reason = form.text("reason")
    body = {"task": number, "reason": reason}
    return "task refuse", body, lambda work: tasks.refuse(work, number, reason)


ACTS = {
    "take": _take,
    "put-back": _put_back,
    "done": _done,
    "approve": _approve,
    "refuse": _refuse,
}


@router.get("/tasks")
def list_(
    request: Request,
    visitor: Asking,
    mine: bool = False,
    late: bool = False,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Return the tasks that wait, the earliest due first."""
    with visitor.reading() as session:
        found = task_lists.list_(session, visitor.actor, visitor.today, mine=mine, late=late)
    return page(
        request,
        visitor,
        "tasks.html",
        tasks=found,
        today=visitor.today.isoformat(),
        mine=mine,
        late=late,
        said=said,
    )


@router.get("/tasks/{number}")
def show(request: Request, visitor: Asking, number: str) -> Response:
    """Return a task, with what it proposes in words."""
    with visitor.reading() as session:
        task = task_lists.show(session, visitor.actor, number)
        subject = task_subjects.subject_of(session, number)
    waits = task["state"] in ("open", "taken")
    action = None if task["action"] is None else Action(task["action"])
    is_own = task["proposer"] == visitor.actor.number
    may_approve = action is not None and bool(paths(visitor.actor, FOUR_EYES[action]))
    return page(
        request,
        visitor,
        "task.html",
        task=task,
        subject={name: value for name, value in subject.items() if value not in (None, "")},
        proposal=sorted((task["proposal"] or {}).items()),
        is_own=is_own,
        may_approve=waits and may_approve and not is_own,
        may_refuse=waits and (may_approve or is_own) and action is not None,
        may_take=waits and action is None and bool(paths(visitor.actor, Action.TASK_TAKE)),
        money_names=MONEY_NAMES,
        act_key=new_key(),
    )


@router.post("/tasks/{number}/{name}")
def act(visitor: Asking, form: Posted, number: str, name: str) -> Response:
    """Do something about a task, and begin the orders that follow from it."""
    if name not in ACTS:
        raise HTTPException(404, "there is no such page")
    route, body, do = ACTS[name](number, form)
    told = visitor.ask(route, body, do, form.key).values
    for order in _orders(told):
        visitor.office.delivery.begin(order)
    return RedirectResponse(f"/tasks/{told['task']}", 303)


def _orders(told: dict[str, Any]) -> list[int]:
    """Return the numbers of the orders that an answer names."""
    named = [told.get("order"), *(told.get("orders") or ())]
    return [int(order.removeprefix("O")) for order in named if isinstance(order, str)]
