"""Reads capture files of Modbus traffic, as `capture.py` and other programs write them.

Taken are the data of TCP over IPv4 and IPv6, and exported PDUs of serial lines. TCP segments that
were sent twice are taken once; none is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, unpack_from

from protocols.decoded_frames import CapturedData
from protocols.errors import FrameError
from protocols.faults import Way
from protocols.modbus.capture import MODBUS_PORT
from protocols.modbus.capture_packets import read_packets

_LINK_HEADERS = {0: 4, 1: 14, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20}
"""Link type -> size of its header before IP: loopback, Ethernet, IP, Linux."""
_EXPORTED_PDU = 252
_VLAN = b"\x81\x00"
_TCP = 6
_SYN, _ACK = 0x02, 0x10
_OPTION = Struct(">HH")
_DESTINATION_PORT = 26


def read_capture(data: bytes) -> Iterator[CapturedData]:
    """Yield the data of the packets of a file, in its order.

    Raises:
        FrameError: a file of another kind, a link that is not listed, a file that is cut short.
    """
    streams = CapturedStreams()
    for at_us, link, packet in read_packets(data):
        if link == _EXPORTED_PDU:
            yield exported_data(at_us, packet)
        elif link in _LINK_HEADERS:
            yield from streams.take(at_us, packet[_LINK_HEADERS[link] + _tags(link, packet) :])
        else:
            raise FrameError(f"packets of link type {link} are not known")


def _tags(link: int, packet: bytes) -> int:
    """Return the size of a tag of a virtual network in an Ethernet packet."""
    return 4 if link == 1 and packet[12:14] == _VLAN else 0


def exported_data(at_us: int | None, packet: bytes) -> CapturedData:
    """Return the data of an exported PDU, which is a packet of a serial line."""
    at, way = 0, None
    while len(packet) - at >= _OPTION.size:
        tag, size = _OPTION.unpack_from(packet, at)
        at += _OPTION.size
        if tag == 0:
            break
        if tag == _DESTINATION_PORT and size == 4:
            port = int.from_bytes(packet[at : at + 4], "big")
            way = Way.REQUEST if port == MODBUS_PORT else Way.REPLY
        at += size
    return CapturedData(at_us, "serial line", way, packet[at:], is_packet=True)


class CapturedStreams:
    """The TCP connections of a file or dump."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[bytes, int]] = {}
        """Conversation -> who asks: the side that opened it, or whose peer has port 502."""
        self._next: dict[tuple[str, bytes, int], int] = {}

    def take(self, at_us: int | None, packet: bytes) -> Iterator[CapturedData]:
        """Yield the data of an IP packet, if it is a new part of a TCP stream."""
        found = _segment(packet)
        if found is None:
            return
        source, destination, sequence, flags, data = found
        name = " - ".join(sorted((_name(*source), _name(*destination))))
        if flags & _SYN:
            self._hosts[name] = destination if flags & _ACK else source
            self._next[name, *source] = (sequence + 1) & 0xFFFFFFFF
            return
        if not data:
            return
        if name not in self._hosts:
            asks = destination if source[1] == MODBUS_PORT else source
            self._hosts[name] = asks
        due = self._next.get((name, *source), sequence)
        seen = (due - sequence) & 0xFFFFFFFF
        if seen < 0x80000000:
            data = data[seen:]
            sequence = (sequence + seen) & 0xFFFFFFFF
        if not data:
            return
        self._next[name, *source] = (sequence + len(data)) & 0xFFFFFFFF
        way = Way.REQUEST if self._hosts[name] == source else Way.REPLY
        yield CapturedData(at_us, name, way, data, is_packet=False)


_Side = tuple[bytes, int]


def _segment(packet: bytes) -> tuple[_Side, _Side, int, int, bytes] | None:
    """Return source, destination, sequence number, flags and data of a TCP segment, else None."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and packet[9] == _TCP:
        head, size = 4 * (packet[0] & 0x0F), int(unpack_from(">H", packet, 2)[0])
        addresses = packet[12:16], packet[16:20]
        end = size or len(packet)
    elif version == 6 and len(packet) >= 40 and packet[6] == _TCP:
        head, end = 40, 40 + int(unpack_from(">H", packet, 4)[0])
        addresses = packet[8:24], packet[24:40]
    else:
        return None
    segment = packet[head:end]
    if len(segment) < 20:
        return None
    ports_of = unpack_from(">HHI", segment)
    data = segment[4 * (segment[12] >> 4) :]
    return (addresses[0], ports_of[0]), (addresses[1], ports_of[1]), ports_of[2], segment[13], data


def _name(address: bytes, port: int) -> str:
    if len(address) == 4:
        return f"{'.'.join(map(str, address))}:{port}"
    return f"[{address.hex(':', 2)}]:{port}"
