"""Shifts, sales, payments, bills, and the ledger that they are booked in (UTILITY 3, 4)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import (
    Amount,
    Base,
    Exact,
    Identity,
    Instant,
    Version,
    named,
    owner,
    where_set,
)
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState, ShiftState


class SaleSource(StrEnum):
    """Where a sale's amount came from."""

    PAID = "paid"
    CARRIED = "carried"
    REBATE = "rebate"


class Carrier(StrEnum):
    """How a sale reaches its meter."""

    WIRE = "wire"
    CARD = "card"


class SaleKind(StrEnum):
    """The credit message of a sale: the first one opens the account."""

    OPEN = "open"
    CREDIT = "credit"


class PaymentChannel(StrEnum):
    """How money came or went."""

    CASH = "cash"
    TRANSFER = "transfer"
    BANK_DEBIT = "bank_debit"
    DEPUTED = "deputed"


class PaymentPurpose(StrEnum):
    """What money was paid for: `sale` and `bills` in, `payout` and `refund` out."""

    SALE = "sale"
    BILLS = "bills"
    PAYOUT = "payout"
    REFUND = "refund"


class PaymentState(StrEnum):
    """What became of a payment."""

    TAKEN = "taken"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    MOVED = "moved"


class BillKind(StrEnum):
    """Why a bill was issued."""

    TAKEN_OVER = "taken_over"
    ENERGY = "energy"
    ESTIMATED = "estimated"
    CORRECTION = "correction"
    FINAL = "final"
    PENALTY = "penalty"
    CLAIM = "claim"


class BillState(StrEnum):
    """Whether a bill stands; what is open of it is derived from the ledger."""

    ISSUED = "issued"
    CANCELLED = "cancelled"


