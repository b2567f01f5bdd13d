"""What falls due by itself: old cards, the comparisons of a night, money at banks that waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank
from meterctl.utility.model.money import Sale
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules import law
from meterctl.utility.rules.calendar import Night, local_date, night_of
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store import bank_tasks, settings
from meterctl.utility.store.comparison_books import due_tonight, order_night
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.bank_sides import first_statement
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import WORKER, repeated, unit_of_work
from protocols.quantities import DAY

CARD_DUE = timedelta(days=3)
COMPARISONS = 200
"""Comparisons that one transaction orders: sales wait for it on SQLite."""


def owe_card_tasks(database: Database) -> int:
    """Open a task for each sale that lies on a card for as long as the company's `card_old` says.

    A task is made once for a card; it ends when the sale moves.

    Returns:
        How many are new.
    """
    now = database.now()
    with database.reading() as session:
        old = _old_cards(session, now, local_date(now, database.zone))
        if session.execute(old.limit(1)).first() is None:
            return 0
    with unit_of_work(database, WORKER, now) as work:
        old = _old_cards(work.session, now, work.today)
        rows = work.session.execute(old.order_by(Sale.id)).all()
        for sale, node in rows:
            open_task(work, TaskKind.CARD_OLD, sale, node, Role.VENDOR, work.today + CARD_DUE)
        return len(rows)


def _old_cards(session: Session, now: int, today: date) -> Select[Sale, int]:
    """Return the query of sales on old cards that have no task, with their nodes."""
    days = settings.value(session, law.CARD_OLD, company(session).id, None, today)
    known = exists().where(
        Task.kind == TaskKind.CARD_OLD,
        Task.subject_kind == Sale.__tablename__,
        Task.subject_id == Sale.id,
        Task.made_at >= Sale.changed_at,
    )
    return (
        select(Sale, SupplyPoint.node_id)
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .where(Sale.state == SaleState.ON_CARD, Sale.changed_at <= now - days * DAY, ~known)
    )


def order_comparisons(database: Database, ordered: date | None) -> date:
    """Order the comparison of each agreement with its meter, once a night from 02:00.

    It ends at any point without harm: the next call orders what is missing of the night.

    Args:
        ordered: the night whose comparisons this worker has ordered already; None: none.

    Returns:
        The night whose comparisons are ordered now.
    """
    now = database.now()
    night = night_of(now, database.zone)
    if night.on == ordered:
        return night.on
    with database.reading() as session:
        due = due_tonight(session, night, now)
    for first in range(0, len(due), COMPARISONS):
        repeated(partial(_order_some, database, night, due[first : first + COMPARISONS]))
    return night.on


def _order_some(database: Database, night: Night, due: Sequence[Any]) -> None:
    with unit_of_work(database, WORKER, database.now()) as work:
        order_night(work, night, due)


def owe_bank_tasks(database: Database, owed: date | None) -> date:
    """Open a task for money at banks that waits for longer than the setting, once a date.

    For a line without an owner, and for what stands in the books or in a statement alone; each
    once, from the first date of its bank's statements on.

    Args:
        owed: the date on which this worker has done it already; None: none.

    Returns:
        The date on which it is done now.
    """
    now = database.now()
    today = local_date(now, database.zone)
    if today == owed:
        return today

    def all_banks() -> None:
        with unit_of_work(database, WORKER, now) as work:
            until = bank_tasks.last_in_time(work.session, today)
            for number in work.session.scalars(select(Bank.id).order_by(Bank.id)).all():
                bank = work.lock(Bank, number)
                since = first_statement(work.session, bank.code)
                if since is not None:
                    bank_tasks.owe_one_sided(work, bank, since, until)
            bank_tasks.owe_suspense(work)

    repeated(all_banks)
    return today
