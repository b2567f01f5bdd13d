"""Readings, accounts, entries with their transfers, and the closes of all days but two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from benchmarks.desk_population.bulk import Bulk
from benchmarks.desk_population.plan import (
    AMOUNT,
    COST,
    DAYS,
    EPOCH,
    OPENING,
    READINGS,
    STATIONS,
    VENDORS,
    Plan,
    date_of,
    morning,
)
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.services.sheets.figures import AccountTotal, DaySheet, MeterFigures
from meterctl.utility.store.queries.ledger import on_side
from protocols.quantities import CENT, DAY, HOUR, SECOND
from tests.support.desk_world import NOON

OPEN_DAYS = 2
"""The last days, which are not closed."""
_ENERGY, _TAKEN_OVER, _TRANSIT, _TILLS = 1, 2, 3, 10
"""Accounts of the company; those of shifts follow the last number."""
_FED = 20_000_000
"""Energy between two readings, mWh."""
_CLOSED_ON = date_of(DAYS - 1 - OPEN_DAYS)


@dataclass(slots=True)
class _Accounts:
    """Numbers of accounts, and the balances at the last close."""

    plan: Plan
    held: Counter[int] = field(default_factory=Counter)

    def till(self, shift: int) -> int:
        return _TILLS + shift

    def undelivered(self, customer: int) -> int:
        return _TILLS + self.plan.shifts + customer

    def in_meter(self, customer: int) -> int:
        return _TILLS + self.plan.shifts + self.plan.customers + customer

    def rows(self) -> Iterator[tuple[int, AccountKind, int]]:
        """Yield `number, kind, owner`."""
        yield _ENERGY, AccountKind.REVENUE_ENERGY, 0
        yield _TAKEN_OVER, AccountKind.TAKEN_OVER, 0
        yield _TRANSIT, AccountKind.TRANSIT, 0
        for shift in range(1, self.plan.shifts + 1):
            yield self.till(shift), AccountKind.CASH, shift
        for customer in range(1, self.plan.customers + 1):
            yield self.undelivered(customer), AccountKind.UNDELIVERED, customer
        for customer in range(1, self.plan.customers + 1):
            yield self.in_meter(customer), AccountKind.IN_METER, customer


@dataclass(slots=True)
class _Books:
    """Entries of one transfer each, in their order."""

    accounts: _Accounts
    sequences: Counter[int] = field(default_factory=Counter)
    """Sequence of the last sale that each customer's meter has taken, less 1."""
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    transfers: list[tuple[Any, ...]] = field(default_factory=list)

    def book(
        self,
        key: str,
        kind: str,
        at: int,
        on: date,
        sides: tuple[int, int],
        amount: int,
        *,
        agreement: int | None = None,
        sale: int | None = None,
        reading: int | None = None,
    ) -> None:
        """Book an entry; `sides` are the accounts of debit and credit."""
        n, day = len(self.entries) + 1, on.isoformat()
        debit, credit = sides
        self.entries.append((n, key, kind, at, day, day, agreement, sale, sale, reading))
        self.transfers.append((n, 1, debit, credit, amount, day))
        if on <= _CLOSED_ON:
            self.accounts.held[debit] += amount
            self.accounts.held[credit] -= amount


def write_ledger(bulk: Bulk, plan: Plan, sold: Counter[int]) -> None:
    """Write the readings and the books; `sold` are the sales of each shift."""
    accounts = _Accounts(plan)
    bulk.fill("account", "id kind owner_id", accounts.rows())
    books = _Books(accounts)
    _take_over(books)
    bulk.fill(
        "reading",
        "id meter_id agreement_id state source taken_at for_on epoch elapsed credit_sequence "
        "command_sequence energy_mwh credit_exact debt_exact consumption_exact standing_exact "
        "instalments_exact refunds_exact cumulative_exact to_debt_exact debt_entered_exact "
        "opening_exact supply_state causes more",
        list(_sell_and_read(books)),
    )
    _close_shifts(books, sold)
    bulk.fill(
        "entry",
        "id key kind booked_at booked_on for_on agreement_id sale_id payment_id reading_id",
        books.entries,
    )
    bulk.fill("transfer", "entry_id n debit_id credit_id amount booked_on", books.transfers)
    _close_days(bulk, books)


def _take_over(books: _Books) -> None:
    """Book the credit that lay in the meters before the desk."""
    accounts, at, on = books.accounts, NOON - DAYS * DAY, date_of(0) - timedelta(1)
    for n in range(1, accounts.plan.customers + 1):
        sides = (_TAKEN_OVER, accounts.in_meter(n))
        books.book(f"over/{n}", "taken_over", at, on, sides, OPENING, agreement=n)


