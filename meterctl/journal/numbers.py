"""The numbers of a journal, and the origins of its messages (METER.md 7).

A journal has one number at a time. A copied or restored journal draws a new one; an entry keeps
the number under which it was sealed.
"""

from __future__ import annotations

from collections.abc import Callable

from meterctl.journal.database import Database
from protocols.sealed_message import Origin

RandomBytes = Callable[[int], bytes]


def draw_number(random: RandomBytes) -> int:
    """Return a random non-zero number of 4 bytes: a journal number or a mark."""
    return int.from_bytes(random(4), "big") or draw_number(random)


class JournalNumbers:
    """The numbers that a journal has had; the last one is the current one.

    Args:
        random: returns that many random bytes.
    """

    def __init__(self, db: Database, random: RandomBytes) -> None:
        self._db, self._random = db, random
        self.has_drawn = False
        """Whether an origin was asked for: before, no message was sealed."""

    @property
    def current(self) -> int:
        """The number under which new messages are sealed."""
        (number,) = self._db.row("SELECT number FROM numbers ORDER BY id DESC LIMIT 1")
        return int(number)

    def renew(self, now: int) -> int:
        """Draw a new number, store it with its time in s since 1970 UTC, and return it."""
        number = draw_number(self._random)
        self._db.execute("INSERT INTO numbers (number, drawn) VALUES (?, ?)", number, now)
        return number

    def draw_origin(self) -> Origin:
        """Return the origin of a new message: the current number and a newly drawn mark."""
        self.has_drawn = True
        return Origin(self.current, draw_number(self._random))
