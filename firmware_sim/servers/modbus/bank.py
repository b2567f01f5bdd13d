"""A meter's registers as one image in blocks, rebuilt when the meter's revision moved on.

The plan (which item is packed where) is compiled once a map and shared by all meters; a meter keeps
its image, the revision of each block, its scratch registers and coils, and the replies to reads.
A read at an unchanged revision copies bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct

from firmware_sim.meter import Meter
from firmware_sim.rack.stations import Station
from firmware_sim.servers.modbus.plan import BLOCK, BitView, Plan, RegisterView, plan_of
from firmware_sim.servers.modbus.rings import rows_of
from protocols.errors import IllegalAddressError

_REPLIES_KEPT = 64
_RANGE = Struct(">HH")
_READ_HOLDING, _READ_INPUT = 3, 4


class Bank:
    """The registers, coils and inputs of one meter under its map."""

    __slots__ = (
        "_image",
        "_meter",
        "_replies",
        "_replies_at",
        "_revisions",
        "coils",
        "plan",
        "scratch",
    )

    def __init__(self, meter: Meter, plan: Plan, unit: int = 1) -> None:
        self.plan = plan
        self._meter = meter
        self._image = bytearray(plan.blank)
        for at, encode in plan.unit_numbers:
            data = encode(unit)
            self._image[at : at + len(data)] = data
        self._revisions = [0] * len(plan.blocks)
        self.scratch = bytearray(plan.scratch_initial)
        self.coils = plan.coils_initial
        self._replies: dict[bytes, bytes] = {}
        self._replies_at = 0

    def known(self, request: bytes) -> bytes | None:
        """Return the cached reply to the very bytes of a request; None after the meter changed."""
        return self._replies.get(request) if self._replies_at == self._meter.revision else None

    def keep(self, request: bytes, reply: bytes) -> None:
        """Cache the whole reply to the bytes of a request, until the meter's revision moves on."""
        if self._replies_at != self._meter.revision or len(self._replies) >= _REPLIES_KEPT:
            self._replies.clear()
            self._replies_at = self._meter.revision
        self._replies[request] = reply

    def is_cacheable(self, pdu: bytes, reply: bytes) -> bool:
        """Return whether a reply may be cached: a read of the map depends on the meter alone."""
        if reply[0] == _READ_HOLDING:
            view = self.plan.holding
        elif reply[0] == _READ_INPUT:
            view = self.plan.input
        else:
            return False
        address, count = _RANGE.unpack_from(pdu, 1)
        return view.holds(address, address + count) and not view.written(address, address + count)

    def read(self, view: RegisterView, address: int, count: int) -> bytes | None:
        """Return `count` registers of an area; None where one of them does not exist.

        None too where the read cuts a value or a pair, under a map that refuses it.
        """
        end = address + count
        if view.inside and view.cuts(address, end):
            return None
        _, stop, _, shift = view.segments[bisect_right(view.begins, address) - 1]
        if end > stop or shift is None:
            if view.holds(address, end):
                return self._read_across(view, address, end)
            return self._read_apart(view, address, end)
        revision, revisions = self._meter.revision, self._revisions
        for block in range(address // BLOCK + shift, (end - 1) // BLOCK + shift + 1):
            if revisions[block] != revision:
                self._rebuild(block)
        offset = BLOCK * shift
        return bytes(self._image[2 * (address + offset) : 2 * (end + offset)])

    def write(self, address: int, data: bytes) -> None:
        """Write scratch registers, the only ones written; raises IllegalAddressError elsewhere."""
        end = address + len(data) // 2
        for extent, offset in self.plan.holding.scratch:
            if extent.start <= address and end <= extent.stop:
                at = offset + 2 * (address - extent.start)
                self.scratch[at : at + len(data)] = data
                return
        raise IllegalAddressError

    def read_bits(self, view: BitView, address: int, count: int) -> int:
        """Return coils or discrete inputs as bits, the first in bit 0.

        Raises:
            IllegalAddressError: one of them does not exist.
        """
        end, bits = address + count, 0
        view.check(address, end)
        for begin, stop, get, offset in view.fields:
            if begin < end and address < stop:
                held = self.coils >> offset if get is None else int(get(self._meter))
                held &= (1 << stop - begin) - 1
                bits |= held << begin - address if begin > address else held >> address - begin
        return bits & (1 << count) - 1

    def write_coils(self, address: int, count: int, bits: int) -> None:
        """Write scratch coils; raises IllegalAddressError elsewhere."""
        for begin, stop, get, offset in self.plan.coils.fields:
            if get is None and begin <= address and address + count <= stop:
                shift = address - begin + offset
                mask = (1 << count) - 1 << shift
                self.coils = self.coils & ~mask | bits << shift & mask
                return
        raise IllegalAddressError

    def _read_across(self, view: RegisterView, address: int, end: int) -> bytes:
        """Return registers of consecutive segments, of which some are scratch or read 0."""
        data = b""
        while address < end:
            segment = view.segment(address)
            stop = min(end, segment.end)
            if segment.shift is None:
                data += self._unheld(view, address, stop)
            else:
                data += self.read(view, address, stop - address) or b""
            address = stop
        return data

    def _unheld(self, view: RegisterView, address: int, end: int) -> bytes:
        """Return registers of a segment that does not stand in the image: scratch or zeros."""
        for extent, offset in view.scratch:
            if address in extent:
                at = offset - 2 * extent.start
                return bytes(self.scratch[2 * address + at : 2 * end + at])
        return bytes(2 * (end - address))

    def _rebuild(self, block: int) -> None:
        meter, image = self._meter, self._image
        for begin, end, get, pack in self.plan.blocks[block]:
            image[begin:end] = pack(get(meter))
        self._revisions[block] = meter.revision

    def _read_apart(self, view: RegisterView, address: int, end: int) -> bytes | None:
        """Return registers of a row list."""
        for rows in view.row_lists:
            extent = rows.extent
            if extent.start <= address and end <= extent.stop:
                newest = b"".join(rows_of(self._meter, rows.table).newest(rows.rows))
                data = newest.ljust(2 * len(extent), b"\0")
                return data[2 * (address - extent.start) : 2 * (end - extent.start)]
        return None


def bank_of(station: Station) -> Bank:
    """Return the bank of a station under its map."""
    return Bank(station.meter, plan_of(station.register_map), station.unit)
