"""Money at a bank from both sides: the books' transit, and the bank's statement (单边账).

An item is what one reference means on a side. In the books it is the reference of a bank's line,
the number of the slip with which a till was banked, the number of a payment that the bank pays out
or takes back (P12), or of a line that is sent back (L7). What stands on one side alone, or with
another amount, makes up the balance of transit; fees clear themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.banking import Bank, BankLine, BankLineState
from meterctl.utility.model.money import Entry, Payment, Shift, Transfer
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.store.queries.balances import legs
from meterctl.utility.store.queries.banking import line_number
from meterctl.utility.store.queries.payments import payment_number

STATEMENT, UNOWNED, SENT_BACK = "bank_statement", "bank_suspense", "bank_sent_back"
"""Kinds of entries."""
FEE = "fee"
"""`cause` of a line of a statement that is a fee."""
_BY_LINES = ("payment_taken", UNOWNED)
"""Kinds of entries that a line of a bank's file has in transit."""
_MONEY_CAME = (
    BankLineState.BOOKED, BankLineState.SUSPENSE, BankLineState.MATCHED, BankLineState.SENT_BACK,
)  # fmt: skip
Subject = tuple[str, int]
"""Table and number of a row."""


@dataclass(slots=True)
class Item:
    """What one reference means: amounts in 0.01, in above 0, out below.

    Attributes:
        on: the first date of it on either side; `last_on` the last one.
        ours: what the books have; None: nothing.
        banks: what the statement has; None: nothing.
        subject: the row that it is about; None: no row alone.
        what: in words: what the books have it from.
    """

    reference: str
    on: date
    last_on: date
    ours: int | None = None
    banks: int | None = None
    subject: Subject | None = None
    what: str = ""

    @property
    def is_on_both_sides(self) -> bool:
        """Whether both sides have it, with the same amount."""
        return self.ours == self.banks

    @property
    def in_transit(self) -> int:
        """What it leaves in transit."""
        return (self.ours or 0) - (self.banks or 0)


@dataclass(slots=True)
class _Items:
    """Items by their references, in any spelling of letters."""

    found: dict[str, Item] = field(default_factory=dict)

    def ours(
        self, reference: str, on: date, amount: int, what: str, subject: Subject | None
    ) -> None:
        """Add what the books have; several rows may have one reference."""
        item = self._item(reference, on)
        item.ours = (item.ours or 0) + amount
        item.what, item.subject = what, subject

    def banks(self, line: BankLine) -> None:
        """Add a line of the statement."""
        item = self._item(line.reference, line.paid_on)
        item.banks = (item.banks or 0) + line.amount
        if item.subject is None:
            item.what, item.subject = line.party, (BankLine.__tablename__, line.id)

    def _item(self, reference: str, on: date) -> Item:
        item = self.found.setdefault(reference.casefold(), Item(reference, on, on))
        item.on, item.last_on = min(item.on, on), max(item.last_on, on)
        return item


def items(
    session: Session, bank: Bank, on: date | None = None, until: date | None = None
) -> list[Item]:
    """Return what stands on one side of a bank's money, and of one date on both; by date.

    Args:
        on: the date of which items on both sides are returned too; None: none.
        until: as both sides were at the end of this date; None: as they are now.
    """
    found = _Items()
    for line in _lines_of_customers(session, bank.code, on, until):
        what, row = f"{line.kind.value} {line_number(line.id)}", (BankLine.__tablename__, line.id)
        found.ours(line.reference, line.paid_on, line.amount, what, row)
    for entry, net in _other_entries(session, bank.account, until):
        reference, what, subject = _named(session, entry)
        found.ours(reference, entry.booked_on, net, what, subject)
    for line in _statement_lines(session, bank.code, on, until):
        found.banks(line)
    return sorted(
        (
            item
            for item in found.found.values()
            if on in (item.on, item.last_on) or not item.is_on_both_sides
        ),
        key=lambda item: (item.on, item.reference),
    )


def statement_balance(session: Session, bank: str, until: date | None = None) -> int:
    """Return what a bank's statements add up to, 0.01: to the end of a date, or all of them."""
    total = select(func.coalesce(func.sum(BankLine.amount), 0)).where(
        BankLine.bank == bank, BankLine.kind == BankFileKind.STATEMENT
    )
    if until is not None:
        total = total.where(BankLine.paid_on <= until)
    return int(session.scalars(total).one())


