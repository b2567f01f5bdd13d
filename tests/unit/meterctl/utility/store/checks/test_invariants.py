"""Each invariant holds on sound books, and is found where exactly it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from meterctl.utility.model.money import Shift
from meterctl.utility.rules import postings
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.store.checks import (
    books,
    entries,
    meters,
    payments,
    people,
    runs,
    sources,
    triggers,
)
from meterctl.utility.store.checks.meters import KeyProof, ProofWord
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.compared import ComparedMeter
from meterctl.utility.store.queries.meters_at_end import MetersAtEnd, broken_meters, meter_sums
from meterctl.utility.store.unit_of_work import unit_of_work
from tests.support.desk_books import sound_books
from tests.support.desk_days import without_triggers
from tests.support.desk_world import NOON, TODAY, opened


@pytest.fixture
def database(desk_url: str) -> Iterator[Database]:
    database = opened(desk_url)
    yield database
    database.close()


CHECKS: dict[str, Callable[[Session], Checked]] = {
    "I1": partial(books.never_negative, whole=True),
    "I2": books.undelivered_sales,
    "I3": meters.meters_agree,
    "I4": meters.sales_proved,
    "I5": meters.one_live_order,
    "I7": people.two_persons,
    "I11": people.all_audited,
    "I12": payments.payments_booked,
    "entries": entries.entries_sourced,
    "sources": sources.sources_booked,
    "balances": books.closing_balances,
}


def test_sound_books_hold_and_each_invariant_looks_at_rows(database: Database) -> None:
    sound_books(database)
    with database.reading() as session:
        checked = list(runs.whole(session))
    assert [(each.invariant, each.violations) for each in checked if each.broken] == []
    assert [each.invariant for each in checked if not each.count] == [
        "requests",
        "documents",
        "seals",
    ]


@pytest.mark.parametrize("invariant", CHECKS)
def test_what_breaks_an_invariant_is_found_by_it(database: Database, invariant: str) -> None:
    sound_books(database)
    without_triggers(database)
    found = {}
    for name, statements in BREAKING[invariant].items():
        with _broken_by(database, statements) as session:
            found[name] = bool(CHECKS[invariant](session).broken)
    assert found == dict.fromkeys(BREAKING[invariant], True)


def test_the_others_hold_where_one_is_broken(sqlite_desk_url: str) -> None:
    database = opened(sqlite_desk_url)
    sound_books(database)
    without_triggers(database)
    found = {}
    for invariant, cases in BREAKING.items():
        name, statements = list(cases.items())[-1]
        with _broken_by(database, statements) as session:
            broken = {each.invariant for each in runs.whole(session) if each.broken}
        if broken - {"triggers", *ALSO.get(name, ())} != {invariant}:
            found[name] = broken
    database.close()
    assert found == {}


@contextmanager
def _broken_by(database: Database, statements: Sequence[str]) -> Iterator[Session]:
    """Yield a session on books that statements broke, which are undone afterwards."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        unbound = UNBOUND[connection.dialect.name]
        for statement in (unbound, *ACCOUNTS, *statements):
            connection.execute(text(statement))
        with Session(connection) as session:
            yield session
        transaction.rollback()


def _account(kind: str) -> str:
    """Return the account of a kind that the first agreement or the first shift owns."""
    return f"(SELECT id FROM account WHERE kind = '{kind}' AND owner_id <= 1)"


UNBOUND = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "SET LOCAL session_replication_role = replica",
}
"""Engine -> the statement that lets rows go that others name, until the end of a transaction."""
ACCOUNTS = tuple(
    f"INSERT INTO account (kind, owner_id) SELECT '{kind}', 0 "
    f"WHERE NOT EXISTS (SELECT 1 FROM account WHERE kind = '{kind}')"
    for kind in ("till_difference",)
)
"""Accounts that forged entries need and sound books do not have."""


def _transfer(key: str, debit: str, credit: str, amount: int, bill: str = "NULL") -> str:
    """Return the statement that adds a transfer to an entry."""
    return (
        f"INSERT INTO transfer (entry_id, n, debit_id, credit_id, amount, bill_id, booked_on) "
        f"SELECT id, 9, {_account(debit)}, {_account(credit)}, {amount}, {bill}, booked_on "
        f"FROM entry WHERE key = '{key}'"
    )


def _audited(subject: str, state: str) -> str:
    """Return the statement that makes a row's audit say another state."""
    return (
        f"UPDATE audit SET after_values = '{{\"state\": \"{state}\"}}' WHERE subject = '{subject}'"
    )


