"""What all tables of the desk share: types of columns, names of constraints.

Units (UTILITY 2): money in 0.01 CNY, exact money in 1e-10 CNY, energy in mWh, power in mW, instants
in ms since 1970 UTC, dates local to the company's zone. All are integers or dates.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, mapped_column

BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both engines; SQLite numbers rows by itself only in a column named INTEGER."""

Identity = Annotated[int, mapped_column(BIG, primary_key=True)]
Amount = Annotated[int, mapped_column(BIG)]
"""Money in 0.01 CNY."""
Exact = Annotated[int, mapped_column(BIG)]
"""Money in 1e-10 CNY, copied from a meter."""
Instant = Annotated[int, mapped_column(BIG)]
"""ms since 1970 UTC."""
Version = Annotated[int, mapped_column(BIG, default=1)]
"""Grows with each edit; an edit that names another one is refused (412)."""


def owner(column: str) -> Any:
    """Return the type of a column that names a row of another table, by which rows are found."""
    return mapped_column(BIG, ForeignKey(column), index=True)


def named(column: str) -> Any:
    """Return the type of a column that names a row of another table, without an index.

    No row is found by it, or by one of `where_set`: every index of a table costs each sale a page.
    """
    return mapped_column(BIG, ForeignKey(column))


def where_set(name: str, *columns: str) -> Index:
    """Return an index of the rows in which the first of its columns is set, which are few."""
    condition = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


class Base(DeclarativeBase):
    """The tables of the desk."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        int: BIG,
        str: String(),
        date: Date(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        StrEnum: Enum(
            StrEnum,
            native_enum=False,
            length=32,
            values_callable=lambda words: [word.value for word in words],
        ),
    }
