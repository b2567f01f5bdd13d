"""Persistence of a state: one record in three alternating slots, and rings of rows (METER.md 9).

    header   magic, layout version, profile rows, CRC   written at formatting and at a new layout
    slots    length, generation, CRC, record            a commit is one slot write and one flush
    rings    rows by running number                     written from the tail of a flushed record

A write goes to the slot that is neither the last flushed nor the newest, since the newest may be
unflushed and torn (docs/adr/0003). A row stays in the tail of the record until the rings that hold
it were flushed: at start all rows of the selected slot are found, and no row is newer than it.

Every record names its own layout, so a storage may hold two. A build that knows only the older
layout must not open a storage with records of a newer one: before the first such record the header
is rewritten, one copy after the other, and a copy with a valid CRC counts. Reading changes nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import groupby
from struct import Struct

from firmware_sim.hal.nvram import Nvram, NvramError, NvramFlushError
from firmware_sim.records.publishing import TailRow
from firmware_sim.records.ring import PROFILE_RING, Ring, RingKind, ring_kinds
from firmware_sim.state import State
from firmware_sim.storage import record
from firmware_sim.storage.lasting import Lasting, lasting_of
from firmware_sim.storage.layouts import LAYOUT, complete, layout_of_header
from firmware_sim.storage.ring_places import ROW, RingPlace, ring_places
from protocols.sealed_message import Receipt

MAGIC = b"PPMETER1"
_HEADER = Struct(">8sIII")
_HEADER_SIZE = _HEADER.size + 4
_SLOT = Struct(">IQI")
SLOTS = 3
SLOT_SIZE = 1 << 17
FIRST_SLOT = 4096
HEADER_PLACES = (0, 2048)
FIRST_RING = FIRST_SLOT + SLOTS * SLOT_SIZE
DRAIN_AT = 16
"""Rows in the tail at which a commit also writes the rings, so that the record stays short."""
SAVE_FLUSHES_AT = 64
"""Rows in the tail at which a save becomes a commit."""

MAX_TAIL = 1024
"""Limit of rows in a record; the tail exceeds it only while the storage refuses every write."""


class StorageLostError(Exception):
    """The storage is a meter's, but has no valid record."""


class ForeignStorageError(Exception):
    """The bytes are not a meter's storage, or one of a later version."""


def make_rings(profile_rows: int) -> tuple[Ring, ...]:
    """Return the empty rings of a meter."""
    return tuple(Ring(kind.row_size, kind.depth) for kind in ring_kinds(profile_rows, Receipt.SIZE))


class VolatileStore:
    """Store without storage: every start is a new epoch."""

    keeps_tail = False

    def __init__(self) -> None:
        self.lasting = Lasting()

    def commit(self, state: State) -> int:
        """Accept the state; every row of its tail counts as stored."""
        self.lasting = lasting_of(state)
        return len(state.tail)

    def save(self, state: State) -> int:
        """Accept the state; every row of its tail counts as stored."""
        return self.commit(state)


@dataclass(slots=True)
class _Written:
    generation: int = 0
    newest: int = -1
    flushed: int = -1


