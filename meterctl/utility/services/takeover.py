"""Taking over: points, customers, meters, open bills and advances of older books (UTILITY 4).

One person proposes a file: what it names is written into the archive, its agreements wait, and each
meter is read so that the approver sees what would be booked; a file with a meter that was not read
is approved only by `approve` with `unread`. When another person has approved, each
meter is read again and taken over with that reading (`store.takeover_books`); one that does not
answer waits until it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os.path import commonpath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import DeskError, NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind, Task, TaskKind
from meterctl.utility.rules.csv_rows import Mistakes
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.takeover_file import TakeoverRow, TakeoverState
from meterctl.utility.rules.transitions import (
    VERSION,
    AgreementState,
    CommandState,
    VersionEvent,
    VersionState,
    after,
)
from meterctl.utility.services import tasks
from meterctl.utility.services.archive import points
from meterctl.utility.services.orders import add_order
from meterctl.utility.services.takeover_archive import archive_row, known_point
from meterctl.utility.services.tasks import APPROVED, approval, propose, refusal
from meterctl.utility.store.order_books import THEN
from meterctl.utility.store.queries.agreements import unfinished_version
from meterctl.utility.store.queries.organisation import station_of
from meterctl.utility.store.queries.readings import newest
from meterctl.utility.store.rights import require_anywhere, require_at
from meterctl.utility.store.takeover_books import PROBLEM, ROW, TAKE_OVER, TASK
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_NAMED = 5
"""Meters that were not read which a refusal names."""
_FAILED = (CommandState.REFUSED, CommandState.EXPIRED)


def propose_file(
    work: UnitOfWork,
    *,
    rows: Sequence[TakeoverRow],
    sha256: str,
    terms: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Propose to take over what a file names; each meter is read.

    Args:
        rows: of the file, by `rules.takeover_file`.
        sha256: of the file; it is proposed once.
        terms: JSON of `rules.terms` by the name under which a row has it.

    Raises:
        Invalid: a line for each mistake (`csv`); nothing was changed.
        Refused: the file was proposed before.
        NotPermitted: no role of the person's allows it at a node of the file.
    """
    require_anywhere(work.actor, Action.TAKEOVER_PROPOSE)
    if find_proposal(work.session, sha256) is not None:
        raise Refused("proposed_already", "this file was proposed before; nothing was changed")
    points.lock_stations(work, sorted(set(_nodes(work, rows))))
    mistakes, written = Mistakes(), []
    for row in rows:
        try:
            with work.session.begin_nested():
                written.append(archive_row(work, row, terms))
        except DeskError as error:
            mistakes.add(row.line, str(error).removesuffix("; nothing was changed"))
    mistakes.refuse_any()
    node = _common_node(work.session, [each.point.node_id for each in written])
    proposal = {"sha256": sha256, "rows": [each.values for each in written]}
    task = propose(
        work,
        Action.TAKEOVER_PROPOSE,
        written[0].agreement,
        node,
        Role.STATION_HEAD,
        proposal,
    )
    for n, each in enumerate(written):
        key = f"takeover-{task.id}-{n}-look"
        add_order(work, key, OrderKind.READ, each.meter, each.agreement, {TASK: task.id})
    return {"task": number_of(task), "state": task.state.value, "meters": len(written)}


def approve(work: UnitOfWork, *, task: str, unread: bool) -> dict[str, Any]:
    """Approve a proposed file.

    Args:
        task: its number.
        unread: approve it though meters were not read, their credit and debt unseen.

    Raises:
        NotPermitted: it is one's own proposal, or no role of the approver's allows it there.
        Refused: it is ended; or meters were not read, without `unread`.
    """
    return tasks.approve(work, task, _take_over_unread if unread else None)


