"""Dates, midnights and working days of a company's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.calendar import (
    Night,
    WorkingDays,
    days_between,
    local_date,
    midnight,
    night_of,
    zone_named,
)
from protocols.quantities import HOUR, parse_moment

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai",
        "America/Sao_Paulo",
        "America/Havana",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "UTC",
    )
]
NATIONAL_DAY = WorkingDays(
    {
        **{date(2026, 10, day): False for day in (1, 2, 5, 6, 7)},
        date(2026, 9, 20): True,
        date(2026, 10, 10): True,
    },
    date(2026, 12, 31),
)


def test_the_date_of_an_instant_is_that_of_the_zone() -> None:
    assert local_date(parse_moment("2026-09-21T15:59:59.999Z"), SHANGHAI) == date(2026, 9, 21)
    assert local_date(parse_moment("2026-09-21T16:00:00Z"), SHANGHAI) == date(2026, 9, 22)
    assert local_date(-1, ZoneInfo("UTC")) == date(1969, 12, 31)


@pytest.mark.parametrize(
    ("zone", "on", "first_instant"),
    [
        ("Asia/Shanghai", date(2026, 9, 21), "2026-09-20T16:00:00Z"),
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00Z"),  # 00:00 is skipped
        ("America/Havana", date(2020, 11, 1), "2020-11-01T04:00:00Z"),  # 00:00 comes twice
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00Z"),  # the date is skipped
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30:00Z"),  # 23:30 to 00:30 skipped
    ],
)
def test_midnight_is_the_first_instant_of_a_date(zone: str, on: date, first_instant: str) -> None:
    at = midnight(on, ZoneInfo(zone))
    assert at == parse_moment(first_instant)
    assert local_date(at - 1, ZoneInfo(zone)) < on <= local_date(at, ZoneInfo(zone))


@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2040, 1, 1)))
def test_a_date_lasts_from_its_midnight_to_the_next(zone: ZoneInfo, on: date) -> None:
    begin, end = midnight(on, zone), midnight(on + timedelta(days=1), zone)
    assert local_date(begin - 1, zone) < on
    assert 0 <= end - begin <= 25 * HOUR
    if end > begin:
        assert local_date(begin, zone) == local_date(end - 1, zone) == on


@given(st.sampled_from(ZONES), st.integers(0, 4_000_000_000_000))
def test_an_instant_lies_after_the_midnight_of_its_date(zone: ZoneInfo, at: int) -> None:
    on = local_date(at, zone)
    assert on == datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).date()
    assert midnight(on, zone) <= at < midnight(on + timedelta(days=1), zone)


def test_days_are_counted_from_one_date_to_another() -> None:
    assert days_between(date(2026, 2, 27), date(2026, 3, 1)) == 2
    assert days_between(date(2026, 3, 1), date(2026, 2, 27)) == -2


@pytest.mark.parametrize("name", ["Asia/Peking", "", "America", "../etc/passwd", "a\0b"])
def test_a_zone_that_there_is_not_is_refused_by_name(name: str) -> None:
    with pytest.raises(Invalid, match="no time zone") as refused:
        zone_named(name)
    assert refused.value.code == "unknown_zone"


def test_a_zone_has_a_name() -> None:
    assert zone_named("Asia/Shanghai") == SHANGHAI


def test_listed_dates_go_before_weekdays() -> None:
    assert NATIONAL_DAY.works(date(2026, 9, 30))
    assert not NATIONAL_DAY.works(date(2026, 10, 1))
    assert NATIONAL_DAY.works(date(2026, 10, 10))  # a Saturday
    assert not NATIONAL_DAY.works(date(2026, 10, 11))


def test_after_the_listed_years_only_the_weekday_counts_and_it_is_told() -> None:
    assert NATIONAL_DAY.is_known(date(2026, 12, 31))
    assert not NATIONAL_DAY.is_known(date(2027, 1, 1))
    assert NATIONAL_DAY.works(date(2027, 10, 1))  # a Friday


def test_working_days_are_counted_without_the_first_date_and_with_the_last() -> None:
    assert NATIONAL_DAY.between(date(2026, 9, 30), date(2026, 10, 10)) == 3
    assert NATIONAL_DAY.between(date(2026, 9, 30), date(2026, 10, 7)) == 0
    assert NATIONAL_DAY.between(date(2026, 10, 10), date(2026, 9, 30)) == 0


def test_the_working_day_after_a_date() -> None:
    assert NATIONAL_DAY.after(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert NATIONAL_DAY.after(date(2026, 9, 30), 3) == date(2026, 10, 10)


@given(st.dates(date(2026, 1, 1), date(2027, 6, 1)), st.integers(1, 30))
def test_the_nth_working_day_after_a_date_is_n_working_days_later(on: date, count: int) -> None:
    there = NATIONAL_DAY.after(on, count)
    assert NATIONAL_DAY.works(there)
    assert NATIONAL_DAY.between(on, there) == count


def test_a_night_begins_two_hours_after_the_midnight_of_its_date() -> None:
    two = midnight(date(2026, 9, 22), SHANGHAI) + 2 * HOUR
    assert night_of(two, SHANGHAI) == Night(date(2026, 9, 22), two)
    assert night_of(two - 1, SHANGHAI) == Night(date(2026, 9, 21), two - 24 * HOUR)
    assert night_of(two + 24 * HOUR - 1, SHANGHAI) == Night(date(2026, 9, 22), two)
