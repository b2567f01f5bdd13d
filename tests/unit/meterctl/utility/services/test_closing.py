"""A date is closed once, in order, with its balances and its seal; bookings go on after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Conflict, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import (
    ClosingBalance,
    Day,
    DayClose,
    DayState,
    Entry,
    Shift,
    Transfer,
)
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.store import seals
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.unit_of_work import Actor
from protocols.quantities import DAY, HOUR
from tests.support.desk_days import an_accountant, at, close, end_shifts, post
from tests.support.desk_world import TODAY, World, a_world, opened

ONE = timedelta(days=1)
ON_SQLITE = pytest.mark.parametrize("desk_url", ["sqlite"], indirect=True)
"""For what is refused; figures and what waits are looked at on both engines."""


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


def _pay(database: Database, world: World, key: str, amount: int, on: date = TODAY) -> None:
    transfers = postings.paid_for_sale(postings.cash(world.shift), world.agreement, amount)
    post(database, key, transfers, on)


def _balance(database: Database, kind: AccountKind, owner: int) -> int:
    with database.reading() as session:
        return Ledger(session, at(TODAY), TODAY, None).balance(kind, owner)


def test_a_close_writes_what_moved_and_seals_it(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    _pay(database, world, "b", 7_30)
    answer = close(database, accountant, TODAY).values
    assert (answer["entries"], answer["transfers"], answer["balances"]) == (2, 2, 2)
    with database.reading() as session:
        kept = session.scalars(select(DayClose)).one()
        assert (kept.on, kept.seal, kept.previous_seal) == (
            TODAY, answer["seal"], seals.NONE_BEFORE,
        )  # fmt: skip
        assert session.scalars(select(Day.state)).one() is DayState.CLOSED
        rows = session.scalars(select(ClosingBalance.balance).order_by(ClosingBalance.balance))
        assert rows.all() == [-57_30, 57_30]
        audit = session.scalars(select(Audit).where(Audit.action == "day_close")).one()
        assert (audit.subject, audit.staff_id) == (f"day_close/{TODAY}", accountant.staff_id)


def test_balances_go_on_from_the_close(database: Database, world: World, accountant: Actor) -> None:
    _pay(database, world, "a", 50_00)
    close(database, accountant, TODAY)
    _pay(database, world, "b", 7_30, TODAY + 2 * ONE)
    close(database, accountant, TODAY + 2 * ONE)
    _pay(database, world, "c", 1_00, TODAY + 3 * ONE)
    assert _balance(database, AccountKind.CASH, world.shift) == 58_30
    with database.reading() as session:
        balances = session.execute(
            select(ClosingBalance.on, ClosingBalance.balance).where(ClosingBalance.balance > 0)
        )
        assert sorted(balances.all()) == [(TODAY, 50_00), (TODAY + 2 * ONE, 57_30)]


@ON_SQLITE
def test_a_date_that_has_not_ended_in_the_companys_zone_is_not_closed(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    midnight = at(TODAY) + _until_midnight(at(TODAY))
    with pytest.raises(Refused, match="has not ended"):
        close(database, accountant, TODAY, midnight - 1)
    close(database, accountant, TODAY, midnight)


def _until_midnight(instant: int) -> int:
    """Return how long it is to the next midnight of Shanghai, 8 hours ahead of UTC."""
    return DAY - (instant + 8 * HOUR) % DAY


@ON_SQLITE
def test_dates_are_closed_in_order_and_once(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    _pay(database, world, "b", 50_00, TODAY + ONE)
    with pytest.raises(Refused, match=f"{TODAY} is open"):
        close(database, accountant, TODAY + ONE)
    close(database, accountant, TODAY)
    close(database, accountant, TODAY + ONE)
    with pytest.raises(Refused, match="closed already"):
        close(database, accountant, TODAY + ONE, at(TODAY + 9 * ONE))


@ON_SQLITE
def test_no_date_is_closed_after_a_later_one(
    database: Database, world: World, accountant: Actor
) -> None:
    """The chain of seals goes by date."""
    close(database, accountant, TODAY)
    with pytest.raises(Refused, match="a later date, is closed"):
        close(database, accountant, TODAY - ONE)


def test_dates_without_bookings_are_closed_with_the_next_one(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    close(database, accountant, TODAY)
    _pay(database, world, "b", 50_00, TODAY + 3 * ONE)
    answer = close(database, accountant, TODAY + 3 * ONE).values
    assert answer["also_closed"] == [str(TODAY + ONE), str(TODAY + 2 * ONE)]
    transfers = postings.cash_banked(world.shift, 0, 1_00)
    with pytest.raises(Conflict, match="is closed"):
        post(database, "late", transfers, TODAY + 4 * ONE, booked_on=TODAY + 2 * ONE)


@ON_SQLITE
def test_nothing_is_booked_before_a_closed_date_even_where_nothing_was(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    close(database, accountant, TODAY)
    transfers = postings.cash_banked(world.shift, 0, 1_00)
    with pytest.raises(Conflict, match="is closed"):
        post(database, "late", transfers, TODAY + 4 * ONE, booked_on=TODAY - 40 * ONE)


def test_a_booking_of_today_goes_to_the_next_open_date_when_today_is_closed(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    close(database, accountant, TODAY)
    _pay(database, world, "b", 1_00, TODAY)  # its instant was before the close
    with database.reading() as session:
        booked = session.execute(select(Entry.booked_on, Entry.for_on).where(Entry.key == "b"))
        assert booked.one() == (TODAY + ONE, TODAY)


@ON_SQLITE
def test_a_shift_that_is_not_cashed_up_keeps_its_date_open(
    database: Database, accountant: Actor, world: World
) -> None:
    with database.engine.begin() as connection:
        connection.execute(update(Shift).values(state=ShiftState.COUNTED))
    _pay(database, world, "a", 50_00)
    with pytest.raises(Refused, match="not cashed up: shift 1"):
        close(database, accountant, TODAY)
    with database.reading() as session:
        assert session.scalars(select(Day.state)).one() is DayState.OPEN
        assert session.scalars(select(ClosingBalance)).all() == []


@ON_SQLITE
def test_only_an_accountant_of_the_company_closes(database: Database, world: World) -> None:
    with pytest.raises(NotPermitted):
        close(database, world.vendor, TODAY)


@ON_SQLITE
def test_a_dry_run_closes_nothing(database: Database, world: World, accountant: Actor) -> None:
    _pay(database, world, "a", 50_00)
    planned = close(database, accountant, TODAY, dry_run=True).values
    with database.reading() as session:
        assert session.scalars(select(DayClose)).all() == []
    assert close(database, accountant, TODAY).values["seal"] == planned["seal"]


def test_the_close_is_sealed_by_the_next_one(
    database: Database, world: World, accountant: Actor
) -> None:
    _pay(database, world, "a", 50_00)
    first = close(database, accountant, TODAY).values
    _pay(database, world, "b", 50_00, TODAY + ONE)
    close(database, accountant, TODAY + ONE)
    with database.reading() as session:
        second = session.scalars(select(DayClose).where(DayClose.on == TODAY + ONE)).one()
        closing = session.scalars(select(Audit.id).where(Audit.subject == f"day_close/{TODAY}"))
        assert second.previous_seal == first["seal"]
        assert second.last_audit_id >= closing.one()
        assert [day.problems for day in seals.verify(session)] == [(), ()]
        assert session.scalars(select(Transfer.booked_on).distinct()).all() != []