@approval(Action.TAKEOVER_PROPOSE)
def take_over(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Order the readings with which the meters of an approved file are taken over.

    Raises:
        Refused: meters were not read, so that their credit and debt could not be seen.
    """
    unread = _unread(work.session, task)
    if unread:
        serials = ", ".join(unread[:_NAMED]) + (", ..." if len(unread) > _NAMED else "")
        raise Refused(
            "not_read",
            f"{len(unread)} meters of {number_of(task)} were not read, so their credit and debt "
            f"cannot be seen ({serials}): let `desk work` read them, or approve all the same with "
            f"`desk takeover FILE --approve --unread`; nothing was changed",
        )
    return _read_all(work, task)


def _take_over_unread(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Order the readings of a file whose meters were not all read; the audit names those."""
    unread = _unread(work.session, task)
    work.audit("takeover_unread", task, None, {"meters": unread})
    return {**_read_all(work, task), "unread": len(unread)}


def _unread(session: Session, task: Task) -> list[str]:
    """Return the serial numbers of the meters of a proposed file that were not read yet."""
    assert task.proposal is not None
    numbers = [row["meter"] for row in task.proposal["rows"]]
    was_read = select(Reading.meter_id).where(Reading.meter_id == Meter.id).exists()
    return list(
        session.scalars(
            select(Meter.serial).where(Meter.id.in_(numbers), ~was_read).order_by(Meter.serial)
        )
    )


def _read_all(work: UnitOfWork, task: Task) -> dict[str, Any]:
    assert task.proposal is not None
    for n, row in enumerate(task.proposal["rows"]):
        _read_to_take_over(work, task, n, row, attempt=1)
    return {"meters": len(task.proposal["rows"])}


@refusal(Action.TAKEOVER_PROPOSE)
def leave(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Withdraw what waits for a refused file; the archive keeps its points and customers."""
    assert task.proposal is not None
    left = 0
    for row in sorted(task.proposal["rows"], key=lambda row: int(row["agreement"])):
        agreement = work.lock(Agreement, row["agreement"])
        version = unfinished_version(work.session, agreement.id)
        if agreement.state is AgreementState.NEW and version is not None:
            version.state = after(VERSION, version.state, VersionEvent.WITHDRAW)
            work.session.flush()
            told = {"state": version.state}
            work.audit(Action.TAKEOVER_PROPOSE, version, {"state": VersionState.DRAFT}, told)
            left += 1
    return {"withdrawn": left}


def read_again(work: UnitOfWork, *, sha256: str) -> dict[str, Any]:
    """Order a reading again for each meter of an approved file that was refused.

    Raises:
        NotFound: the file was never proposed.
        Refused: it is not approved.
    """
    task = find_proposal(work.session, sha256)
    if task is None:
        raise NotFound("no_proposal", "this file was not proposed yet; nothing was changed")
    work.require(Action.TAKEOVER_PROPOSE, task.node_id)
    if task.outcome != APPROVED:
        raise Refused("not_approved", f"{number_of(task)} is not approved; nothing was changed")
    task = work.lock(Task, task.id)
    assert task.proposal is not None
    again = 0
    for n, row in enumerate(task.proposal["rows"]):
        orders = _orders(work.session, task, row)
        state = _row_state(work.session, task, row, orders)[0]
        if state is TakeoverState.REFUSED:
            _read_to_take_over(work, task, n, row, attempt=len(orders) + 1)
            again += 1
    return {"task": number_of(task), "meters": again}


def find_proposal(session: Session, sha256: str) -> Task | None:
    """Return the newest proposal of a file, by its SHA-256; None: there was none."""
    return session.scalars(
        select(Task)
        .where(
            Task.kind == TaskKind.APPROVAL,
            Task.subject_kind == Agreement.__tablename__,
            Task.proposal["sha256"].as_string() == sha256,
            ~Task.outcome.startswith("refused"),
            ~Task.outcome.startswith("withdrawn"),
        )
        .order_by(Task.id.desc())
        .limit(1)
    ).one_or_none()


def progress(session: Session, actor: Actor, sha256: str) -> dict[str, Any]:
    """Return how far a proposed file is: its task, its rows, and the amounts that were read.

    Raises:
        NotFound: it was never proposed.
    """
    task = find_proposal(session, sha256)
    if task is None or task.proposal is None:
        raise NotFound("no_proposal", "this file was not proposed yet")
    require_at(session, actor, Action.TASK_READ, task.node_id)
    rows = [_shown(session, task, row) for row in task.proposal["rows"]]
    counts = {state.value: sum(row["state"] == state for row in rows) for state in TakeoverState}
    return {
        "task": number_of(task),
        "task_state": task.state.value,
        "outcome": task.outcome,
        "counts": {word: count for word, count in counts.items() if count},
        "rows": rows,
    }


def _nodes(work: UnitOfWork, rows: Sequence[TakeoverRow]) -> Iterator[str]:
    """Yield the codes of the nodes of a file's points; a wrong one is told with its row."""
    for row in rows:
        known = known_point(work, row)
        named = Organisation.code == row.cells["node"]
        where = named if known is None else Organisation.id == known.node_id
        node = work.session.scalars(select(Organisation).where(where)).one_or_none()
        if node is not None and station_of(work.session, node) is not None:
            yield node.code


def _common_node(session: Session, nodes: Sequence[int]) -> int:
    """Return the lowest node that all of these lie in, or are."""
    paths = session.scalars(select(Organisation.path).where(Organisation.id.in_(nodes))).all()
    return int(commonpath(paths).rpartition("/")[2])


def _read_to_take_over(
    work: UnitOfWork, task: Task, n: int, row: Mapping[str, Any], attempt: int
) -> None:
    """Order what a meter is taken over with: what it is set to, then its registers."""
    agreement = work.session.get_one(Agreement, row["agreement"])
    if agreement.state is AgreementState.NEW:
        meter = work.session.get_one(Meter, row["meter"])
        key = f"takeover-{task.id}-{n}-{attempt}"
        terms = {"terms": True, TASK: task.id}
        add_order(work, f"{key}-terms", OrderKind.READ, meter, agreement, terms)
        books = {TASK: task.id, ROW: n, THEN: TAKE_OVER}
        add_order(work, f"{key}-books", OrderKind.READ, meter, agreement, books)


def _orders(session: Session, task: Task, row: Mapping[str, Any]) -> list[Order]:
    """Return the orders of a row, those to take it over alone, the first one first."""
    rows = session.scalars(
        select(Order)
        .where(Order.agreement_id == row["agreement"], Order.kind == OrderKind.READ)
        .order_by(Order.id)
    )
    return [
        order
        for order in rows
        if order.parameters.get(TASK) == task.id and order.parameters.get(THEN) == TAKE_OVER
    ]


def _row_state(
    session: Session, task: Task, row: Mapping[str, Any], orders: Sequence[Order]
) -> tuple[TakeoverState, str]:
    """Return how far a row is, and why."""
    agreement = session.get_one(Agreement, row["agreement"])
    if agreement.state is not AgreementState.NEW:
        return TakeoverState.TAKEN_OVER, ""
    if orders:
        last = orders[-1]
        problem = (last.outcome or {}).get(PROBLEM)
        if problem is None and last.command_state not in _FAILED:
            return TakeoverState.WAITING, last.cause
        return TakeoverState.REFUSED, problem or last.cause
    if newest(session, row["meter"]) is not None:
        return TakeoverState.READ, ""
    looked = session.scalars(
        select(Order.cause)
        .where(Order.agreement_id == row["agreement"], Order.kind == OrderKind.READ)
        .order_by(Order.id.desc())
    ).first()
    return TakeoverState.NOT_READ, looked or ""


def _shown(session: Session, task: Task, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for people: exact units of what its meter showed last."""
    agreement = session.get_one(Agreement, row["agreement"])
    reading: Reading | None = newest(session, row["meter"])
    state, cause = _row_state(session, task, row, _orders(session, task, row))
    return {
        "line": row["line"],
        "agreement": agreement.number,
        "point": session.get_one(SupplyPoint, agreement.point_id).number,
        "meter": session.get_one(Meter, row["meter"]).serial,
        "mode": agreement.mode.value,
        "state": state.value,
        "credit_exact": None if reading is None else reading.credit_exact,
        "debt_exact": None if reading is None else reading.debt_exact,
        "taken_at": None if reading is None else reading.taken_at,
        "open": sum(amount for _, amount, _ in row["bills"]),
        "advance": row["advance"],
        "cause": cause,
    }
