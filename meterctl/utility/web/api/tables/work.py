"""What workers do at meters, and what persons owe by a date."""

from __future__ import annotations

from pydantic import Field

from meterctl.utility.meters.adoption import give_up
from meterctl.utility.rules.transitions import TaskState
from meterctl.utility.services import approvals, order_lists, task_lists, tasks
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.api.answers import books as told
from meterctl.utility.web.api.operations import (
    Asked,
    Change,
    Look,
    Looked,
    NeededReason,
    Operation,
    Page,
    Values,
    calling,
)
from meterctl.utility.web.api.values import Name, Text

assert approvals.SERVICES  # imported for what an approval does


class OrderPage(Page):
    """Orders of a meter; `all` those that have ended too."""

    meter: Name | None = None
    all_: bool = Field(False, alias="all")


class TaskPage(Page):
    """Tasks at a node and below, in a state; your own, and late ones alone."""

    node: Name | None = None
    state: TaskState | None = None
    mine: bool = False
    late: bool = False


class Outcome(Asked):
    """What was found or done."""

    outcome: Text


def _orders(found: Looked) -> list[Values]:
    q = found.query
    return order_lists.list_(
        found.session, found.visitor.actor, ended=q.all_, meter=q.meter, after=q.after,
        limit=q.limit + 1,
    )  # fmt: skip


def _order(found: Looked) -> Values:
    return order_lists.show(found.session, found.visitor.actor, found.path["order"])


def _workers(found: Looked) -> list[Values]:
    visitor = found.visitor
    rows = order_lists.journals(found.session, visitor.actor, visitor.database.host_clock())
    return [{**row, "journal_number": f"{row['journal_number']}"} for row in rows]


def _tasks(found: Looked) -> list[Values]:
    q, visitor = found.query, found.visitor
    return task_lists.list_(
        found.session, visitor.actor, visitor.today, mine=q.mine, late=q.late, node=q.node,
        state=q.state,
    )  # fmt: skip


def _task(found: Looked) -> Values:
    return task_lists.show(found.session, found.visitor.actor, found.path["task"])


def _refuse(work: UnitOfWork, values: Values) -> Values:
    return tasks.refuse(work, values["task"], values["reason"])


def _done(work: UnitOfWork, values: Values) -> Values:
    return tasks.done(work, values["task"], values["outcome"])


ORDERS: tuple[Operation, ...] = (
    Look("/orders", "order_list", "List the orders to meters, the newest first.", _orders,
         told.Order, query=OrderPage, by="number"),
    Look("/orders/{order}", "order_show", "Show an order by its number or its key.", _order,
         told.Order),
    Look("/workers", "worker_list", "List the journals that seal, and the workers that have them.",
         _workers, told.Worker, query=Page, by="worker", is_whole=True),
    Change("POST", "/workers/{worker}/give-up", "worker give-up",
           "Give up a journal that is lost for good.", calling(give_up), told.LostWorker,
           body=NeededReason),
)  # fmt: skip
TASKS: tuple[Operation, ...] = (
    Look("/tasks", "task_list", "List the tasks that are not ended, the earliest due first.",
         _tasks, told.Task, query=TaskPage, by="number", is_whole=True),
    Look("/tasks/{task}", "task_show", "Show a task with what it proposes.", _task, told.Task),
    Change("POST", "/tasks/{task}/take", "task take", "Take a task.",
           calling(tasks.take, task="number"), told.MovedTask),
    Change("POST", "/tasks/{task}/put-back", "task put-back", "Put a task back.",
           calling(tasks.put_back, task="number"), told.MovedTask),
    Change("POST", "/tasks/{task}/approve", "task approve",
           "Approve what another person proposed, and do it.",
           calling(tasks.approve, task="number"), told.MovedTask),
    Change("POST", "/tasks/{task}/refuse", "task refuse",
           "Refuse what another person proposed, or withdraw your own proposal.", _refuse,
           told.MovedTask, body=NeededReason),
    Change("POST", "/tasks/{task}/done", "task done", "End a task with its outcome.", _done,
           told.MovedTask, body=Outcome),
)  # fmt: skip
