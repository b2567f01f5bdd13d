"""Ports, meters, where they are installed, and what was read of them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Exact, Identity, Instant, Version, owner
from meterctl.utility.rules.transitions import ReadingState


class ReadingSource(StrEnum):
    """Where a reading came from."""

    WIRE = "wire"
    FREEZE = "freeze"
    CARD = "card"
    FIELD = "field"
    ESTIMATE = "estimate"


class FindingState(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    ENDED = "ended"
    """What was found is no longer so."""


class Port(Base):
    """A port on which meters answer, or a card reader of a vending point."""

    __tablename__ = "port"

    id: Mapped[Identity]
    node_id: Mapped[int] = owner("organisation.id")
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    """Device or address as meterctl's `--port` takes it; of a reader as its `--card` takes it."""
    protocol: Mapped[str]
    """meterctl's word of the driver and map; `card` for a reader."""
    baud: Mapped[int]
    lease_holder: Mapped[str | None]
    """The worker that has the port now; it may be taken over after `lease_until`."""
    lease_until: Mapped[Instant | None]
    version: Mapped[Version]


class Meter(Base):
    """A meter by its serial number, with what was proved of it last."""

    __tablename__ = "meter"

    id: Mapped[Identity]
    serial: Mapped[str] = mapped_column(unique=True)
    port_id: Mapped[int | None] = owner("port.id")
    """None: a meter without a wire."""
    unit: Mapped[int]
    epoch: Mapped[int | None]
    proved_sequence: Mapped[int | None]
    proved_cumulative: Mapped[Exact | None]
    proved_energy_mwh: Mapped[int | None]
    proved_elapsed: Mapped[int | None]
    proved_at: Mapped[Instant | None]
    explained_before: Mapped[Exact]
    """Cumulative amount of this epoch that came before the desk: I4 counts it as explained."""
    to_debt_exact: Mapped[Exact]
    """T: Σ to_debt of this epoch's delivered sales, exact (UTILITY 4)."""
    stopped: Mapped[str | None]
    """Why no credit order is made for it: a finding's rule such as set_back, or `UNREAD`."""
    version: Mapped[Version]


class Installation(Base):
    """A meter at a supply point, from one instant to another; no two overlap."""

    __tablename__ = "installation"
    __table_args__ = (
        Index(
            "uq_installation_meter_now",
            "meter_id",
            unique=True,
            sqlite_where=text("to_at IS NULL"),
            postgresql_where=text("to_at IS NULL"),
        ),
        Index(
            "uq_installation_point_now",
            "point_id",
            unique=True,
            sqlite_where=text("to_at IS NULL"),
            postgresql_where=text("to_at IS NULL"),
        ),
    )

    id: Mapped[Identity]
    meter_id: Mapped[int] = owner("meter.id")
    point_id: Mapped[int] = owner("supply_point.id")
    from_at: Mapped[Instant]
    to_at: Mapped[Instant | None]
    reading_in_id: Mapped[int | None] = owner("reading.id")
    reading_out_id: Mapped[int | None] = owner("reading.id")


class Reading(Base):
    """One reading of a meter: its registers and its books at one instant.

    The books are the exact sums of its epoch (METER 6). `state` moves by the table of readings;
    what was read is never changed.
    """

    __tablename__ = "reading"
    __table_args__ = (UniqueConstraint("meter_id", "epoch", "taken_at", "source"),)

    id: Mapped[Identity]
    meter_id: Mapped[int] = owner("meter.id")
    agreement_id: Mapped[int | None] = owner("agreement.id")
    state: Mapped[ReadingState]
    source: Mapped[ReadingSource]
    taken_at: Mapped[Instant]
    for_on: Mapped[date]
    meter_clock: Mapped[Instant | None]
    epoch: Mapped[int]
    elapsed: Mapped[int]
    """Of the meter, ms; a later reading of the epoch has at least as much."""
    credit_sequence: Mapped[int]
    command_sequence: Mapped[int]
    energy_mwh: Mapped[int]
    credit_exact: Mapped[Exact]
    debt_exact: Mapped[Exact]
    consumption_exact: Mapped[Exact]
    standing_exact: Mapped[Exact]
    instalments_exact: Mapped[Exact]
    refunds_exact: Mapped[Exact]
    cumulative_exact: Mapped[Exact]
    """Σ of all credit that it accepted in this epoch (purchases and openings)."""
    to_debt_exact: Mapped[Exact]
    debt_entered_exact: Mapped[Exact]
    opening_exact: Mapped[Exact]
    supply_state: Mapped[str]
    causes: Mapped[list[str]]
    more: Mapped[dict[str, Any]]
    """Further registers by item name, for people."""


class Finding(Base):
    """What a rule found; one row a rule and subject while it is open (UTILITY 6 S16)."""

    __tablename__ = "finding"
    __table_args__ = (
        Index(
            "uq_finding_open",
            "rule",
            "subject_kind",
            "subject_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[Identity]
    rule: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[int]
    agreement_id: Mapped[int | None] = owner("agreement.id")
    value: Mapped[str]
    limit_value: Mapped[str]
    note: Mapped[str]
    state: Mapped[FindingState]
    first_seen: Mapped[Instant]
    last_seen: Mapped[Instant]
