"""Rows that are only inserted, by statements that are made once for each table."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from meterctl.utility.model.base import Base
from meterctl.utility.store.statements import Prepared, rows_of


def new_row(session: Session, table: type[Base], values: dict[str, Any]) -> int:
    """Insert a row by the names of its columns, and return its number."""
    number = _insertion(table, tuple(values)).value(session.connection(), values)
    assert number is not None
    return int(number)


@cache
def _insertion(table: type[Base], _columns: tuple[str, ...]) -> Prepared:
    rows = rows_of(table)
    return Prepared(insert(rows).returning(rows.c.id))
