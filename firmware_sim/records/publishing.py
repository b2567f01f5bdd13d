"""From the tail of a state to the rings that readers see (METER.md 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from firmware_sim.records.ring import EVENT_RING, Ring


class TailRow(NamedTuple):
    """A row that the record of the state holds until the rings of the storage hold it."""

    ring: int
    number: int
    row: bytes


def publish(tail: Sequence[TailRow], rings: Sequence[Ring], events_cleared_to: int) -> None:
    """Append the rows of a tail that the rings do not hold yet; cleared events disappear."""
    new = len(tail)
    while new and tail[new - 1].number > rings[tail[new - 1].ring].last:
        new -= 1
    for ring, number, row in tail[new:]:
        rings[ring].append(number, row)
    events = rings[EVENT_RING]
    if events.first <= events_cleared_to:
        events.first = events_cleared_to + 1
