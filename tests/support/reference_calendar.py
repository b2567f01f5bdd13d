"""When the dates, billing periods and billing years of a meter begin, by a scan of every minute.

Local time is that of `zoneinfo`. Nothing of the product is used: no list of offset changes, no
search for an instant, no number of a period.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class BillingDates:
    """Day and hour at which the month ends, month and day at which the year ends."""

    day: int = 1
    hour: int = 0
    year_month: int = 1
    year_day: int = 1

    def month(self, local: datetime) -> tuple[int, int]:
        """Return year and month in which the billing period of a local time began."""
        begun = local - timedelta(days=self.day - 1, hours=self.hour)
        return begun.year, begun.month

    def year(self, local: datetime) -> int:
        """Return the year in which the billing year of a local time began."""
        begins = date(local.year, self.year_month, self.year_day)
        return local.year if local.date() >= begins else local.year - 1


@dataclass(slots=True)
class Calendar:
    """Instants in ms since 1970 UTC, ascending."""

    midnights: list[int] = field(default_factory=list)
    billing_ends: list[int] = field(default_factory=list)
    year_ends: list[int] = field(default_factory=list)


def local_of(clock_ms: int, zone: tzinfo) -> datetime:
    """Return the local time of an instant, without its offset."""
    since_1970 = timedelta(milliseconds=clock_ms)
    instant = datetime(1970, 1, 1, tzinfo=UTC) + since_1970
    return instant.astimezone(zone).replace(tzinfo=None)


def scan(
    start_ms: int,
    end_ms: int,
    zone: tzinfo,
    dates: BillingDates,
    changes: dict[int, BillingDates] | None = None,
) -> Calendar:
    """Return what begins after `start_ms` and until `end_ms`.

    The first instant of a date or period counts; what was reached before a step back of local time
    does not begin again. `changes` are other billing dates from a whole minute on: they end no
    period.
    """
    found, later = Calendar(), dict(changes or {})
    first = (start_ms - 2 * 86_400_000) // MINUTE_MS * MINUTE_MS
    reached = local_of(first, zone)
    month, year = dates.month(reached), dates.year(reached)
    for minute in range(first, end_ms + 1, MINUTE_MS):
        local = max(reached, local_of(minute, zone))
        counts = minute > start_ms
        if local.date() > reached.date() and counts:
            found.midnights.append(minute)
        if dates.month(local) > month and counts:
            found.billing_ends.append(minute)
        if dates.year(local) > year and counts:
            found.year_ends.append(minute)
        reached = local
        dates = later.pop(minute, dates)
        month, year = dates.month(reached), dates.year(reached)
    return found
