"""The database of one command or one request: of today's layout, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from meterctl.utility.errors import Conflict, OutcomeUnknown
from meterctl.utility.store.engine import Database
from meterctl.utility.store.layout import require_current_layout


@contextmanager
def opened(url: str, host_clock: Callable[[], int]) -> Iterator[Database]:
    """Open the database of a desk, and close it at the end.

    Args:
        url: of the database.
        host_clock: the host's clock, ms since 1970 UTC.

    Raises:
        NotFound: there is no desk.
        UsageError: its layout is not today's, or it is another program's database.
        Conflict, OutcomeUnknown: as `answering`.
    """
    with answering(set()):
        database = Database.open(url, host_clock)
    try:
        with answering(database.committing):
            require_current_layout(database.engine)
            yield database
    finally:
        database.close()


@contextmanager
def answering(committing: set[str]) -> Iterator[None]:
    """Tell of a database that does not answer in our errors.

    Args:
        committing: the key of a mutation whose commit was begun (`Database.committing`).

    Raises:
        Conflict: it does not answer; no mutation was committed (`database`).
        OutcomeUnknown: it does not answer while a mutation is committed, or after that.
    """
    try:
        yield
    except (exc.OperationalError, exc.TimeoutError) as error:
        cause = error.orig if isinstance(error, exc.OperationalError) else error
        text = f"the database does not answer: {cause}"
        key = "".join(committing)
        if key:
            raise OutcomeUnknown(
                "outcome_unknown",
                f"{text}; what was asked may have been done, and a receipt counts: the same "
                f"command with --key {key} goes on with it, and does nothing twice",
            ) from error
        raise Conflict("database", f"{text}; the same command does nothing twice") from error
