"""A meter's registers as one big-endian image in blocks of 32, rebuilt when the revision moved on.

The plan (which item is packed where) is compiled once a map and shared by all meters; a meter keeps
its image, the revision of each block, its scratch registers and coils, and the replies to reads.
A read at an unchanged revision copies bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, status
from firmware_sim.records.ring import PURCHASE_RING
from protocols.data_model.tables import PURCHASES
from protocols.errors import IllegalAddressError
from protocols.modbus.native_map import (
    BLOCK,
    MAGIC,
    MAP_END,
    PLACES,
    PURCHASE_ADDRESS,
    PURCHASE_REGISTERS,
    SCRATCH_ADDRESS,
    SCRATCH_COILS,
    SCRATCH_REGISTERS,
    STATUS_INPUTS,
    Place,
)

Step = tuple[int, int, Callable[[Meter], Any], Callable[[Any], bytes]]


def _compile(places: tuple[Place, ...]) -> tuple[tuple[Step, ...], ...]:
    blocks: list[list[Step]] = [[] for _ in range((MAP_END + BLOCK - 1) // BLOCK)]
    for place in places:
        begin, end = place.address, place.address + place.registers
        step = (2 * begin, 2 * end, GETTERS[place.item], place.packer())
        for block in range(begin // BLOCK, (end - 1) // BLOCK + 1):
            blocks[block].append(step)
    return tuple(map(tuple, blocks))


_PLAN = _compile(PLACES)
_PURCHASE_END = PURCHASE_ADDRESS + PURCHASE_REGISTERS * PURCHASES.depth
_SCRATCH_END = SCRATCH_ADDRESS + SCRATCH_REGISTERS
_REPLIES_KEPT = 64
_READS = (3, 4)


def is_cacheable(pdu: bytes, reply: bytes) -> bool:
    """Return whether a reply may be cached: a read of the map depends on the meter alone."""
    return (
        reply[0] in _READS
        and int.from_bytes(pdu[1:3], "big") + int.from_bytes(pdu[3:5], "big") <= MAP_END
    )


class Bank:
    """The registers, coils and inputs of one meter."""

    __slots__ = ("_image", "_meter", "_replies", "_replies_at", "_revisions", "coils", "scratch")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._image = bytearray(2 * MAP_END)
        self._image[: len(MAGIC)] = MAGIC
        self._revisions = [0] * len(_PLAN)
        self.scratch = bytearray(2 * SCRATCH_REGISTERS)
        self.coils = 0
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

    def read(self, address: int, count: int) -> bytes:
        """Return `count` registers; raises IllegalAddressError where one of them does not exist."""
        end = address + count
        if end <= MAP_END:
            revision, revisions = self._meter.revision, self._revisions
            for block in range(address // BLOCK, (end - 1) // BLOCK + 1):
                if revisions[block] != revision:
                    self._rebuild(block)
            return bytes(self._image[2 * address : 2 * end])
        if address >= PURCHASE_ADDRESS and end <= _PURCHASE_END:
            return self._purchases()[
                2 * (address - PURCHASE_ADDRESS) : 2 * (end - PURCHASE_ADDRESS)
            ]
        if address >= SCRATCH_ADDRESS and end <= _SCRATCH_END:
            return bytes(
                self.scratch[2 * (address - SCRATCH_ADDRESS) : 2 * (end - SCRATCH_ADDRESS)]
            )
        raise IllegalAddressError

    def check_write(self, address: int, count: int) -> None:
        """Raise IllegalAddressError unless these are scratch registers, the only ones written."""
        if not (address >= SCRATCH_ADDRESS and address + count <= _SCRATCH_END):
            raise IllegalAddressError

    def write(self, address: int, data: bytes) -> None:
        """Write scratch registers."""
        self.check_write(address, len(data) // 2)
        offset = 2 * (address - SCRATCH_ADDRESS)
        self.scratch[offset : offset + len(data)] = data

    def read_coils(self, address: int, count: int) -> int:
        """Return scratch coils as bits, the first in bit 0."""
        if address + count > SCRATCH_COILS:
            raise IllegalAddressError
        return self.coils >> address & (1 << count) - 1

    def read_inputs(self, address: int, count: int) -> int:
        """Return discrete inputs as bits: the status word."""
        if address + count > STATUS_INPUTS:
            raise IllegalAddressError
        return status(self._meter) >> address & (1 << count) - 1

    def write_coils(self, address: int, count: int, bits: int) -> None:
        """Write scratch coils."""
        if address + count > SCRATCH_COILS:
            raise IllegalAddressError
        mask = (1 << count) - 1 << address
        self.coils = self.coils & ~mask | bits << address & mask

    def _rebuild(self, block: int) -> None:
        meter, image = self._meter, self._image
        for begin, end, get, pack in _PLAN[block]:
            image[begin:end] = pack(get(meter))
        self._revisions[block] = meter.revision

    def _purchases(self) -> bytes:
        rows = b"".join(self._meter.rings[PURCHASE_RING].newest(PURCHASES.depth))
        return rows.ljust(PURCHASES.depth * PURCHASES.row_size, b"\0")
