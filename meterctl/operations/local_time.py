"""The offsets of a meter's local time, as its registers show them: for display only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from meterctl.drivers import Reader
from meterctl.errors import NotFiniteValuesError, RefusedError, UsageError
from protocols.data_model import items
from protocols.data_model.tables import UTC_OFFSETS, OffsetChange
from protocols.quantities import DAY, MINUTE

MAX_READS = 64
"""Limit: with the rows of a window these are centuries of offset changes."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """Offset changes, ascending: (ms since 1970 UTC, minutes from then on)."""

    changes: tuple[tuple[int, int], ...]

    def at(self, instant: int) -> int:
        """Return the offset at an instant, minutes; before all changes it is that of the first."""
        index = bisect_right(self.changes, instant, key=lambda change: change[0])
        return self.changes[max(index - 1, 0)][1]

    def local_ms(self, instant: int) -> int:
        """Return the local time of an instant as ms since 1970 by the meter's calendar."""
        return instant + self.at(instant) * MINUTE

    def date(self, instant: int) -> int:
        """Return the local date of an instant, days since 1970."""
        return self.local_ms(instant) // DAY

    def instant_of(self, local_ms: int) -> int | None:
        """Return the first instant of a local time; None where it is skipped."""
        instants = sorted({local_ms - minutes * MINUTE for _, minutes in self.changes})
        return next((one for one in instants if self.local_ms(one) == local_ms), None)

    def first_instant(self, local_ms: int) -> int:
        """Return the first instant of a local time; where it is skipped, the end of the skip."""
        found = self.instant_of(local_ms)
        if found is not None:
            return found
        return next(
            at
            for at, minutes in self.changes
            if at + minutes * MINUTE > local_ms and self.local_ms(at - 1) < local_ms
        )


def read_offsets(driver: Reader, instants: Iterable[int]) -> Offsets:
    """Return the offsets that cover these instants (ms since 1970 UTC; 0 is never).

    A meter whose map or firmware has no table of offsets shows the present one alone; one that
    shows no offset at all has UTC.
    """
    wanted = [instant for instant in instants if instant > 0]
    try:
        rows, _ = driver.rows(UTC_OFFSETS)
    except (UsageError, RefusedError):
        rows = []
    if not rows:
        return Offsets(((0, read_offset(driver)),))
    window = len(rows)
    for _ in range(MAX_READS):
        more = _further(driver, rows, wanted, window)
        if not more:
            break
        rows = sorted({row.number: row for row in (*rows, *more)}.values(), key=lambda r: r.number)
    return Offsets(tuple((row.at, row.utc_offset_minutes) for row in rows))


def read_offset(driver: Reader) -> int:
    """Return the present offset, minutes; 0 where the meter or its map does not have it."""
    if not driver.holds(items.UTC_OFFSET):
        return 0
    try:
        offset = driver.read([items.UTC_OFFSET])[items.UTC_OFFSET]
    except NotFiniteValuesError:
        return 0
    return int(offset or 0)


def _further(
    driver: Reader, rows: list[OffsetChange], wanted: list[int], window: int
) -> list[OffsetChange]:
    """Return the `window` rows before or after those that are known.

    There are none where every instant lies within them.
    """
    first, last = rows[0], rows[-1]
    if not wanted:
        return []
    if min(wanted) < first.at and first.number > 1:
        earlier, _ = driver.rows(UTC_OFFSETS, max(first.number - window, 1))
        return [row for row in earlier if row.number < first.number]
    if max(wanted) >= last.at:
        later, _ = driver.rows(UTC_OFFSETS, last.number + 1)
        return list(later)
    return []
