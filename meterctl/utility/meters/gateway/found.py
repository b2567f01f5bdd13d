"""A journal that is only read: what it has of many keys, without a key ring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meterctl.errors import UsageError
from meterctl.journal import EntryState, Journal
from meterctl.journal.entries import SALES
from meterctl.journal.lists import EntryFilter
from meterctl.utility.meters.gateway.outcomes import Outcome, outcome_of
from meterctl.utility.store.checks.journal import AcceptedSale


@dataclass(frozen=True, slots=True)
class FoundJournal:
    """A journal that exists."""

    _journal: Journal

    def find(self, key: str) -> Outcome:
        """Return what it has of a key."""
        return outcome_of(self._journal, key)

    def accepted(self) -> Iterator[AcceptedSale]:
        """Yield the sales that it proves as accepted, the oldest first."""
        wanted = EntryFilter(state=EntryState.CONFIRMED)
        for entry in self._journal.entry_list.listed(wanted):
            if entry.kind in SALES and entry.amount and not entry.is_closed_by_hand:
                yield AcceptedSale(
                    entry.id,
                    entry.meter,
                    entry.reference,
                    entry.epoch,
                    entry.sequence,
                    entry.amount,
                )


@contextmanager
def reading_journal(path: Path) -> Iterator[FoundJournal]:
    """Yield a journal that exists, to be read.

    Raises:
        UsageError: there is no such journal, or it cannot be read.
    """
    if not path.exists():
        raise UsageError(f"journal {path}: there is no such file")
    journal = Journal(path, reading=True)
    try:
        yield FoundJournal(journal)
    finally:
        journal.close()
