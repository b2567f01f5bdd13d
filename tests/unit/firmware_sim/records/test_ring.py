"""Rings keep the newest rows by running number, after gaps and clearing too (METER.md 9)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.records.ring import (
    COMMAND_RECEIPTS,
    CREDIT_RECEIPTS,
    EVENT_RING,
    PROFILE_RING,
    PURCHASE_RING,
    RECEIPTS_KEPT,
    RINGS,
    Ring,
    ring_kinds,
)

modest = settings(deadline=None, max_examples=100, database=None)

DEPTH = 4


def row(number: int) -> bytes:
    return number.to_bytes(3, "big")


def filled(*numbers: int) -> Ring:
    ring = Ring(3, DEPTH)
    for number in numbers:
        ring.append(number, row(number))
    return ring


def test_a_new_ring_is_empty() -> None:
    ring = filled()
    assert (ring.first, ring.last) == (1, 0)
    assert list(ring.newest(10)) == []
    assert ring.get(0) is None
    assert ring.get(1) is None


def test_a_full_ring_drops_its_oldest_row() -> None:
    ring = filled(1, 2, 3, 4)
    assert ring.get(1) == row(1)
    ring.append(5, row(5))
    assert (ring.first, ring.last) == (2, 5)
    assert ring.get(1) is None
    assert ring.get(5) == row(5)
    assert ring.get(6) is None


def test_a_row_at_or_below_the_newest_is_ignored() -> None:
    ring = filled(1, 2)
    ring.append(2, b"abc")
    ring.append(1, b"abc")
    assert [ring.get(number) for number in (1, 2)] == [row(1), row(2)]


def test_a_gap_in_the_numbers_drops_the_rows_before_it() -> None:
    ring = filled(1, 2, 9)
    assert (ring.first, ring.last) == (9, 9)
    assert list(ring.newest(10)) == [row(9)]


def test_a_cleared_ring_continues_its_numbers() -> None:
    ring = filled(1, 2, 3)
    ring.clear(3)
    assert list(ring.newest(10)) == []
    ring.append(4, row(4))
    ring.append(5, row(5))
    assert [ring.get(number) for number in (3, 4, 5)] == [None, row(4), row(5)]


@pytest.mark.parametrize(("count", "wanted"), [(0, []), (1, [3]), (2, [3, 2]), (9, [3, 2, 1])])
def test_the_newest_rows_come_first_and_at_most_as_many_as_asked_for(
    count: int, wanted: list[int]
) -> None:
    assert list(filled(1, 2, 3).newest(count)) == [row(number) for number in wanted]


@modest
@given(start=st.integers(1, 40), count=st.integers(0, 40))
def test_a_ring_holds_exactly_its_newest_rows(start: int, count: int) -> None:
    numbers = range(start, start + count)
    ring = filled(*numbers)
    kept = list(numbers)[-DEPTH:]
    assert [n for n in range(start + count + 2) if ring.get(n) is not None] == kept
    assert list(ring.newest(DEPTH + 1)) == [row(n) for n in reversed(kept)]


def test_the_kinds_have_the_depths_of_the_meter() -> None:
    kinds = ring_kinds(profile_rows=960, receipt_size=100)
    assert [kind.place for kind in kinds] == list(range(RINGS))
    assert kinds[PURCHASE_RING].depth == 10
    assert kinds[EVENT_RING].depth == 256
    assert [kind.depth for kind in kinds if "freezes" in kind.name] == [62, 12]
    assert (kinds[PROFILE_RING].depth, kinds[PROFILE_RING].row_size) == (960, 12)
    assert {kinds[place].depth for place in (CREDIT_RECEIPTS, COMMAND_RECEIPTS)} == {RECEIPTS_KEPT}
