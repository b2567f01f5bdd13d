"""Tables whose rows are written once: the database itself refuses to change them.

On both engines a row can be neither updated nor deleted, on PostgreSQL the table not truncated. On
SQLite a row that replaces another (INSERT OR REPLACE) deletes that one without its triggers, so
such an insertion is refused as well. Who owns the database can remove a trigger; seals show it
(`store.seals`).
"""

from __future__ import annotations

from collections.abc import Collection

from alembic import op
from sqlalchemy import inspect

FUNCTION = "desk_row_stays"
_MAKE_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: rows are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""


def keep_rows(table: str, *keys: str, may_change: Collection[str] = ()) -> None:
    """Let a database refuse to change or delete a table's rows.

    Args:
        table: its name.
        keys: its primary key and every other unique one; the columns of one as "a, b".
        may_change: columns that may be updated, such as a state.
    """
    columns = [column["name"] for column in inspect(op.get_bind()).get_columns(table)]
    assert set(may_change) < set(columns)
    of = ", ".join(name for name in columns if name not in may_change)
    update = f"UPDATE OF {of}" if may_change else "UPDATE"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_MAKE_FUNCTION)
        for event, scope in ((f"{update} OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_stays_{scope.lower()} BEFORE {event} ON {table} "
                f"FOR EACH {scope} EXECUTE FUNCTION {FUNCTION}()"
            )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed or deleted'); END"
    op.execute(f"CREATE TRIGGER {table}_stays_update BEFORE {update} ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_stays_delete BEFORE DELETE ON {table} {refuse}")
    replaced = " OR ".join(f"({key}) = ({_of_new(key)})" for key in keys)
    op.execute(
        f"CREATE TRIGGER {table}_stays_insert BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {replaced}) "
        f"BEGIN SELECT RAISE(ABORT, '{table}: there is such a row'); END"
    )


def _of_new(key: str) -> str:
    return ", ".join(f"NEW.{column}" for column in key.split(", "))
