"""Locks on meters between the threads of this process, and with other processes.

The locks of a journal are locks of a process (fcntl): two threads would both get one, and a thread
that closes the lock file would end those of all. Here a meter is locked for one thread first, and
the lock file of a journal stays open until the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from meterctl.errors import BusyError
from meterctl.journal.locks import WAIT_MS, WAIT_STEP_MS, MeterLocks


class SharedLocks(MeterLocks):
    """The locks of one journal file, for all threads of this process."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal)
        self._path = journal
        self._guard = threading.Lock()
        self._threads: dict[str, threading.Lock] = {}

    def close(self) -> None:
        """Keep the lock file open: other threads may hold locks in it."""

    @contextmanager
    def alone_with(
        self, meter: str, ticks: Callable[[], int], pause: Callable[[int], None]
    ) -> Iterator[None]:
        """Lock a meter against other threads and processes; see `MeterLocks.alone_with`."""
        with self._guard:
            mine = self._threads.setdefault(meter, threading.Lock())
        began = ticks()
        while not mine.acquire(blocking=False):
            if ticks() - began > WAIT_MS:
                raise BusyError(
                    f"meter {meter}: another worker is at work on it with journal {self._path}, "
                    f"for more than {WAIT_MS // 1000} s; nothing was begun",
                    serial_number=meter,
                )
            pause(WAIT_STEP_MS)
        try:
            with super().alone_with(meter, ticks, pause):
                yield
        finally:
            mine.release()


_ALL: dict[Path, SharedLocks] = {}
_GUARD = threading.Lock()


def shared_locks(journal: Path) -> SharedLocks:
    """Return the locks of a journal file: one object for each file in this process."""
    real = journal.resolve()
    with _GUARD:
        return _ALL.setdefault(real, SharedLocks(real))