def first_statement(session: Session, bank: str) -> date | None:
    """Return the first date of a bank's statements; None: it has sent none.

    Money of earlier dates was never compared with one, so no task is made of it.
    """
    first: date | None = session.scalars(
        select(func.min(BankLine.paid_on)).where(
            BankLine.bank == bank, BankLine.kind == BankFileKind.STATEMENT
        )
    ).one()
    return first


def _lines_of_customers(
    session: Session, bank: str, on: date | None, until: date | None
) -> Iterator[BankLine]:
    """Yield lines of customers' money that the statement has not, or otherwise, or of the date."""
    statement = aliased(BankLine)
    is_same = and_(
        statement.bank == BankLine.bank,
        statement.kind == BankFileKind.STATEMENT,
        statement.reference == BankLine.reference,
        statement.paid_on <= (until or date.max),
    )
    wanted: list[ColumnElement[bool]] = [
        statement.id.is_(None), statement.amount != BankLine.amount,
    ]  # fmt: skip
    if on is not None:
        wanted += [BankLine.paid_on == on, statement.paid_on == on]
    rows = (
        select(BankLine)
        .outerjoin(statement, is_same)
        .where(
            BankLine.bank == bank,
            BankLine.kind.in_((BankFileKind.COLLECTED, BankFileKind.RETURNS)),
            BankLine.state.in_(_MONEY_CAME),
            BankLine.paid_on <= (until or date.max),
            or_(*wanted),
        )
        .order_by(BankLine.id)
    )
    yield from session.scalars(rows)


def _statement_lines(
    session: Session, bank: str, on: date | None, until: date | None
) -> Iterator[BankLine]:
    """Yield lines of statements that no line of customers' money has, or otherwise, or of the date.

    Fees are left out: nothing in the books waits for them.
    """
    ours = aliased(BankLine)
    is_same = and_(
        ours.bank == BankLine.bank,
        ours.kind.in_((BankFileKind.COLLECTED, BankFileKind.RETURNS)),
        ours.state.in_(_MONEY_CAME),
        ours.reference == BankLine.reference,
        ours.paid_on <= (until or date.max),
    )
    wanted: list[ColumnElement[bool]] = [ours.id.is_(None), ours.amount != BankLine.amount]
    if on is not None:
        wanted += [BankLine.paid_on == on, ours.paid_on == on]
    rows = (
        select(BankLine)
        .outerjoin(ours, is_same)
        .where(
            BankLine.bank == bank,
            BankLine.kind == BankFileKind.STATEMENT,
            BankLine.cause != FEE,
            BankLine.paid_on <= (until or date.max),
            or_(*wanted),
        )
        .order_by(BankLine.id)
    )
    seen = set()
    for line in session.scalars(rows):
        if line.id not in seen:
            seen.add(line.id)
            yield line


def _other_entries(
    session: Session, account: int, until: date | None
) -> Iterator[tuple[Entry, int]]:
    """Yield the entries that move transit for another reason than a bank's line, and how much."""
    moved = legs(Transfer.entry_id, kinds=(AccountKind.TRANSIT,), owner=account)
    net = func.sum(moved.c.debit - moved.c.credit)
    sums = (
        select(moved.c.entry_id, net.label("net"))
        .join(Entry, Entry.id == moved.c.entry_id)
        .where(
            Entry.kind.not_in((STATEMENT, *_BY_LINES)),
            Entry.booked_on <= (until or date.max),
        )
        .group_by(moved.c.entry_id)
        .subquery("sums")
    )
    rows = select(Entry, sums.c.net).join(sums, sums.c.entry_id == Entry.id).order_by(Entry.id)
    for entry, amount in session.execute(rows):
        if amount:
            yield entry, int(amount)


def _named(session: Session, entry: Entry) -> tuple[str, str, Subject | None]:
    """Return by which reference a statement names an entry, what it is in words, and its row."""
    if entry.kind == "shift_closed":
        shift = session.get_one(Shift, int(entry.key.split("/")[1]))
        return shift.slip or shift.number, f"shift {shift.number}", ("shift", shift.id)
    if entry.kind == SENT_BACK:
        line = int(entry.key.split("/")[1])
        return line_number(line), f"{line_number(line)} sent back", (BankLine.__tablename__, line)
    if entry.payment_id is not None:
        number = payment_number(entry.payment_id)
        return number, f"{number} {entry.kind}", (Payment.__tablename__, entry.payment_id)
    return entry.key, entry.kind, None
