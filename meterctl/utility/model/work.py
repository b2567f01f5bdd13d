"""Orders to meters, and tasks of people."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Identity, Instant, Version, named, owner, where_set
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import LIVE, CommandState, SaleState, TaskState

_LIVE_CREDIT = text("credit_state IN (" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")")
"""One live order of the credit class a meter (I5)."""
NO_SALE = "credit_state IS NOT NULL AND kind <> 'sale'"
"""Condition of the index of orders of the credit class that are no sale, which are few."""


class OrderKind(StrEnum):
    """What is done at a meter."""

    SALE = "sale"
    OPEN = "open"
    """Opens the account with 0.00: nothing was paid."""
    REFUND = "refund"
    DEBT = "debt"
    CLOSE = "close"
    LIMITS = "limits"
    TARIFF = "tariff"
    READ = "read"
    RESOLVE = "resolve"

    @property
    def is_credit(self) -> bool:
        """Whether it is sealed in the credit class, of which one may live a meter (I5)."""
        return self in (
            OrderKind.SALE,
            OrderKind.OPEN,
            OrderKind.REFUND,
            OrderKind.DEBT,
            OrderKind.CLOSE,
        )


class Order(Base):
    """Something that a worker does at a meter.

    Orders of a meter run in the order of their numbers. An order of the credit class goes by the
    sale's table and has `credit_state`, which for a sale is the sale's own; another one goes by the
    table of commands and has `command_state`. One of the two is None.
    """

    __tablename__ = "meter_order"
    __table_args__ = (
        Index("ix_meter_order_credit", "credit_state", "not_before"),
        where_set("ix_meter_order_command", "command_state", "not_before"),
        where_set("ix_meter_order_agreement_version_id", "agreement_version_id"),
        Index(
            "uq_meter_order_live_credit",
            "meter_id",
            unique=True,
            sqlite_where=_LIVE_CREDIT,
            postgresql_where=_LIVE_CREDIT,
        ),
        Index(
            "ix_meter_order_no_sale",
            "changed_at",
            sqlite_where=text(NO_SALE),
            postgresql_where=text(NO_SALE),
        ),
        CheckConstraint("(credit_state IS NULL) <> (command_state IS NULL)", name="one_state"),
    )

    id: Mapped[Identity]
    key: Mapped[str] = mapped_column(unique=True)
    """Key of the journal too."""
    meter_id: Mapped[int] = owner("meter.id")
    agreement_id: Mapped[int | None] = owner("agreement.id")
    agreement_version_id: Mapped[int | None] = named("agreement_version.id")
    sale_id: Mapped[int | None] = owner("sale.id")
    kind: Mapped[OrderKind]
    parameters: Mapped[dict[str, Any]]
    credit_state: Mapped[SaleState | None]
    command_state: Mapped[CommandState | None]
    tries: Mapped[int]
    not_before: Mapped[Instant]
    expires: Mapped[Instant | None]
    worker_id: Mapped[int | None] = named("worker.id")
    """The journal that sealed it; only `worker adopt` moves it."""
    journal_entry: Mapped[int | None]
    outcome: Mapped[dict[str, Any] | None]
    cause: Mapped[str]
    made_at: Mapped[Instant]
    changed_at: Mapped[Instant]
    staff_id: Mapped[int | None] = named("staff.id")


class Worker(Base):
    """A journal that seals for the desk, and the process that has it now."""

    __tablename__ = "worker"

    id: Mapped[Identity]
    journal_number: Mapped[int] = mapped_column(unique=True)
    journal: Mapped[str]
    """Its file, as the worker named it."""
    lease_holder: Mapped[str | None]
    lease_until: Mapped[Instant | None]


class TaskKind(StrEnum):
    """Kind of a task."""

    APPROVAL = "approval"
    SLIP = "slip"
    """A visit to the meter, with a card reader or a computer."""
    CARD_OLD = "card_old"
    """A card with an unconsumed sale for 60 days."""
    SET_BACK = "set_back"
    UNKNOWN_CREDIT = "unknown_credit"
    """Credit in a meter that no sale explains."""
    TILL_DIFFERENCE = "till_difference"
    CLAIM = "claim"
    SUSPENSE = "suspense"
    """Money at a bank whose owner is not known for days."""
    ONE_SIDED = "one_sided"
    """Money that stands in the books alone, or in a bank's statement alone (单边账)."""
    BANK_DIFFERENCE = "bank_difference"
    """A bank's file says something else than the books about lines that they know."""
    DEBIT_GIVEN_UP = "debit_given_up"
    """A due bill that a bank could not debit, three times."""


class Task(Base):
    """What a person owes by a date: an approval, a slip, a question (UTILITY 1.3)."""

    __tablename__ = "task"
    __table_args__ = (
        Index(
            "uq_task_open",
            "kind",
            "subject_kind",
            "subject_id",
            unique=True,
            sqlite_where=text("state IN ('open', 'taken')"),
            postgresql_where=text("state IN ('open', 'taken')"),
        ),
    )

    id: Mapped[Identity]
    kind: Mapped[TaskKind]
    subject_kind: Mapped[str]
    subject_id: Mapped[int]
    node_id: Mapped[int] = owner("organisation.id")
    role: Mapped[Role]
    staff_id: Mapped[int | None] = named("staff.id")
    """Who has taken it."""
    state: Mapped[TaskState]
    due_on: Mapped[date]
    proposer_id: Mapped[int | None] = owner("staff.id")
    proposal: Mapped[dict[str, Any] | None]
    """What is done when it is approved: an action's word and its parameters."""
    outcome: Mapped[str]
    made_at: Mapped[Instant]
    changed_at: Mapped[Instant]
    version: Mapped[Version]
