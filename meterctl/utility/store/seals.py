"""Seals of closed dates: a chain of SHA-256 over what was booked and audited (UTILITY 2).

The seal of a date is the SHA-256 of lines of JSON: its close with the seal before it, the figures
of its sheet, the closing balances, its entries with their transfers, and the audit since the close
before. Lines have their fields in a fixed order, no blanks, and ASCII alone. Accounts are named by
kind and owner, so that a changed account is found too. A change of any of these rows changes the
seal, and with it every later one; the seal stands on the printed sheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    Enum,
    String,
    Table,
    Text,
    cast,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Session

from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import Account, ClosingBalance, DayClose, Entry, Transfer
from meterctl.utility.store.statements import rows_of

NONE_BEFORE = "0" * 64
"""The seal before that of the first closed date."""
_ROWS = 1000
"""Rows that are held in memory at once."""

_ENTRIES, _TRANSFERS, _ACCOUNTS = rows_of(Entry), rows_of(Transfer), rows_of(Account)
_AUDITS, _BALANCES = rows_of(Audit), rows_of(ClosingBalance)


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as it is stored: enums and JSON as their text, dates as what isoformat is.

    To make values of rows and text of values takes longer than the hash of a whole date does.
    """
    if isinstance(column.type, JSON):
        return cast(column, Text)
    return type_coerce(column, String) if isinstance(column.type, (Enum, Date)) else column


def _fields(table: Table, *names: str) -> tuple[ColumnElement[Any], ...]:
    """Return columns in the order of a line, which stays as it is when a table gets more."""
    return tuple(_plain(table.c[name]) for name in names)


