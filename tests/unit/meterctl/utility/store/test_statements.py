"""Statements that run on the driver's own cursor mean what they mean to SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Day, DayState, Shift
from meterctl.utility.model.work import Order
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.statements import Prepared, rows_of
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from tests.support.desk_world import NOON, TODAY, World, a_world, opened
from tests.support.told_statements import told_statements

_AUDITS, _DAYS, _SHIFTS = rows_of(Audit).c, rows_of(Day).c, rows_of(Shift).c
_NEW_AUDIT = Prepared(insert(rows_of(Audit)).returning(_AUDITS.id))
_AUDIT = Prepared(
    select(_AUDITS.before_values, _AUDITS.after_values).where(_AUDITS.id == bindparam("of_id"))
)
_NEW_DAY = Prepared(insert(rows_of(Day)))
_OPEN_DAYS = Prepared(
    select(_DAYS.on_date, _DAYS.state)
    .where(_DAYS.state.in_((DayState.OPEN, DayState.CLOSED)), _DAYS.on_date >= bindparam("since"))
    .order_by(_DAYS.on_date)
)
_COUNTED = Prepared(
    update(rows_of(Shift))
    .where(_SHIFTS.id == bindparam("of_id"), _SHIFTS.state == bindparam("was"))
    .values(state=bindparam("reached"))
)


@pytest.fixture
def database(desk_url: str) -> Iterator[Database]:
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database)


@pytest.fixture
def work(database: Database) -> Iterator[UnitOfWork]:
    with unit_of_work(database, WORKER, NOON) as work:
        yield work


def _audited(work: UnitOfWork) -> int:
    values = {
        "at_ms": NOON, "staff_id": None, "action": "a", "subject": "s", "before_values": None,
        "after_values": {"text": "中", "number": 1}, "reason": "", "key": "",
    }  # fmt: skip
    return int(_NEW_AUDIT.value(work.connection, values) or 0)


def test_values_of_json_come_back_as_sqlalchemy_reads_them(work: UnitOfWork) -> None:
    number = _audited(work)
    found = _AUDIT.row(work.connection, {"of_id": number})
    assert found is not None
    assert found == tuple(work.session.execute(select(Audit.before, Audit.after)).one())
    assert found.after_values == {"text": "中", "number": 1}


def test_dates_words_and_lists_of_a_condition_are_converted(work: UnitOfWork) -> None:
    days = [TODAY.replace(day=day) for day in (1, 2, 3)]
    _NEW_DAY.change_each(
        work.connection, [{"on_date": day, "state": DayState.OPEN} for day in days]
    )
    found = _OPEN_DAYS.rows(work.connection, {"since": days[1]})
    assert [(row.on_date, row.state) for row in found] == [(day, DayState.OPEN) for day in days[1:]]
    assert all(row.state is DayState.OPEN for row in found)


def test_a_change_says_how_many_rows_it_met(world: World, work: UnitOfWork) -> None:
    to = {"of_id": world.shift, "reached": ShiftState.COUNTED}
    assert _COUNTED.change(work.connection, to | {"was": ShiftState.CLOSED}) == 0
    assert _COUNTED.change(work.connection, to | {"was": ShiftState.OPEN}) == 1
    assert work.session.get_one(Shift, world.shift).state is ShiftState.COUNTED


def _twice(database: Database) -> None:
    """Insert a date twice in one transaction."""
    day = {"on_date": TODAY, "state": DayState.OPEN}
    with unit_of_work(database, WORKER, NOON) as work:
        _NEW_DAY.change(work.connection, day)
        _NEW_DAY.change(work.connection, day)


def test_what_the_database_refuses_is_an_error_of_sqlalchemy_and_is_undone(
    database: Database,
) -> None:
    with pytest.raises(IntegrityError):
        _twice(database)
    with database.reading() as session:
        assert session.scalars(select(Day.on)).all() == []


def test_the_end_of_a_transaction_writes_the_columns_that_differ(
    database: Database, world: World
) -> None:
    with told_statements(database) as told, unit_of_work(database, WORKER, NOON) as work:
        meter = work.lock(Meter, world.meter)
        meter.stopped, meter.epoch = "set_back", meter.epoch
        work.lock(Meter, world.meter)
    changes = [statement for statement in told if statement.startswith("UPDATE")]
    assert len(changes) == 1
    assert "stopped" in changes[0].partition("WHERE")[0]
    assert "epoch" not in changes[0].partition("WHERE")[0]
    with database.reading() as session:
        assert session.get_one(Meter, world.meter).stopped == "set_back"


def test_new_and_changed_rows_are_written_together(database: Database, world: World) -> None:
    with unit_of_work(database, WORKER, NOON) as work:
        work.lock(Meter, world.meter).stopped = "set_back"
        work.session.add(Audit(at=NOON, action="a", subject="s", reason="", key=""))
    with database.reading() as session:
        assert session.get_one(Meter, world.meter).stopped == "set_back"
        assert len(session.scalars(select(Audit.id)).all()) == 1
        assert session.scalars(select(Order.id)).all() == []
