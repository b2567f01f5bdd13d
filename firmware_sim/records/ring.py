"""Records of a meter: bounded rings of packed rows by running number (METER.md 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, EVENTS, PROFILE, PURCHASES

RECEIPT_CODE_SIZE = 16
RECEIPTS_KEPT = 16
"""Receipts that can be requested per class (METER.md 7)."""


class RingKind(NamedTuple):
    """One ring: its index in the state's numbers, bytes per row, rows kept."""

    place: int
    name: str
    row_size: int
    depth: int


def ring_kinds(profile_rows: int, receipt_size: int) -> tuple[RingKind, ...]:
    """Return the ring kinds of a meter; the depth of its profile is configured."""
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
    """Rows by running number from 1; keeps the newest `depth`. Memory grows with the rows held."""

    __slots__ = ("_data", "depth", "first", "last", "row_size")

    def __init__(self, row_size: int, depth: int) -> None:
        self.row_size, self.depth = row_size, depth
        self.first, self.last = 1, 0
        self._data = bytearray()

    def append(self, number: int, row: bytes) -> None:
        """Add row `number`; ignored where it is at or below the newest."""
        if number <= self.last:
            return
        if number != self.last + 1:
            self.clear(number - 1)
        slot = (number - 1) % self.depth * self.row_size
        missing = slot - len(self._data)
        if missing == 0:
            self._data += row
        else:
            if missing > 0:  # first row after a clear: its slot is not the first
                self._data += bytes(missing)
            self._data[slot : slot + self.row_size] = row
        self.last = number
        if number - self.first >= self.depth:
            self.first = number - self.depth + 1

    def clear(self, last: int) -> None:
        """Delete all rows; numbering continues after `last`."""
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