def _new_audit(subject: str, state: str) -> str:
    """Return the statement that audits a state of a row."""
    return (
        "INSERT INTO audit (at_ms, action, subject, after_values, reason, key) "
        f"VALUES (1, 'made', '{subject}', '{{\"state\": \"{state}\"}}', '', '')"
    )


BILL = "(SELECT id FROM bill)"
I1 = {
    "a balance below 0": (_transfer("sale/3/refused", "payable", "undelivered", 6_00),),
    "a bill below 0": (_transfer("take_over/1", "undelivered", "meter_debt", 25_00, BILL),),
    "a transfer of no bill": (_transfer("take_over/1", "payable", "meter_debt", 2_00),),
    "a bill's amount": ("UPDATE bill SET amount = amount + 1",),
    "a bill of another agreement": ("UPDATE bill SET agreement_id = 2",),
    "a cancelled bill that is open": ("UPDATE bill SET state = 'cancelled'",),
}
I2 = {
    "a sale that is dead, and not booked": (
        "UPDATE sale SET state = 'dead' WHERE id = 2",
        "UPDATE meter_order SET credit_state = 'dead' WHERE sale_id = 2",
        _audited("sale/2", "dead"),
    ),
    "a sale's amount": ("UPDATE sale SET amount = amount + 1 WHERE id = 2",),
    "a sale that is booked, and not there": (
        _transfer("sale/3/refused", "payable", "undelivered", 1_00),
    ),
}
I3 = {
    "credit read above what is booked": ("UPDATE reading SET credit_exact = 399900000001",),
    "credit read 0.04 below": ("UPDATE reading SET credit_exact = 399500000000",),
    "debt read above what is booked": ("UPDATE reading SET debt_exact = debt_exact + 1",),
    "debt read 0.02 below": ("UPDATE reading SET debt_exact = debt_exact - 200000000",),
    "credit that no reading explains": (_transfer("reading/1", "in_meter", "taken_over", 1),),
}
I4 = {
    "a meter accepted more": ("UPDATE meter SET proved_cumulative = proved_cumulative + 1",),
    "a meter accepted less": ("UPDATE meter SET proved_cumulative = proved_cumulative - 1",),
    "a meter accepted and was explained more": (
        "UPDATE meter SET proved_cumulative = proved_cumulative + 500000000000, "
        "explained_before = explained_before + 500000000000 WHERE proved_cumulative > 0",
    ),
    "its reading too": (
        "UPDATE meter SET proved_cumulative = proved_cumulative + 500000000000, "
        "explained_before = explained_before + 500000000000 WHERE proved_cumulative > 0",
        "UPDATE reading SET cumulative_exact = cumulative_exact + 500000000000",
    ),
    "a sum that no reading and no receipt has": ("UPDATE reading SET credit_sequence = 6",),
    "credit explained by an audit that books nothing": (
        "UPDATE meter SET proved_cumulative = proved_cumulative + 500000000000, "
        "explained_before = 500000000000 WHERE proved_cumulative > 0",
        "UPDATE reading SET cumulative_exact = cumulative_exact + 500000000000",
        "INSERT INTO audit (at_ms, action, subject, before_values, after_values, reason, key) "
        "VALUES (1, 'credit_explain_approve', 'meter/1', '{\"explained_before\": 0}', "
        "'{\"explained_before\": 500000000000}', '', '')",
    ),
    "a delivered sale without a sequence": ("UPDATE sale SET sequence = NULL WHERE id = 1",),
}
I5 = {
    "an order that is not its sale's": (
        "UPDATE meter_order SET credit_state = 'taken' WHERE sale_id = 2",
    ),
    "a sale without an order": ("DELETE FROM meter_order WHERE sale_id = 2",),
    "two live orders of a meter": (
        "DROP INDEX uq_meter_order_live_credit",
        "INSERT INTO meter_order (key, meter_id, kind, parameters, credit_state, tries, "
        "not_before, cause, made_at, changed_at) "
        "SELECT 'open', meter_id, 'open', '{}', 'unknown', 0, 0, '', 0, 0 FROM meter_order "
        "WHERE sale_id = 2",
    ),
}
I7 = {
    "who approved is who proposed": ("UPDATE task SET staff_id = proposer_id",),
    "an approval that only its proposer audited": (
        "UPDATE audit SET staff_id = (SELECT proposer_id FROM task) WHERE action = 'grant_approve'",
    ),
    "a proposer who is not known": ("UPDATE task SET proposer_id = NULL",),
    "a grant that one person made": ("UPDATE staff_grant SET approver_id = proposer_id",),
    "a sale settled by hand by one person": (
        "UPDATE audit SET action = 'sale_settled_as_dead' WHERE subject = 'sale/3'",
    ),
    "an epoch that one person ended": (
        "INSERT INTO entry (key, kind, booked_at, booked_on, for_on, agreement_id) "
        f"VALUES ('epoch/1/1/ended', 'epoch_ended', {NOON}, '{TODAY}', '{TODAY}', 1)",
    ),
    "a sale that one person moved": (
        "UPDATE entry SET kind = 'sale_moved' WHERE kind = 'sale_taken'",
    ),
    "credit that one person explained": (
        "UPDATE entry SET kind = 'explained' WHERE kind = 'reading'",
    ),
    "a payout above the limit by one person": (
        "INSERT INTO payment (agreement_id, channel, purpose, state, amount, paid_at, staff_id) "
        f"SELECT 1, 'transfer', 'payout', 'taken', 50001, {NOON}, staff_id FROM payment "
        "WHERE id = 1",
        "INSERT INTO account (kind, owner_id) VALUES ('transit', 0)",
        "INSERT INTO entry (key, kind, booked_at, booked_on, for_on, payment_id, staff_id) "
        f"SELECT 'out', 'x', {NOON}, '{TODAY}', '{TODAY}', max(id), 1 FROM payment",
        "INSERT INTO transfer (entry_id, n, debit_id, credit_id, amount, booked_on) "
        f"SELECT id, 1, {_account('taken_over')}, {_account('transit')}, 50001, booked_on "
        "FROM entry WHERE key = 'out'",
    ),
}
I11 = {
    "a sale's state": (_audited("sale/3", "cancelled"),),
    "a sale without audit": ("DELETE FROM audit WHERE subject = 'sale/3'",),
    "a setting without audit": (
        "INSERT INTO setting (code, node_id, customer_class, from_on, value, set_at) "
        "VALUES ('x', 1, '', '2026-01-01', '{}', 0)",
    ),
    "an entry of another instant": ("UPDATE entry SET booked_at = 1 WHERE key = 'reading/1'",),
    "an entry of another person": ("UPDATE entry SET staff_id = NULL WHERE key = 'reading/1'",),
}
I12 = {
    "a payment's amount": ("UPDATE payment SET amount = amount + 1 WHERE id = 1",),
    "a payment's channel": ("UPDATE payment SET channel = 'transfer' WHERE id = 1",),
    "cash without a payment": ("UPDATE entry SET payment_id = NULL WHERE key = 'sale/1/taken'",),
    "a payment that was given back": (
        "UPDATE payment SET state = 'cancelled' WHERE id = 1",
        _new_audit("payment/1", "cancelled"),
    ),
    "a gap in the receipts": ("UPDATE receipt SET number = 4 WHERE number = 3",),
    "a receipt that is gone": ("DELETE FROM receipt WHERE number = 3",),
    "a receipt of another payment": ("UPDATE receipt SET payment_id = 1 WHERE number = 3",),
    "a closed till that is not empty": (
        "UPDATE shift SET state = 'closed'",
        _audited("shift/1", "closed"),
    ),
}
BALANCES = {
    "an entry that is gone": ("DELETE FROM entry WHERE key = 'reading/1'",),
    "a transfer's date": ("UPDATE transfer SET booked_on = '2026-09-20' WHERE entry_id = 1",),
    "a closing balance too much": (
        "INSERT INTO closing_balance (account_id, on_date, balance) VALUES (1, '2026-09-20', 1)",
    ),
}


