"""The next deadline of each station, in rack time: one live entry a station."""

from __future__ import annotations

import heapq
from typing import Protocol

_NUMBER_BITS = 24
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_SLACK = 64
"""Dead entries that are kept beside as many as there are live ones, before the heap is cleaned."""


class Due(Protocol):
    """Something with a number of its own and a next deadline."""

    number: int
    planned_ms: int | None
    """The live entry of this station; only `Deadlines` writes it."""

    def next_deadline(self) -> int | None:
        """Return the rack time of the next deadline, ms; None where there is none."""
        ...


class Deadlines:
    """A heap of entries that are live while their station plans them.

    An entry is one whole number, rack time and the station's number below it: a heap compares
    whole numbers faster than pairs.

    A deadline that moved leaves a dead entry behind. The heap is cleaned when more entries are dead
    than live, so a change costs amortised constant work and memory stays within twice the stations.
    """

    __slots__ = ("_heap", "_live", "_stations")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._stations: list[Due] = []
        self._live = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, station: Due) -> None:
        """Take a station in; its number is its place here."""
        station.number, station.planned_ms = len(self._stations), None
        self._stations.append(station)
        self.touch(station)

    def touch(self, station: Due) -> None:
        """Enter the deadline that a station has now."""
        due, planned = station.next_deadline(), station.planned_ms
        if due == planned:
            return
        self._live += (due is not None) - (planned is not None)
        station.planned_ms = due
        if due is not None:
            heapq.heappush(self._heap, due << _NUMBER_BITS | station.number)
            if len(self._heap) > 2 * self._live + _SLACK:
                self._clean()

    def next(self) -> int | None:
        """Return the earliest deadline, None where there is none."""
        self._drop_dead()
        return self._heap[0] >> _NUMBER_BITS if self._heap else None

    def take(self, until_ms: int) -> tuple[int, Due] | None:
        """Take off the earliest deadline by an instant; None where none is due.

        The caller advances the station and touches it.
        """
        self._drop_dead()
        if not self._heap or self._heap[0] >> _NUMBER_BITS > until_ms:
            return None
        entry = heapq.heappop(self._heap)
        due, station = entry >> _NUMBER_BITS, self._stations[entry & _NUMBER_MASK]
        station.planned_ms = None
        self._live -= 1
        return due, station

    def _drop_dead(self) -> None:
        heap = self._heap
        while heap and not self._is_live(heap[0]):
            heapq.heappop(heap)

    def _clean(self) -> None:
        self._heap = list({entry for entry in self._heap if self._is_live(entry)})
        heapq.heapify(self._heap)

    def _is_live(self, entry: int) -> bool:
        return self._stations[entry & _NUMBER_MASK].planned_ms == entry >> _NUMBER_BITS