class Store:
    """The storage of one meter on one byte device."""

    keeps_tail = True

    def __init__(self, nvram: Nvram, profile_rows: int) -> None:
        self._nvram = nvram
        self._kinds, self._places, self._older_places = ring_places(FIRST_RING, profile_rows)
        self._profile_rows = profile_rows
        self._written = _Written()
        self._encoder = record.Encoder()
        self._rows_lasting = 0
        self._names_older_layout = False
        """Whether the header must be rewritten before the first record of the present layout."""
        self.lasting = Lasting()
        """Rising values of the last flushed commit."""

    def format(self, state: State) -> None:
        """Write the header and the first record of a new storage."""
        self._nvram.write(HEADER_PLACES[0], self._header())
        self.commit(state)

    def _header(self) -> bytes:
        header = _HEADER.pack(MAGIC, LAYOUT, self._profile_rows, 0)
        return header + zlib.crc32(header).to_bytes(4, "big")

    def _name_layout(self) -> None:
        """Write the present layout into both header copies in turn, so that one is always valid."""
        first, second = HEADER_PLACES
        first_is_whole = _is_whole(self._nvram.read(first, _HEADER_SIZE))
        for place in (second, first) if first_is_whole else (first, second):
            self._nvram.write(place, self._header())
            self._nvram.flush()
        self._names_older_layout = False

    def commit(self, state: State) -> int:
        """Write and flush a state; it is durable on return.

        Returns the number of its tail rows that the rings hold now.

        Raises:
            NvramError: the write was refused; the previous state is kept.
            NvramFlushError: the content of the storage is unknown; the meter must stop.
        """
        self._write(state)
        drained = self._drain(state) if len(state.tail) >= DRAIN_AT else 0
        self._nvram.flush()
        self._written.flushed = self._written.newest
        self._rows_lasting = len(state.tail) - drained
        self.lasting = lasting_of(state)
        return drained

    def save(self, state: State) -> int:
        """Write a state without a flush; a refused write keeps the previous one.

        Returns as `commit`.
        """
        if len(state.tail) >= SAVE_FLUSHES_AT:
            return self.commit(state)
        self._write(state)
        return 0

    def _write(self, state: State) -> None:
        if len(state.tail) > SAVE_FLUSHES_AT:
            self._drop_replaced(state)
        if len(state.tail) > MAX_TAIL:
            self._shorten(state)
        data = self._encoder.encode(state)
        if self._names_older_layout:
            self._name_layout()
        slot = next(
            i for i in range(SLOTS) if i not in (self._written.newest, self._written.flushed)
        )
        generation = self._written.generation + 1
        body = _SLOT.pack(len(data), generation, 0) + data
        if len(body) > SLOT_SIZE:
            raise NvramError(f"a record of {len(data)} bytes does not fit its slot")
        whole = _SLOT.pack(len(data), generation, zlib.crc32(body)) + data
        self._nvram.write(FIRST_SLOT + slot * SLOT_SIZE, whole)
        self._written.newest, self._written.generation = slot, generation

    def _drop_replaced(self, state: State) -> None:
        """Drop rows that newer rows of their ring replace: years without power end at once.

        The rows of the profile, which does not grow without power, are left to `_shorten`.
        """
        oldest = [state.numbers[kind.place] - kind.depth for kind in self._kinds]
        oldest[PROFILE_RING] = 0
        kept = [row.number > oldest[row.ring] for row in state.tail]
        self._rows_lasting = sum(kept[: self._rows_lasting])
        state.tail[:] = [row for row, keep in zip(state.tail, kept, strict=True) if keep]

    def _shorten(self, state: State) -> None:
        """Drop the oldest profile rows of a tail above MAX_TAIL.

        A storage that was full for weeks must accept a record once it has room. Receipts and
        purchases do not accumulate meanwhile: a message that cannot be stored is not accepted.
        """
        excess, kept, lasting = len(state.tail) - MAX_TAIL, [], 0
        for index, row in enumerate(state.tail):
            if excess > 0 and row.ring == PROFILE_RING:
                excess -= 1
                continue
            kept.append(row)
            lasting += index < self._rows_lasting
        state.tail[:], self._rows_lasting = kept, lasting

    def _drain(self, state: State) -> int:
        """Write the tail rows of the last flushed record to the rings; the next flush covers them.

        A row overwrites the oldest of its ring, so it must be durable in a record before. After a
        refused write the rows stay in the tail for a later commit.
        """
        lasting = sorted(state.tail[: self._rows_lasting])
        try:
            for (ring, _, _), run in groupby(enumerate(lasting), key=self._run):
                rows = [row for _, row in run]
                framed = [ROW.pack(row.number, zlib.crc32(row.row)) + row.row for row in rows]
                self._nvram.write(self._places[ring].offset(rows[0].number), b"".join(framed))
        except NvramFlushError:
            raise
        except NvramError:
            return 0
        return len(lasting)

    def _run(self, placed: tuple[int, TailRow]) -> tuple[int, int, int]:
        """Return a key equal for adjacent rows: same ring, consecutive numbers, no wrap."""
        index, row = placed
        return row.ring, row.number - index, (row.number - 1) // self._kinds[row.ring].depth

    def _load(self, layout: int) -> tuple[State, tuple[Ring, ...]]:
        slots = {}
        for slot in range(SLOTS):
            found = self._read_slot(slot)
            if found:
                slots[found[0]] = (slot, found[1])
        for generation in sorted(slots, reverse=True):
            slot, data = slots[generation]
            try:
                state, written_in = record.decode(data)
            except record.RecordError:
                continue
            self._written = _Written(generation, slot, slot)
            # the record may not be flushed yet: flush it before a new one refers to it
            self._nvram.flush()
            self._names_older_layout = layout != LAYOUT
            rings = self._load_rings(state)
            complete(state, written_in, rings)
            self.lasting = lasting_of(state)
            return state, rings
        raise StorageLostError("no valid record in any slot")

    def _read_slot(self, slot: int) -> tuple[int, bytes] | None:
        head = self._nvram.read(FIRST_SLOT + slot * SLOT_SIZE, _SLOT.size)
        if len(head) < _SLOT.size:
            return None
        size, generation, crc = _SLOT.unpack(head)
        if not 0 < size <= SLOT_SIZE - _SLOT.size:
            return None
        data = self._nvram.read(FIRST_SLOT + slot * SLOT_SIZE + _SLOT.size, size)
        whole = _SLOT.pack(size, generation, 0) + data
        return (generation, data) if len(data) == size and zlib.crc32(whole) == crc else None

    def _load_rings(self, state: State) -> tuple[Ring, ...]:
        rings = make_rings(self._profile_rows)
        for kind, ring in zip(self._kinds, rings, strict=True):
            tail = {row.number: row.row for row in state.tail if row.ring == kind.place}
            last = state.numbers[kind.place]
            for number in range(max(1, last - kind.depth + 1), last + 1):
                row = tail.get(number) or self._row(kind, number)
                if row is not None:
                    ring.append(number, row)
            if ring.last != last:
                ring.clear(last)
        return rings

    def _row(self, kind: RingKind, number: int) -> bytes | None:
        """Return a whole row of a ring; one of an older layout may be in its older place."""
        row = self._read_row(self._places[kind.place], number)
        older_place = self._older_places[kind.place]
        if row is not None or older_place is None:
            return row
        older = self._read_row(older_place, number)
        return None if older is None else older + kind.added

    def _read_row(self, place: RingPlace, number: int) -> bytes | None:
        data = self._nvram.read(place.offset(number), ROW.size + place.row_size)
        if len(data) < ROW.size + place.row_size:
            return None
        stored, crc = ROW.unpack_from(data)
        row = data[ROW.size :]
        return row if stored == number and zlib.crc32(row) == crc else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Content of a storage."""

    store: Store
    state: State
    rings: tuple[Ring, ...]


def load(nvram: Nvram) -> Loaded | None:
    """Return the content of a device, None for an empty one.

    Raises:
        ForeignStorageError: not a meter's storage, or one of a later version; nothing was written.
        StorageLostError: a meter's storage without a valid record; nothing was written.
    """
    if not nvram.read(0, 1):
        return None
    headers = [nvram.read(place, _HEADER_SIZE) for place in HEADER_PLACES]
    if len(headers[0]) < _HEADER_SIZE or (headers[0][:8] != MAGIC and not _is_whole(headers[1])):
        raise ForeignStorageError("it is not a meter's storage")
    header = next(filter(_is_whole, headers), None)
    if header is None:
        raise StorageLostError("its header is damaged")
    _, named, profile_rows, _ = _HEADER.unpack_from(header)
    layout = layout_of_header(named)
    if layout is None:
        raise ForeignStorageError("it was written by a later version of the meter")
    store = Store(nvram, profile_rows)
    state, rings = store._load(layout)
    return Loaded(store, state, rings)


def _is_whole(header: bytes) -> bool:
    """Return whether a header is complete."""
    return header[:8] == MAGIC and zlib.crc32(header[:-4]) == int.from_bytes(header[-4:], "big")
