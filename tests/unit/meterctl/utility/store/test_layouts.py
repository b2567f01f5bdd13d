"""The migrated tables are those of the model, and rows that are written once stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, Index, Table, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex, CreateTable

from meterctl.utility.model import metadata
from meterctl.utility.store.engine import connect
from meterctl.utility.store.layout import TABLE
from meterctl.utility.store.migrations.versions import step_0001_first as first
from meterctl.utility.store.migrations.versions import step_0002_pages as second
from tests.support.desk_world import a_world, opened

ROWS: dict[str, dict[str, Any]] = {
    "entry": {"id": 9, "key": "k", "kind": "paid", "booked_at": 1, "booked_on": "2026-11-30",
              "for_on": "2026-11-30"},
    "transfer": {"entry_id": 9, "n": 1, "debit_id": 1, "credit_id": 2, "amount": 5,
                 "booked_on": "2026-11-30"},
    "audit": {"id": 9, "at_ms": 1, "action": "sell", "subject": "sale/1", "reason": "", "key": ""},
    "day_close": {"on_date": "2026-11-30", "closed_at": 1, "entries": 0, "transfers": 0,
                  "last_audit_id": 0, "previous_seal": "", "seal": "", "figures": "{}"},
    "closing_balance": {"account_id": 1, "on_date": "2026-11-30", "balance": 5},
    "setting": {"id": 9, "code": "c", "node_id": 1, "customer_class": "", "from_on": "2026-11-30",
                "value": "{}", "set_at": 1},
    "bill": {"id": 9, "number": "b", "agreement_id": 1, "kind": "claim", "state": "issued",
             "month": "", "amount": 5, "issued_at": 1, "due_on": "2026-11-30", "note": ""},
    "bank_file": {"id": 9, "bank": "b", "kind": "statement", "name": "f", "sha256": "0", "lines": 0,
                  "amount": 0, "for_on": "2026-11-30", "result": "{}", "at_ms": 1},
    "document": {"id": 9, "subject_kind": "agreement", "subject_id": 1, "kind": "k", "name": "f",
                 "media_type": "text/plain", "size": 1, "sha256": "0", "at_ms": 1},
    "document_content": {"sha256": "0", "content": b"0"},
    "check_run": {"id": 9, "at_ms": 1, "took_ms": 1, "broken": "[]", "looked_at": 1},
}  # fmt: skip
CHANGED = {"entry": "kind", "transfer": "amount", "audit": "reason", "day_close": "seal",
           "closing_balance": "balance", "setting": "code", "bill": "amount",
           "bank_file": "name", "document": "name", "document_content": "content",
           "check_run": "took_ms"}  # fmt: skip


@pytest.fixture
def engine(desk_url: str) -> Iterator[Engine]:
    """A desk with a customer, and a row in each table whose rows stay."""
    database = opened(desk_url)
    a_world(database)
    with database.engine.begin() as connection:
        for name, row in ROWS.items():
            connection.execute(text(_insertion("INSERT", name)), row)
    yield database.engine
    database.close()


def _insertion(verb: str, table: str) -> str:
    names = ROWS[table]
    marks = ", ".join(f":{name}" for name in names)
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({marks})"


def _rows(engine: Engine, table: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]


def test_the_migrated_tables_are_those_of_the_model(desk_url: str) -> None:
    engine = connect(desk_url)
    options = {"compare_type": True, "compare_server_default": True, "version_table": TABLE}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    assert set(inspect(engine).get_table_names()) == {*metadata.tables, TABLE}
    engine.dispose()


def test_the_steps_make_the_same_statements_as_the_model(empty_url: str) -> None:
    """Alembic compares neither checks nor conditions of indexes: the statements have them."""

    def statements(tables: Iterable[Table], *further: Index) -> dict[str, str]:
        dialect = connect(empty_url).dialect
        made = {
            str(index.name): str(CreateIndex(index).compile(dialect=dialect)) for index in further
        }
        for table in tables:
            made[table.name] = str(CreateTable(table).compile(dialect=dialect))
            for index in table.indexes:
                made[str(index.name)] = str(CreateIndex(index).compile(dialect=dialect))
        return {name: " ".join(sorted(made[name].replace(",", "").split())) for name in made}

    steps = [*first._layout.tables.values(), *second.TABLES]
    assert statements(steps, *second.INDEXES) == statements(metadata.tables.values())
    checks = [
        constraint
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    ]
    assert len(checks) >= 3


def test_rows_that_are_written_once_stay(engine: Engine) -> None:
    before = {table: _rows(engine, table) for table in ROWS}
    for table, column in CHANGED.items():
        assert len(before[table]) == 1
        statements = (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
            _insertion("INSERT OR REPLACE", table),
        )
        for statement in statements:
            values = ROWS[table] if ":" in statement else {}
            with pytest.raises(DBAPIError), engine.begin() as connection:
                connection.execute(text(statement), values)
    assert {table: _rows(engine, table) for table in ROWS} == before


def test_a_bill_may_be_cancelled(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE bill SET state = 'cancelled'"))
        assert connection.scalar(text("SELECT state FROM bill")) == "cancelled"
