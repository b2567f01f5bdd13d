"""Bring a database to today's layout: `desk init`, `desk upgrade`.

A module of its own, because Alembic takes a while to import and no other command needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from meterctl.utility.store import migrations
from meterctl.utility.store.layout import number_of_layout, require_ours

_ONE_AT_A_TIME = 0x6D657465722D7631
"""The advisory lock of PostgreSQL under which layouts are changed."""


Finish = Callable[[Connection, str | None], object]
"""What is done in the transaction after the last step, with the number of the layout before."""


def upgrade(engine: Engine, finish: Finish | None = None) -> tuple[str | None, str]:
    """Bring a database to today's layout, all steps in one transaction.

    Returns the numbers of the layout before, None for a new desk, and after. Of two processes that
    do it at once the second waits, and has nothing to do.

    Args:
        engine: of the database.
        finish: whatever it raises undoes all steps.

    Raises:
        NotFound: the database is another program's; nothing was changed.
        Invalid: its layout is a newer one; nothing was changed.
    """
    with engine.connect() as connection, connection.begin():
        _lock(connection)
        require_ours(connection)
        before = number_of_layout(connection)
        command.upgrade(_config(connection), "head")
        after = number_of_layout(connection)
        assert after is not None
        if finish is not None:
            finish(connection, before)
        return before, after


def _lock(connection: Connection) -> None:
    """Keep other processes from changing the layout until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    elif not getattr(connection.connection.dbapi_connection, "in_transaction", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # sqlite3 begins none before a table is made


def _config(connection: Connection) -> Config:
    config = Config()
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
