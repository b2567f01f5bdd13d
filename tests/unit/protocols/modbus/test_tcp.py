"""Modbus TCP framing: pipelined frames in order, streams cut anywhere, invalid streams."""

from __future__ import annotations

import pytest

from protocols.modbus.pdu import MAX_PDU, read_request
from protocols.modbus.tcp import HEADER_SIZE, TcpFrame, encode, take

READ = read_request(3, 0, 10)
FRAMES = [
    TcpFrame(0, 1, READ),
    TcpFrame(0xFFFF, 255, b"\x2b"),
    TcpFrame(2, 0, bytes(MAX_PDU)),
    TcpFrame(0x1234, 17, READ),
]
STREAM = b"".join(encode(*frame) for frame in FRAMES)


def test_a_frame_is_header_and_pdu() -> None:
    assert encode(0x1234, 17, READ) == bytes.fromhex("1234 0000 0006 11") + READ
    assert HEADER_SIZE == 7


def test_pipelined_frames_come_in_order_and_nothing_stays() -> None:
    buffer = bytearray(STREAM)
    assert take(buffer) == (FRAMES, False)
    assert buffer == b""


def test_no_bytes_are_no_frames() -> None:
    assert take(bytearray()) == ([], False)


@pytest.mark.parametrize("first", FRAMES, ids=lambda frame: f"{len(frame.pdu)} bytes")
def test_a_stream_may_be_cut_anywhere(first: TcpFrame) -> None:
    data = encode(*first) + encode(*FRAMES[0])
    for cut in range(len(data) + 1):
        buffer = bytearray(data[:cut])
        before, lost = take(buffer)
        assert not lost
        assert len(buffer) == cut - sum(HEADER_SIZE + len(frame.pdu) for frame in before)
        buffer += data[cut:]
        behind, lost = take(buffer)
        assert not lost
        assert before + behind == [first, FRAMES[0]]
        assert buffer == b""


def test_byte_by_byte_gives_the_same_frames() -> None:
    buffer, frames = bytearray(), []
    for byte in STREAM:
        buffer.append(byte)
        taken, lost = take(buffer)
        assert not lost
        frames += taken
    assert frames == FRAMES


@pytest.mark.parametrize(
    "header",
    [
        "0001 0001 0006 01",
        "0001 ffff 0006 01",
        "0001 0000 0000 01",
        "0001 0000 0001 01",
        "0001 0000 00ff 01",
        "0001 0000 ffff 01",
    ],
)
def test_another_protocol_or_a_length_that_cannot_be_loses_the_stream_but_not_the_frames_before(
    header: str,
) -> None:
    buffer = bytearray(STREAM + bytes.fromhex(header) + STREAM)
    assert take(buffer) == (FRAMES, True)
    assert buffer == b""


@pytest.mark.parametrize("size", [1, MAX_PDU])
def test_the_shortest_and_the_longest_pdu_are_taken(size: int) -> None:
    assert take(bytearray(encode(1, 2, bytes(size)))) == ([TcpFrame(1, 2, bytes(size))], False)


@pytest.mark.parametrize("size", [0, MAX_PDU + 1])
def test_no_pdu_and_one_too_long_are_none(size: int) -> None:
    assert take(bytearray(encode(1, 2, bytes(size)))) == ([], True)


def test_a_frame_is_a_copy_of_the_buffer() -> None:
    buffer = bytearray(STREAM + b"\0")
    frames, _ = take(buffer)
    assert buffer == b"\0"
    buffer[:] = bytes(5)
    assert frames == FRAMES
    assert all(isinstance(frame.pdu, bytes) for frame in frames)
