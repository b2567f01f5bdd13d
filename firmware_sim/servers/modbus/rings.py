"""The rows of each table: a ring of a meter's records, or the offsets of its local time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from firmware_sim.calendar_work import offset_changes
from firmware_sim.clock import Transitions
from firmware_sim.meter import Meter
from firmware_sim.records.ring import (
    BILLING_RING,
    DAILY_RING,
    EVENT_RING,
    PROFILE_RING,
    PURCHASE_RING,
)
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    UTC_OFFSETS,
    OffsetChange,
    Table,
)

RINGS: Mapping[Table, int] = {
    PURCHASES: PURCHASE_RING,
    EVENTS: EVENT_RING,
    PROFILE: PROFILE_RING,
    DAILY_FREEZES: DAILY_RING,
    BILLING_FREEZES: BILLING_RING,
}
"""Index of each table's ring among the rings of a meter."""


class Rows(Protocol):
    """Rows by running number; `first` to `last` are shown where no number is asked for."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    def get(self, number: int) -> bytes | None: ...
    def newest(self, count: int) -> Iterator[bytes]: ...


class OffsetRows(NamedTuple):
    """The offset changes of a meter; `last` is the one after the present: it ends the offset."""

    changes: Transitions
    last: int
    first: int = 1

    def get(self, number: int) -> bytes | None:
        """Return a row, None where there is none."""
        if not 1 <= number <= len(self.changes):
            return None
        return OffsetChange(number, *self.changes[number - 1]).pack()

    def newest(self, count: int) -> Iterator[bytes]:
        """Yield at most `count` rows up to the last, newest first."""
        for number in range(self.last, max(self.last - count, 0), -1):
            yield OffsetChange(number, *self.changes[number - 1]).pack()


def rows_of(meter: Meter, table: Table) -> Rows:
    """Return the rows of a table."""
    if table != UTC_OFFSETS:
        return meter.rings[RINGS[table]]
    changes = offset_changes(meter.state)
    held = bisect_right(changes, meter.clock, key=lambda change: change[0])
    return OffsetRows(changes, min(held + 1, len(changes)))
