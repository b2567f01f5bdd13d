"""The window in which a meter shows its tariff: the set in force, and the parts that wait.

    address        which set (u16: 0 current, 1 pending) and offset (u16) of the first byte wanted
    address + 2    set and offset (u16 each), as asked · size of the whole encoding (u16)
                   · its CRC-32 (u32) · its bytes from the offset on, at most 240; 0 behind its end

The encoding is that of a sealed `tariff` message (docs/sealed-messages.md): the current set has all
four parts with activation 0; of the pending set those that wait, each with its instant in UTC
seconds, none as the byte 0. A longer one is read in several requests: where size or CRC-32 differ
between two of them, the set changed, and the read begins again.

Function 23 asks and reads in one exchange. The question belongs to the session. Reading has no
effect and needs no permission.
"""

from __future__ import annotations

import zlib
from struct import Struct
from typing import NamedTuple

from protocols.data_model.tariff import TariffSet
from protocols.errors import MalformedMessageError

TARIFF_QUESTION = Struct(">HH")
TARIFF_HEAD = Struct(">HHHI")
TARIFF_PART = 240
"""Bytes of the encoding in one read: with their head they fill 125 registers."""
TARIFF_REGISTERS = (TARIFF_HEAD.size + TARIFF_PART) // 2


class TariffWindow(NamedTuple):
    """The window of the tariff at an address."""

    address: int

    @property
    def read_address(self) -> int:
        """First register of the read part."""
        return self.address + TARIFF_QUESTION.size // 2

    @property
    def extent(self) -> range:
        """All registers of the window."""
        return range(self.address, self.read_address + TARIFF_REGISTERS)


class TariffPart(NamedTuple):
    """What one read of the window shows."""

    which: int
    offset: int
    size: int
    crc: int
    data: bytes

    @classmethod
    def of(cls, encoding: bytes, which: TariffSet, offset: int) -> TariffPart:
        """Return the part of an encoding that begins at an offset."""
        data = encoding[offset : offset + TARIFF_PART]
        return cls(int(which), offset, len(encoding), zlib.crc32(encoding), data)

    def encode(self) -> bytes:
        """Return the registers of the read part."""
        head = TARIFF_HEAD.pack(self.which, self.offset, self.size, self.crc)
        return head + self.data.ljust(TARIFF_PART, b"\0")

    @classmethod
    def decode(cls, registers: bytes) -> TariffPart:
        """Return the part that the registers show; raises MalformedMessageError."""
        if len(registers) != 2 * TARIFF_REGISTERS:
            raise MalformedMessageError(f"{len(registers)} bytes are no part of a tariff")
        which, offset, size, crc = TARIFF_HEAD.unpack_from(registers)
        end = min(max(size - offset, 0), TARIFF_PART)
        return cls(which, offset, size, crc, registers[TARIFF_HEAD.size :][:end])