def _forged(kind: str, key: str, debit: str, credit: str, amount: int, of: str) -> tuple[str, ...]:
    """Return the statements that add an entry which nothing but its rows made.

    It has the instant, the person and the rows of the entry `of`.
    """
    return (
        "INSERT INTO entry (key, kind, booked_at, booked_on, for_on, agreement_id, sale_id, "
        "payment_id, reading_id, staff_id) "
        f"SELECT '{key}', '{kind}', booked_at, booked_on, for_on, agreement_id, sale_id, "
        f"payment_id, reading_id, staff_id FROM entry WHERE key = '{of}'",
        _transfer(key, debit, credit, amount),
    )


_DEAD = "sale/3/refused"
ENTRIES = {
    "a kind that no event has": _forged("gift", "gift/1", "in_meter", "payable", 1, _DEAD),
    "an advance that another kind books": _forged(
        "taken_over", "take_over/1/again", "taken_over", "payable", 1, "reading/1"
    ),
    "revenue that is owed to a customer": (
        _transfer("reading/1", "revenue_energy", "payable", 5_00),
    ),
    "an account of another agreement": (
        "UPDATE entry SET agreement_id = 2 WHERE key = 'take_over/1'",
    ),
    "a key of another row": ("UPDATE entry SET reading_id = 2 WHERE key = 'reading/1'",),
    "a close of no shift": _forged(
        "shift_closed", "shift/9/closed", "till_difference", "cash", 40_00, "sale/1/taken"
    ),
    "a refund of no order": _forged(
        "refund_confirmed", "order/9/confirmed", "in_meter", "payable", 1, _DEAD
    ),
    "an epoch of no meter": _forged(
        "epoch_ended", "epoch/99/1/ended", "in_meter", "payable", 1, _DEAD
    ),
    "a payment's agreement": ("UPDATE payment SET agreement_id = 2 WHERE id = 1",),
    "a sale's agreement": ("UPDATE sale SET agreement_id = 2 WHERE id = 1",),
    "a reading that is gone": ("DELETE FROM reading",),
    "a dead sale that is gone": ("DELETE FROM sale WHERE id = 3",),
    "a key of another event": ("UPDATE entry SET key = 'sale/1/refused' WHERE key = 'reading/1'",),
}
SOURCES = {
    "a sale of a meter that was elsewhere": ("UPDATE sale SET meter_id = 2 WHERE id = 1",),
    "a payment without its sale": ("DELETE FROM sale WHERE id = 3",),
    "a dead sale that is owed twice": _forged(
        "sale_voided", "sale/3/voided", "undelivered", "payable", 5_00, _DEAD
    ),
    "a dead sale that is not owed": ("UPDATE entry SET sale_id = 1 WHERE key = 'sale/3/refused'",),
    "a difference of a shift that is open": _forged(
        "shift_closed", "shift/1/closed", "till_difference", "cash", 40_00, "sale/1/taken"
    ),
    "a refund that no meter gave": _forged(
        "refund_confirmed", "order/1/confirmed", "in_meter", "payable", 1, _DEAD
    ),
    "a sale that another payment pays": ("UPDATE sale SET payment_id = 1 WHERE id = 3",),
}
ALSO = {
    "a sale that is booked, and not there": {"entries", "sources"},
    "credit that no reading explains": {"entries"},
    "a closed till that is not empty": {"sources"},
    "a payout above the limit by one person": {"entries"},
}
"""What breaks one invariant -> others that it cannot but break."""
BREAKING: dict[str, dict[str, tuple[str, ...]]] = {
    "I1": I1, "I2": I2, "I3": I3, "I4": I4, "I5": I5, "I7": I7, "I11": I11, "I12": I12,
    "entries": ENTRIES, "sources": SOURCES, "balances": BALANCES,
}  # fmt: skip
"""Invariant -> what breaks it, and by which statements."""


