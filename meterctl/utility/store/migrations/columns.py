"""Columns and indexes as the steps of the layout write them; the model's own may change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, text

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
BIG = BigInteger().with_variant(Integer, "sqlite")
WORD = String(32)
"""A word of an enum."""


def column(name: str, kind: Any, *more: Any, **options: Any) -> Column[Any]:
    """Return a column that is always set, unless `nullable` is given."""
    return Column(name, kind, *more, **{"nullable": False, **options})


def row_id(name: str = "id") -> Column[Any]:
    """Return the number of a row."""
    return column(name, BIG, primary_key=True)


def owner(table: str, name: str = "", *, nullable: bool = False, index: bool = True) -> Column[Any]:
    """Return a column with the `id` of a row of another table."""
    key = ForeignKey(f"{table}.id")
    return column(name or f"{table}_id", BIG, key, index=index, nullable=nullable)


def where_set(name: str, *columns: str) -> Index:
    """Return an index of the rows in which the first of its columns is set."""
    return index_where(name, columns, f"{columns[0]} IS NOT NULL")


def unique_where(name: str, columns: tuple[str, ...], condition: str) -> Index:
    """Return an index by which the rows of a condition differ."""
    return index_where(name, columns, condition, unique=True)


def index_where(
    name: str, columns: tuple[str, ...], condition: str, *, unique: bool = False
) -> Index:
    """Return an index of the rows of a condition."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def new_layout() -> MetaData:
    """Return the tables of a step, empty yet."""
    return MetaData(naming_convention=_NAMES)
