"""The packets of capture files: pcap and pcapng, as capture programs write them. Pure.

    pcap       file header · (record header · packet) …
    pcapng     blocks: section header, one description an interface, packets; others are skipped

Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import NamedTuple

from protocols.errors import FrameError

_SECTION = 0x0A0D0D0A
PCAPNG = _SECTION.to_bytes(4, "big")
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
"""First bytes of a pcap file -> byte order, and units of its times in a second."""
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_FILE_HEADER_SIZE, _RECORD_HEADER_SIZE = 24, 16
_LARGEST_PACKET = 1 << 18
_INTERFACE, _SIMPLE_PACKET, _PACKET = 1, 3, 6
_BLOCK_ENDS = 12
"""Type, and length before and behind the body of a block."""
_RESOLUTION_OPTION = 9
_SECOND_US = 1_000_000


class Packet(NamedTuple):
    """One packet; `at_us` counts from 1970-01-01T00:00:00Z, 0 where a file has no times."""

    at_us: int
    link: int
    data: bytes


class _Interface(NamedTuple):
    """What a section of pcapng says of one interface: link type, and units of times in a second."""

    link: int
    units: int


def is_capture(data: bytes) -> bool:
    """Return whether bytes begin as a capture file."""
    return data[:4] in _MAGICS or data[:4] == PCAPNG


def read_packets(data: bytes) -> Iterator[Packet]:
    """Yield the packets of a file, in its order.

    Raises:
        FrameError: a file of another kind, or one that ends within a packet.
    """
    if data[:4] == PCAPNG:
        yield from _of_blocks(data)
    elif data[:4] in _MAGICS and len(data) >= _FILE_HEADER_SIZE:
        yield from _of_records(data)
    else:
        raise FrameError("it is no capture file")


def _of_records(data: bytes) -> Iterator[Packet]:
    order, units = _MAGICS[data[:4]]
    link = unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at = _FILE_HEADER_SIZE
    while at < len(data):
        if len(data) - at < _RECORD_HEADER_SIZE:
            raise _cut_at(at)
        seconds, part, size, _ = unpack_from(f"{order}IIII", data, at)
        at += _RECORD_HEADER_SIZE
        if size > _LARGEST_PACKET or len(data) - at < size:
            raise _cut_at(at)
        yield Packet(_SECOND_US * seconds + _SECOND_US * part // units, link, data[at : at + size])
        at += size


def _of_blocks(data: bytes) -> Iterator[Packet]:
    order = "<"
    interfaces: list[_Interface] = []
    at = 0
    while at < len(data):
        if len(data) - at < _BLOCK_ENDS:
            raise _cut_at(at)
        if data[at : at + 4] == PCAPNG:
            order = _BYTE_ORDERS.get(data[at + 8 : at + 12], "")
            if not order:
                raise FrameError(f"a section without a byte order, at byte {at}")
            interfaces = []
        kind, size = unpack_from(f"{order}II", data, at)
        if size < _BLOCK_ENDS or size % 4 or len(data) - at < size:
            raise _cut_at(at)
        body = data[at + 8 : at + size - 4]
        if kind == _INTERFACE and len(body) >= 8:
            link = int(unpack_from(f"{order}H", body)[0])
            interfaces.append(_Interface(link, _units_of(body[8:], order)))
        elif kind in (_PACKET, _SIMPLE_PACKET):
            yield _packet_of(body, order, interfaces, at, has_time=kind == _PACKET)
        at += size


def _packet_of(
    body: bytes, order: str, interfaces: list[_Interface], at: int, *, has_time: bool
) -> Packet:
    head = 20 if has_time else 4
    if len(body) < head:
        raise _cut_at(at)
    number, high, low, size = unpack_from(f"{order}IIII", body) if has_time else (0, 0, 0, 0)
    if number >= len(interfaces):
        raise FrameError(f"a packet of an interface that is not described, at byte {at}")
    if not has_time:
        size = min(unpack_from(f"{order}I", body)[0], len(body) - head)
    if size > len(body) - head:
        raise _cut_at(at)
    interface = interfaces[number]
    at_us = _SECOND_US * (high << 32 | low) // interface.units
    return Packet(at_us, interface.link, body[head : head + size])


def _units_of(options: bytes, order: str) -> int:
    """Return the units of times in a second, which an option of an interface may name."""
    at = 0
    while len(options) - at >= 4:
        tag, size = unpack_from(f"{order}HH", options, at)
        at += 4
        if tag == _RESOLUTION_OPTION and size == 1 and at < len(options):
            base, power = (2, options[at] & 0x7F) if options[at] & 0x80 else (10, options[at])
            return int(base**power)
        if tag == 0:
            break
        at += size + -size % 4
    return _SECOND_US


def _cut_at(at: int) -> FrameError:
    return FrameError(f"it ends in a packet, at byte {at}")
