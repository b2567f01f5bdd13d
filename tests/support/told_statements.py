"""The statements that a desk's database is told, by SQLAlchemy and by `Prepared`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from meterctl.utility.store import statements
from meterctl.utility.store.engine import Database


@contextmanager
def told_statements(database: Database) -> Iterator[list[str]]:
    """Yield the list to which each statement of the block is added."""
    told: list[str] = []
    run = statements._run

    def prepared(connection: Any, compiled: Any, *given: Any, **options: Any) -> Any:
        told.append(compiled.sql)
        return run(connection, compiled, *given, **options)

    def executed(*given: Any) -> None:
        told.append(given[2])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_run", prepared)
        event.listen(database.engine, "before_cursor_execute", executed)
        try:
            yield told
        finally:
            event.remove(database.engine, "before_cursor_execute", executed)
