"""Dates of the company: its zone makes them, its calendar says which of them are worked.

Instants are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from meterctl.utility.errors import Invalid
from protocols.quantities import DAY, HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
SATURDAY = 5
NIGHT_BEGINS = 2 * HOUR
"""From midnight to the work of the night (UTILITY 7), ms."""


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of a name such as Asia/Shanghai; raises Invalid (`unknown_zone`)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(
            "unknown_zone", f"there is no time zone {name!r}; write one such as Asia/Shanghai"
        ) from error


def local_date(at: int, zone: ZoneInfo) -> date:
    """Return the date of an instant in a zone."""
    return (_EPOCH + at * _MILLISECOND).astimezone(zone).date()


def moment_text(at: int, zone: ZoneInfo) -> str:
    """Return an instant as text (ISO 8601) in a zone, with its offset."""
    return (_EPOCH + at * _MILLISECOND).astimezone(zone).isoformat(timespec="milliseconds")


def midnight(on: date, zone: ZoneInfo) -> int:
    """Return the first instant of a date in a zone.

    It is 00:00; the end of a change of offset that skips 00:00; the first 00:00 of two; and of a
    date that a zone skips as a whole that of the next one.
    """
    wanted = datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)
    found = wanted.astimezone(zone)
    at = (wanted - _EPOCH) // _MILLISECOND
    if (found.date(), found.time()) == (on, time()):
        return at
    before, there = at - DAY, at + DAY
    while there - before > 1:
        middle = (before + there) // 2
        if local_date(middle, zone) < on:
            before = middle
        else:
            there = middle
    return there


@dataclass(frozen=True, slots=True)
class DateEnd:
    """The end of a date in a zone: `at` is the first instant after it."""

    on: date
    at: int


def end_of(on: date, zone: ZoneInfo) -> DateEnd:
    """Return the end of a date in a zone."""
    return DateEnd(on, midnight(on + timedelta(days=1), zone))


@dataclass(frozen=True, slots=True)
class Night:
    """The night that began last: the date in which it is, and the instant of its 02:00."""

    on: date
    at: int


def night_of(at: int, zone: ZoneInfo) -> Night:
    """Return the night whose 02:00 was last, two hours after the midnight of a date."""
    today = local_date(at, zone)
    begun = midnight(today, zone) + NIGHT_BEGINS
    if begun <= at:
        return Night(today, begun)
    before = today - timedelta(days=1)
    return Night(before, midnight(before, zone) + NIGHT_BEGINS)


def days_between(first: date, later: date) -> int:
    """Return the number of days from one date to another; negative if `later` is earlier."""
    return (later - first).days


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Which dates are worked: Monday to Friday, but for the dates that are listed.

    `differing` are those whose kind differs from their weekday's, and whether they are worked.
    `known_until` is the last date for which they are listed; later dates go by their weekday alone.
    """

    differing: Mapping[date, bool]
    known_until: date

    def works(self, on: date) -> bool:
        """Return whether a date is worked."""
        return self.differing.get(on, on.weekday() < SATURDAY)

    def is_known(self, on: date) -> bool:
        """Return whether the holidays of a date are listed; where not, the reader is warned."""
        return on <= self.known_until

    def after(self, on: date, count: int) -> date:
        """Return the working day that is the `count`th (1 or more) after a date."""
        while count > 0:
            on += timedelta(days=1)
            count -= self.works(on)
        return on

    def between(self, first: date, last: date) -> int:
        """Return the number of working days after `first`, up to and with `last`."""
        dates = (first + timedelta(days=n) for n in range(1, days_between(first, last) + 1))
        return sum(self.works(on) for on in dates)
