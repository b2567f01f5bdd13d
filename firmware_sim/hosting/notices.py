"""Notices about connections on stderr: at most one line in `QUIET_S`, with counts."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum

QUIET_S = 10.0


class ConnectionEvent(Enum):
    """Events of connections that are printed; the value is the text before the count."""

    CLOSED = "unused and closed for new ones"
    REFUSED = "refused, since all that may be open are in use"
    NO_DESCRIPTOR = "not taken, since too many files are open (ulimit -n)"


def say(text: str) -> None:
    """Print a text for a person on stderr; a stderr that takes no text is no fault."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class ConnectionNotices:
    """Counts events. The first is printed at once; those of the next `QUIET_S` in one line."""

    def __init__(self, loop: asyncio.AbstractEventLoop, say: Callable[[str], None] = say) -> None:
        self._loop, self._say = loop, say
        self._counts: Counter[ConnectionEvent] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, event: ConnectionEvent) -> None:
        """Count an event; print it unless a line was printed less than `QUIET_S` ago."""
        self._counts[event] += 1
        if self._timer is None:
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        if not self._counts:
            return
        told = [f"{event.value}: {count}" for event, count in self._counts.items()]
        self._counts.clear()
        self._say(f"meter-sim: connections {'; '.join(told)}")
        self._timer = self._loop.call_later(QUIET_S, self._tell)

    def end(self) -> None:
        """Print nothing more."""
        if self._timer is not None:
            self._timer.cancel()
