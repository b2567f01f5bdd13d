"""A journal that is only read: what it has of many keys, without a key ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from meterctl.errors import UsageError
from meterctl.journal import Journal
from meterctl.utility.meters.gateway.outcomes import Outcome, outcome_of


@contextmanager
def reading_journal(path: Path) -> Iterator[Callable[[str], Outcome]]:
    """Yield what returns the outcome of a key, from a journal that exists.

    Raises:
        UsageError: there is no such journal, or it cannot be read.
    """
    if not path.exists():
        raise UsageError(f"journal {path}: there is no such file")
    journal = Journal(path, reading=True)
    try:
        yield lambda key: outcome_of(journal, key)
    finally:
        journal.close()
