"""Statements that are made once and run for every sale.

To make a statement, or to run one on a class instead of its table, takes several times as long as
the database does.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from meterctl.utility.model.base import Base


def rows_of(table: type[Base]) -> Table:
    """Return the table of a class."""
    rows = table.__table__
    assert isinstance(rows, Table)
    return rows


def insert_if_absent(table: type[Base]) -> Mapping[str, Insert]:
    """Return, for the name of each engine, the insertion that does nothing where the row exists.

    On PostgreSQL it waits for a transaction that inserts the same row.
    """
    rows = rows_of(table)
    return {
        "postgresql": postgresql.insert(rows).on_conflict_do_nothing(),
        "sqlite": sqlite.insert(rows).on_conflict_do_nothing(),
    }
