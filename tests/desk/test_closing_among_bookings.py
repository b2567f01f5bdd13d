"""A date is closed while others book: each entry is on a date that holds it, and in its seal."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, text

from meterctl.utility.errors import Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import DayClose, Entry
from meterctl.utility.rules import postings
from meterctl.utility.services.closing import close_day
from meterctl.utility.store import seals
from meterctl.utility.store.checks import books
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Asked,
    UnitOfWork,
    perform,
    unit_of_work,
)
from protocols.quantities import DAY
from tests.support.desk_days import an_accountant, at, close, end_shifts, post
from tests.support.desk_world import TODAY, World, a_customer, a_world, opened

ONE = timedelta(days=1)
WITHIN_S = 60


@pytest.fixture
def database(desk_url: str) -> Iterator[Database]:
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> World:
    made = a_world(database)
    end_shifts(database, [made.shift])
    return made


@pytest.fixture
def accountant(world: World) -> Actor:
    assert world.vendor.staff_id is not None
    return an_accountant(world, world.vendor.staff_id)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def _wait_until_blocked(database: Database) -> None:
    """Wait until a transaction waits for another one; SQLite does not tell."""
    if database.engine.dialect.name == "sqlite":
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with database.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("no transaction waits for a lock")


def _paid(world: World, amount: int = 1_00) -> postings.Transfers:
    return postings.paid_for_sale(postings.cash(world.shift), world.agreement, amount)


def _holding(
    database: Database, act: Callable[[UnitOfWork], Any], began: Event, end: Event
) -> None:
    """Do something in a transaction that is committed when the test says so."""
    with unit_of_work(database, WORKER, at(TODAY), "held") as work:
        act(work)
        began.set()
        assert end.wait(WITHIN_S)


def _booked_on(database: Database, key: str) -> Any:
    with database.reading() as session:
        return session.scalars(select(Entry.booked_on).where(Entry.key == key)).one()


def _problems(database: Database) -> list[tuple[str, ...]]:
    with database.reading() as session:
        return [day.problems for day in seals.verify(session) if day.problems]


def test_a_booking_under_way_is_waited_for_and_sealed(
    database: Database, world: World, accountant: Actor, threads: ThreadPoolExecutor
) -> None:
    began, end = Event(), Event()
    booking = threads.submit(
        _holding,
        database,
        lambda work: work.ledger.post("held", "test", _paid(world), About()),
        began,
        end,
    )
    assert began.wait(WITHIN_S)
    closing = threads.submit(close, database, accountant, TODAY)
    _wait_until_blocked(database)
    end.set()
    booking.result(WITHIN_S)
    assert closing.result(WITHIN_S).values["entries"] == 1
    assert _booked_on(database, "held") == TODAY
    assert _problems(database) == []


def test_a_booking_that_waits_for_a_close_goes_to_the_next_date(
    database: Database, world: World, accountant: Actor, threads: ThreadPoolExecutor
) -> None:
    post(database, "first", _paid(world))
    began, end = Event(), Event()

    def held(work: UnitOfWork) -> dict[str, Any]:
        answer = close_day(work, on=TODAY)
        began.set()
        assert end.wait(WITHIN_S)
        return answer

    now = at(TODAY) + DAY
    asked = Asked("close", "close day", {})
    closing = threads.submit(perform, database, accountant, now, asked, held)
    assert began.wait(WITHIN_S)
    booking = threads.submit(post, database, "second", _paid(world))
    _wait_until_blocked(database)
    end.set()
    booking.result(WITHIN_S)
    assert closing.result(WITHIN_S).values["entries"] == 1
    assert _booked_on(database, "second") == TODAY + ONE
    assert _problems(database) == []


def test_an_audit_under_way_is_waited_for_and_may_still_book(
    database: Database, world: World, accountant: Actor, threads: ThreadPoolExecutor
) -> None:
    """Its number is below those that are committed before it, so the seal must hold it."""
    post(database, "first", _paid(world))
    began, end, goes_on = Event(), Event(), Event()

    def audited(work: UnitOfWork) -> None:
        work.audit("held", work.session.scalars(select(Entry)).one(), None, {})
        began.set()
        assert goes_on.wait(WITHIN_S)
        work.ledger.post("held", "test", _paid(world), About())

    writing = threads.submit(_holding, database, audited, began, end)
    assert began.wait(WITHIN_S)
    closing = threads.submit(close, database, accountant, TODAY)
    _wait_until_blocked(database)
    goes_on.set()
    end.set()
    writing.result(WITHIN_S)
    assert closing.result(WITHIN_S).values["entries"] == 2
    with database.reading() as session:
        held = session.scalars(select(Audit.id).where(Audit.action == "held")).one()
        assert session.scalars(select(DayClose.last_audit_id)).one() >= held
    assert _problems(database) == []


def test_of_two_that_close_the_same_date_one_does(
    database: Database, world: World, accountant: Actor, threads: ThreadPoolExecutor
) -> None:
    post(database, "first", _paid(world))
    now = at(TODAY) + 2 * DAY
    both = [threads.submit(close, database, accountant, TODAY, now + number) for number in range(2)]
    failed = [each.exception(WITHIN_S) for each in both]
    assert sorted(type(error) for error in failed if error) == [Refused]
    assert _problems(database) == []


def test_dates_are_closed_among_bookings_of_many_threads(
    database: Database, world: World, accountant: Actor, threads: ThreadPoolExecutor
) -> None:
    days = 3
    with unit_of_work(database, WORKER, at(TODAY)) as work:
        agreements = [a_customer(work, world.station, str(n))[-1] for n in range(2, 9)]
    began = Event()

    def book(agreement: int, draws: random.Random) -> None:
        began.wait(WITHIN_S)
        for number in range(2 * days):
            amount = draws.randrange(1, 100_00)
            paid = postings.paid_for_sale(postings.cash(world.shift), agreement, amount)
            on = TODAY + draws.randrange(days) * ONE
            post(database, f"{agreement}-{number}", paid, on)

    def close_all() -> None:
        began.wait(WITHIN_S)
        for day in range(days):
            close(database, accountant, TODAY + day * ONE)

    booking: list[Future[None]] = [
        threads.submit(book, agreement, random.Random(agreement)) for agreement in agreements
    ]
    closing = threads.submit(close_all)
    began.set()
    for each in (*booking, closing):
        each.result(WITHIN_S)
    assert _problems(database) == []
    with database.reading() as session:
        assert books.closing_balances(session).violations == ()
        assert books.never_negative(session, whole=False).violations == ()
