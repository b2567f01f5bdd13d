"""Customers and the points where they are supplied."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from meterctl.utility.model.base import Base, Identity, Version, owner


class CustomerClass(StrEnum):
    """Class of a supply point."""

    RESIDENT = "resident"
    OTHER = "other"
    IMPORTANT = "important"


class Party(Base):
    """A customer (客户)."""

    __tablename__ = "party"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    id_number: Mapped[str | None]
    """Resident identity or unified social credit code, checked by its own check digit."""
    phones: Mapped[list[str]]
    protected: Mapped[bool]
    """A person there depends on the supply (医疗): it is never cut for money."""
    version: Mapped[Version]


class SupplyPoint(Base):
    """A supply point (用电户)."""

    __tablename__ = "supply_point"

    id: Mapped[Identity]
    number: Mapped[str] = mapped_column(unique=True)
    """户号: 12 digits, the customer number in its meter, for life."""
    node_id: Mapped[int] = owner("organisation.id")
    """Its district, or the station itself."""
    address: Mapped[str]
    customer_class: Mapped[CustomerClass]
    capacity_mw: Mapped[int]
    boundary: Mapped[str]
    """Where the utility's property ends (产权分界)."""
    route: Mapped[str] = mapped_column(index=True)
    read_day: Mapped[int]
    """Day of the month on which it is read for billing (抄表例日), 1 to 28."""
    version: Mapped[Version]
