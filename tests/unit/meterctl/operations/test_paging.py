"""Rows page by page: none is lost or doubled while the meter adds rows and drops old ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, cast

import pytest

from firmware_sim.records.ring import PROFILE_RING
from meterctl.drivers import Page, Reader
from meterctl.errors import CorruptAnswerError
from meterctl.operations.paging import Pages, numbered, paged
from protocols.data_model.tables import DAILY_FREEZES, EVENTS, PROFILE
from protocols.quantities import DAY, HOUR
from tests.support.days import Days
from tests.support.wire import connect


def test_all_rows_come_once_and_oldest_first() -> None:
    days = Days()
    days.run(70 * 24)
    session, _ = connect(days.meter)
    freezes = list(paged(session.driver, DAILY_FREEZES))
    assert [row.number for row in freezes] == list(range(9, 71)), "62 are kept"
    assert len(list(paged(session.driver, PROFILE))) == 960


def test_a_read_begins_at_the_row_that_is_asked_for() -> None:
    days = Days()
    days.run(10 * 24)
    session, _ = connect(days.meter)
    assert [row.number for row in paged(session.driver, DAILY_FREEZES, 8)] == [8, 9, 10]
    assert list(paged(session.driver, DAILY_FREEZES, 11)) == []


def test_a_table_without_rows_has_no_page() -> None:
    session, _ = connect(Days().meter)
    assert list(paged(session.driver, PROFILE)) == []


def test_rows_that_are_added_while_a_table_is_read_neither_shift_nor_repeat_others() -> None:
    days = Days()
    days.run(3 * 24)
    reads = 0

    def grow(_: int, direction: str, data: bytes) -> bytes:
        nonlocal reads
        if direction == "request":
            reads += 1
            days.run(1.5)
        return data

    session, _ = connect(days.meter, grow)
    before = days.meter.rings[PROFILE_RING].last
    found = list(numbered(session.driver, PROFILE))
    assert reads > 10
    assert [number for number, _ in found][:before] == list(range(1, before + 1))
    ends = [record.end for _, record in found]
    assert {late - early for early, late in pairwise(ends)} == {HOUR // 4}


def test_rows_that_are_dropped_while_a_table_is_read_are_missing_by_their_number() -> None:
    days = Days(profile_days=2)
    days.run(10 * 24)

    def rush(exchange: int, direction: str, data: bytes) -> bytes:
        if direction == "request" and exchange == 7:
            days.run(40)
        return data

    session, _ = connect(days.meter, rush)
    found = list(numbered(session.driver, PROFILE))
    numbers = [number for number, _ in found]
    (jump,) = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    assert jump[1] > jump[0] + 20
    assert len(set(numbers)) == len(numbers)


class Scripted:
    """A reader whose pages are listed."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages, self.asked = list(pages), list[int]()

    def page(self, _: object, first: int = 0) -> Page:
        self.asked.append(first)
        return self.pages.pop(0)


def scripted(*pages: Page) -> tuple[Reader, Scripted]:
    made: Any = Scripted(pages)
    return cast(Reader, made), made


def test_a_late_reply_for_a_later_page_is_not_taken_for_rows_that_are_not_kept() -> None:
    reader, script = scripted(
        Page(90, ["n"], False), Page(60, ["late"], True), Page(40, ["x"], True)
    )
    pages = Pages(reader, EVENTS)
    assert pages.at(40) == Page(40, ["x"], True)
    assert script.asked == [0, 40, 40]


def test_the_oldest_row_kept_is_what_two_replies_agree_on() -> None:
    reader, script = scripted(Page(90, ["n"], False), Page(31, ["o"], True), Page(31, ["o"], True))
    pages = Pages(reader, EVENTS)
    assert pages.at(1).first == 31
    assert (pages.oldest, script.asked) == (31, [0, 1, 1])


def test_pages_that_differ_each_time_are_corrupt() -> None:
    falling = [Page(first, ["x"], True) for first in (80, 70, 60, 50)]
    reader, _ = scripted(Page(90, ["n"], False), *falling)
    with pytest.raises(CorruptAnswerError, match="the rows from 1 on differ each time"):
        Pages(reader, EVENTS).at(1)


def test_the_progress_counts_to_the_number_of_rows_kept() -> None:
    days = Days(start="2026-03-20T00:00:00Z", profile_days=1)
    days.run(2 * DAY / HOUR)
    session, _ = connect(days.meter)
    seen: list[tuple[int, int]] = []
    list(numbered(session.driver, PROFILE, on_read=lambda done, total: seen.append((done, total))))
    assert seen == [(20, 96), (40, 96), (60, 96), (80, 96), (96, 96)]


class Ring:
    """A profile of some rows; replies from the n-th on begin with a number that is a lie."""

    def __init__(self, newest: int, lie: int, after: int, *, empty: bool = False) -> None:
        self.newest, self.lie, self.after, self.empty, self.asked = newest, lie, after, empty, 0

    def page(self, _: object, first: int = 0) -> Page:
        self.asked += 1
        begin = first or self.newest - 19
        rows = list(range(begin, min(begin + 20, self.newest + 1)))
        if self.asked <= self.after:
            return Page(begin, rows, len(rows) == 20)
        return Page(begin, [], False) if self.empty else Page(self.lie, rows, len(rows) == 20)


@pytest.mark.parametrize(
    ("after", "lie"),
    [*product((1, 2, 5), (2**32 - 2, 2**32 - 40, 2000)), (2, 900), (5, 900)],
)
def test_a_number_that_jumps_is_corrupt_and_shortens_no_table(after: int, lie: int) -> None:
    ring: Any = Ring(960, lie, after)
    with pytest.raises(CorruptAnswerError, match="profile: rows from"):
        list(numbered(ring, PROFILE))


def test_rows_that_are_missing_up_to_the_newest_are_corrupt() -> None:
    ring: Any = Ring(960, 0, 3, empty=True)
    with pytest.raises(CorruptAnswerError, match="no rows from 41 on, though the newest was 960"):
        list(numbered(ring, PROFILE))
