"""How a state lasts: one record in alternating slots, with a CRC and a generation, and rings beside
it (METER.md 9).

    header   magic, layout version, profile rows, CRC                written when formatted, and at
    a new layout
    slots    length, generation, CRC, record          a commit is one write of one slot and one
    flush
    rings    rows by running number                   written from the record's tail after it was
    committed

There are three slots, so that an unflushed save never overwrites the slot that was flushed last,
nor the one before it that is being torn (docs/adr/0003). A row is in the record's tail until the
rings that hold it were flushed; so whatever slot is found at start, its rows are all there, and no
row is newer than it.

Every record names its own layout, so that a storage may hold two. A build that knows only the older
layout must not
open a storage with records of a newer one: so before the first such record the header is written
anew, to its second place, and then to the first; whichever is whole counts. Reading alone changes
nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import groupby
from struct import Struct

from firmware_sim.hal.nvram import Nvram, NvramError, NvramFlushError
from firmware_sim.records.ring import PROFILE_RING, Ring, RingKind, ring_kinds
from firmware_sim.state import State, TailRow
from firmware_sim.storage import record
from firmware_sim.storage.lasting import Lasting, lasting_of
from firmware_sim.storage.layouts import LAYOUT, complete, layout_of_header
from protocols.sealed_message import Receipt

MAGIC = b"PPMETER1"
_HEADER = Struct(">8sIII")
_HEADER_SIZE = _HEADER.size + 4
_SLOT = Struct(">IQI")
_ROW = Struct(">II")
SLOTS = 3
SLOT_SIZE = 1 << 17
FIRST_SLOT = 4096
HEADER_PLACES = (0, 2048)
FIRST_RING = FIRST_SLOT + SLOTS * SLOT_SIZE
DRAIN_AT = 16
"""Rows in the tail at which a commit also puts them into the rings, so that the record stays short.
"""
SAVE_FLUSHES_AT = 64
"""Rows in the tail at which even a mere save becomes a commit."""

MAX_TAIL = 1024
"""Rows that a record carries at most; more gather only while the storage refuses every write."""


class StorageLostError(Exception):
    """A storage that was ours and holds no valid record."""


class ForeignStorageError(Exception):
    """Bytes that are not a meter's storage, or one of another version."""


def make_rings(profile_rows: int) -> tuple[Ring, ...]:
    """Return the empty rings of a meter."""
    return tuple(Ring(kind.row_size, kind.depth) for kind in ring_kinds(profile_rows, Receipt.SIZE))


class VolatileStore:
    """A meter without storage: nothing lasts, and every start is a new epoch."""

    keeps_tail = False

    def __init__(self) -> None:
        self.lasting = Lasting()

    def commit(self, state: State) -> int:
        """Accept the state; no row of its tail needs to be kept."""
        self.lasting = lasting_of(state)
        return len(state.tail)

    def save(self, state: State) -> int:
        """Accept the state; no row of its tail needs to be kept."""
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
        self._kinds = ring_kinds(profile_rows, Receipt.SIZE)
        self._profile_rows = profile_rows
        self._written = _Written()
        self._encoder = record.Encoder()
        self._rows_lasting = 0
        self._names_older_layout = False
        """Whether the header must be written anew before the first record of this layout."""
        self.lasting = Lasting()
        """What the last flushed commit holds of what never goes back."""

    def format(self, state: State) -> None:
        """Begin a new storage with a state."""
        self._nvram.write(HEADER_PLACES[0], self._header())
        self.commit(state)

    def _header(self) -> bytes:
        header = _HEADER.pack(MAGIC, LAYOUT, self._profile_rows, 0)
        return header + zlib.crc32(header).to_bytes(4, "big")

    def _name_layout(self) -> None:
        """Write the present layout into the header of a storage of an older one; one of its two
        places stays whole.
        """
        first, second = HEADER_PLACES
        first_is_whole = _is_whole(self._nvram.read(first, _HEADER_SIZE))
        for place in (second, first) if first_is_whole else (first, second):
            self._nvram.write(place, self._header())
            self._nvram.flush()
        self._names_older_layout = False

    def commit(self, state: State) -> int:
        """Make a state last: durable when this returns. Returns how many rows of its tail the rings
        hold now.

        Raises:
            NvramError: the write was refused; the state before stands.
            NvramFlushError: nobody knows; the meter must stop.
        """
        self._write(state)
        drained = self._drain(state) if len(state.tail) >= DRAIN_AT else 0
        self._nvram.flush()
        self._written.flushed = self._written.newest
        self._rows_lasting = len(state.tail) - drained
        self.lasting = lasting_of(state)
        return drained

    def save(self, state: State) -> int:
        """Write a state without waiting for it to last; a refused write leaves the one before.
        Returns as `commit`.
        """
        if len(state.tail) >= SAVE_FLUSHES_AT:
            return self.commit(state)
        self._write(state)
        return 0

    def _write(self, state: State) -> None:
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

    def _shorten(self, state: State) -> None:
        """Let go of the oldest profile rows: a storage that was full for weeks must take a record
        once it has room.

        Receipts and purchases are never among what gathers then: a message is not accepted that
        cannot be stored.
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
        """Put those rows of the tail into the rings that a flushed record holds; the flush to come
        makes them last.

        A row takes the place of the oldest of its ring, which must not go before it is certain that
        it is followed. A refused write keeps the rows in the tail, for a later commit.
        """
        lasting = sorted(state.tail[: self._rows_lasting])
        try:
            for (ring, _, _), run in groupby(enumerate(lasting), key=self._run):
                rows = [row for _, row in run]
                framed = [_ROW.pack(row.number, zlib.crc32(row.row)) + row.row for row in rows]
                self._nvram.write(
                    self._row_offset(self._kinds[ring], rows[0].number), b"".join(framed)
                )
        except NvramFlushError:
            raise
        except NvramError:
            return 0
        return len(lasting)

    def _run(self, placed: tuple[int, TailRow]) -> tuple[int, int, int]:
        """Rows of one run lie side by side in their ring: the same ring, in turn, and not around
        its end.
        """
        index, row = placed
        return row.ring, row.number - index, (row.number - 1) // self._kinds[row.ring].depth

    def _row_offset(self, kind: RingKind, number: int) -> int:
        before = sum(
            other.depth * (other.row_size + _ROW.size) for other in self._kinds[: kind.place]
        )
        return FIRST_RING + before + (number - 1) % kind.depth * (kind.row_size + _ROW.size)

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
            # what was found is what counts: make it last before it is built upon
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
                row = tail.get(number) or self._read_row(kind, number)
                if row is not None:
                    ring.append(number, row)
            if ring.last != last:
                ring.clear(last)
        return rings

    def _read_row(self, kind: RingKind, number: int) -> bytes | None:
        data = self._nvram.read(self._row_offset(kind, number), _ROW.size + kind.row_size)
        if len(data) < _ROW.size + kind.row_size:
            return None
        stored, crc = _ROW.unpack_from(data)
        row = data[_ROW.size :]
        return row if stored == number and zlib.crc32(row) == crc else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a storage held."""

    store: Store
    state: State
    rings: tuple[Ring, ...]


def load(nvram: Nvram) -> Loaded | None:
    """Return what a device holds, None of an empty one.

    Raises:
        ForeignStorageError: the bytes are no meter's, or another version's; nothing was written.
        StorageLostError: a meter's, without any valid record; nothing was written.
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
    """Return whether a header was written whole."""
    return header[:8] == MAGIC and zlib.crc32(header[:-4]) == int.from_bytes(header[-4:], "big")
