"""What is to be done at an instant of rack time: faults that begin and end, steps of a scenario."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

Work = Callable[[], None]


class Agenda:
    """Work by its instant, ms; of one instant, what was planned first comes first. `now` is the
    last one taken.
    """

    def __init__(self) -> None:
        self.now = 0
        self._planned = 0
        self._entries: list[tuple[int, int, Work, object]] = []

    def plan(self, instant: int, work: Work, owner: object = None) -> None:
        """Put work on the agenda; it may plan more."""
        self._planned += 1
        heapq.heappush(self._entries, (instant, self._planned, work, owner))

    def forget(self, owners: Collection[object]) -> None:
        """Take off what is planned for some owners."""
        self._entries = [
            entry for entry in self._entries if not any(entry[3] is owner for owner in owners)
        ]
        heapq.heapify(self._entries)

    def clear(self) -> None:
        """Take everything off."""
        self._entries.clear()

    def next(self) -> int | None:
        """Return the next instant with work, None where there is none."""
        return self._entries[0][0] if self._entries else None

    def holds_by(self, instant: int) -> bool:
        """Say whether there is work by an instant."""
        return bool(self._entries) and self._entries[0][0] <= instant

    def take(self) -> Work:
        """Take the next work off; its instant is `now`."""
        self.now, _, work, _ = heapq.heappop(self._entries)
        return work
