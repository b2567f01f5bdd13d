"""Bytes that are due later, in order: for late replies, slow lines, pauses between bytes."""

from __future__ import annotations

from collections import deque


class Outbox:
    """A queue of (line time, bytes), first in, first out: a late entry delays those after it."""

    __slots__ = ("_held", "_last")

    def __init__(self) -> None:
        self._held: deque[tuple[int, bytes]] = deque()
        self._last = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    def put(self, due: int, data: bytes) -> int:
        """Hold bytes until `due`, us, and until all bytes before them are out; return that time."""
        if not data:
            return due
        self._last = max(due, self._last)
        self._held.append((self._last, data))
        return self._last

    def postpone(self, after: int, until: int) -> None:
        """Hold entries that are due between two times, us, until the later one."""
        self._held = deque(
            (until if after < due < until else due, data) for due, data in self._held
        )
        if after < self._last < until:
            self._last = until

    def take(self, at: int) -> list[tuple[int, bytes]]:
        """Return the entries that are due by `at`, each with its due time."""
        out = []
        while self._held and self._held[0][0] <= at:
            out.append(self._held.popleft())
        return out

    def next(self) -> int | None:
        """Return when anything is due next."""
        return self._held[0][0] if self._held else None

    def clear(self) -> None:
        """Remove all entries."""
        self._held.clear()
