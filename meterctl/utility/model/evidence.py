"""What was asked, and who did what. Never changed, never deleted."""

from __future__ import annotations

from typing import Any

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
