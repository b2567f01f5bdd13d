"""Modbus TCP framing (Messaging on TCP/IP V1.0b, section 3.1.3): the MBAP header and a PDU.

 0        2          4        6      7
+--------+----------+--------+------+--------+
| trans. | protocol | length | unit | PDU    |    length counts unit and PDU; protocol is 0
+--------+----------+--------+------+--------+
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from protocols.modbus.pdu import MAX_PDU

HEADER = Struct(">HHHB")
HEADER_SIZE = HEADER.size


class TcpFrame(NamedTuple):
    """One frame: transaction identifier, unit identifier, PDU."""

    transaction: int
    unit: int
    pdu: bytes


def encode(transaction: int, unit: int, pdu: bytes) -> bytes:
    """Return the frame of a PDU."""
    return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def take(buffer: bytearray) -> tuple[list[TcpFrame], bool]:
    """Remove and return every complete frame of `buffer`, in order; an incomplete one stays.

    The second value is true where the stream is not Modbus TCP or its framing is lost: then the
    rest of the buffer is discarded.
    """
    frames: list[TcpFrame] = []
    at, size = 0, len(buffer)
    while size - at >= HEADER_SIZE:
        transaction, protocol, length, unit = HEADER.unpack_from(buffer, at)
        if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
            buffer.clear()
            return frames, True
        end = at + 6 + length
        if end > size:
            break
        frames.append(TcpFrame(transaction, unit, bytes(buffer[at + HEADER_SIZE : end])))
        at = end
    if at:
        del buffer[:at]
    return frames, False
