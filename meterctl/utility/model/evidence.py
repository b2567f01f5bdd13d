"""What was asked, who did what, what is kept on paper. Never changed, never deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Identity, Instant, named


class Request(Base):
    """A mutation by its key, with its first answer (UTILITY 2, idempotency)."""

    __tablename__ = "request"

    key: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int | None] = named("staff.id")
    route: Mapped[str]
    body_sha256: Mapped[str]
    answer: Mapped[dict[str, Any]]
    at: Mapped[Instant] = mapped_column("at_ms")
    money: Mapped[bool]
    """Whether it moved money: such keys are kept for ever, others for 90 days."""


class Audit(Base):
    """One mutation: who did what to which subject, and what it was before and after."""

    __tablename__ = "audit"

    id: Mapped[Identity]
    at: Mapped[Instant] = mapped_column("at_ms", index=True)
    staff_id: Mapped[int | None] = named("staff.id")
    """None: the desk's own worker."""
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    """Table and number of a row, as "sale/17"."""
    before: Mapped[dict[str, Any] | None] = mapped_column("before_values")
    after: Mapped[dict[str, Any] | None] = mapped_column("after_values")
    reason: Mapped[str]
    key: Mapped[str]


class Document(Base):
    """A paper of an agreement or another thing; its content is found by its hash."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "kind", "sha256"),
        Index("ix_document_subject", "subject_kind", "subject_id"),
    )

    id: Mapped[Identity]
    subject_kind: Mapped[str]
    """Table of the row that it belongs to; `subject_id` is its number."""
    subject_id: Mapped[int]
    kind: Mapped[str]
    name: Mapped[str]
    """Name of the file that was added."""
    media_type: Mapped[str]
    size: Mapped[int]
    """Bytes."""
    sha256: Mapped[str]
    at: Mapped[Instant] = mapped_column("at_ms")
    staff_id: Mapped[int | None] = named("staff.id")


class DocumentContent(Base):
    """What is written in documents, by SHA-256 (hex)."""

    __tablename__ = "document_content"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class CheckRun(Base):
    """A run of `desk check` over the whole database, and what it found."""

    __tablename__ = "check_run"

    id: Mapped[Identity]
    at: Mapped[Instant] = mapped_column("at_ms")
    took_ms: Mapped[int]
    broken: Mapped[list[str]]
    """Names of the invariants that do not hold; empty: all hold."""
    rows: Mapped[int] = mapped_column("looked_at")
    """How many rows it looked at."""
    staff_id: Mapped[int | None] = named("staff.id")
