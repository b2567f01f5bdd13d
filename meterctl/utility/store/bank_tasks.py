"""Tasks about money at banks: its owner is not known for days, or one side alone has it (S9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from meterctl.utility.model.banking import Bank, BankLine, BankLineState
from meterctl.utility.model.base import Base
from meterctl.utility.model.money import Payment, Shift
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.law import SUSPENSE_OLD
from meterctl.utility.rules.rights import Role
from meterctl.utility.store import settings
from meterctl.utility.store.queries.bank_sides import Item, Subject, items
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.tasks import NOT_ENDED, cancel_task, open_task
from meterctl.utility.store.unit_of_work import UnitOfWork

DUE = timedelta(days=1)
_TABLES: dict[str, type[Base]] = {
    table.__tablename__: table for table in (BankLine, Shift, Payment)
}
"""Tables of rows that a task about one side may be about."""


def owe_suspense(work: UnitOfWork) -> list[Task]:
    """Open a task for each line that waits in suspense for longer than the setting; once a line."""
    node, old = company(work.session).id, _old(work.session, work.today)
    return [
        open_task(work, TaskKind.SUSPENSE, line, node, Role.ACCOUNTANT, work.today + DUE)
        for line in work.session.scalars(old.with_for_update(of=BankLine)).all()
    ]


def owe_one_sided(work: UnitOfWork, bank: Bank, since: date, until: date) -> list[Task]:
    """Open a task for each item of a bank that one side alone has; end those of which both have.

    The bank is locked by the caller.

    Args:
        since: items of this date and of later ones, `until` of this date and of earlier ones.
    """
    node = company(work.session).id
    one_sided = items(work.session, bank)
    _end(work, bank, {item.subject for item in one_sided})
    opened = []
    for item in one_sided:
        if (
            since <= item.on <= until
            and item.subject is not None
            and not _has_task(work, item.subject)
        ):
            row = work.session.get_one(_TABLES[item.subject[0]], item.subject[1])
            due_on = work.today + DUE
            opened.append(
                open_task(
                    work, TaskKind.ONE_SIDED, row, node, Role.ACCOUNTANT, due_on, _told(bank, item)
                )
            )
    return opened


def last_in_time(session: Session, today: date) -> date:
    """Return the last date of which what is open on it is late today."""
    days = settings.value(session, SUSPENSE_OLD, company(session).id, None, today)
    return today - timedelta(days + 1)


def _told(bank: Bank, item: Item) -> dict[str, object]:
    """Return what a task says of an item; `action` is none of a proposal."""
    return {
        "bank": bank.code, "reference": item.reference, "on": item.on.isoformat(),
        "ours": item.ours, "banks": item.banks, "what": item.what,
    }  # fmt: skip


def _old(session: Session, today: date) -> Select[BankLine]:
    """Return the query of lines in suspense that are late and have no task."""
    known = exists().where(
        Task.kind == TaskKind.SUSPENSE,
        Task.subject_kind == BankLine.__tablename__,
        Task.subject_id == BankLine.id,
    )
    return (
        select(BankLine)
        .where(
            BankLine.state == BankLineState.SUSPENSE,
            BankLine.paid_on <= last_in_time(session, today),
            ~known,
        )
        .order_by(BankLine.id)
    )


def _has_task(work: UnitOfWork, subject: Subject) -> bool:
    """Return whether a task about an item was opened before, ended or not."""
    kind, number = subject
    found = work.session.scalars(
        select(Task.id).where(
            Task.kind == TaskKind.ONE_SIDED,
            Task.subject_kind == kind,
            Task.subject_id == number,
        )
    )
    return found.first() is not None


def _end(work: UnitOfWork, bank: Bank, one_sided: Iterable[Subject | None]) -> None:
    """End the open tasks of a bank about items that both sides have now."""
    left = set(one_sided)
    rows = work.session.scalars(
        select(Task).where(Task.kind == TaskKind.ONE_SIDED, Task.state.in_(NOT_ENDED))
    ).all()
    for task in rows:
        subject = (task.subject_kind, task.subject_id)
        if (task.proposal or {}).get("bank") == bank.code and subject not in left:
            row = work.session.get_one(_TABLES[task.subject_kind], task.subject_id)
            cancel_task(work, TaskKind.ONE_SIDED, row, "both sides have it now")
