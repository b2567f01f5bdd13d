"""The local calendar: day tables, rates, friendly windows, billing periods (METER.md 1, 5, 6)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.clock import Local
from firmware_sim.settings import Settings
from firmware_sim.tariff.calendar import (
    SPANS_KEPT,
    Spans,
    billing_period,
    billing_year,
    day_table,
    friendly_at,
    next_local_edge,
    rate_at,
)
from protocols.data_model.items import Windows
from protocols.data_model.tariff import DayTables, Seasons, Steps, Tariff
from protocols.quantities import DAY, HOUR

modest = settings(deadline=None, max_examples=100, database=None)


def on(year: int, month: int, day: int) -> int:
    """Return a date as days since 1970-01-01."""
    return date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()


def local(day: int, hour: int = 0, minute: int = 0, ms: int = 0) -> Local:
    return Local(day, (hour * 60 + minute) * 60_000 + ms, 0)


THURSDAY = on(2026, 1, 1)
SUMMER = Seasons(starts=((4, 1, 1), (10, 1, 2)))
PEAK = Tariff(day_tables=DayTables((((8 * 60, 2), (22 * 60, 1)),)))
"""Rate 2 from 08:00 to 22:00; before 08:00 the table's last entry applies."""


@pytest.mark.parametrize(
    ("day", "table"),
    [
        (on(2026, 4, 1), 1),
        (on(2026, 9, 30), 1),
        (on(2026, 10, 1), 2),
        (on(2026, 12, 31), 2),
        (on(2026, 1, 1), 2),
        (on(2026, 3, 31), 2),
    ],
)
def test_a_season_holds_from_its_start_and_the_last_one_over_new_year(day: int, table: int) -> None:
    assert day_table(day, SUMMER) == table


def test_a_holiday_goes_before_a_weekday_and_a_weekday_before_a_season() -> None:
    weekdays = (0, 0, 0, 3, 0, 0, 0)
    seasons = Seasons(SUMMER.starts, weekdays, ((THURSDAY, 4),))
    assert day_table(THURSDAY, seasons) == 4
    assert day_table(THURSDAY + 7, seasons) == 3
    assert day_table(THURSDAY + 1, seasons) == 2


def test_a_holiday_of_table_0_keeps_the_table_of_its_day() -> None:
    assert day_table(THURSDAY, Seasons(holidays=((THURSDAY, 0),))) == 1


@pytest.mark.parametrize(
    ("hour", "minute", "ms", "rate"),
    [(0, 0, 0, 1), (7, 59, 59_999, 1), (8, 0, 0, 2), (21, 59, 59_999, 2), (22, 0, 0, 1)],
)
def test_a_rate_begins_at_its_minute_and_the_last_one_holds_before_the_first(
    hour: int, minute: int, ms: int, rate: int
) -> None:
    assert rate_at(local(THURSDAY, hour, minute, ms), PEAK) == rate


@pytest.mark.parametrize(
    ("hour", "minute", "friendly"),
    [(21, 59, False), (22, 0, True), (0, 0, True), (5, 59, True), (6, 0, False)],
)
def test_a_friendly_window_may_pass_midnight(hour: int, minute: int, friendly: bool) -> None:
    settings = Settings(friendly_hours=Windows().pack([(22 * 60, 6 * 60)]))
    assert friendly_at(local(THURSDAY, hour, minute), settings, Tariff()) is friendly


@pytest.mark.parametrize(
    ("hour", "minute", "friendly"),
    [(11, 59, False), (12, 0, True), (12, 59, True), (13, 0, False)],
)
def test_a_friendly_window_holds_from_its_first_minute_to_before_its_last(
    hour: int, minute: int, friendly: bool
) -> None:
    settings = Settings(friendly_hours=Windows().pack([(0, 1), (12 * 60, 13 * 60)]))
    assert friendly_at(local(THURSDAY, hour, minute), settings, Tariff()) is friendly


