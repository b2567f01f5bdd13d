"""Agreements and their versions."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Identity, Instant, Version, owner
from meterctl.utility.rules.transitions import AgreementState, VersionState


class AgreementMode(StrEnum):
    """Where the credit is kept (UTILITY 1.4)."""

    METER = "meter"
    ACCOUNT = "account"
    BILL = "bill"


class Agreement(Base):
    """A customer's agreement about a supply point."""

    __tablename__ = "agreement"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    party_id: Mapped[int] = owner("party.id")
    point_id: Mapped[int] = owner("supply_point.id")
    mode: Mapped[AgreementMode]
    state: Mapped[AgreementState]
    version: Mapped[Version]


class AgreementVersion(Base):
    """One version of an agreement's terms."""

    __tablename__ = "agreement_version"
    __table_args__ = (UniqueConstraint("agreement_id", "n"),)

    id: Mapped[Identity]
    agreement_id: Mapped[int] = owner("agreement.id")
    n: Mapped[int]
    state: Mapped[VersionState]
    effective_on: Mapped[date]
    terms: Mapped[dict[str, Any]]
    """`meterctl.utility.rules.terms.Terms` as JSON."""
    signed_at: Mapped[Instant | None]
    signed_by: Mapped[str | None]
    """The customer's name as it was signed."""
    print_sha256: Mapped[str | None]
    cause: Mapped[str]
    """Why its provisioning was refused; empty otherwise."""
