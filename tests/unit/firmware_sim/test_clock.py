"""The meter clock and local time: drift, its inverse, offset changes, civil dates (METER.md 1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.clock import (
    LAST_CLOCK,
    LAST_DATE,
    Clock,
    Local,
    civil,
    instant_of,
    local_time,
    next_transition,
    weekday,
)
from firmware_sim.description.zones import transitions
from protocols.quantities import DAY, parse_moment

modest = settings(deadline=None, max_examples=100, database=None)

NOON = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""
DATE = 20_454
"""2026-01-01, days since 1970-01-01."""

ELAPSED = st.integers(0, 10**13)
PPM = st.integers(-100_000, 100_000)


def drifting(ppm: int) -> Clock:
    return Clock(NOON, ppm, 1_000_000)


def test_a_clock_without_drift_is_elapsed_time_and_offset() -> None:
    assert Clock(NOON).read(5) == NOON + 5
    assert Clock(NOON).when(NOON + 5) == 5


@pytest.mark.parametrize(("ppm", "gained"), [(100, 100), (-100, -100), (1, 1), (-1, -1)])
def test_a_drift_of_one_ppm_is_a_millisecond_in_a_thousand_seconds(ppm: int, gained: int) -> None:
    assert drifting(ppm).read(1_000_000) == NOON + 1_000_000 + gained


@modest
@given(ppm=PPM, elapsed=ELAPSED)
def test_when_is_the_first_instant_at_which_a_reading_is_reached(ppm: int, elapsed: int) -> None:
    clock = drifting(ppm)
    reading = clock.read(elapsed)
    at = clock.when(reading)
    assert at <= elapsed
    assert clock.read(at) >= reading
    assert clock.read(at - 1) < reading


@modest
@given(ppm=PPM, elapsed=ELAPSED, changed=PPM)
def test_a_new_drift_makes_no_jump(ppm: int, elapsed: int, changed: int) -> None:
    clock = drifting(ppm)
    before = clock.read(elapsed)
    clock.drift(elapsed, changed)
    assert clock.read(elapsed) == before


@modest
@given(ppm=PPM, elapsed=ELAPSED, clock_ms=st.integers(0, 4_102_444_799_999))
def test_a_set_clock_reads_what_it_was_set_to_and_keeps_its_drift(
    ppm: int, elapsed: int, clock_ms: int
) -> None:
    clock = drifting(ppm)
    clock.valid = False
    clock.set(elapsed, clock_ms)
    assert clock.valid
    assert clock.read(elapsed) == clock_ms
    assert clock.read(elapsed + 1_000_000) == clock_ms + 1_000_000 + ppm


@pytest.mark.parametrize(("elapsed", "wanted"), [(0, 900), (1, 900), (899, 900), (900, 1800)])
def test_the_next_multiple_is_after_now(elapsed: int, wanted: int) -> None:
    assert Clock(0).next_multiple(elapsed, 900) == wanted


@pytest.mark.parametrize(
    ("clock", "wanted"),
    [
        (NOON, Local(DATE, DAY // 2, 0)),
        (NOON - DAY // 2, Local(DATE, 0, 0)),
        (NOON - DAY // 2 - 1, Local(DATE - 1, DAY - 1, 0)),
    ],
)
def test_local_time_without_offset_is_utc(clock: int, wanted: Local) -> None:
    assert local_time(clock, 0, ()) == wanted


def test_an_offset_moves_the_local_date() -> None:
    assert local_time(NOON, 12 * 60, ()) == Local(DATE + 1, 0, 12 * 3_600_000)
    assert local_time(NOON, -12 * 60, ()) == Local(DATE, 0, -12 * 3_600_000)


def test_an_offset_change_holds_from_its_instant_on() -> None:
    changes = ((NOON, 60), (NOON + DAY, 120))
    offsets = [
        local_time(at, 30, changes).offset_ms // 60_000
        for at in (NOON - 1, NOON, NOON + DAY - 1, NOON + DAY)
    ]
    assert offsets == [30, 60, 60, 120]


def test_the_next_offset_change_lies_after_the_clock() -> None:
    changes = ((NOON, 60), (NOON + DAY, 120))
    assert next_transition(NOON - 1, changes) == NOON
    assert next_transition(NOON, changes) == NOON + DAY
    assert next_transition(NOON + DAY, changes) is None
    assert next_transition(NOON, ()) is None


@modest
@given(st.dates())
def test_civil_dates_and_weekdays_are_those_of_the_gregorian_calendar(day: date) -> None:
    number = (day - date(1970, 1, 1)) // timedelta(days=1)
    assert civil(number) == (day.year, day.month, day.day)
    assert weekday(number) == day.weekday()


def test_every_date_of_four_centuries_and_their_neighbours_is_that_of_the_calendar() -> None:
    epoch = date(1970, 1, 1).toordinal()
    for days in range(date(1999, 1, 1).toordinal() - epoch, date(2401, 1, 1).toordinal() - epoch):
        day = date.fromordinal(days + epoch)
        assert civil(days) == (day.year, day.month, day.day)


def test_the_first_clock_that_is_a_mistake_is_that_of_2100() -> None:
    assert 1000 * int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) == LAST_CLOCK
    assert civil(LAST_DATE) == (2100, 1, 1)


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("America/Havana", "2026-03-08T00:00:00Z", "2026-03-08T05:00:00Z"),
        ("Africa/Cairo", "2026-04-24T00:00:00Z", "2026-04-23T22:00:00Z"),
        ("America/Havana", "2026-03-08T00:30:00Z", None),
        ("Europe/Berlin", "2026-03-29T02:00:00Z", None),
        ("Pacific/Apia", "2011-12-30T00:00:00Z", None),
    ],
)
def test_a_midnight_that_is_skipped_is_the_first_instant_of_its_date(
    zone: str, local: str, instant: str | None
) -> None:
    found = instant_of(parse_moment(local), 0, transitions(zone))
    assert found == (parse_moment(instant) if instant else None)
