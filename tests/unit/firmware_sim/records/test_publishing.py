"""From the tail of a state to the rings of its readers."""

from __future__ import annotations

from firmware_sim.records.publishing import TailRow, publish
from firmware_sim.records.ring import EVENT_RING, PURCHASE_RING, RINGS, Ring


def rings() -> list[Ring]:
    """Return rings of rows of four bytes."""
    return [Ring(4, 10) for _ in range(RINGS)]


def row(number: int) -> bytes:
    """Return the row of a number."""
    return number.to_bytes(4, "big")


def test_each_row_goes_to_its_ring_once() -> None:
    shown = rings()
    tail = [TailRow(EVENT_RING, 1, row(1)), TailRow(PURCHASE_RING, 1, row(9))]
    publish(tail, shown, 0)
    publish(tail, shown, 0)
    assert (shown[EVENT_RING].last, shown[EVENT_RING].get(1)) == (1, row(1))
    assert (shown[PURCHASE_RING].last, shown[PURCHASE_RING].get(1)) == (1, row(9))


def test_only_rows_behind_those_that_are_shown_are_appended() -> None:
    shown = rings()
    tail = [TailRow(EVENT_RING, 1, row(1))]
    publish(tail, shown, 0)
    tail += [TailRow(EVENT_RING, 2, row(2)), TailRow(PURCHASE_RING, 1, row(3))]
    publish(tail, shown, 0)
    assert [shown[EVENT_RING].get(number) for number in (1, 2)] == [row(1), row(2)]
    assert shown[PURCHASE_RING].get(1) == row(3)


def test_cleared_events_are_not_shown_and_later_ones_are() -> None:
    shown = rings()
    publish([TailRow(EVENT_RING, number, row(number)) for number in (1, 2, 3)], shown, 2)
    assert (shown[EVENT_RING].first, shown[EVENT_RING].last) == (3, 3)
    assert shown[EVENT_RING].get(2) is None


def test_events_that_gave_way_to_newer_ones_are_not_shown_again() -> None:
    shown = rings()
    publish([TailRow(EVENT_RING, number, row(number)) for number in range(1, 16)], shown, 0)
    assert (shown[EVENT_RING].first, shown[EVENT_RING].last) == (6, 15)
