"""Records of a meter: bounded rings of packed rows by running number (METER.md 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from zlib import compress, decompress

from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, EVENTS, PROFILE, PURCHASES

RECEIPT_CODE_SIZE = 16
RECEIPTS_KEPT = 16
"""Receipts that can be requested per class (METER.md 7)."""


BLOCK_SIZE = 768
"""Bytes of rows that are compressed together; smaller blocks compress worse."""
PLAIN_DEPTH = RECEIPTS_KEPT
"""Rings of at most so many rows stay plain: they are searched with every sealed message."""
COMPRESSION = 1
"""The fastest level: records are short and alike."""


class RingKind(NamedTuple):
    """One ring: its index in the state's numbers, bytes per row, rows kept.

    `added`: the bytes that complete a row of an older layout, which lacks the last columns.
    """

    place: int
    name: str
    row_size: int
    depth: int
    added: bytes = b""

    @property
    def older_row_size(self) -> int:
        """Bytes of a row of an older layout."""
        return self.row_size - len(self.added)


def ring_kinds(profile_rows: int, receipt_size: int) -> tuple[RingKind, ...]:
    """Return the ring kinds of a meter; the depth of its profile is configured."""
    row = RECEIPT_CODE_SIZE + 4 + receipt_size
    rows: tuple[tuple[str, int, int, bytes], ...] = (
        *(
            (one.name, one.row_size, one.depth, one.added)
            for one in (PURCHASES, EVENTS, DAILY_FREEZES, BILLING_FREEZES)
        ),
        (PROFILE.name, PROFILE.row_size, profile_rows, PROFILE.added),
        ("credit_receipts", row, RECEIPTS_KEPT, b""),
        ("command_receipts", row, RECEIPTS_KEPT, b""),
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
    """Rows by running number from 1; keeps the newest `depth`. Memory grows with the rows held.

    Rows of a long ring are compressed block by block once a block is full: an idle meter is mostly
    records that are seldom read. The newest rows are always plain.
    """

    __slots__ = (
        "_blocks",
        "_open",
        "_open_end",
        "_rows_a_block",
        "depth",
        "first",
        "last",
        "row_size",
    )

    def __init__(self, row_size: int, depth: int) -> None:
        self.row_size, self.depth = row_size, depth
        self._rows_a_block = max(1, BLOCK_SIZE // row_size) if depth > PLAIN_DEPTH else depth
        self._blocks: list[bytes] | None = None
        """Compressed blocks, the newest last; the open block follows it."""
        self._open: bytearray | None = None
        self._open_end = 0
        """The number of the last row that fits into the open block."""
        self.first, self.last = 1, 0

    def append(self, number: int, row: bytes) -> None:
        """Add row `number`; ignored where it is at or below the newest."""
        last = self.last
        if number <= last:
            return
        if number != last + 1:
            self.clear(number - 1)
        if self._open is None or number > self._open_end:
            self._open = self._opened(number)
        self._open += row
        self.last = number
        if number - self.first >= self.depth:
            self.first = number - self.depth + 1

    def _opened(self, number: int) -> bytearray:
        """Compress the open block, forget blocks that are not kept; return the block of a row."""
        block, place = divmod(number - 1, self._rows_a_block)
        if self._open is not None:
            blocks = self._blocks or []
            blocks.append(compress(_by_column(self._open, self.row_size), COMPRESSION))
            oldest = (max(self.first, number + 1 - self.depth) - 1) // self._rows_a_block
            del blocks[: max(0, len(blocks) - (block - oldest))]
            self._blocks = blocks
        self._open_end = (block + 1) * self._rows_a_block
        return bytearray(place * self.row_size)

    def clear(self, last: int) -> None:
        """Delete all rows; numbering continues after `last`."""
        self._blocks = self._open = None
        self.first, self.last = last + 1, last

    def get(self, number: int) -> bytes | None:
        """Return a row, or None where it is not kept."""
        if not self.first <= number <= self.last:
            return None
        block, place = divmod(number - 1, self._rows_a_block)
        begin = place * self.row_size
        return bytes(self._rows_of(block)[begin : begin + self.row_size])

    def newest(self, count: int) -> Iterator[bytes]:
        """Yield at most `count` rows, newest first."""
        oldest = max(self.first, self.last - count + 1)
        held, rows = -1, b""
        for number in range(self.last, oldest - 1, -1):
            block, place = divmod(number - 1, self._rows_a_block)
            if block != held:
                held, rows = block, bytes(self._rows_of(block))
            yield rows[place * self.row_size : (place + 1) * self.row_size]

    def _rows_of(self, block: int) -> bytes | bytearray:
        behind = self._open_end // self._rows_a_block - 1 - block
        if behind == 0:
            assert self._open is not None
            return self._open
        assert self._blocks is not None
        return _by_row(decompress(self._blocks[-behind]), self.row_size)


def _by_column(rows: bytes | bytearray, row_size: int) -> bytes:
    """Return the first bytes of all rows, then the second ones, and so on: they are alike."""
    return b"".join([rows[place::row_size] for place in range(row_size)])


def _by_row(columns: bytes, row_size: int) -> bytearray:
    """Return the rows of `_by_column`."""
    count = len(columns) // row_size
    rows = bytearray(len(columns))
    for place in range(row_size):
        rows[place::row_size] = columns[place * count : (place + 1) * count]
    return rows
