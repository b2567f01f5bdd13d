"""Rows that are only inserted, by statements that are made once for each table."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Insert, insert
from sqlalchemy.orm import Session

from meterctl.utility.model.base import Base
from meterctl.utility.store.statements import rows_of


def new_row(session: Session, table: type[Base], values: dict[str, Any]) -> int:
    """Insert a row by the names of its columns, and return its number."""
    result = session.connection().execute(_insert(table), values)
    (number,) = result.inserted_primary_key or (0,)
    return int(number)


@cache
def _insert(table: type[Base]) -> Insert:
    return insert(rows_of(table))
