"""desk task list|show|take|put-back|approve|refuse|done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from meterctl.cli.desk.desk_money import shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.rules.units import AMOUNTS
from meterctl.utility.services import approvals, task_lists, tasks
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.words.desk_words import WORDS
from protocols.command_line import Argument, Context, Option, Program

_task = Program("What persons owe by a date: approvals, slips, questions.")
TaskArgument = Annotated[str, Argument(metavar="TASK", help="Number of the task, such as T3.")]
assert approvals.SERVICES  # imported for what it registers


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_task, name="task")


@_task.command("list")
def list_(
    context: Context,
    mine: Annotated[
        bool, Option("--mine", help="Only those that you have taken, or may do.")
    ] = False,
    late: Annotated[bool, Option("--late", help="Only those that were due before today.")] = False,
) -> None:
    """List the tasks that are not ended at your nodes, the earliest due first."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = task_lists.list_(session, desk.actor, desk.today, mine=mine, late=late)
        columns = ("number", "kind", "action", "about", "node", "role", "state", "due_on", "staff")
        shown = found if given.json else [_in_words(row) for row in found]
        print_records(given, [desk.record(row) for row in shown], columns)


@_task.command("show")
def show(context: Context, number: TaskArgument) -> None:
    """Show a task with what it proposes."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        task = task_lists.show(session, desk.actor, number)
        if not given.json:
            proposed = task.pop("proposal") or {}
            task = _in_words(task) | {
                f"proposes {name.replace('_', ' ')}": _proposed(name, value)
                for name, value in proposed.items()
                if name != "action"
            }
        print_record(given, desk.record(task))


def _in_words(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task with its action as people say it."""
    words = WORDS["action"].get(task["action"] or "")
    return task if words is None else {**task, "action": words[0]}


def _proposed(name: str, value: Any) -> Any:
    """Return a value of a proposal for people."""
    return shown(value) if name in AMOUNTS and isinstance(value, int) else value


@_task.command("take")
def take(context: Context, number: TaskArgument) -> None:
    """Take a task, so that others leave it alone."""
    _do(context, "task take", number, {}, lambda work: tasks.take(work, number), _state)


@_task.command("put-back")
def put_back(context: Context, number: TaskArgument) -> None:
    """Put a task back that you have taken."""
    _do(context, "task put-back", number, {}, lambda work: tasks.put_back(work, number), _state)


@_task.command("approve")
def approve(context: Context, number: TaskArgument) -> None:
    """Approve what another person proposed, and do it."""
    _do(
        context,
        "task approve",
        number,
        {},
        lambda work: tasks.approve(work, number),
        lambda told: tasks.APPROVED,
    )


@_task.command("refuse")
def refuse(
    context: Context,
    number: TaskArgument,
    reason: Annotated[str, Option("--reason", metavar="TEXT", help="Why it is refused.")],
) -> None:
    """Refuse what another person proposed, or withdraw your own proposal."""
    _do(
        context,
        "task refuse",
        number,
        {"reason": reason},
        lambda work: tasks.refuse(work, number, reason),
        lambda told: str(told["outcome"]),
    )


@_task.command("done")
def done(
    context: Context,
    number: TaskArgument,
    outcome: Annotated[str, Option("--outcome", metavar="TEXT", help="What was found or done.")],
) -> None:
    """End a task with its outcome."""
    _do(
        context,
        "task done",
        number,
        {"outcome": outcome},
        lambda work: tasks.done(work, number, outcome),
        lambda told: f"{told['state']}: {told['outcome']}",
    )


def _do(
    context: Context,
    route: str,
    number: str,
    body: dict[str, Any],
    act: Callable[[UnitOfWork], dict[str, Any]],
    ended: Callable[[dict[str, Any]], str],
) -> None:
    """Do one thing with a task and print its answer.

    Args:
        ended: returns in words what the task is now.
    """
    with signed_in(desk_options(context)) as desk:
        desk.do(
            route,
            {"task": number, **body},
            act,
            lambda told: f"{told['task']} is {ended(told)}",
        )


def _state(told: dict[str, Any]) -> str:
    return str(told["state"])
