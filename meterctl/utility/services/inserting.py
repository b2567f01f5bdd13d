"""Insertion of a row whose name no other row may have."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from meterctl.utility.errors import Conflict
from meterctl.utility.model.base import Base
from meterctl.utility.store.unit_of_work import UnitOfWork

Row = TypeVar("Row", bound=Base)


def insert(work: UnitOfWork, row: Row, named: str) -> Row:
    """Insert a row; it has its number afterwards.

    Args:
        named: the row as people name it.

    Raises:
        Conflict: there is one with this name already (`exists`).
    """
    try:
        return work.add(row)
    except IntegrityError as error:
        raise Conflict("exists", f"{named}: there is one already; nothing was changed") from error
