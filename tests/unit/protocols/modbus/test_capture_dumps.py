"""Packets of dumps are decoded by their headers; bytes without headers stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.faults import Way
from protocols.modbus.capture import Endpoint, TcpConversation, serial_packet
from protocols.modbus.capture_dumps import has_header, read_dumped

ETHERNET = bytes(12)
HEADERS = {
    "none": (b"", b""),
    "ethernet": (ETHERNET + b"\x08\x00", ETHERNET + b"\x86\xdd"),
    "a tag": (ETHERNET + b"\x81\0\0\x05\x08\x00", ETHERNET + b"\x81\0\0\x05\x86\xdd"),
    "linux": (bytes(14) + b"\x08\x00", bytes(14) + b"\x86\xdd"),
    "linux, newer": (b"\x08\x00" + bytes(18), b"\x86\xdd" + bytes(18)),
    "loopback": (b"\x02\0\0\0", b"\0\0\0\x18"),
}
ENDS = (
    (Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 502)),
    (Endpoint("2001:db8::1", 50_000), Endpoint("2001:db8::2", 502)),
)
FRAME = bytes.fromhex("01 03 00 40 00 02 c5 df")


@pytest.mark.parametrize("link", HEADERS)
@pytest.mark.parametrize("version", [0, 1])
def test_headers_are_recognised_and_name_the_connection(link: str, version: int) -> None:
    flow = TcpConversation(*ENDS[version])
    packets = [*flow.begin(), *flow.packets(Way.REQUEST, b"ask"), *flow.packets(Way.REPLY, b"yes")]
    found = [*read_dumped([HEADERS[link][version] + packet for packet in packets])]
    assert [(each.way, each.data, each.at_us) for each in found] == [
        (Way.REQUEST, b"ask", None),
        (Way.REPLY, b"yes", None),
    ]
    assert all(ENDS[version][0].address.split(":")[0] in each.conversation for each in found)


def test_packets_of_a_serial_line_are_taken_by_their_dissector() -> None:
    (found,) = read_dumped([serial_packet(FRAME, Way.REQUEST)])
    assert (found.data, found.way, found.conversation) == (FRAME, Way.REQUEST, "serial line")


def test_bytes_without_headers_have_no_conversation() -> None:
    (found,) = read_dumped([FRAME])
    assert (found.data, found.way, found.conversation, found.is_packet) == (FRAME, None, "", True)


def test_a_header_with_a_wrong_checksum_is_none() -> None:
    packet = next(TcpConversation(*ENDS[0]).packets(Way.REQUEST, b"ask"))
    assert has_header(packet)
    assert not has_header(packet[:10] + b"\x12\x34" + packet[12:])


def test_other_packets_of_a_network_hold_no_data() -> None:
    arp = ETHERNET + bytes.fromhex("0806 0001 0800 0604 0001") + bytes(20)
    assert [*read_dumped([arp])] == []


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_packets_give_their_data(packets: list[bytes]) -> None:
    plain = [packet for packet in packets if not has_header(packet)]
    assert [each.data for each in read_dumped(plain)] == plain
    assert all(isinstance(each.data, bytes) for each in read_dumped(packets))
