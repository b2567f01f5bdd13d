"""Who works where, with which rights; the company's settings and its calendar."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Identity, Instant, Version, owner
from meterctl.utility.rules.rights import Role


class OrganisationKind(StrEnum):
    """Level of a node of the organisation tree; each lies below the one before it."""

    COMPANY = "company"
    BRANCH = "branch"
    STATION = "station"
    DISTRICT = "district"


class StaffState(StrEnum):
    """Whether a person may still do anything."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class GrantState(StrEnum):
    """A role of money is granted by two persons."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REVOKED = "revoked"


class DutyKind(StrEnum):
    """What a collector does in a node."""

    COLLECT = "collect"
    READ = "read"


class Desk(Base):
    """The one row about the database itself."""

    __tablename__ = "desk"

    id: Mapped[Identity]
    zone: Mapped[str]
    """Name of the company's time zone; it makes every date (UTILITY 2)."""
    simulated: Mapped[bool]
    clock: Mapped[Instant | None]
    """A simulated database's own clock; None: the host's."""
    made_at: Mapped[Instant]


class Organisation(Base):
    """A node of the organisation tree."""

    __tablename__ = "organisation"

    id: Mapped[Identity]
    parent_id: Mapped[int | None] = owner("organisation.id")
    kind: Mapped[OrganisationKind]
    code: Mapped[str] = mapped_column(unique=True)
    """Of a station: 4 digits, the first digits of its supply points' numbers (户号)."""
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    """Numbers of the nodes from the company to this one, as "/1/4/": a prefix of what is below."""
    version: Mapped[Version]


class Staff(Base):
    """A person who works with the desk."""

    __tablename__ = "staff"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    state: Mapped[StaffState]
    password_hash: Mapped[str | None]
    """Argon2id; None: signs in with a token only."""
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    """SHA-256 of the token, which has 256 bits from the operating system; None: none was made."""
    version: Mapped[Version]


class WebSession(Base):
    """A person signed in to the pages, until it is left alone too long or ended."""

    __tablename__ = "web_session"

    id: Mapped[Identity]
    cookie_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the cookie, which has 256 bits from the operating system."""
    staff_id: Mapped[int] = owner("staff.id")
    made_at: Mapped[Instant]
    seen_at: Mapped[Instant]


class StaffGrant(Base):
    """A role of a person at a node and below, from one date to before another."""

    __tablename__ = "staff_grant"

    id: Mapped[Identity]
    staff_id: Mapped[int] = owner("staff.id")
    role: Mapped[Role]
    node_id: Mapped[int] = owner("organisation.id")
    from_on: Mapped[date]
    to_on: Mapped[date | None]
    state: Mapped[GrantState]
    proposer_id: Mapped[int | None] = owner("staff.id")
    approver_id: Mapped[int | None] = owner("staff.id")


class Duty(Base):
    """A person's duty in a node: one of a kind, a node and a day."""

    __tablename__ = "duty"

    id: Mapped[Identity]
    staff_id: Mapped[int] = owner("staff.id")
    node_id: Mapped[int] = owner("organisation.id")
    kind: Mapped[DutyKind]
    from_on: Mapped[date]
    to_on: Mapped[date | None]


class Setting(Base):
    """A dated value of a node and a customers' class; rows are never edited (UTILITY 2)."""

    __tablename__ = "setting"
    __table_args__ = (UniqueConstraint("code", "node_id", "customer_class", "from_on", "id"),)

    id: Mapped[Identity]
    code: Mapped[str]
    node_id: Mapped[int] = owner("organisation.id")
    customer_class: Mapped[str]
    """A customers' class; empty: all."""
    from_on: Mapped[date]
    value: Mapped[dict[str, Any]]
    """`{"value": ...}` of the type that the setting has."""
    staff_id: Mapped[int | None] = owner("staff.id")
    set_at: Mapped[Instant]


class Holiday(Base):
    """A date whose kind differs from its weekday's: a day off, or a weekend that is worked."""

    __tablename__ = "holiday"

    on: Mapped[date] = mapped_column("on_date", primary_key=True)
    works: Mapped[bool]
