"""Days of the desk for tests: entries on dates, shifts that end, dates that are closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import update

from meterctl.utility.model.money import Shift
from meterctl.utility.rules.postings import Transfers
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.services.closing import close_day
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Answer,
    Asked,
    Grant,
    UnitOfWork,
    perform,
    unit_of_work,
)
from protocols.quantities import DAY
from tests.support.desk_world import NOON, TODAY, World

ACCOUNTANT = "accountant"


def an_accountant(world: World, staff_id: int) -> Actor:
    """Return an accountant of the whole company."""
    return Actor(staff_id, ACCOUNTANT, (Grant(Role.ACCOUNTANT, f"/{world.company}/"),))


def at(on: date) -> int:
    """Return an instant of a date."""
    return NOON + (on - TODAY).days * DAY


def post(
    database: Database,
    key: str,
    transfers: Transfers,
    on: date = TODAY,
    *,
    booked_on: date | None = None,
    about: About | None = None,
) -> int | None:
    """Book an entry on a date by the worker; return its number."""
    with unit_of_work(database, WORKER, at(on), key) as work:
        return work.ledger.post(key, "test", transfers, about or About(), booked_on=booked_on)


def end_shifts(database: Database, numbers: Sequence[int]) -> None:
    """Write shifts as closed, without what belongs to it."""
    with database.engine.begin() as connection:
        connection.execute(
            update(Shift).where(Shift.id.in_(numbers)).values(state=ShiftState.CLOSED)
        )


def close(
    database: Database, actor: Actor, on: date, now: int | None = None, **options: Any
) -> Answer:
    """Close a date at an instant; two days after it where none is given."""
    instant = at(on) + 2 * DAY if now is None else now

    def act(work: UnitOfWork) -> dict[str, Any]:
        return close_day(work, on=on)

    asked = Asked(f"close {on} {instant}", "close day", {"on": on.isoformat()})
    return perform(database, actor, instant, asked, act, **options)


def without_triggers(database: Database) -> None:
    """Drop every trigger, so that a test can change what is never changed."""
    with database.engine.begin() as connection:
        if database.engine.dialect.name == "sqlite":
            names = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            )
            for (name,) in names.all():
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            return
        found = connection.exec_driver_sql(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        )
        for name, table in found.all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}" ON {table}')
