"""Capture files of Modbus traffic, as bytes: files of pcap, which Wireshark and tshark open.

    file header · record · record · …          record: time, length, packet

Frames on TCP are the data of a TCP conversation, in raw IP packets. Frames on a serial line have no
link type of their own; they are exported PDUs that name their dissector (Modbus RTU), so that a
file opens without settings. The ports in an exported PDU say who sent the frame: with the setting
`mbrtu.tcp.port:502` a request and a reply of the same bytes are told apart too.

Formats: draft-ietf-opsawg-pcap; RFC 791, 8200 and 9293; link types 101 and 252 of tcpdump's list.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple, TypeVar

from protocols.faults import Way

T = TypeVar("T")

MODBUS_PORT = 502
HOST_PORT = 0xC000
"""Port of the host in the exported PDU of a serial line, where there are no ports."""
MAX_DATA = 1440
"""Data of one TCP segment: with an IPv6 header it fits an Ethernet frame."""

_FILE_HEADER = Struct("<IHHIIII")
_RECORD_HEADER = Struct("<IIII")
_MAGIC, _MAJOR, _MINOR = 0xA1B2C3D4, 2, 4  # times in us
_MAX_PACKET = 0x10000
_SECOND_US = 1_000_000

_IPV4 = Struct(">BBHHHBBH")
_IPV6 = Struct(">IHBB")
_TCP = Struct(">HHIIHHHH")
_TCP_PROTOCOL, _HOPS = 6, 64
_WINDOW = 0xFFFF
_FIN, _SYN, _PUSH, _ACK = 0x01, 0x02, 0x08, 0x10
_HEADER_WORDS = 5 << 12

_OPTION = Struct(">HH")
_DISSECTOR, _PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT = 12, 24, 25, 26
_TCP_PORTS = 2
_END_OF_OPTIONS = _OPTION.pack(0, 0)


class Link(IntEnum):
    """What the packets of a file are; all of a file are of one kind."""

    RAW_IP = 101
    EXPORTED_PDU = 252


class Endpoint(NamedTuple):
    """One side of a TCP conversation: an IPv4 or IPv6 address, both sides of one kind."""

    address: str
    port: int


def file_header(link: Link) -> bytes:
    """Return the first bytes of a file."""
    return _FILE_HEADER.pack(_MAGIC, _MAJOR, _MINOR, 0, 0, _MAX_PACKET, link)


def record(at_us: int, packet: bytes) -> bytes:
    """Return the bytes of a packet in a file; `at_us` counts from 1970-01-01T00:00:00Z."""
    return _RECORD_HEADER.pack(*divmod(at_us, _SECOND_US), len(packet), len(packet)) + packet


def serial_packet(frame: bytes, way: Way | None) -> bytes:
    """Return the packet of an RTU frame, or of other bytes of a line; None: of unknown sender."""
    options = _option(_DISSECTOR, b"mbrtu")
    if way is not None:
        source, destination = _ways(way, HOST_PORT, MODBUS_PORT)
        for tag, number in (
            (_PORT_TYPE, _TCP_PORTS),
            (_SOURCE_PORT, source),
            (_DESTINATION_PORT, destination),
        ):
            options += _option(tag, number.to_bytes(4, "big"))
    return options + _END_OF_OPTIONS + frame


class TcpConversation:
    """The packets of one TCP connection, with the sequence numbers and checksums of both sides."""

    def __init__(self, host: Endpoint, meter: Endpoint) -> None:
        self._host, self._meter = host, meter
        self._next = {Way.REQUEST: 0, Way.REPLY: 0}

    def begin(self) -> Iterator[bytes]:
        """Yield the packets that open the connection."""
        yield self._packet(Way.REQUEST, _SYN)
        yield self._packet(Way.REPLY, _SYN | _ACK)
        yield self._packet(Way.REQUEST, _ACK)

    def packets(self, way: Way, data: bytes) -> Iterator[bytes]:
        """Yield the packets of bytes that one side sends; the next packet acknowledges them."""
        for at in range(0, len(data), MAX_DATA):
            yield self._packet(way, _PUSH | _ACK, data[at : at + MAX_DATA])

    def end(self, way: Way = Way.REQUEST) -> Iterator[bytes]:
        """Yield the packets that close the connection, first those of the side that ends it."""
        other = Way.REPLY if way is Way.REQUEST else Way.REQUEST
        yield self._packet(way, _FIN | _ACK)
        yield self._packet(other, _FIN | _ACK)
        yield self._packet(way, _ACK)

    def _packet(self, way: Way, flags: int, data: bytes = b"") -> bytes:
        """Return the next packet of a side, and count what it sends."""
        source, destination = _ways(way, self._host, self._meter)
        ours, theirs = _ways(way, self._next[Way.REQUEST], self._next[Way.REPLY])
        acknowledged = theirs if flags & _ACK else 0
        first = (source.port, destination.port, ours, acknowledged, _HEADER_WORDS | flags)
        addresses = ip_address(source.address).packed, ip_address(destination.address).packed
        size = _TCP.size + len(data)
        pseudo_header = (
            b"".join(addresses) + size.to_bytes(4, "big") + bytes((0, 0, 0, _TCP_PROTOCOL))
        )
        unsummed = _TCP.pack(*first, _WINDOW, 0, 0) + data
        checksum = internet_checksum(pseudo_header + unsummed)
        sent = len(data) + bool(flags & (_SYN | _FIN))
        self._next[way] = (ours + sent) & 0xFFFFFFFF
        return _ip_header(*addresses, size) + _TCP.pack(*first, _WINDOW, checksum, 0) + data


def internet_checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071: the ones' complement of the ones' complement sum."""
    words = memoryview(data + bytes(len(data) % 2)).cast("B")
    total = sum(words[::2]) * 256 + sum(words[1::2])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ip_header(source: bytes, destination: bytes, size: int) -> bytes:
    """Return the header of a packet with so many bytes of TCP."""
    addresses = source + destination
    if len(source) == 16:
        return _IPV6.pack(6 << 28, size, _TCP_PROTOCOL, _HOPS) + addresses
    fields = (0x45, 0, 20 + size, 0, 0x4000, _HOPS, _TCP_PROTOCOL)
    checksum = internet_checksum(_IPV4.pack(*fields, 0) + addresses)
    return _IPV4.pack(*fields, checksum) + addresses


def _option(tag: int, data: bytes) -> bytes:
    """Return an option of an exported PDU, filled with zeros to a multiple of four bytes."""
    padded = data + bytes(-len(data) % 4)
    return _OPTION.pack(tag, len(padded)) + padded


def _ways(way: Way, host: T, meter: T) -> tuple[T, T]:
    """Return source and destination."""
    return (host, meter) if way is Way.REQUEST else (meter, host)