def _sell_and_read(books: _Books) -> Iterator[tuple[Any, ...]]:
    """Book sales and readings, day by day; yield the rows of the readings."""
    accounts = books.accounts
    plan, sold = accounts.plan, 0
    readings = READINGS * plan.customers
    for reading in range(1, readings + 1):
        day = (reading - 1) * DAYS // readings
        while sold < plan.sales and plan.sale(sold + 1).day <= day:
            sold += 1
            _sell(books, sold)
        round_, customer = divmod(reading - 1, plan.customers)
        n, k = customer + 1, round_ + 1
        at, on = morning(day) - 7 * HOUR + reading % 10_000, date_of(day)
        sequence = 1 + books.sequences[n]
        credit = (OPENING + sequence * AMOUNT - AMOUNT - k * COST) * CENT
        yield (
            reading, n, n, "accepted", "wire", at, on.isoformat(), EPOCH, k * DAY, sequence, 0,
            k * _FED, credit, 0, k * COST * CENT, 0, 0, 0, 0, 0, 0, 0, "connected", "[]",
            '{"account_state": "open"}',
        )  # fmt: skip
        sides = (accounts.in_meter(n), _ENERGY)
        books.book(f"read/{reading}", "reading", at, on, sides, COST, agreement=n, reading=reading)


def _sell(books: _Books, n: int) -> None:
    """Book that a sale was paid, and that its meter has it."""
    accounts, sale = books.accounts, books.accounts.plan.sale(n)
    owner, on = sale.customer, date_of(sale.day)
    undelivered = accounts.undelivered(owner)
    paid, proved = (accounts.till(sale.shift), undelivered), (undelivered, accounts.in_meter(owner))
    named = {"agreement": owner, "sale": n}
    books.book(f"taken/{n}", "sale_taken", sale.at, on, paid, AMOUNT, **named)
    if sale.state == "delivered":
        at = sale.at + 3 * SECOND
        books.sequences[owner] += 1
        books.book(f"proved/{n}", "sale_confirmed", at, on, proved, AMOUNT, **named)


def _close_shifts(books: _Books, sold: Counter[int]) -> None:
    """Bank the cash of all shifts that are closed."""
    plan = books.accounts.plan
    for day in range(DAYS - 1):
        at, on = morning(day) + 10 * HOUR, date_of(day)
        for n in range(STATIONS * VENDORS):
            shift = plan.shift(day, 0, 0) + n
            if sold[shift]:
                sides = (_TRANSIT, books.accounts.till(shift))
                amount = sold[shift] * AMOUNT
                books.book(f"shift/{shift}", "shift_closed", at, on, sides, amount)


def _close_days(bulk: Bulk, books: _Books) -> None:
    """Write the days, and the last close with its balances; earlier ones have no seal."""
    first_open = DAYS - OPEN_DAYS
    days = [
        (date_of(day).isoformat(), "open" if day >= first_open else "closed")
        for day in range(-1, DAYS)
    ]
    bulk.fill("day", "on_date state", days)
    held, on = books.accounts.held, _CLOSED_ON.isoformat()
    bulk.fill(
        "closing_balance",
        "account_id on_date balance",
        ((account, on, balance) for account, balance in held.items()),
    )
    figures = _sheet(books.accounts).model_dump_json()
    bulk.fill(
        "day_close",
        "on_date closed_at entries transfers last_audit_id previous_seal seal figures",
        [(on, NOON - DAY, 0, 0, 0, "0" * 64, "0" * 64, figures)],
    )


def _sheet(accounts: _Accounts) -> DaySheet:
    """Return the sheet of the last closed date: its totals alone."""
    closing = Counter[AccountKind]()
    for account, kind, _ in accounts.rows():
        closing[kind] += accounts.held[account]
    nothing = dict.fromkeys(
        ("compared", "in_meter", "credit_read", "difference", "bound", "differ", "others"), 0
    )
    return DaySheet(
        on=_CLOSED_ON, company="", node=None, made_at=NOON, as_of=NOON, has_ended=True,
        entries=0, transfers=0,
        accounts=tuple(
            AccountTotal(
                kind=kind, opening=on_side(kind, balance), debit=0, credit=0,
                closing=on_side(kind, balance),
            )
            for kind, balance in closing.items()
        ),
        channels=(), tills=(), meters=MeterFigures(**nothing, others_in_meter=0, ages=()),
        undelivered=(), open_sales=(), checks=(), not_looked_at=(),
    )  # fmt: skip
