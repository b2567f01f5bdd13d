"""Meter clock and local time, computed from the elapsed time; no clock is read (METER.md 1)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from protocols.quantities import DAY, MINUTE

LAST_CLOCK = 4_102_444_800_000
"""2100-01-01: this clock or a later one is a mistake."""
LAST_DATE = LAST_CLOCK // DAY


@dataclass(slots=True)
class Clock:
    """Clock of a meter, in ms since 1970 UTC.

        clock = elapsed + offset + (elapsed - drift_from) x drift_numerator // drift_denominator

    `valid` is False while the clock is known lost: the first rate applies until it is set.
    """

    offset_ms: int
    drift_numerator: int = 0
    drift_denominator: int = 1
    drift_from_ms: int = 0
    valid: bool = True

    def read(self, elapsed_ms: int) -> int:
        """Return the clock at an elapsed time, ms since 1970 UTC."""
        if not self.drift_numerator:
            return elapsed_ms + self.offset_ms
        drift = (elapsed_ms - self.drift_from_ms) * self.drift_numerator // self.drift_denominator
        return elapsed_ms + self.offset_ms + drift

    def when(self, clock: int) -> int:
        """Return the first elapsed time at which the clock reads `clock` or later."""
        if not self.drift_numerator:
            return clock - self.offset_ms
        n, d = self.drift_numerator, self.drift_denominator
        return -(-((clock - self.offset_ms) * d + self.drift_from_ms * n) // (d + n))

    def next_multiple(self, elapsed_ms: int, period: int) -> int:
        """Return the next elapsed time whose clock is a multiple of `period` or later."""
        clock = self.read(elapsed_ms)
        return self.when(clock - clock % period + period)

    def drift(self, elapsed_ms: int, ppm: int) -> None:
        """Run fast or slow by `ppm` from `elapsed_ms` on, without a jump."""
        clock = self.read(elapsed_ms)
        self.drift_from_ms, self.offset_ms = elapsed_ms, clock - elapsed_ms
        self.drift_numerator, self.drift_denominator = ppm, 1_000_000

    def set(self, elapsed_ms: int, clock: int) -> None:
        """Set the clock to `clock` at `elapsed_ms`; the drift continues from there."""
        self.drift_from_ms = elapsed_ms
        self.offset_ms = clock - elapsed_ms
        self.valid = True


class Local(NamedTuple):
    """Local instant: date in days since 1970, ms of the day, and the offset that was applied."""

    date: int
    ms_of_day: int
    offset_ms: int


Transitions = tuple[tuple[int, int], ...]
"""Offset changes of a zone, ascending: (clock in ms since 1970 UTC, minutes from then on)."""


def local_time(clock: int, utc_offset_minutes: int, transitions: Transitions) -> Local:
    """Return local time; the fixed offset applies before the first (UTC ms, min) transition."""
    offset = utc_offset_minutes
    if transitions:
        index = bisect_right(transitions, clock, key=lambda row: row[0])
        offset = transitions[index - 1][1] if index else utc_offset_minutes
    date, ms_of_day = divmod(clock + offset * MINUTE, DAY)
    return Local(date, ms_of_day, offset * MINUTE)


def next_transition(clock: int, transitions: Transitions) -> int | None:
    """Return the clock of the next offset change after `clock`, None where there is none."""
    index = bisect_right(transitions, clock, key=lambda row: row[0])
    return transitions[index][0] if index < len(transitions) else None


def latest_local(clock: int, utc_offset_minutes: int, transitions: Transitions) -> Local:
    """Return the latest local time up to `clock`; after a step back it is later than local time."""
    local = local_time(clock, utc_offset_minutes, transitions)
    index = bisect_right(transitions, clock, key=lambda row: row[0])
    if index and transitions[index - 1][0] > clock - DAY:
        before = local_time(transitions[index - 1][0] - 1, utc_offset_minutes, transitions)
        return max(before, local, key=lambda one: (one.date, one.ms_of_day))
    return local


def first_instant(local_ms: int, utc_offset_minutes: int, transitions: Transitions) -> int:
    """Return the first clock whose local time is `local_ms` or later.

    A local time that is skipped begins at the jump; of a repeated one it is the first.

    Args:
        local_ms: ms since 1970 of the local calendar.
    """
    clock = local_ms - DAY  # every offset is less than a day
    while True:
        offset_ms = local_time(clock, utc_offset_minutes, transitions).offset_ms
        found = max(clock, local_ms - offset_ms)
        change = next_transition(clock, transitions)
        if change is None or found < change:
            return found
        clock = change


def instant_of(local_ms: int, utc_offset_minutes: int, transitions: Transitions) -> int | None:
    """Return the clock of a local time, the first of a repeated one; None for a skipped one.

    A midnight is the first instant of its date (METER.md 1), also where the hour is skipped.
    """
    found = first_instant(local_ms, utc_offset_minutes, transitions)
    reached_ms = found + local_time(found, utc_offset_minutes, transitions).offset_ms
    is_midnight = local_ms % DAY == 0 and reached_ms // DAY == local_ms // DAY
    return found if reached_ms == local_ms or is_midnight else None


def civil(date: int) -> tuple[int, int, int]:
    """Return (year, month, day) of any number of days since 1970-01-01, proleptic Gregorian."""
    era, day_of_era = divmod(date + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def days_since_1970(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a date, proleptic Gregorian; the inverse of `civil`."""
    shifted, month_of_era = year - (month <= 2), (month + 9) % 12
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * month_of_era + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def weekday(date: int) -> int:
    """Return 0 for Monday to 6 for Sunday."""
    return (date + 3) % 7