_ENTRY = _fields(
    _ENTRIES, "id", "key", "kind", "booked_at", "booked_on", "for_on", "agreement_id", "sale_id",
    "payment_id", "bill_id", "reading_id", "staff_id",
)  # fmt: skip
_AUDIT = _fields(
    _AUDITS, "id", "at_ms", "staff_id", "action", "subject", "before_values", "after_values",
    "reason", "key",
)  # fmt: skip
_ENCODER = json.JSONEncoder(
    ensure_ascii=True, separators=(",", ":"), sort_keys=True, default=date.isoformat
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal, and the rows that it holds."""

    seal: str
    entries: int
    transfers: int
    audits: int


@dataclass(frozen=True, slots=True)
class VerifiedDay:
    """A closed date whose seal was computed again; `problems` is empty where all agrees."""

    on: date
    sealed: Sealed
    problems: tuple[str, ...]


def sealed(session: Session, close: DayClose, after_audit: int) -> Sealed:
    """Return the seal of a date, from its rows as they stand.

    Args:
        close: its close without its seal and counts; `previous_seal`, `last_audit_id` and
            `figures` are set.
        after_audit: number of the last audit row that the seal before it holds.
    """
    digest = sha256()
    counts = {"entry": 0, "transfer": 0, "audit": 0}
    for word, values in _lines(session, close, after_audit):
        if word in counts:
            counts[word] += 1
        digest.update(f"{_ENCODER.encode((word, *values))}\n".encode("ascii"))
    return Sealed(digest.hexdigest(), counts["entry"], counts["transfer"], counts["audit"])


def verify(session: Session) -> Iterator[VerifiedDay]:
    """Yield every closed date with its seal computed again, oldest first, a part at a time."""
    previous, after_audit = NONE_BEFORE, 0
    for on in session.scalars(select(DayClose.on).order_by(DayClose.on)).all():
        close = session.scalars(select(DayClose).where(DayClose.on == on)).one()
        now = sealed(session, close, after_audit)
        yield VerifiedDay(on, now, tuple(_problems(close, now, previous, after_audit)))
        previous, after_audit = close.seal, close.last_audit_id
        session.expunge(close)


def last_close(session: Session, before: date | None = None) -> DayClose | None:
    """Return the newest close, or the newest one before a date."""
    wanted = select(DayClose).order_by(DayClose.on.desc()).limit(1)
    return session.scalars(wanted if before is None else wanted.where(DayClose.on < before)).first()


def last_complete_audit(session: Session) -> int:
    """Return the number of the newest audit row; no lower one is still being written.

    PostgreSQL gives numbers before a transaction ends: one that ends later may have a lower number.
    So this waits until everyone who writes audit has ended. It must hold no other lock that they
    could wait for. SQLite has one writer, which is the caller.
    """
    newest = select(func.coalesce(func.max(Audit.id), 0))
    if session.get_bind().dialect.name != "postgresql":
        return session.scalars(newest).one()
    waited = session.begin_nested()  # its lock ends where it is rolled back
    session.execute(text("LOCK TABLE audit IN SHARE MODE"))
    number = session.scalars(newest).one()
    waited.rollback()
    return number


def _problems(close: DayClose, now: Sealed, previous: str, after_audit: int) -> Iterator[str]:
    if close.previous_seal != previous:
        yield f"names {close.previous_seal[:12]} as the seal before it, which is {previous[:12]}"
    if close.last_audit_id < after_audit:
        yield f"ends at audit {close.last_audit_id}, before the close before it ({after_audit})"
    for word, counted, written in (
        ("entries", now.entries, close.entries), ("transfers", now.transfers, close.transfers),
    ):  # fmt: skip
        if counted != written:
            yield f"has {counted} {word}, {written} were sealed"
    if now.seal != close.seal:
        yield f"its rows give the seal {now.seal[:12]}, {close.seal[:12]} was printed"


def _lines(
    session: Session, close: DayClose, after_audit: int
) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the lines of a close: their first word and the values after it."""
    head = (close.on, close.previous_seal, close.closed_at, close.staff_id, close.last_audit_id)
    yield "day", head
    yield "figures", (close.figures,)
    for row in _streamed(session, _balances(close.on)):
        yield "balance", row
    yield from _entries(session, close.on)
    number = _AUDITS.c.id
    audit = select(*_AUDIT).where(number > after_audit, number <= close.last_audit_id)
    for row in _streamed(session, audit.order_by(number)):
        yield "audit", row


def _entries(session: Session, on: date) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the entries of a date, each followed by its transfers."""
    debit, credit = _ACCOUNTS.alias(), _ACCOUNTS.alias()
    joined = (
        select(
            *_ENTRY,
            _TRANSFERS.c.n,
            _plain(debit.c.kind), debit.c.owner_id, _plain(credit.c.kind), credit.c.owner_id,
            _TRANSFERS.c.amount, _TRANSFERS.c.bill_id, _plain(_TRANSFERS.c.booked_on),
        )
        .select_from(_ENTRIES)
        .outerjoin(_TRANSFERS, _TRANSFERS.c.entry_id == _ENTRIES.c.id)
        .outerjoin(debit, debit.c.id == _TRANSFERS.c.debit_id)
        .outerjoin(credit, credit.c.id == _TRANSFERS.c.credit_id)
        .where(_ENTRIES.c.booked_on == on)
        .order_by(_ENTRIES.c.id, _TRANSFERS.c.n)
    )  # fmt: skip
    entry = None
    for row in _streamed(session, joined):
        values = tuple(row)
        if entry != values[0]:
            entry = values[0]
            yield "entry", values[: len(_ENTRY)]
        if values[len(_ENTRY)] is not None:
            yield "transfer", values[len(_ENTRY) :]


def _balances(on: date) -> Any:
    return (
        select(_plain(_ACCOUNTS.c.kind), _ACCOUNTS.c.owner_id, _BALANCES.c.balance)
        .join(_BALANCES, _BALANCES.c.account_id == _ACCOUNTS.c.id)
        .where(_BALANCES.c.on_date == on)
        .order_by(_BALANCES.c.account_id)
    )


def _streamed(session: Session, wanted: Any) -> Iterable[Any]:
    return session.execute(wanted.execution_options(yield_per=_ROWS))
