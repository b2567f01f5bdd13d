"""The banks on the sheet of a date: our books beside their statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.banking import Bank
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.services.sheets.figures import BankFigures, OneSidedFigures
from meterctl.utility.store.queries.bank_sides import Item, Subject, items, statement_balance

LISTED = 10
"""Items on one side that a sheet names."""


def bank_figures(session: Session, on: date) -> Iterator[BankFigures]:
    """Yield each bank as both sides were at the end of a date."""
    for bank in session.scalars(select(Bank).order_by(Bank.account)):
        found = items(session, bank, on, on)
        both = [item for item in found if item.is_on_both_sides]
        ours = [item for item in found if item.banks is None]
        banks = [item for item in found if item.ours is None]
        one_sided = [item for item in found if not item.is_on_both_sides]
        yield BankFigures(
            bank=bank.code,
            title=bank.title,
            both=len(both),
            both_amount=sum(item.ours or 0 for item in both),
            ours_only=len(ours),
            ours_only_amount=sum(item.ours or 0 for item in ours),
            banks_only=len(banks),
            banks_only_amount=sum(item.banks or 0 for item in banks),
            differing=len(one_sided) - len(ours) - len(banks),
            statement=statement_balance(session, bank.code, on),
            one_sided=tuple(_named(session, item) for item in one_sided[:LISTED]),
        )


def _named(session: Session, item: Item) -> OneSidedFigures:
    return OneSidedFigures(
        reference=item.reference,
        on=item.on,
        ours=item.ours,
        banks=item.banks,
        task=None if item.subject is None else _task_about(session, item.subject),
    )


def _task_about(session: Session, subject: Subject) -> str | None:
    """Return the number of the newest task about money on one side, None without one."""
    number = session.scalars(
        select(Task.id)
        .where(
            Task.kind == TaskKind.ONE_SIDED,
            Task.subject_kind == subject[0],
            Task.subject_id == subject[1],
        )
        .order_by(Task.id.desc())
    ).first()
    return None if number is None else f"T{number}"
