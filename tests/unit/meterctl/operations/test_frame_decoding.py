"""Frames are decoded from texts, bytes and capture files, and paired."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from meterctl.drivers.table import MODBUS
from meterctl.operations.frame_decoding import decode_input
from protocols.decoded_frames import DecodedFrame, DecoderOptions
from protocols.errors import FrameError, QuantityError
from protocols.faults import Way
from protocols.modbus import rtu, tcp
from protocols.modbus.capture import (
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    record,
    serial_packet,
)

READ, REPLY = bytes.fromhex("03 0040 0002"), bytes.fromhex("03 04 000007d0")
NOW_US = 1_767_225_600_000_000


class Found(NamedTuple):
    frames: list[DecodedFrame]
    skipped: int

    @property
    def undecoded(self) -> int:
        return sum(len(frame.raw) for frame in self.frames if not frame.is_right)


def decode(data: bytes, options: DecoderOptions | None = None) -> Found:
    found = decode_input(data, MODBUS.decoder, options or DecoderOptions(), MODBUS.captures())
    return Found([*found.frames], found.skipped)


def values(found: Found) -> list[dict[str, Any]]:
    return [json.loads(frame.fragments()["decoded"]) for frame in found.frames]


def test_a_text_is_decoded_and_other_lines_are_counted() -> None:
    lines = [f"-> {rtu.encode(1, READ).hex(' ')}", "a table", f"<- {rtu.encode(1, REPLY).hex(' ')}"]
    found = decode("\n".join(lines).encode())
    assert [each["number"] for each in values(found)] == [1, 2]
    assert values(found)[0]["answered_by"] == 2
    assert values(found)[1]["answers"] == 1
    assert (found.skipped, found.undecoded) == (1, 0)


def test_a_frame_that_a_trace_shows_in_parts_is_one() -> None:
    reply = rtu.encode(1, REPLY)
    text = f"-> {rtu.encode(1, READ).hex()}\n<- {reply[:3].hex()}\n<- {reply[3:].hex()}\n"
    assert len(decode(text.encode()).frames) == 2


def test_a_faulty_line_does_not_run_into_the_next() -> None:
    wrong = rtu.encode(1, READ)[:-1] + b"\0"
    found = decode(f"{wrong.hex()}\n{wrong.hex()}\n".encode())
    assert [each["crc"] for each in values(found)] == ["wrong", "wrong"]
    assert found.undecoded == 16


def test_bytes_are_decoded_as_they_are() -> None:
    data = rtu.encode(1, READ) + b"\xff" + rtu.encode(1, REPLY)
    found = decode(data)
    assert b"".join(frame.raw for frame in found.frames) == data
    assert found.undecoded == 1


def test_a_file_of_modbus_ascii_is_a_text() -> None:
    (found,) = values(decode(b":010300400002BA\r\n"))
    assert found["framing"] == "ascii"


def test_a_text_of_something_else_is_refused() -> None:
    with pytest.raises(QuantityError, match="line 1, column 1"):
        decode(b"hello\n")


def test_a_capture_of_a_serial_line_is_decoded() -> None:
    frames = [(Way.REQUEST, rtu.encode(1, READ)), (Way.REPLY, rtu.encode(1, REPLY))]
    data = file_header(Link.EXPORTED_PDU) + b"".join(
        record(NOW_US + 5_000 * place, serial_packet(frame, way))
        for place, (way, frame) in enumerate(frames)
    )
    found = decode(data)
    assert [each.direction for each in found.frames] == [Way.REQUEST, Way.REPLY]
    assert values(found)[1]["response_ms"] == 5.0
    assert found.frames[0].fragments()["at"] == '"2026-01-01T00:00:00.000000Z"'


def test_connections_of_a_capture_are_kept_apart_and_numbered_together() -> None:
    flows = [
        TcpConversation(Endpoint("192.0.2.1", 50_000 + each), Endpoint("192.0.2.2", 502))
        for each in (1, 2)
    ]
    packets = [packet for flow in flows for packet in flow.begin()]
    for flow in flows:  # both ask with the same transaction before either is answered
        packets += flow.packets(Way.REQUEST, tcp.encode(1, 1, READ))
    for flow in flows:
        packets += flow.packets(Way.REPLY, tcp.encode(1, 1, REPLY)[:5])
        packets += flow.packets(Way.REPLY, tcp.encode(1, 1, REPLY)[5:])
    data = file_header(Link.RAW_IP) + b"".join(record(NOW_US, packet) for packet in packets)
    found = values(decode(data))
    assert [each["number"] for each in found] == [1, 2, 3, 4]
    assert [each.get("answers") for each in found] == [None, None, 1, 2]
    assert len({each["conversation"] for each in found}) == 2


def test_the_frames_before_the_end_of_a_capture_that_is_cut_short_are_decoded() -> None:
    packets = [serial_packet(rtu.encode(1, READ), Way.REQUEST)] * 2
    data = file_header(Link.EXPORTED_PDU) + b"".join(record(NOW_US, each) for each in packets)
    found = decode_input(data[:-1], MODBUS.decoder, DecoderOptions(), MODBUS.captures())
    assert next(found.frames).direction is Way.REQUEST
    with pytest.raises(FrameError, match="ends in a packet"):
        next(found.frames)


def test_a_long_input_is_decoded_as_it_is_read() -> None:
    pair = rtu.encode(1, READ) + rtu.encode(1, REPLY)
    found = decode_input(pair * 2000, MODBUS.decoder, DecoderOptions(), MODBUS.captures())
    first = next(found.frames)
    assert first.decoded["answered_by"] == "2"
    assert sum(1 for _ in found.frames) == 3999


def rows(data: bytes) -> str:
    """Return a dump of one packet."""
    return "".join(f"{at:04x}  {data[at : at + 16].hex(' ')}\n" for at in range(0, len(data), 16))


def test_packets_of_a_dump_are_paired_and_no_frame_goes_from_one_into_the_next() -> None:
    request, reply = rtu.encode(1, READ), rtu.encode(1, REPLY)
    found = decode((rows(request) + "\n" + rows(reply)).encode())
    assert [each["number"] for each in values(found)] == [1, 2]
    assert values(found)[1]["answers"] == 1
    cut = decode((rows(request[:4]) + "\n" + rows(request[4:])).encode())
    assert b"".join(frame.raw for frame in cut.frames) == request
    assert not any(frame.is_right for frame in cut.frames)


def test_a_dump_with_the_headers_of_a_network_has_no_noise() -> None:
    flow = TcpConversation(Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 502))
    packets = [
        *flow.begin(),
        *flow.packets(Way.REQUEST, tcp.encode(7, 1, READ)),
        *flow.packets(Way.REPLY, tcp.encode(7, 1, REPLY)),
    ]
    found = decode("\n".join(map(rows, packets)).encode())
    assert [each["transaction"] for each in values(found)] == [7, 7]
    assert found.undecoded == 0
    (alone,) = decode(packets[3].hex().encode()).frames
    assert alone.direction is Way.REQUEST
