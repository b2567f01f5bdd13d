"""Packets whose link is not named, as dumps show them: recognised by their headers. Pure.

A header is one only where all of it fits: version, lengths, and the checksum of IPv4. Bytes that
are none are data as they are; nothing is added to them, no address and no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import unpack_from

from protocols.decoded_frames import CapturedData
from protocols.modbus.capture import internet_checksum
from protocols.modbus.capture_reading import CapturedStreams, exported_data

_ETHERTYPES = {b"\x08\x00": 4, b"\x86\xdd": 6}
_ARP = b"\x08\x06\x00\x01\x08\x00"
"""Type and first bytes of a packet that holds no data of a connection."""
_VLAN = b"\x81\x00"
_HEADERS = ((14, 12), (18, 16), (16, 14), (20, 0))
"""Sizes of headers, and where they have the type of the packet: Ethernet, with a tag, Linux."""
_NEXT_HEADERS = (0, 6, 17, 43, 44, 50, 51, 58, 60)
_LOOPBACK = 4
_DISSECTOR = b"\x00\x0c"
_SMALLEST_EXPORT = 12


def has_header(packet: bytes) -> bool:
    """Return whether bytes begin with the headers of a network, or as an exported PDU."""
    return _is_exported(packet) or _header_size(packet) is not None


def read_dumped(packets: Sequence[bytes]) -> Iterator[CapturedData]:
    """Yield the data of packets, in order; those without headers are of no conversation."""
    streams = CapturedStreams()
    for packet in packets:
        size = _header_size(packet)
        if _is_exported(packet):
            yield exported_data(None, packet)
        elif size is not None:
            yield from streams.take(None, packet[size:])
        else:
            yield CapturedData(None, "", None, packet, is_packet=True)


def _is_exported(packet: bytes) -> bool:
    """Return whether a packet names the dissector of its data, as `capture.py` writes it."""
    if packet[:2] != _DISSECTOR or len(packet) < _SMALLEST_EXPORT:
        return False
    size = int(unpack_from(">H", packet, 2)[0])
    name = packet[4 : 4 + size].rstrip(b"\0")
    return len(packet) >= 4 + size and name.isalnum()


def _header_size(packet: bytes) -> int | None:
    """Return the size of what is before IP; None where no header fits."""
    if _is_ip(packet):
        return 0
    for size, at in _HEADERS:
        if size == 18 and packet[12:14] != _VLAN:
            continue
        version = _ETHERTYPES.get(packet[at : at + 2])
        inner = packet[size:]
        if version is not None and inner[:1] and inner[0] >> 4 == version:
            if not _is_ip(inner, is_filled=True):
                continue
            return size
        if packet[at : at + 2] + inner[:4] == _ARP:
            return size
    family = packet[:_LOOPBACK]
    if family[:2] == b"\0\0" or family[2:] == b"\0\0":
        return _LOOPBACK if _is_ip(packet[_LOOPBACK:]) else None
    return None


def _is_ip(packet: bytes, *, is_filled: bool = False) -> bool:
    """Return whether bytes are a packet of IP; one that was cut short by the capture is too.

    Args:
        is_filled: whether bytes may follow that fill a packet of Ethernet.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        head, size = 4 * (packet[0] & 0x0F), int(unpack_from(">H", packet, 2)[0])
        if not 20 <= head <= len(packet) or (size and size < head):
            return False
        is_summed = internet_checksum(packet[:head]) == 0
        if not is_summed and packet[10:12] != b"\0\0":
            return False
        return is_filled or len(packet) <= size or not size
    if version == 6 and len(packet) >= 40 and packet[6] in _NEXT_HEADERS:
        size = 40 + int(unpack_from(">H", packet, 4)[0])
        return len(packet) == size or (is_filled and len(packet) > size)
    return False
