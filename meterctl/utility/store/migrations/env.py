"""Executed by Alembic for each of its commands: steps run on the connection that is given."""

from __future__ import annotations

from alembic import context

from meterctl.utility.store.layout import TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=TABLE,
    transactional_ddl=True,  # SQLite too: the transaction was begun before
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
