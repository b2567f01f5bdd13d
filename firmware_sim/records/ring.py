"""The meter's records: rings of packed rows by running number, bounded, in few bytes (METER.md
9).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, EVENTS, PROFILE, PURCHASES

RECEIPT_CODE_SIZE = 16
RECEIPTS_KEPT = 16
"""METER.md 7: the last 16 can be asked for."""


class RingKind(NamedTuple):
    """A ring: its place in the state's numbers, the bytes of a row, and how many rows are kept."""

    place: int
    name: str
    row_size: int
    depth: int


def ring_kinds(profile_rows: int, receipt_size: int) -> tuple[RingKind, ...]:
    """Return all rings of a meter; a meter's profile depth is configured."""
    row = RECEIPT_CODE_SIZE + 4 + receipt_size
    rows = (
        ("purchases", PURCHASES.row_size, PURCHASES.depth),
        ("events", EVENTS.row_size, EVENTS.depth),
        ("daily_freezes", DAILY_FREEZES.row_size, DAILY_FREEZES.depth),
        ("billing_freezes", BILLING_FREEZES.row_size, BILLING_FREEZES.depth),
        ("profile", PROFILE.row_size, profile_rows),
        ("credit_receipts", row, RECEIPTS_KEPT),
        ("command_receipts", row, RECEIPTS_KEPT),
    )
    return tuple(RingKind(index, *row) for index, row in enumerate(rows))


(
    PURCHASE_RING,
    EVENT_RING,
    DAILY_RING,
    BILLING_RING,
    PROFILE_RING,
    CREDIT_RECEIPTS,
    COMMAND_RECEIPTS,
) = range(7)
RINGS = 7


class Ring:
    """Rows by running number from 1; the newest `depth` are kept. Memory grows with the rows that
    there are.
    """

    __slots__ = ("_data", "depth", "first", "last", "row_size")

    def __init__(self, row_size: int, depth: int) -> None:
        self.row_size, self.depth = row_size, depth
        self.first, self.last = 1, 0
        self._data = bytearray()

    def append(self, number: int, row: bytes) -> None:
        """Add row `number`; a number at or below the newest is already here."""
        if number <= self.last:
            return
        if number != self.last + 1:
            self.clear(number - 1)
        slot = (number - 1) % self.depth * self.row_size
        missing = slot - len(self._data)
        if missing == 0:
            self._data += row
        else:
            if missing > 0:  # a ring that begins in the middle, after a clear
                self._data += bytes(missing)
            self._data[slot : slot + self.row_size] = row
        self.last = number
        if number - self.first >= self.depth:
            self.first = number - self.depth + 1

    def clear(self, last: int) -> None:
        """Forget all rows; numbering goes on after `last`."""
        self._data.clear()
        self.first, self.last = last + 1, last

    def get(self, number: int) -> bytes | None:
        """Return a row, or None where it is not kept."""
        if not self.first <= number <= self.last:
            return None
        slot = (number - 1) % self.depth * self.row_size
        return bytes(self._data[slot : slot + self.row_size])

    def newest(self, count: int) -> Iterator[bytes]:
        """Yield at most `count` rows, newest first."""
        for number in range(self.last, max(self.first, self.last - count + 1) - 1, -1):
            row = self.get(number)
            if row is not None:
                yield row
