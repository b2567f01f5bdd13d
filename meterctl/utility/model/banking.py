"""Files from and to banks, their lines, and the mandates by which a bank debits a customer."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Amount, Base, Identity, Instant, Version, named, owner
from meterctl.utility.rules.bank_description import BankFileKind


class BankLineState(StrEnum):
    """What became of a line of a bank's file."""

    BOOKED = "booked"
    """Its money stands with a customer, or it is a line of a statement that is booked."""
    SUSPENSE = "suspense"
    """Whose money it is, is not known yet."""
    MATCHED = "matched"
    """It was in suspense; a person has found whose it is."""
    SENT_BACK = "sent_back"
    SENT = "sent"
    """A debit that the bank was asked for and has not answered."""
    BOUNCED = "bounced"
    """A debit that was not paid; it may be sent again."""
    GIVEN_UP = "given_up"
    """A debit that bounced three times."""


class Bank(Base):
    """A bank at which the company has an account."""

    __tablename__ = "bank"

    id: Mapped[Identity]
    code: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    account: Mapped[int] = mapped_column(unique=True)
    """Owner of its accounts in the ledger (`rules.postings.BANK`: the first one)."""
    description: Mapped[str]
    """What its files look like: TOML, read by `rules.bank_description`."""
    version: Mapped[Version]


class BankFile(Base):
    """A file from or to a bank, by the SHA-256 of its content."""

    __tablename__ = "bank_file"

    id: Mapped[Identity]
    bank: Mapped[str]
    kind: Mapped[BankFileKind]
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    lines: Mapped[int]
    amount: Mapped[Amount]
    for_on: Mapped[date]
    """The date that it is about: the latest of its lines."""
    result: Mapped[dict[str, Any]]
    """What was answered when it was loaded or written; the same content again is answered so."""
    at: Mapped[Instant] = mapped_column("at_ms")
    staff_id: Mapped[int | None] = named("staff.id")


class BankLine(Base):
    """A line of a bank's file, by the bank's reference."""

    __tablename__ = "bank_line"
    __table_args__ = (
        UniqueConstraint("bank", "kind", "reference"),
        Index("ix_bank_line_paid_on", "bank", "paid_on"),
        Index(
            "ix_bank_line_suspense",
            "paid_on",
            sqlite_where=text("state = 'suspense'"),
            postgresql_where=text("state = 'suspense'"),
        ),
        Index(
            "uq_bank_line_debit",
            "bill_id",
            unique=True,
            sqlite_where=text("kind = 'debits' AND state = 'sent'"),
            postgresql_where=text("kind = 'debits' AND state = 'sent'"),
        ),
    )

    id: Mapped[Identity]
    file_id: Mapped[int] = owner("bank_file.id")
    bank: Mapped[str]
    kind: Mapped[BankFileKind]
    reference: Mapped[str]
    party: Mapped[str]
    """Whose it is, as the bank names it."""
    amount: Mapped[Amount]
    """Of a statement: what came in is above 0, what went out below."""
    paid_at: Mapped[Instant]
    paid_on: Mapped[date]
    state: Mapped[BankLineState]
    agreement_id: Mapped[int | None] = owner("agreement.id")
    payment_id: Mapped[int | None] = owner("payment.id")
    bill_id: Mapped[int | None] = owner("bill.id")
    mandate_id: Mapped[int | None] = owner("mandate.id")
    tries: Mapped[int]
    """How often a debit was sent, this line included; 0 of other kinds."""
    not_before_on: Mapped[date | None]
    """Of a debit that bounced: the first date on which it may be sent again."""
    cause: Mapped[str]
    version: Mapped[Version]


class MandateState(StrEnum):
    """Whether a bank may debit a customer."""

    LIVE = "live"
    ENDED = "ended"


class Mandate(Base):
    """A customer's permission that a bank debits the bills of an agreement (代扣)."""

    __tablename__ = "mandate"
    __table_args__ = (
        Index(
            "uq_mandate_live",
            "agreement_id",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),
        UniqueConstraint("bank", "reference"),
    )

    id: Mapped[Identity]
    agreement_id: Mapped[int] = owner("agreement.id")
    bank: Mapped[str]
    reference: Mapped[str]
    """The bank's number of the mandate."""
    payer_account: Mapped[str]
    from_on: Mapped[date]
    to_on: Mapped[date | None]
    state: Mapped[MandateState]
    document_id: Mapped[int | None] = named("document.id")
    """The signed mandate."""
    version: Mapped[Version]
