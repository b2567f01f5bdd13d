"""Closing dates anywhere among postings changes no balance, and every seal holds."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from meterctl.utility.model.money import DayClose
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind, Side, Transfers
from meterctl.utility.store import day_books, seals
from meterctl.utility.store.checks import books
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.queries.ledger import totals
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from tests.support.desk_databases import DeskDatabases
from tests.support.desk_days import at, post
from tests.support.desk_world import TODAY, opened

SHIFT = 1
Event = tuple[str, int, int]
"""What is done, of which agreement, and the amount in 0.01."""

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("paid", "dead", "delivered", "banked", "next", "close")),
        st.integers(1, 3),
        st.integers(1, 500_00),
    ),
    max_size=25,
)


def _transfers(event: Event, balances: Counter[tuple[AccountKind, int]]) -> Transfers:
    """Return what an event books, as far as the balances allow it."""
    what, agreement, amount = event
    undelivered = balances[AccountKind.UNDELIVERED, agreement]
    match what:
        case "paid":
            return postings.paid_for_sale(postings.cash(SHIFT), agreement, amount)
        case "dead":
            return postings.not_delivered(agreement, min(amount, undelivered))
        case "delivered":
            return postings.delivered(agreement, min(amount, undelivered), 0, 0, ())
        case _:
            return postings.cash_banked(SHIFT, 0, min(amount, balances[AccountKind.CASH, SHIFT]))


def _close(database: Database, on: date) -> None:
    """Close a date in the store, with a sheet of its totals alone."""
    with unit_of_work(database, WORKER, at(on)) as work:
        empty = day_books.hold_alone(work.session, on)
        day_books.write_balances(work.session, on)
        day_books.end(work.session, [*empty, on])
        before = seals.last_close(work.session)
        accounts = [
            {"kind": each.kind, "closing": each.closing} for each in totals(work.session, on)
        ]
        close = DayClose(
            on=on, closed_at=work.now, staff_id=None, last_audit_id=0,
            previous_seal=seals.NONE_BEFORE if before is None else before.seal,
            figures={"accounts": accounts},
        )  # fmt: skip
        sealed = seals.sealed(work.session, close, 0)
        close.entries, close.transfers, close.seal = sealed.entries, sealed.transfers, sealed.seal
        work.add(close)


def _play(database: Database, events: list[Event]) -> Counter[tuple[AccountKind, int]]:
    """Book the events, close dates where they say so; return the balances of plain dictionaries."""
    balances: Counter[tuple[AccountKind, int]] = Counter()
    on, closed, opened_dates = TODAY, TODAY - timedelta(days=1), dict[date, None]()
    for number, event in enumerate(events):
        if event[0] == "next":
            on += timedelta(days=event[1])
        elif event[0] == "close":
            for each in [*opened_dates, on]:
                if each > closed:
                    _close(database, each)
                    closed = each
        else:
            transfers = _transfers(event, balances)
            post(database, f"event {number}", transfers, on)
            if transfers:
                opened_dates[max(on, closed + timedelta(days=1))] = None
            for transfer in transfers:
                for account, sign in ((transfer.debit, 1), (transfer.credit, -1)):
                    asset = account.kind.side is Side.ASSET
                    balances[account.kind, account.owner] += (
                        sign * transfer.amount * (1 if asset else -1)
                    )
    return balances


def _prove(database: Database, events: list[Event]) -> None:
    try:
        expected = _play(database, events)
        with database.reading() as session:
            ledger = Ledger(session, at(TODAY), TODAY, None)
            found = {each: ledger.balance(*each) for each in expected}
            assert found == dict(expected)
            assert [day.problems for day in seals.verify(session) if day.problems] == []
            assert books.closing_balances(session).violations == ()
            last = seals.last_close(session)
            later = (last.on if last else TODAY) + timedelta(days=400)
            by_kind = {total.kind: total.closing for total in totals(session, later)}
            sums = Counter[AccountKind]()
            for (kind, _), amount in expected.items():
                sums[kind] += amount
            assert {kind: by_kind[kind] for kind in sums} == dict(sums)
    finally:
        database.close()


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(events=EVENTS)
def test_closing_changes_no_balance(
    desk_databases: DeskDatabases, tmp_path: Path, events: list[Event]
) -> None:
    path = tmp_path / "example.sqlite"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(desk_databases.template_file(), path)
    _prove(opened(f"sqlite:///{path}"), events)


def test_closing_changes_no_balance_on_postgresql(postgresql_desk_url: str) -> None:
    events: list[Event] = []
    for day in range(3):
        events += [("paid", 1, 500_00), ("paid", 2, 70_01), ("delivered", 1, 400_00 + day)]
        events += [("dead", 2, 10_00), ("close", 1, 1), ("banked", 1, 99_99), ("next", 2, 1)]
    _prove(opened(postgresql_desk_url), [*events, ("paid", 1, 1)])


@pytest.mark.parametrize("days", [1, 30])
def test_totals_go_on_over_dates_without_bookings(sqlite_desk_url: str, days: int) -> None:
    database = opened(sqlite_desk_url)
    _play(database, [("paid", 1, 50_00), ("close", 1, 1)])
    with database.reading() as session:
        found = {each.kind: each for each in totals(session, TODAY + timedelta(days=days))}
    cash = found[AccountKind.CASH]
    assert (cash.opening, cash.debit, cash.credit, cash.closing) == (50_00, 0, 0, 50_00)
    database.close()
