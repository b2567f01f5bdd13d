"""The database of one command: opened, of today's layout, and closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from meterctl.utility.errors import Conflict, OutcomeUnknown
from meterctl.utility.store.engine import Database
from meterctl.utility.store.layout import require_current_layout


@contextmanager
def opened(url: str, host_clock: Callable[[], int]) -> Iterator[Database]:
    """Open the database of a desk.

    Args:
        url: of the database.
        host_clock: the host's clock, ms since 1970 UTC.

    Raises:
        NotFound: there is no desk.
        UsageError: its layout is not today's, or it is another program's database.
        Conflict: the database does not answer; no mutation was committed (`database`).
        OutcomeUnknown: it does not answer while a mutation is committed, or after that.
    """
    database = None
    try:
        database = Database.open(url, host_clock)
        require_current_layout(database.engine)
        yield database
    except OperationalError as error:
        text = f"the database does not answer: {error.orig}"
        key = "".join(database.committing) if database is not None else ""
        if key:
            raise OutcomeUnknown(
                "outcome_unknown",
                f"{text}; what was asked may have been done, and a receipt counts: the same "
                f"command with --key {key} goes on with it, and does nothing twice",
            ) from error
        raise Conflict("database", f"{text}; the same command does nothing twice") from error
    finally:
        if database is not None:
            database.close()