@pytest.mark.parametrize(
    ("credit", "debt", "agrees"),
    [
        (399900000000, 200000000000, True),
        (399900000001, 200000000000, False),
        (399500000001, 200000000000, True),
        (399500000000, 200000000000, False),
        (399900000000, 200000000001, False),
        (399900000000, 199800000001, True),
        (399900000000, 199800000000, False),
        (None, None, False),
    ],
)
def test_the_bounds_of_a_compared_meter(credit: int | None, debt: int | None, agrees: bool) -> None:
    meter = ComparedMeter("A1", "1", 39_99, 20_00, credit, debt, 0, True, None)
    assert meter.agrees is agrees


def test_a_closed_shift_is_short_or_over_by_what_is_booked(database: Database) -> None:
    world, _ = sound_books(database)
    counted = 174_50
    with unit_of_work(database, world.vendor, NOON, "close") as work:
        shift = work.session.get_one(Shift, world.shift)
        shift.counted, shift.state = counted, ShiftState.CLOSED
        work.audit("shift_close", shift, None, {"state": "closed"})
        moved = (
            *postings.cash_difference(shift.id, -50),
            *postings.cash_banked(shift.id, postings.BANK, 74_50),
        )
        work.ledger.post(f"shift/{shift.id}/closed", "shift_closed", moved, About())
    with database.reading() as session:
        assert [each.invariant for each in runs.whole(session) if each.broken] == []
    for change in ("counted = counted + 50", "float_amount = float_amount - 10"):
        with _broken_by(database, [f"UPDATE shift SET {change}"]) as session:
            found = sources.sources_booked(session)
            assert [each.subject for each in found.violations] == ["shift 1"]


