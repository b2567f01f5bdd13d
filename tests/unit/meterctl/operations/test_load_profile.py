"""The load profile: gaps are named and never filled, a set clock is marked, no record is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from meterctl.drivers import Page
from meterctl.errors import CorruptAnswerError
from meterctl.operations.load_profile import (
    PERIOD,
    ClockSet,
    Gap,
    GapReason,
    Interval,
    LoadProfile,
    NumberedRecord,
    check_records,
    read_profile,
)
from meterctl.operations.time_span import Span
from protocols.data_model.tables import ProfileRecord, Table
from protocols.quantities import DAY, HOUR, MINUTE, parse_moment
from tests.support.days import Days
from tests.support.wire import connect

START = parse_moment("2026-03-20T00:00:00Z")


def parts_of(days: Days, span: Span = Span()) -> list[Interval | Gap]:
    session, _ = connect(days.meter)
    return list(read_profile(session.driver, span).parts(span))


def gaps(parts: list[Interval | Gap]) -> list[Gap]:
    return [part for part in parts if isinstance(part, Gap)]


def intervals(parts: list[Interval | Gap]) -> list[Interval]:
    return [part for part in parts if isinstance(part, Interval)]


def test_quarter_hours_follow_each_other_with_their_energy_and_mean_power() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(6)
    parts = intervals(parts_of(days))
    assert len(parts) == 24
    assert parts[0].begin == START
    assert all(one.end == two.begin for one, two in pairwise(parts))
    assert {(one.record.import_mwh, one.mean_mw) for one in parts} == {(125_000, 500_000)}


def test_a_power_cut_is_a_gap_after_its_marked_record_and_is_not_filled() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(1.1)
    days.cut(3)
    days.run(1)
    parts = parts_of(days)
    (gap,) = gaps(parts)
    assert gap == Gap(START + HOUR + PERIOD, START + 4 * HOUR, GapReason.POWER_DOWN)
    before, after = (parts[parts.index(gap) + by] for by in (-1, 1))
    assert isinstance(before, Interval)
    assert before.record.power_down
    assert isinstance(after, Interval)
    assert after.begin == gap.end


def test_a_cut_within_a_quarter_hour_leaves_no_gap() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(1.05)
    days.cut(0.1)
    days.run(1)
    parts = parts_of(days)
    assert gaps(parts) == []
    assert [one.number for one in intervals(parts) if one.record.power_down] == [5]


def test_a_clock_that_was_set_forward_leaves_a_gap_up_to_the_time_to_which_it_was_set() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(1.1)
    set_at = days.clock
    days.set_clock(3 * HOUR + 1234)
    days.run(1)
    parts = parts_of(days)
    (gap,) = gaps(parts)
    assert gap == Gap(set_at, set_at + 3 * HOUR + 1234, GapReason.CLOCK_SET)
    assert intervals(parts)[4].record.clock_set
    assert all(abs((one.mean_mw or 0) - 500_000) < 20 for one in intervals(parts))


def test_a_clock_that_was_set_back_repeats_times_and_they_are_marked() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(4.1)
    set_at = days.clock
    days.set_clock(-2 * HOUR)
    days.run(4)
    parts = intervals(parts_of(days))
    assert gaps(list(parts)) == []
    repeated = [one for one in parts if one.time_repeated]
    assert repeated[0].begin == set_at - 2 * HOUR
    assert max(one.begin or 0 for one in repeated) < set_at
    assert len(repeated) == 9
    assert sum(one.record.import_mwh for one in parts) == 8 * 500_000


def test_without_the_event_log_the_begin_after_a_set_clock_is_not_told() -> None:
    first = ProfileRecord(START + 7 * MINUTE, 5, 0, clock_set=True)
    second = ProfileRecord(START + 3 * HOUR, 7, 0)
    rows = [NumberedRecord(1, first), NumberedRecord(2, second)]
    one, gap, two = LoadProfile(rows).parts(Span())
    assert isinstance(two, Interval)
    assert (two.begin, two.mean_mw) == (None, None)
    assert gap == Gap(first.end, second.end - PERIOD, GapReason.CLOCK_SET)
    known = {first.end // 1000: ClockSet(first.end, START + 3 * HOUR - 2 * MINUTE)}
    *_, two = LoadProfile(rows, None, known).parts(Span())
    assert two.begin == START + 3 * HOUR - 2 * MINUTE
    older = {first.end // 1000: ClockSet(first.end, START - DAY)}
    *_, two = LoadProfile(rows, None, older).parts(Span())
    assert two.begin == second.end - PERIOD, "an event of another time is not believed"
    assert isinstance(one, Interval)
    assert one.begin == START


def test_a_clock_that_is_set_at_the_end_of_a_quarter_hour_has_an_empty_record() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(1)
    days.set_clock(HOUR)
    days.run(1)
    parts = parts_of(days)
    empty = intervals(parts)[4]
    assert (empty.begin, empty.end, empty.mean_mw) == (START + HOUR, START + HOUR, None)
    assert not any(one.time_repeated for one in intervals(parts))
    assert gaps(parts) == [Gap(START + HOUR, START + 2 * HOUR, GapReason.CLOCK_SET)]


def test_numbers_that_are_not_kept_any_more_are_a_gap_of_their_own() -> None:
    rows = [NumberedRecord(number, ProfileRecord(START + number * PERIOD, 1, 0))
            for number in (1, 2, 9)]  # fmt: skip
    (gap,) = gaps(list(LoadProfile(rows).parts(Span())))
    assert gap == Gap(START + 2 * PERIOD, START + 8 * PERIOD, GapReason.NOT_KEPT)


def test_a_span_before_the_oldest_record_is_not_kept() -> None:
    days = Days("2026-03-20T00:00:00Z", profile_days=1)
    days.run(72)
    kept = START + 2 * DAY
    assert parts_of(days, Span(START, START + HOUR)) == [
        Gap(START, START + HOUR, GapReason.NOT_KEPT)
    ]
    first, *rest = parts_of(days, Span(kept - HOUR, kept + HOUR))
    assert first == Gap(kept - HOUR, kept, GapReason.NOT_KEPT)
    assert len(intervals(list(rest))) == 4


def test_a_span_within_a_gap_shows_the_gap() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(1)
    days.cut(10)
    days.run(1)
    inside = Span(START + 4 * HOUR, START + 5 * HOUR)
    assert parts_of(days, inside) == [Gap(inside.begin or 0, inside.end or 0, GapReason.POWER_DOWN)]


def test_a_span_after_the_newest_record_shows_nothing() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(3)
    assert parts_of(days, Span(START + DAY, None)) == []
    assert parts_of(Days(), Span(START, START + DAY)) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_span_has_exactly_the_records_of_a_whole_read(seed: int) -> None:
    random = Random(f"profile/{seed}")
    days = Days("2026-03-20T00:00:00Z")
    for _ in range(random.randrange(9)):
        days.run(random.randrange(1, 30 * 3600) / 3600)
        match random.randrange(3):
            case 0:
                days.cut(random.randrange(1, 10 * 3600) / 3600)
            case 1:
                days.set_clock(random.randrange(-40 * HOUR, 40 * HOUR))
            case _:
                days.set_clock(random.choice((-1, 1)) * random.randrange(1, 40) * PERIOD)
    days.run(20)
    whole = parts_of(days)
    ends = [part.end for part in whole]
    for _ in range(4):
        begin = random.randrange(min(ends) - DAY, max(ends))
        span = Span(begin, begin + random.randrange(1, 30 * HOUR))
        wanted = [one for one in intervals(whole) if begin < one.end <= (span.end or 0)]
        found = parts_of(days, span)
        assert [one.number for one in intervals(found)] == [one.number for one in wanted]
        assert [one.begin for one in intervals(found)] == [one.begin for one in wanted]
        cut = {
            (max(gap.begin, begin), min(gap.end, span.end or 0), gap.reason)
            for gap in gaps(whole)
            if gap.begin < (span.end or 0) and gap.end > begin
        }
        assert {(gap.begin, gap.end, gap.reason) for gap in gaps(found)} >= cut


def test_one_day_of_a_year_needs_few_reads() -> None:
    days = Days("2026-01-01T00:00:00Z", profile_days=366, credit=9_000 * 10**10)
    days.run(200 * 24)
    days.cut(5)
    days.run(150 * 24)
    session, transport = connect(days.meter)
    begin = parse_moment("2026-04-01T00:00:00Z")
    found = read_profile(session.driver, Span(begin, begin + DAY))
    assert len(intervals(list(found.parts(Span(begin, begin + DAY))))) == 96
    assert transport.exchanges < 30


def records(*ends: int, marked: int = 0) -> list[NumberedRecord]:
    """Return records that end so many minutes after the start; one is marked with a set clock."""
    return [
        NumberedRecord(
            number, ProfileRecord(START + end * MINUTE, 1, 0, clock_set=number == marked)
        )
        for number, end in enumerate(ends, 1)
    ]


@pytest.mark.parametrize("ends", [(30, 15), (15, 15), (15, 30, 45, 30)])
def test_records_whose_ends_do_not_rise_are_corrupt(ends: tuple[int, ...]) -> None:
    with pytest.raises(CorruptAnswerError, match=f"profile record {len(ends)} does not end after"):
        check_records(records(*ends))


def test_a_record_that_ends_within_a_period_is_corrupt_unless_the_clock_was_set() -> None:
    with pytest.raises(CorruptAnswerError, match="record 2 ends at no period's end"):
        check_records(records(15, 22, 30))
    check_records(records(15, 22, 30, marked=2))


def test_a_clock_that_was_set_back_makes_no_record_corrupt() -> None:
    check_records(records(60, 75, 15, 30, marked=2))
    check_records(records(60, 60, 15, marked=2))
    late, early = records(60, 15)
    check_records([late, early._replace(number=9)])


def test_rows_in_wrong_order_within_a_reply_are_no_profile() -> None:
    days = Days("2026-03-20T00:00:00Z")
    days.run(30)

    session, _ = connect(days.meter)
    page_of = session.driver.page

    def reversed_page(table: Table, first: int = 0) -> Page:
        page = page_of(table, first)
        return replace(page, rows=page.rows[::-1])

    session.driver.page = reversed_page  # type: ignore[method-assign]
    for span in (Span(), Span(START, START + 4 * HOUR)):
        with pytest.raises(CorruptAnswerError, match="does not end after"):
            read_profile(session.driver, span)