def test_weekends_and_holidays_are_friendly_only_where_they_are_set() -> None:
    holiday = Tariff(seasons=Seasons(holidays=((THURSDAY, 0),)))
    saturday, sunday, monday = (local(THURSDAY + n) for n in (2, 3, 4))
    weekends, holidays = Settings(friendly_weekends=1), Settings(friendly_holidays=1)
    assert friendly_at(saturday, weekends, holiday)
    assert friendly_at(sunday, weekends, holiday)
    assert not friendly_at(monday, weekends, holiday)
    assert not friendly_at(local(THURSDAY), weekends, holiday)
    assert friendly_at(local(THURSDAY), holidays, holiday)
    assert not friendly_at(local(THURSDAY + 1), holidays, holiday)


def test_a_billing_period_ends_at_its_day_and_hour() -> None:
    steps = Steps(billing_day=15, billing_hour=6)
    before = billing_period(local(on(2026, 1, 15), 5, 59, 59_999), steps)
    assert billing_period(local(on(2026, 1, 15), 6), steps) == before + 1
    assert billing_period(local(on(2026, 1, 31), 23), steps) == before + 1
    assert billing_period(local(on(2025, 12, 15), 6), steps) == before


def test_a_billing_year_ends_at_its_date() -> None:
    steps = Steps(year_month=7, year_day=1)
    assert billing_year(local(on(2026, 6, 30), 23), steps) == 2025
    assert billing_year(local(on(2026, 7, 1)), steps) == 2026


@pytest.mark.parametrize(
    ("now", "edge"),
    [
        (local(THURSDAY), local(THURSDAY, 8)),
        (local(THURSDAY, 8), local(THURSDAY, 12)),
        (local(THURSDAY, 12), local(THURSDAY, 13)),
        (local(THURSDAY, 13), local(THURSDAY, 22)),
        (local(THURSDAY, 22), local(THURSDAY + 1)),
    ],
)
def test_the_next_edge_is_a_rate_a_window_or_midnight(now: Local, edge: Local) -> None:
    settings = Settings(friendly_hours=Windows().pack([(12 * 60, 13 * 60)]))
    assert next_local_edge(now, settings, PEAK) == edge.date * DAY + edge.ms_of_day


def test_the_billing_hour_is_an_edge_on_its_day_only() -> None:
    tariff = Tariff(steps=Steps(billing_day=1, billing_hour=6))
    assert next_local_edge(local(THURSDAY), Settings(), tariff) == THURSDAY * DAY + 6 * HOUR
    assert next_local_edge(local(THURSDAY + 1), Settings(), tariff) == (THURSDAY + 2) * DAY


@modest
@given(st.lists(st.integers(0, 60), max_size=12))
def test_spans_hold_exactly_what_was_added(numbers: list[int]) -> None:
    spans = Spans()
    for number in numbers:
        spans = spans.adding(number)
    assert {number for number in range(-1, 62) if number in spans} == set(numbers)
    ends = [end for span in spans.spans for end in span]
    assert ends == sorted(ends)


def test_beyond_the_limit_the_oldest_gap_counts_as_processed() -> None:
    spans = Spans()
    for number in range(0, 2 * (SPANS_KEPT + 1), 2):
        spans = spans.adding(number)
    assert len(spans.spans) == SPANS_KEPT
    assert 1 in spans
    assert 3 not in spans


def test_a_friendly_window_of_two_equal_times_is_none() -> None:
    settings = Settings(friendly_hours=Windows().pack([(0, 0), (12 * 60, 12 * 60)]))
    for hour in (0, 11, 12, 13, 23):
        assert not friendly_at(local(THURSDAY, hour), settings, Tariff())


def test_numbers_that_follow_each_other_are_one_span_from_the_first_to_the_last() -> None:
    spans = Spans()
    for number in (3, 4, 5, 9, 2, 10, 6):
        spans = spans.adding(number)
    assert spans.spans == ((2, 6), (9, 10))
    assert spans.adding(4) is spans


def test_a_friendly_window_of_a_whole_day_holds_at_every_minute() -> None:
    whole = Settings(friendly_hours=Windows().parse("00:00-24:00"))
    late = [Settings(friendly_hours=Windows().parse(f"22:00-{end}")) for end in ("24:00", "00:00")]
    for hour in range(24):
        assert friendly_at(local(THURSDAY, hour), whole, Tariff())
        for one in late:
            assert friendly_at(local(THURSDAY, hour), one, Tariff()) is (hour >= 22)
    assert next_local_edge(local(THURSDAY, 1), whole, Tariff()) == (THURSDAY + 1) * DAY
