"""Work at instants of rack time: faults that begin and end, steps of a scenario."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

Work = Callable[[], None]


class Agenda:
    """Work by its instant, ms; work of one instant is done in the order in which it was planned.

    `now_ms` is the rack time that was reached last.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self._planned = 0
        self._entries: list[tuple[int, int, Work, object]] = []

    def plan(self, instant_ms: int, work: Work, owner: object = None) -> None:
        """Enter work; it may plan more."""
        self._planned += 1
        heapq.heappush(self._entries, (instant_ms, self._planned, work, owner))

    def forget(self, owners: Collection[object]) -> None:
        """Remove the work of some owners."""
        self._entries = [
            entry for entry in self._entries if not any(entry[3] is owner for owner in owners)
        ]
        heapq.heapify(self._entries)

    def clear(self) -> None:
        """Remove all work."""
        self._entries.clear()

    def next(self) -> int | None:
        """Return the next instant with work, None where there is none."""
        return self._entries[0][0] if self._entries else None

    def holds_by(self, instant_ms: int) -> bool:
        """Return whether there is work by an instant."""
        return bool(self._entries) and self._entries[0][0] <= instant_ms

    def take(self) -> Work:
        """Remove the next work and return it; `now_ms` becomes its instant."""
        self.now_ms, _, work, _ = heapq.heappop(self._entries)
        return work
