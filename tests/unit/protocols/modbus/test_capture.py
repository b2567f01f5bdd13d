"""Capture files, byte by byte; `tests/third_party/test_captures.py` gives them to tshark."""

from __future__ import annotations

from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.faults import Way
from protocols.modbus.capture import (
    MAX_DATA,
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    internet_checksum,
    record,
    serial_packet,
)

HOST, METER = Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 502)
HOST_6, METER_6 = Endpoint("2001:db8::1", 50_000), Endpoint("2001:db8::2", 502)


def test_the_file_header_names_the_link() -> None:
    assert file_header(Link.RAW_IP).hex(" ") == (
        "d4 c3 b2 a1 02 00 04 00 00 00 00 00 00 00 00 00 00 00 01 00 65 00 00 00"
    )
    assert file_header(Link.EXPORTED_PDU)[-4:] == bytes((252, 0, 0, 0))


def test_a_record_has_seconds_microseconds_and_both_lengths() -> None:
    assert (
        record(1_767_225_600_000_123, b"abc")
        == ((1_767_225_600).to_bytes(4, "little") + bytes((123, 0, 0, 0)) + bytes((3, 0, 0, 0)) * 2)
        + b"abc"
    )


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("00 01 f2 03 f4 f5 f6 f7")) == 0xFFFF - 0xDDF2
    assert internet_checksum(b"\x01") == 0xFFFF - 0x0100
    assert internet_checksum(b"") == 0xFFFF


def test_an_rtu_frame_names_its_dissector_and_who_sent_it() -> None:
    assert serial_packet(b"\x11\x22", Way.REQUEST).hex(" ") == (
        "00 0c 00 08 6d 62 72 74 75 00 00 00 "  # mbrtu
        "00 18 00 04 00 00 00 02 00 19 00 04 00 00 c0 00 00 1a 00 04 00 00 01 f6 "  # 49152 to 502
        "00 00 00 00 11 22"
    )
    assert b"\x00\x19\x00\x04\x00\x00\x01\xf6" in serial_packet(b"", Way.REPLY)  # from 502


def test_bytes_of_an_unknown_sender_have_no_ports() -> None:
    packet = serial_packet(b"\x11\x22", None)
    assert packet.hex(" ") == "00 0c 00 08 6d 62 72 74 75 00 00 00 00 00 00 00 11 22"


def test_a_conversation_is_opened_acknowledged_and_closed() -> None:
    flow = TcpConversation(HOST, METER)
    packets = [
        *flow.begin(),
        *flow.packets(Way.REQUEST, b"12345"),
        *flow.packets(Way.REPLY, b"123"),
        *flow.end(),
    ]
    told = [(*unpack_from(">HHII", packet, 20), packet[33], len(packet) - 40) for packet in packets]
    host, meter = (50_000, 502), (502, 50_000)
    assert told == [
        (*host, 0, 0, 0x02, 0),
        (*meter, 0, 1, 0x12, 0),
        (*host, 1, 1, 0x10, 0),
        (*host, 1, 1, 0x18, 5),
        (*meter, 1, 6, 0x18, 3),
        (*host, 6, 4, 0x11, 0),
        (*meter, 4, 7, 0x11, 0),
        (*host, 7, 5, 0x10, 0),
    ]


def test_the_meter_may_end_a_conversation() -> None:
    flow = TcpConversation(HOST, METER)
    list(flow.begin())
    first, *_ = flow.end(Way.REPLY)
    assert first[20:22] == (502).to_bytes(2, "big")


@pytest.mark.parametrize(("host", "meter"), [(HOST, METER), (HOST_6, METER_6)], ids=["4", "6"])
@given(st.binary(min_size=1, max_size=2 * MAX_DATA + 1), st.sampled_from(Way))
def test_every_checksum_and_length_is_right(
    host: Endpoint, meter: Endpoint, data: bytes, way: Way
) -> None:
    sent = b""
    for packet in TcpConversation(host, meter).packets(way, data):
        header = 20 if host is HOST else 40
        if host is HOST:
            assert packet[0] == 0x45
            assert internet_checksum(packet[:header]) == 0
            assert int.from_bytes(packet[2:4], "big") == len(packet)
            addresses = packet[12:20]
        else:
            assert packet[0] == 0x60
            assert int.from_bytes(packet[4:6], "big") == len(packet) - header
            addresses = packet[8:40]
        segment = packet[header:]
        pseudo_header = addresses + len(segment).to_bytes(4, "big") + b"\0\0\0\x06"
        assert internet_checksum(pseudo_header + segment) == 0
        assert len(segment) <= 20 + MAX_DATA
        sent += segment[20:]
    assert sent == data
