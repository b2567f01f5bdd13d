"""The layout of a database: which of our layouts its tables have, and whether we can use it."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection, Engine, inspect, text

from meterctl.utility.errors import DeskError, Invalid, NotFound

LAYOUT = "0002"
"""Today's layout: the last step of `store.migrations.versions`."""
TABLE = "desk_layout"
"""The table with the number of the layout; no other program's migrations look into it."""


class LayoutState(StrEnum):
    """What a database is to the desk."""

    EMPTY = "empty"
    FOREIGN = "foreign"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


def layout_state(connection: Connection) -> LayoutState:
    """Return what the database of a connection is to the desk."""
    found = number_of_layout(connection)
    if found is None:
        others = set(inspect(connection).get_table_names()) - {TABLE}
        return LayoutState.FOREIGN if others else LayoutState.EMPTY
    if found == LAYOUT:
        return LayoutState.CURRENT
    return LayoutState.OLDER if found < LAYOUT else LayoutState.NEWER


def number_of_layout(connection: Connection) -> str | None:
    """Return the number of a database's layout; None where no desk was ever made in it."""
    if not inspect(connection).has_table(TABLE):
        return None
    number: str | None = connection.scalar(text(f"SELECT version_num FROM {TABLE}"))
    return number


def require_current_layout(engine: Engine) -> None:
    """Return where the desk can work with a database.

    Raises:
        NotFound: no desk is in it.
        Invalid: its layout is an older or a newer one.
    """
    with engine.connect() as connection:
        refusal = _refusal(connection, layout_state(connection))
    if refusal is not None:
        raise refusal


def require_ours(connection: Connection) -> None:
    """Return where a database is empty, or a desk that is not newer.

    Raises:
        NotFound: it is another program's.
        Invalid: its layout is a newer one.
    """
    state = layout_state(connection)
    refusal = _refusal(connection, state)
    if refusal is not None and state in (LayoutState.FOREIGN, LayoutState.NEWER):
        raise refusal


def shown(engine: Engine) -> str:
    """Return the URL of a database without its password."""
    return engine.url.render_as_string(hide_password=True)


def _refusal(connection: Connection, state: LayoutState) -> DeskError | None:
    """Return why the desk cannot work with a database in a state, None where it can."""
    number, where = number_of_layout(connection), shown(connection.engine)
    match state:
        case LayoutState.CURRENT:
            return None
        case LayoutState.EMPTY:
            text = f"{where}: no desk is in this database; make one: meterctl desk init"
            return NotFound("no_desk", text)
        case LayoutState.FOREIGN:
            text = f"{where}: its tables are another program's; nothing was changed"
            return NotFound("no_desk", text)
        case LayoutState.OLDER:
            text = f"{where}: its layout is {number}, older than {LAYOUT}: meterctl desk upgrade"
            return Invalid("older_layout", text)
        case LayoutState.NEWER:
            text = (
                f"{where}: its layout is {number}, newer than {LAYOUT}: a newer meterctl is "
                f"needed; nothing was changed"
            )
            return Invalid("newer_layout", text)
