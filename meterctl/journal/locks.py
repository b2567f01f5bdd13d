"""Locks on meters between the processes that work with one journal."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from meterctl.errors import BusyError, UsageError
from meterctl.journal.database import NOWHERE

WAIT_MS = 60_000
"""Longest wait for another process that works on the same meter with the same journal."""
WAIT_STEP_MS = 20


class MeterLocks:
    """The locks of a journal, in the file `JOURNAL.lock`: they end with their process."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._file: int | None = None

    def close(self) -> None:
        """Close the lock file, and so end its locks."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextlib.contextmanager
    def alone_with(
        self, meter: str, ticks: Callable[[], int], pause: Callable[[int], None]
    ) -> Iterator[None]:
        """Lock a meter against other processes of this journal; wait at most WAIT_MS for the lock.

        Args:
            ticks: monotonic ms.
            pause: waits that many ms.

        Raises:
            BusyError: the other process did not finish in time; nothing was begun.
        """
        if self._journal == NOWHERE:
            yield
            return
        place = int(meter)
        lock, began = self._opened(), ticks()
        while True:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                break
            except OSError as error:
                if ticks() - began > WAIT_MS:
                    raise BusyError(
                        f"meter {meter}: another process is at work on it with journal "
                        f"{self._journal}, for more than "
                        f"{WAIT_MS // 1000} s; nothing was begun",
                        serial_number=meter,
                    ) from error
                pause(WAIT_STEP_MS)
        try:
            yield
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN, 1, place)

    def _opened(self) -> int:
        """Return the open lock file: one byte per meter, at the offset of its serial number."""
        if self._file is None:
            real = self._journal.resolve()  # all paths of one journal share one lock
            path = real.with_name(f"{real.name}.lock")
            try:
                self._file = os.open(
                    path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            except OSError as error:
                raise UsageError(
                    f"journal {self._journal}: {error.strerror}; nothing was begun"
                ) from error
        return self._file
