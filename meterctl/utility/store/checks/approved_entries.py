"""Entries that two persons decide: the approval of each is there (I7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, literal, select
from sqlalchemy.orm import Session

from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.money import Entry, Sale
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.checks.outcome import Tally, streamed

APPROVED = "approved"
"""Outcome of a task whose proposal was approved."""


def entries_approved(session: Session, tally: Tally) -> None:
    """Look at each moved sale, ended epoch and explained credit."""
    for kind, approval in _approvals().items():
        entries = select(Entry.key, approval.exists()).where(Entry.kind == kind)
        for key, is_approved in streamed(session, entries):
            tally.count += 1
            if not is_approved:
                tally.violation(f"entry {key}", "no second person approved what it books")


def _approvals() -> Mapping[str, Select[Any]]:
    """Return, by kind of an entry, the query of the task that approved it."""
    of_reading = select(Reading.meter_id).where(Reading.id == Entry.reading_id)
    meter_read = of_reading.correlate(Entry).scalar_subquery()
    of_sale = select(Sale.follows_id).where(Sale.id == Entry.sale_id)
    moved = of_sale.correlate(Entry).scalar_subquery()
    meter, epoch = (cast(Task.proposal[name].as_string(), String) for name in ("meter", "epoch"))
    of_epoch = literal("epoch/") + meter + "/" + epoch + "/"
    return {
        "sale_moved": _of(Action.SALE_MOVE, Sale, moved),
        "explained": _of(Action.CREDIT_EXPLAIN, Meter, meter_read),
        "epoch_ended": select(Task.id).where(
            Task.proposal["agreement"].as_integer() == Entry.agreement_id,
            func.substr(Entry.key, 1, func.length(of_epoch)) == of_epoch,
            *_approved(Action.EPOCH_END),
        ),
    }


def _of(action: Action, table: type[Any], number: ColumnElement[Any]) -> Select[Any]:
    """Return the query of the approval of an action about a row."""
    about = and_(Task.subject_kind == table.__tablename__, Task.subject_id == number)
    return select(Task.id).where(about, *_approved(action))


def _approved(action: Action) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a task approved an action."""
    return (
        Task.kind == TaskKind.APPROVAL,
        Task.outcome == APPROVED,
        Task.proposal["action"].as_string() == action.value,
    )
