"""The course of a value over a watch: its means, in constant memory, and its bars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.cli.watching.load_history import ASCII_BARS, BARS, BUCKETS, LoadHistory, bars

SECOND = 1000


def history(*values: int) -> LoadHistory:
    """Return the course of values, one a second."""
    made = LoadHistory(SECOND)
    for number, value in enumerate(values):
        made.add(5_000 + number * SECOND, value)
    return made


def test_values_of_one_second_each_are_shown_as_they_are() -> None:
    assert history(1, 2, 3).means(10) == [1, 2, 3]


def test_a_longer_course_is_shown_by_means_of_equal_times() -> None:
    assert history(1, 3, 5, 7, 9).means(3) == [2, 6, 9]


def test_a_time_without_values_is_a_gap() -> None:
    made = history(4)
    made.add(5_000 + 3 * SECOND, 8)
    assert made.means(10) == [4, None, None, 8]
    assert bars(made.means(10), 1, BARS) == ["▄  █"]


def test_extent_and_duration_are_of_the_whole_watch() -> None:
    made = history(4, -2, 3)
    assert (made.low, made.high, made.duration_ms) == (-2, 4, 2 * SECOND)


def test_a_day_of_readings_keeps_a_bounded_number_of_points() -> None:
    made = LoadHistory(SECOND)
    for second in range(0, 86_400, 7):
        made.add(second * SECOND, second)
    means = made.means(BUCKETS)
    assert BUCKETS // 4 < len(means) <= BUCKETS
    assert None not in means
    assert means == sorted(means, key=int)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40), st.integers(1, 9))
def test_any_course_fits_its_width_and_its_rows(values: list[int], rows: int) -> None:
    means = history(*values).means(12)
    drawn = bars(means, rows, ASCII_BARS)
    assert len(drawn) == rows
    assert {len(row) for row in drawn} == {len(means)}
    assert len(means) <= 12


def test_bars_begin_at_zero_and_fill_rows_from_below() -> None:
    assert bars([0, 50, 100], 1, BARS) == ["▁▄█"]
    assert bars([0, 100], 2, BARS) == [" █", "▁█"]
    assert bars([-100, 0], 1, BARS) == ["▁█"]


@pytest.mark.parametrize("glyphs", [BARS, ASCII_BARS])
def test_no_load_at_all_is_the_lowest_bar(glyphs: str) -> None:
    assert bars([0, 0], 1, glyphs) == [glyphs[0] * 2]
