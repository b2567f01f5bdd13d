"""What the database, the journal and the meters hold, read without the desk's own code."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from firmware_sim.meter import Meter
from meterctl.utility.store.engine import READS
from protocols.quantities import CENT
from protocols.sealed_message import Receipt

_BALANCES = text(
    "SELECT a.kind, a.owner_id,"
    " SUM(CASE WHEN t.debit_id = a.id THEN t.amount ELSE -t.amount END) AS balance"
    " FROM account a JOIN transfer t ON a.id IN (t.debit_id, t.credit_id)"
    " GROUP BY a.kind, a.owner_id"
)
_SALES = text(
    "SELECT s.id, s.key, s.state, o.credit_state"
    " FROM sale s JOIN meter_order o ON o.sale_id = s.id ORDER BY s.id"
)
_ORDERS = text(
    "SELECT key, credit_state FROM meter_order WHERE sale_id IS NULL AND credit_state IS NOT NULL"
)
_PAYMENTS = text("SELECT s.key, s.payment_id FROM sale s WHERE s.payment_id IS NOT NULL")
_DATES = text("SELECT DISTINCT booked_on FROM entry")
_SHIFTS = text("SELECT id, number, state FROM shift")
_RECEIPTS = text(
    "SELECT s.number, r.number FROM receipt r JOIN shift s ON s.id = r.shift_id ORDER BY r.number"
)
_AGREEMENTS = text("SELECT id, number FROM agreement")
_READINGS = text(
    "SELECT r.id, r.state, a.number, r.consumption_exact, r.standing_exact, r.instalments_exact,"
    " r.to_debt_exact, r.cumulative_exact, r.credit_exact, r.debt_exact"
    " FROM reading r JOIN agreement a ON a.id = r.agreement_id WHERE r.id > :after ORDER BY r.id"
)
_OF_AGREEMENT = (
    "undelivered", "in_meter", "advance", "payable", "receivable", "meter_debt",
)  # fmt: skip
_ASSETS = ("cash", "transit", "bank", "receivable", "meter_debt")


_ENTRY = (
    "SELECT state, amount, epoch, sequence, receipt FROM entries"
    " WHERE reference = ? AND kind != 'void' ORDER BY id DESC LIMIT 1"
)


class Facts(NamedTuple):
    """The database at one instant.

    By key: `sales` have their state and that of their order, `orders` of the credit class that are
    no sales their state, `numbers` those of sales.
    """

    balances: dict[tuple[str, str], int]
    sales: dict[str, tuple[str, str]]
    orders: dict[str, str]
    numbers: dict[str, str]
    shifts: dict[str, str]
    receipts: dict[str, list[int]]
    booked_on: list[date]


class JournalEntry(NamedTuple):
    """What a journal has of a key; `to_debt` is its receipt's, exact, 0 without one."""

    word: str
    amount: int = 0
    epoch: int = 0
    sequence: int = 0
    to_debt: int = 0


def facts_of(engine: Engine) -> Facts:
    """Return what the database holds."""
    with engine.connect().execution_options(**{READS: True}) as connection:
        shifts = {row.id: row for row in connection.execute(_SHIFTS)}
        agreements = {row.id: row.number for row in connection.execute(_AGREEMENTS)}

        def owner(kind: str, number: int) -> str:
            if kind == "cash":
                return str(shifts[number].number)
            return str(agreements[number]) if kind in _OF_AGREEMENT else ""

        balances = {
            (kind, owner(kind, number)): int(balance if kind in _ASSETS else -balance)
            for kind, number, balance in connection.execute(_BALANCES)
            if balance
        }
        rows = connection.execute(_SALES).all()
        orders = {row.key: row.credit_state for row in connection.execute(_ORDERS)}
        booked_on = [date.fromisoformat(str(row[0])) for row in connection.execute(_DATES)]
        receipts: dict[str, list[int]] = {row.number: [] for row in shifts.values()}
        for shift, number in connection.execute(_RECEIPTS):
            receipts[shift].append(number)
    return Facts(
        balances,
        {row.key: (row.state, row.credit_state) for row in rows},
        orders,
        {row.key: f"S{row.id}" for row in rows},
        {row.number: row.state for row in shifts.values()},
        receipts,
        booked_on,
    )


def payments_of_sales(engine: Engine) -> dict[str, str]:
    """Return the numbers of the payments of sales, by the key of the sale."""
    with engine.connect().execution_options(**{READS: True}) as connection:
        return {key: f"P{payment}" for key, payment in connection.execute(_PAYMENTS)}


def readings_after(engine: Engine, after: int) -> list[Mapping[str, Any]]:
    """Return the readings that were stored after one, oldest first."""
    with engine.connect().execution_options(**{READS: True}) as connection:
        return [row._mapping for row in connection.execute(_READINGS, {"after": after})]


def newest_agreement(engine: Engine) -> str:
    """Return the number of the agreement that was written last."""
    with engine.connect().execution_options(**{READS: True}) as connection:
        newest = text("SELECT number FROM agreement ORDER BY id DESC LIMIT 1")
        return str(connection.scalar(newest))


def entry_of(journal: Path, key: str) -> JournalEntry:
    """Return what a journal has of a key, read from its file."""
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as database:
        row = database.execute(
            _ENTRY,
            (key,),
        ).fetchone()
    if row is None:
        return JournalEntry("absent")
    *named, receipt = row
    return JournalEntry(*named, Receipt.decode(receipt).to_debt if receipt else 0)


def accepted_by(meter: Meter) -> int:
    """Return the sum of all amounts that a meter has accepted, 0.01."""
    return meter.state.account.cumulative // CENT
