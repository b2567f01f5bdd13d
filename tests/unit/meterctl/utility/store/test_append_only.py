"""Rows that are written once: each engine refuses every way to change them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from meterctl.utility.store.migrations.append_only import keep_rows

CHANGES = (
    "UPDATE entry SET word = 'second'",
    "UPDATE entry SET word = word WHERE id = 1",
    "DELETE FROM entry",
    "TRUNCATE entry",
    "INSERT OR REPLACE INTO entry VALUES (1, 'second')",
    "INSERT OR REPLACE INTO entry VALUES (2, 'first')",
    "REPLACE INTO entry VALUES (2, 'first')",
    "INSERT INTO entry VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET word = 'x'",
    "INSERT INTO entry VALUES (2, 'first') ON CONFLICT (word) DO UPDATE SET id = 2",
    "INSERT INTO entry VALUES (1, 'second')",
)


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """A database with one table of kept rows, and one row in it."""
    made = create_engine(empty_url)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE entry (id BIGINT PRIMARY KEY, word TEXT UNIQUE)"))
        with Operations.context(MigrationContext.configure(connection)):
            keep_rows("entry", "id", "word")
        connection.execute(text("INSERT INTO entry VALUES (1, 'first')"))
    yield made
    made.dispose()


def test_no_statement_changes_a_row(engine: Engine) -> None:
    for statement in CHANGES:
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(text(statement))
        with engine.connect() as connection:
            found = list(connection.execute(text("SELECT id, word FROM entry")))
            assert found == [(1, "first")], statement


def test_rows_are_added(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO entry VALUES (2, 'second'), (3, 'third'), (4, NULL)"))
        connection.execute(text("INSERT INTO entry VALUES (5, NULL)"))
        assert connection.scalar(text("SELECT count(*) FROM entry")) == 5
