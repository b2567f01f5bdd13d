"""I12 of banks: what was changed in lines, accounts or payments is named."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Role
from meterctl.utility.services import bank_lines
from meterctl.utility.store.checks import people
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.checks.payments import payments_booked
from tests.support.desk_banks import COLLECTED, STATEMENT, a_bank, load
from tests.support.desk_counter import Counter, counter, desk_with_world
from tests.support.desk_days import without_triggers

__all__ = ["counter", "desk_with_world"]


@pytest.fixture
def banked(counter: Counter) -> Counter:
    """A desk with a payment, a line in suspense, one sent back, one matched, and a statement."""
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00", "R3,x,6.00", "R4,x,7.00")
    counter.do(Role.ACCOUNTANT, bank_lines.send_back, line="L3")
    counter.do(Role.ACCOUNTANT, bank_lines.match, line="L4", to="A1")
    load(counter, STATEMENT, "R1,Li,35.00", "F1,fee,-0.50", "X1,?,3.00")
    return counter


def _found(counter: Counter, *changes: str) -> Checked:
    """Return what I12 finds after changes, which are undone."""
    with Session(counter.database.engine) as session:
        for change in changes:
            session.execute(text(change))
        found = payments_booked(session)
        session.rollback()
    return found


def test_a_day_as_it_was_booked_holds(banked: Counter) -> None:
    assert not _found(banked).broken


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ("UPDATE bank_line SET amount = 1 WHERE reference = 'X1'", "bank line bank_line/7"),
        ("UPDATE bank_line SET amount = 1 WHERE reference = 'R2'", "bank line bank_line/2"),
        ("UPDATE bank_line SET state = 'booked' WHERE id = 2", "bank line L2"),
        ("UPDATE bank_line SET state = 'suspense' WHERE id = 3", "entry bank_line/3/sent_back"),
        ("UPDATE bank_line SET payment_id = NULL WHERE id = 1", "bank line L1"),
        ("UPDATE bank_line SET payment_id = NULL WHERE id = 4", "payment P2"),
        ("DELETE FROM bank_line WHERE id = 7", "entry bank_line/7/statement"),
        ("UPDATE payment SET bank_reference = 'R9' WHERE id = 1", "bank line L1"),
        ("DELETE FROM transfer WHERE entry_id IN (SELECT id FROM entry WHERE key = "
         "'bank_line/7/statement')", "bank line bank_line/7/statement"),
        ("UPDATE bank_file SET lines = 1 WHERE id = 1", "bank file F1"),
        ("UPDATE bank SET account = 5", "transit of shipped"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(banked: Counter, change: str, subject: str) -> None:
    without_triggers(banked.database)
    found = _found(banked, change)
    assert any(each.subject.startswith(subject) for each in found.violations), found.violations


def test_more_than_500_that_one_person_sent_back_is_named(banked: Counter) -> None:
    with Session(banked.database.engine) as session:
        session.execute(text("UPDATE bank_line SET amount = 50001 WHERE id = 3"))
        (violation,) = people.two_persons(session).violations
        session.rollback()
    assert violation.subject == "bank line L3"
