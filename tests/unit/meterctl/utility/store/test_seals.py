"""A seal holds every value of a closed date: a change of any one is found, and which date it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from meterctl.utility.rules import postings
from meterctl.utility.store import seals
from meterctl.utility.store.engine import Database
from tests.support.desk_days import an_accountant, close, end_shifts, post, without_triggers
from tests.support.desk_world import TODAY, a_world, opened

ONE = timedelta(days=1)


@pytest.fixture
def closed(desk_url: str) -> Iterator[Database]:
    """A desk with three closed dates, the second one with all that a seal holds."""
    database = opened(desk_url)
    world = a_world(database)
    end_shifts(database, [world.shift])
    assert world.vendor.staff_id is not None
    accountant = an_accountant(world, world.vendor.staff_id)
    for day in range(3):
        on = TODAY + day * ONE
        paid = postings.paid_for_sale(postings.cash(world.shift), world.agreement, 50_00 + day)
        post(database, f"paid {day}", paid, on)
        post(database, f"dead {day}", postings.not_delivered(world.agreement, 1_00), on)
        close(database, accountant, on)
    without_triggers(database)
    yield database
    database.close()


SECOND = "(SELECT min(id) FROM entry WHERE key = 'paid 1')"
ON_SECOND = "WHERE on_date = '2026-09-22'"
"""The close of the second date."""
CHANGES = {
    "entry.key": f"UPDATE entry SET key = 'other' WHERE id = {SECOND}",
    "entry.kind": f"UPDATE entry SET kind = 'other' WHERE id = {SECOND}",
    "entry.booked_at": f"UPDATE entry SET booked_at = booked_at + 1 WHERE id = {SECOND}",
    "entry.booked_on": f"UPDATE entry SET booked_on = '2026-09-29' WHERE id = {SECOND}",
    "entry.for_on": f"UPDATE entry SET for_on = '2026-09-29' WHERE id = {SECOND}",
    "entry.agreement_id": f"UPDATE entry SET agreement_id = 1 WHERE id = {SECOND}",
    "entry.staff_id": f"UPDATE entry SET staff_id = 1 WHERE id = {SECOND}",
    "entry gone": f"DELETE FROM entry WHERE id = {SECOND}",
    "transfer.amount": f"UPDATE transfer SET amount = amount + 1 WHERE entry_id = {SECOND}",
    "transfer.booked_on": f"UPDATE transfer SET booked_on = '2026-09-29' WHERE entry_id = {SECOND}",
    "transfer turned": "UPDATE transfer SET debit_id = credit_id, credit_id = debit_id "
    f"WHERE entry_id = {SECOND}",
    "transfer gone": f"DELETE FROM transfer WHERE entry_id = {SECOND}",
    "figures": f"UPDATE day_close SET figures = '[]' {ON_SECOND}",
    "closed_at": f"UPDATE day_close SET closed_at = closed_at + 1 {ON_SECOND}",
    "balance": f"UPDATE closing_balance SET balance = balance + 1 {ON_SECOND}",
    "audit.reason": "UPDATE audit SET reason = 'other' WHERE subject = 'day_close/2026-09-21'",
    "audit.at": "UPDATE audit SET at_ms = at_ms + 1 WHERE subject = 'day_close/2026-09-21'",
    "audit gone": "DELETE FROM audit WHERE subject = 'day_close/2026-09-21'",
}
"""What changes a value of the second date."""
OTHERS = {
    "account.kind": ("UPDATE account SET kind = 'bank' WHERE kind = 'cash'", [0, 1, 2]),
    "seal": (f"UPDATE day_close SET seal = '{'a' * 64}' {ON_SECOND}", [1, 2]),
    "close gone": (f"DELETE FROM day_close {ON_SECOND}", [2]),
}
"""What changes more, and the dates whose seals do not hold then."""


def _broken(connection: Connection) -> list[int]:
    """Return the dates whose seals do not hold, as days after the first."""
    with Session(connection) as session:
        return [(day.on - TODAY).days for day in seals.verify(session) if day.problems]


def test_each_changed_value_is_found_on_its_date(closed: Database) -> None:
    cases = {name: (statement, [1]) for name, statement in CHANGES.items()} | OTHERS
    found = {}
    for name, (statement, _) in cases.items():
        with closed.engine.connect() as connection, connection.begin() as transaction:
            assert connection.execute(text(statement)).rowcount, name
            found[name] = _broken(connection)
            transaction.rollback()
    assert found == {name: broken for name, (_, broken) in cases.items()}


def test_what_was_not_changed_holds_and_a_date_that_was_sealed_again_does_not(
    closed: Database,
) -> None:
    with closed.reading() as session:
        days = list(seals.verify(session))
    assert [(day.on, day.problems) for day in days] == [(TODAY + day * ONE, ()) for day in range(3)]
    assert [(day.sealed.entries, day.sealed.transfers) for day in days] == [(2, 2)] * 3
    assert len({day.sealed.seal for day in days}) == 3
    with closed.engine.begin() as connection:
        connection.execute(text(CHANGES["transfer.amount"]))
        with Session(connection) as session:
            seal = [day.sealed.seal for day in seals.verify(session)][1]
        connection.execute(text(f"UPDATE day_close SET seal = '{seal}' {ON_SECOND}"))
        assert _broken(connection) == [2]
