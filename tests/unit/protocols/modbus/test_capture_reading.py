"""Capture files are read back; what is no capture is refused."""

from __future__ import annotations

import contextlib
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import FrameError
from protocols.faults import Way
from protocols.modbus.capture import (
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    record,
    serial_packet,
)
from protocols.modbus.capture_packets import PCAPNG, is_capture
from protocols.modbus.capture_reading import read_capture

NOW_US = 1_767_225_600_000_123
HOST, METER = Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 502)
HOST_6, METER_6 = Endpoint("2001:db8::1", 50_000), Endpoint("2001:db8::2", 5020)
IP = bytes.fromhex("4500")


def of_tcp(flow: TcpConversation, *, opened: bool = True) -> list[bytes]:
    return [
        *(flow.begin() if opened else ()),
        *flow.packets(Way.REQUEST, b"ask"),
        *flow.packets(Way.REPLY, b"answer"),
        *flow.end(),
    ]


def file_of(link: Link, *packets: bytes) -> bytes:
    return file_header(link) + b"".join(record(NOW_US, packet) for packet in packets)


@pytest.mark.parametrize("way", [*Way, None])
def test_frames_of_a_serial_line_come_back_with_their_sender(way: Way | None) -> None:
    (found,) = read_capture(file_of(Link.EXPORTED_PDU, serial_packet(b"\x01\x02", way)))
    assert (found.data, found.way, found.at_us) == (b"\x01\x02", way, NOW_US)
    assert found.is_packet


@pytest.mark.parametrize("ends", [(HOST, METER), (HOST_6, METER_6)])
def test_the_side_that_opened_a_connection_asks(ends: tuple[Endpoint, Endpoint]) -> None:
    found = [*read_capture(file_of(Link.RAW_IP, *of_tcp(TcpConversation(*ends))))]
    assert [(each.way, each.data) for each in found] == [
        (Way.REQUEST, b"ask"),
        (Way.REPLY, b"answer"),
    ]
    assert len({each.conversation for each in found}) == 1


def test_port_502_answers_where_the_beginning_is_missing() -> None:
    packets = of_tcp(TcpConversation(HOST, METER), opened=False)[1:]
    (found,) = read_capture(file_of(Link.RAW_IP, *packets))
    assert (found.way, found.data) == (Way.REPLY, b"answer")


def test_a_segment_that_was_sent_twice_is_taken_once() -> None:
    packets = of_tcp(TcpConversation(HOST, METER))
    again = [*packets[:4], packets[3], *packets[4:]]
    found = [*read_capture(file_of(Link.RAW_IP, *again))]
    assert [each.data for each in found] == [b"ask", b"answer"]


def test_packets_of_ethernet_have_a_header_and_a_fill() -> None:
    packets = of_tcp(TcpConversation(HOST, METER))
    ethernet = pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        record(NOW_US, bytes(12) + head + packet + bytes(6))
        for packet in packets
        for head in [b"\x08\x00"]
    )
    assert [each.data for each in read_capture(ethernet)] == [b"ask", b"answer"]


def test_times_in_nanoseconds_and_the_other_byte_order_are_read() -> None:
    packet = serial_packet(b"\x01", None)
    data = pack(">IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 252)
    data += pack(">IIII", 7, 5_000, len(packet), len(packet)) + packet
    (found,) = read_capture(data)
    assert found.at_us == 7_000_005


def test_files_that_are_no_capture_are_refused_with_a_reason() -> None:
    assert not is_capture(b"\x01\x03")
    assert is_capture(PCAPNG)
    with pytest.raises(FrameError, match="without a byte order"):
        [*read_capture(PCAPNG + bytes(20))]
    with pytest.raises(FrameError, match="no capture file"):
        [*read_capture(b"\x01\x03")]
    with pytest.raises(FrameError, match="link type 105"):
        [*read_capture(pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 105) + record(0, b""))]
    whole = file_of(Link.EXPORTED_PDU, serial_packet(b"\x01\x02", None))
    with pytest.raises(FrameError, match="ends in a packet"):
        [*read_capture(whole[:-1])]
    with pytest.raises(FrameError, match="ends in a packet"):
        [*read_capture(whole + b"\0")]


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return a block of pcapng."""
    body += bytes(-len(body) % 4)
    size = pack(f"{order}I", len(body) + 12)
    return pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_blocks_of_pcapng_are_read_and_others_skipped(order: str) -> None:
    packet = serial_packet(b"\x01\x02\x03", Way.REQUEST)
    milliseconds = pack(f"{order}HHB3x", 9, 1, 3)
    interfaces = [
        block(1, pack(f"{order}HHI", 252, 0, 0) + options, order)
        for options in (b"", milliseconds + bytes(4))
    ]
    at = (1, 500)
    packets = [
        block(6, pack(f"{order}5I", which, *at, len(packet), len(packet)) + packet, order)
        for which in (0, 1)
    ]
    simple = block(3, pack(f"{order}I", len(packet)) + packet, order)
    names = block(4, b"names of hosts", order)
    data = section(order) + b"".join((*interfaces, names, *packets, simple))
    found = [*read_capture(data)]
    assert [each.data for each in found] == [b"\x01\x02\x03"] * 3
    units = (1 << 32) + 500
    assert [each.at_us for each in found] == [units, 1000 * units, 0]
    assert {each.way for each in found} == {Way.REQUEST}


def test_a_packet_of_no_interface_and_a_block_that_is_cut_short_are_named() -> None:
    packet = block(6, pack("<5I", 0, 0, 0, 0, 0))
    with pytest.raises(FrameError, match="not described"):
        [*read_capture(section() + packet)]
    with pytest.raises(FrameError, match="ends in a packet"):
        [*read_capture(section() + packet[:-1])]


@given(st.lists(st.tuples(st.sampled_from((1, 3, 4, 6)), st.binary(max_size=60)), max_size=5))
def test_any_blocks_give_packets_or_are_refused(blocks: list[tuple[int, bytes]]) -> None:
    data = section() + b"".join(block(kind, body) for kind, body in blocks)
    with contextlib.suppress(FrameError):
        assert all(isinstance(each.data, bytes) for each in read_capture(data))


@given(st.sampled_from([*Link]), st.lists(st.binary(max_size=80), max_size=4), st.binary())
def test_any_packets_give_data_or_are_refused(
    link: Link, packets: list[bytes], more: bytes
) -> None:
    data = file_of(link, *packets, *(IP + packet for packet in packets))
    assert all(isinstance(each.data, bytes) for each in read_capture(data))
    with contextlib.suppress(FrameError):
        assert len([*read_capture(data + more)]) >= len([*read_capture(data)])