class Shift(Base):
    """A vendor's shift with its till."""

    __tablename__ = "shift"
    __table_args__ = (
        Index(
            "uq_shift_vendor_now",
            "vendor_id",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
    )

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    vendor_id: Mapped[int] = owner("staff.id")
    node_id: Mapped[int] = owner("organisation.id")
    state: Mapped[ShiftState]
    opened_at: Mapped[Instant]
    opened_on: Mapped[date]
    float_amount: Mapped[Amount]
    """Change that lay in the till at its opening; it is no posting."""
    limit_amount: Mapped[Amount]
    """Largest unbanked cash."""
    counted: Mapped[Amount | None]
    counted_at: Mapped[Instant | None]
    counter_id: Mapped[int | None] = named("staff.id")
    closed_at: Mapped[Instant | None]
    slip: Mapped[str | None]
    """Number of the bank's slip for the cash that was banked."""
    receipts: Mapped[int]
    """Number of the last receipt; the next is one higher, without a gap."""
    version: Mapped[Version]


class Receipt(Base):
    """A numbered receipt of a shift; a cancelled one keeps its number."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("shift_id", "number"),)

    id: Mapped[Identity]
    shift_id: Mapped[int] = named("shift.id")
    number: Mapped[int]
    payment_id: Mapped[int] = owner("payment.id")
    copies: Mapped[int]
    """How many copies were printed beside the original; 0: none."""
    printed: Mapped[bool]
    """Whether its original was printed."""


class Payment(Base):
    """Money that came in or went out."""

    __tablename__ = "payment"

    id: Mapped[Identity]
    agreement_id: Mapped[int] = owner("agreement.id")
    shift_id: Mapped[int | None] = owner("shift.id")
    channel: Mapped[PaymentChannel]
    purpose: Mapped[PaymentPurpose]
    state: Mapped[PaymentState]
    amount: Mapped[Amount]
    """Positive, both ways."""
    paid_at: Mapped[Instant]
    bank_reference: Mapped[str | None]
    staff_id: Mapped[int | None] = named("staff.id")


class Sale(Base):
    """Credit that is sold for a meter; its state moves by the table of UTILITY 5."""

    __tablename__ = "sale"
    __table_args__ = (
        where_set("ix_sale_follows_id", "follows_id"),
        where_set("ix_sale_card", "card"),
        Index(
            "ix_sale_on_card",
            "changed_at",
            sqlite_where=text("state = 'on_card'"),
            postgresql_where=text("state = 'on_card'"),
        ),
    )

    id: Mapped[Identity]
    key: Mapped[str] = mapped_column(unique=True)
    """The sale key of the journal too."""
    agreement_id: Mapped[int] = owner("agreement.id")
    meter_id: Mapped[int] = owner("meter.id")
    shift_id: Mapped[int | None] = owner("shift.id")
    payment_id: Mapped[int | None] = owner("payment.id")
    kind: Mapped[SaleKind]
    amount: Mapped[Amount]
    source: Mapped[SaleSource]
    carrier: Mapped[Carrier]
    state: Mapped[SaleState] = mapped_column(index=True)
    cause: Mapped[str]
    """Why it stands where it stands; empty where the state says all."""
    epoch: Mapped[int | None]
    sequence: Mapped[int | None]
    to_debt_exact: Mapped[Exact | None]
    to_overdraft_exact: Mapped[Exact | None]
    credit_after_exact: Mapped[Exact | None]
    supply_state: Mapped[str | None]
    causes: Mapped[list[str] | None]
    card: Mapped[str | None]
    taken_at: Mapped[Instant]
    changed_at: Mapped[Instant]
    proved_at: Mapped[Instant | None]
    follows_id: Mapped[int | None] = named("sale.id")
    """The sale that this one was sold again for."""


class Bill(Base):
    """A demand on a customer; what is open of it is derived from the ledger."""

    __tablename__ = "bill"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    agreement_id: Mapped[int] = owner("agreement.id")
    kind: Mapped[BillKind]
    state: Mapped[BillState]
    month: Mapped[str]
    """YYYY-MM that it is about; empty where there is none."""
    amount: Mapped[Amount]
    issued_at: Mapped[Instant]
    due_on: Mapped[date]
    cancels_id: Mapped[int | None] = owner("bill.id")
    note: Mapped[str]


class Account(Base):
    """An account of the ledger: a kind and its owner (0 where the kind has none)."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("kind", "owner_id"),)

    id: Mapped[Identity]
    kind: Mapped[AccountKind]
    owner_id: Mapped[int]


class Entry(Base):
    """An event in the ledger. Never changed, never deleted."""

    __tablename__ = "entry"
    __table_args__ = (
        where_set("ix_entry_bill_id", "bill_id"),
        where_set("ix_entry_reading_id", "reading_id"),
    )

    id: Mapped[Identity]
    key: Mapped[str] = mapped_column(unique=True)
    """The same event is booked once."""
    kind: Mapped[str]
    booked_at: Mapped[Instant]
    booked_on: Mapped[date] = mapped_column(index=True)
    for_on: Mapped[date]
    agreement_id: Mapped[int | None] = owner("agreement.id")
    sale_id: Mapped[int | None] = owner("sale.id")
    payment_id: Mapped[int | None] = owner("payment.id")
    bill_id: Mapped[int | None] = named("bill.id")
    reading_id: Mapped[int | None] = named("reading.id")
    staff_id: Mapped[int | None] = named("staff.id")


class Transfer(Base):
    """One transfer of an entry: from nothing but two accounts. Never changed, never deleted."""

    __tablename__ = "transfer"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("debit_id <> credit_id", name="accounts"),
        Index("ix_transfer_debit_booked", "debit_id", "booked_on", "amount"),
        Index("ix_transfer_credit_booked", "credit_id", "booked_on", "amount"),
        where_set("ix_transfer_bill_id", "bill_id"),
    )

    entry_id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    debit_id: Mapped[int]
    credit_id: Mapped[int]
    amount: Mapped[Amount]
    bill_id: Mapped[int | None] = named("bill.id")
    booked_on: Mapped[date]
    """Of its entry, so that a balance needs no join."""


class DayState(StrEnum):
    """Whether anything may still be booked on a date."""

    OPEN = "open"
    CLOSED = "closed"


class Day(Base):
    """A date of the books; bookings hold its row shared, closing holds it alone."""

    __tablename__ = "day"

    on: Mapped[date] = mapped_column("on_date", primary_key=True)
    state: Mapped[DayState]


class DayClose(Base):
    """A closed date with its seal. Never changed, never deleted."""

    __tablename__ = "day_close"

    on: Mapped[date] = mapped_column("on_date", primary_key=True)
    closed_at: Mapped[Instant]
    staff_id: Mapped[int | None] = named("staff.id")
    entries: Mapped[int]
    transfers: Mapped[int]
    last_audit_id: Mapped[int]
    """The seal holds the audit up to this row, from after the close before."""
    previous_seal: Mapped[str]
    seal: Mapped[str]
    """SHA-256 of the previous seal, this day's entries and transfers and the audit; hex."""
    figures: Mapped[dict[str, Any]]
    """The sheet as it was signed: totals by account kind, receipts, checks."""


class ClosingBalance(Base):
    """Balance of an account at the close of a day on which it moved. Never changed."""

    __tablename__ = "closing_balance"

    account_id: Mapped[int] = mapped_column(primary_key=True)
    on: Mapped[date] = mapped_column("on_date", primary_key=True)
    balance: Mapped[Amount]
    """Debits less credits."""
