"""Local calendar: rate in force, friendly windows, billing periods and the next change.

Pure functions of the local date and the millisecond of the day (METER.md 1, 5 and 6).
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.clock import Local, civil, days_since_1970, weekday
from firmware_sim.settings import Settings
from protocols.data_model.items import Windows
from protocols.data_model.tariff import Seasons, Steps, Tariff
from protocols.quantities import DAY, HOUR, MINUTE

_WINDOWS = Windows()
OFFSETS_KEPT = 16
"""Limit: a fixed offset is a setting that an installer corrects; the oldest are forgotten."""
SPANS_KEPT = 16
"""Limit: gaps come from clock commands only; more spans mean a clock that is set every day."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Integers that were processed and are not processed again, as disjoint ascending spans."""

    spans: tuple[tuple[int, int], ...] = ()

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.spans)

    def adding(self, number: int) -> Spans:
        """Return the spans with `number` added."""
        if number in self:
            return self
        merged = sorted([*self.spans, (number, number)])
        out = [merged[0]]
        for first, last in merged[1:]:
            if first <= out[-1][1] + 1:
                out[-1] = (out[-1][0], max(last, out[-1][1]))
            else:
                out.append((first, last))
        while len(out) > SPANS_KEPT:
            # the oldest gap is closed: its numbers count as processed
            out[:2] = [(out[0][0], out[1][1])]
        return Spans(tuple(out))


@dataclass(slots=True)
class CalendarState:
    """Current date, billing period and year, and those that were processed."""

    date: int
    billing: int
    year: int
    rate: int = 1
    friendly: bool = False
    dates_done: Spans = Spans()
    billings_done: Spans = Spans()
    years_done: Spans = Spans()
    past_offsets: tuple[tuple[int, int], ...] = ()
    """Offsets of a meter without a zone before the present one: (until which clock, minutes)."""


def day_table(date: int, seasons: Seasons) -> int:
    """Return the day table (from 1) of a local date: holiday before weekday before season."""
    for holiday, table in seasons.holidays:
        if holiday == date and table:
            return table
    if by_weekday := seasons.weekdays[weekday(date)]:
        return by_weekday
    _, month, day = civil(date)
    held = [table for m, d, table in seasons.starts if (m, d) <= (month, day)]
    return held[-1] if held else seasons.starts[-1][2]


def rate_at(local: Local, tariff: Tariff) -> int:
    """Return the rate (from 1) in force; before a table's first entry its last applies."""
    table = tariff.day_tables.tables[day_table(local.date, tariff.seasons) - 1]
    minute = local.ms_of_day // MINUTE
    held = [rate for start, rate in table if start <= minute]
    return held[-1] if held else table[-1][1]


def friendly_at(local: Local, settings: Settings, tariff: Tariff) -> bool:
    """Return whether a friendly window inhibits disconnection for credit."""
    if settings.friendly_weekends and weekday(local.date) >= 5:
        return True
    if settings.friendly_holidays and any(
        date == local.date for date, _ in tariff.seasons.holidays
    ):
        return True
    minute = local.ms_of_day // MINUTE
    return any(
        start <= minute < end if start < end else (minute >= start or minute < end)
        for start, end in _WINDOWS.pairs(settings.friendly_hours)
    )


def billing_period(local: Local, steps: Steps) -> int:
    """Return the number of the billing period: months, counted from the billing day and hour."""
    year, month, day = civil(local.date)
    begun = (day, local.ms_of_day // HOUR) >= (steps.billing_day, steps.billing_hour)
    return year * 12 + month - (not begun)


def billing_year(local: Local, steps: Steps) -> int:
    """Return the number of the billing year."""
    year, month, day = civil(local.date)
    return year - ((month, day) < (steps.year_month, steps.year_day))


def period_begin(period: int, steps: Steps) -> int:
    """Return the local ms since 1970 at which a billing period begins; it ends the one before."""
    year, month = divmod(period - 1, 12)
    date = days_since_1970(year, month + 1, steps.billing_day)
    return date * DAY + steps.billing_hour * HOUR


def year_begin(year: int, steps: Steps) -> int:
    """Return the local ms since 1970 at which a billing year begins."""
    return days_since_1970(year, steps.year_month, steps.year_day) * DAY


def next_local_edge(local: Local, settings: Settings, tariff: Tariff) -> int:
    """Return the local ms since 1970 of the next possible change on this date, or of its end."""
    table = tariff.day_tables.tables[day_table(local.date, tariff.seasons) - 1]
    edges = [start * MINUTE for start, _ in table]
    edges += [
        minute * MINUTE for pair in _WINDOWS.pairs(settings.friendly_hours) for minute in pair
    ]
    if civil(local.date)[2] == tariff.steps.billing_day:
        edges.append(tariff.steps.billing_hour * HOUR)
    return local.date * DAY + min((edge for edge in edges if edge > local.ms_of_day), default=DAY)