def test_a_trigger_that_is_gone_is_named(database: Database) -> None:
    sound_books(database)
    name = sorted(triggers.expected(database.engine.dialect.name))[-1]
    with database.engine.connect() as connection:
        present = set(connection.scalars(text(triggers.PRESENT[connection.dialect.name])))
    assert present == triggers.expected(database.engine.dialect.name)
    on = "" if database.engine.dialect.name == "sqlite" else " ON transfer"
    with _broken_by(database, [f"DROP TRIGGER {name}{on}"]) as session:
        found = triggers.triggers_present(session)
        assert [each.subject for each in found.violations] == [f"trigger {name}"]


def test_an_entry_is_audited_about_what_it_is_about(database: Database) -> None:
    sound_books(database)
    without_triggers(database)
    forged = "UPDATE audit SET subject = 'meter/1' WHERE subject = 'reading/1'"
    with _broken_by(database, [forged]) as session:
        found = people.all_audited(session)
        assert len(found.violations) == 2
        assert {each.text for each in found.violations} == {"nothing was audited with it"}


@pytest.mark.parametrize(
    "change",
    ["credit_exact = -500000000000, credit_sequence = credit_sequence - 1", "state = 'taken'"],
)
def test_a_meter_that_leaves_the_comparison_is_named(database: Database, change: str) -> None:
    sound_books(database)
    with _broken_by(database, [f"UPDATE reading SET {change}"]) as session:
        found = meters.meters_agree(session)
    assert [each.subject for each in found.violations] == ["agreement A1, meter 000000000001"]


def test_a_meter_that_differs_with_an_open_finding_is_noted(sqlite_desk_url: str) -> None:
    database = opened(sqlite_desk_url)
    sound_books(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE reading SET credit_exact = 1"))
        connection.execute(
            text(
                "INSERT INTO finding (rule, subject_kind, subject_id, agreement_id, value, "
                "limit_value, note, state, first_seen, last_seen) VALUES ('books_differ', 'meter', "
                "1, 1, '', '', '', 'open', 0, 0)"
            )
        )
    with database.reading() as session:
        checked = meters.meters_agree(session)
    assert (checked.count, checked.broken) == (1, 0)
    assert checked.noted == "1 differ with an open finding; 1 were never read"
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE meter SET proved_sequence = proved_sequence + 1"))
    with database.reading() as session:
        checked = meters.meters_agree(session)
    assert checked.noted == "1 with an open finding wait for a reading; 1 were never read"
    database.close()


def test_terms_that_differ_excuse_no_books_that_differ(sqlite_desk_url: str) -> None:
    database = opened(sqlite_desk_url)
    sound_books(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE reading SET credit_exact = 1"))
        connection.execute(
            text(
                "INSERT INTO finding (rule, subject_kind, subject_id, agreement_id, value, "
                "limit_value, note, state, first_seen, last_seen) VALUES ('terms_differ', 'meter', "
                "1, 1, '[]', '', '', 'open', 0, 0)"
            )
        )
    with database.reading() as session:
        assert meters.meters_agree(session).broken == 1
        at_end = MetersAtEnd(end_of(TODAY, database.zone), ())
        assert meter_sums(session, at_end, []).broken == 1
        assert broken_meters(session, at_end, 9) == [("A1", "000000000001")]
    database.close()


def test_a_sale_is_compared_with_the_journal_at_hand(sqlite_desk_url: str) -> None:
    database = opened(sqlite_desk_url)
    sound_books(database)
    confirmed = KeyProof(ProofWord.CONFIRMED, 50_00, 1, 7)
    refused = KeyProof(ProofWord.NOT_CONFIRMED)
    proofs = {"sale-1": confirmed, "sale-3": refused}
    with database.reading() as session:
        assert not meters.sales_proved(session, proofs.__getitem__).broken
        turned = {"sale-1": refused, "sale-3": confirmed}
        found = meters.sales_proved(session, turned.__getitem__)
        absent = meters.sales_proved(session, lambda _: KeyProof(ProofWord.ABSENT))
        other = {**proofs, "sale-1": replace(confirmed, sequence=8)}
        moved = meters.sales_proved(session, other.__getitem__)
    assert [(each.subject, each.text) for each in found.violations] == [
        ("sale S1", "is delivered, its entry is not_confirmed"),
        ("sale S3", "is dead, its entry is confirmed"),
    ]
    assert [each.subject for each in moved.violations] == ["sale S1"]
    assert (absent.broken, absent.noted) == (0, "1 delivered sales are not in this journal")
    database.close()
