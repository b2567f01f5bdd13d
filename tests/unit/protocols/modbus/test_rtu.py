"""The RTU receiver: the same frames for every split of the bytes, and only frames sent."""

from __future__ import annotations

import pytest

from protocols.modbus.crc import crc16
from protocols.modbus.pdu import exception_reply, read_request, write_request
from protocols.modbus.rtu import BROADCAST, MAX_FRAME, FrameRole, RtuFrame, RtuReceiver, encode

OURS, THEIRS = 1, 9
READ = read_request(3, 0, 10)
READ_FRAME = bytes.fromhex("01 03 00 00 00 0a c5 cd")
WRITE = write_request(0x1500, bytes(range(60)))
STRANGE = bytes.fromhex("41 01 02 03")
"""A user-defined function, whose length is unknown."""


def receiver() -> RtuReceiver:
    return RtuReceiver(lambda unit: unit in (OURS, BROADCAST))


def request(unit: int, pdu: bytes) -> RtuFrame:
    return RtuFrame(unit, pdu, FrameRole.REQUEST)


def reply(unit: int, pdu: bytes) -> RtuFrame:
    return RtuFrame(unit, pdu, FrameRole.REPLY)


def whole(data: bytes) -> tuple[list[RtuFrame], RtuReceiver]:
    line = receiver()
    return line.receive(data), line


def byte_by_byte(data: bytes) -> tuple[list[RtuFrame], RtuReceiver]:
    line = receiver()
    return [frame for byte in data for frame in line.receive(bytes((byte,)))], line


def both_ways(data: bytes) -> tuple[list[RtuFrame], RtuReceiver]:
    """Return the frames of `data`, asserted to be the same when received whole and byte by byte."""
    at_once, line = whole(data)
    slowly, other = byte_by_byte(data)
    assert at_once == slowly
    assert (line.corrupt, line.pending) == (other.corrupt, other.pending)
    return at_once, line


def flips(data: bytes) -> list[bytes]:
    return [
        bytes((*data[:i], data[i] ^ 1 << bit, *data[i + 1 :]))
        for i in range(len(data))
        for bit in range(8)
    ]


# ---- whole frames


def test_a_frame_is_unit_pdu_and_crc() -> None:
    assert encode(OURS, READ) == READ_FRAME
    assert MAX_FRAME == 256


@pytest.mark.parametrize(
    "pdu",
    [
        READ,
        WRITE,
        read_request(1, 0, 16),
        bytes.fromhex("05 0000 ff00"),
        bytes.fromhex("06 2000 1234"),
        bytes.fromhex("08 0000 a537"),
        bytes.fromhex("0f 0000 000a 02 ff03"),
        write_request(0x2000, bytes(2)),
        write_request(0x1500, bytes(246)),
        bytes.fromhex("17 1600 004d 1500 0004 08 0000000000000000"),
        bytes.fromhex("2b 0e 01 00"),
    ],
    ids=lambda pdu: f"function {pdu[0]}, {len(pdu)} bytes",
)
@pytest.mark.parametrize("unit", [OURS, THEIRS, BROADCAST])
def test_a_request_is_whole_as_soon_as_its_crc_is_right(unit: int, pdu: bytes) -> None:
    frames, line = both_ways(encode(unit, pdu))
    assert frames == [request(unit, pdu)]
    assert line.corrupt == 0
    assert not line.pending


def test_nothing_is_given_before_the_last_byte() -> None:
    line = receiver()
    for byte in READ_FRAME[:-1]:
        assert line.receive(bytes((byte,))) == []
        assert line.pending
    assert line.receive(READ_FRAME[-1:]) == [request(OURS, READ)]
    assert not line.pending


def test_no_bytes_give_no_frames() -> None:
    frames, line = both_ways(b"")
    assert frames == []
    assert line.silence() == []
    assert line.corrupt == 0
    assert not line.pending


def test_frames_back_to_back_come_in_order() -> None:
    frames, line = both_ways(READ_FRAME + encode(OURS, WRITE) + READ_FRAME + READ_FRAME)
    assert frames == [
        request(OURS, READ),
        request(OURS, WRITE),
        request(OURS, READ),
        request(OURS, READ),
    ]
    assert line.corrupt == 0


def test_a_stream_may_be_cut_anywhere() -> None:
    data = encode(THEIRS, WRITE) + encode(THEIRS, WRITE[:5]) + READ_FRAME
    wanted = [request(THEIRS, WRITE), reply(THEIRS, WRITE[:5]), request(OURS, READ)]
    for cut in range(len(data) + 1):
        line = receiver()
        assert line.receive(data[:cut]) + line.receive(data[cut:]) == wanted


# ---- other units


@pytest.mark.parametrize(
    "pdu",
    [
        bytes.fromhex("03 02 1234"),
        bytes.fromhex("03 14") + bytes(range(20)),
        bytes.fromhex("01 01 01"),
        bytes.fromhex("10 1500 0020"),
        exception_reply(3, 2),
        exception_reply(23, 6),
        bytes.fromhex("17 04 00010002"),
        bytes.fromhex("2b 0e 01 01 00 00 01 00 03 414243"),
        b"\x03\xfa" + bytes(250),
    ],
    ids=lambda pdu: f"function {pdu[0]}, {len(pdu)} bytes",
)
def test_another_units_reply_is_skipped_as_a_whole(pdu: bytes) -> None:
    frames, line = both_ways(encode(THEIRS, pdu) + READ_FRAME)
    assert frames == [reply(THEIRS, pdu), request(OURS, READ)]
    assert line.corrupt == 0


def test_another_units_conversation_passes_by() -> None:
    asked, answered = read_request(3, 0, 3), bytes.fromhex("03 06 022b00000064")
    frames, line = both_ways((encode(THEIRS, asked) + encode(THEIRS, answered)) * 3 + READ_FRAME)
    assert frames == [request(THEIRS, asked), reply(THEIRS, answered)] * 3 + [request(OURS, READ)]
    assert line.corrupt == 0


@pytest.mark.parametrize(
    "pdu", [bytes.fromhex("03 02 1234"), bytes.fromhex("01 02 cd01")], ids=bytes.hex
)
def test_a_broadcast_right_behind_another_units_reply_is_found(pdu: bytes) -> None:
    """A frame and the 00 of a broadcast have a right CRC together, but are not one frame."""
    frames, line = both_ways(encode(THEIRS, pdu) + encode(BROADCAST, WRITE) + READ_FRAME)
    assert frames == [reply(THEIRS, pdu), request(BROADCAST, WRITE), request(OURS, READ)]
    assert line.corrupt == 0


def test_another_units_frame_that_looks_like_ours_inside_is_no_request_of_ours() -> None:
    data = b"\x03\x08" + READ_FRAME
    frames, _ = both_ways(encode(THEIRS, data))
    assert frames == [reply(THEIRS, data)]


# ---- a request is never taken for a reply


def ambiguous_requests() -> list[bytes]:
    """Return reads of mapped registers whose first bytes have the length and the CRC of a reply."""
    frames = [encode(3, read_request(4, 131, 2))]  # 03 04 00 | 83 00: "a reply of no bytes"
    for unit in (1, 2, 17, 247):
        for low in range(256):
            count = crc16(bytes((unit, 3, 2, low, 0))) & 0xFF
            if 1 <= count <= 125:
                frames.append(
                    encode(unit, read_request(3, 0x200 + low, count))
                )  # "a reply of one register"
    return frames


@pytest.mark.parametrize("frame", ambiguous_requests()[::40], ids=lambda frame: frame.hex())
def test_a_request_for_our_unit_is_executed_even_if_its_beginning_could_be_a_reply(
    frame: bytes,
) -> None:
    """DESIGN.md 5.4: a whole request with a right CRC for one of our units is executed at once."""
    wanted = [RtuFrame(frame[0], frame[1:-2], FrameRole.REQUEST)]
    for cut in range(len(frame) + 1):
        line = RtuReceiver(lambda unit: unit == frame[0])
        frames = line.receive(frame[:cut]) + line.receive(frame[cut:]) + line.silence()
        assert frames == wanted


# ---- our own replies, echoed by the line


@pytest.mark.parametrize(
    "pdu",
    [
        exception_reply(3, 2),
        exception_reply(0x41, 1),
        bytes.fromhex("03 02 1234"),
        bytes.fromhex("03 04 00010002"),
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("before", ["", "ff", "01 10 15 00 00 7b f6"])
def test_an_echo_of_our_own_reply_is_never_a_request(pdu: bytes, before: str) -> None:
    """Codes from 80H on are replies (V1.1b3, section 4.1): answering one makes an endless echo."""
    frames, line = both_ways(bytes.fromhex(before) + encode(OURS, pdu))
    frames += line.silence()
    assert [frame for frame in frames if frame.role is not FrameRole.REPLY] == []
    assert line.receive(READ_FRAME) == [request(OURS, READ)]


# ---- unknown functions


def test_a_strange_function_of_ours_ends_where_its_crc_comes_out_right() -> None:
    frames, line = both_ways(encode(OURS, STRANGE) + READ_FRAME)
    assert frames == [RtuFrame(OURS, STRANGE, FrameRole.UNKNOWN_FUNCTION), request(OURS, READ)]
    assert line.corrupt == 0


def test_a_strange_function_alone_is_the_shortest_frame() -> None:
    frames, _ = both_ways(encode(OURS, b"\x41"))
    assert frames == [RtuFrame(OURS, b"\x41", FrameRole.UNKNOWN_FUNCTION)]


def test_a_request_behind_another_units_strange_function_is_found_at_the_latest_in_silence() -> (
    None
):
    frames, line = both_ways(encode(THEIRS, STRANGE) + READ_FRAME)
    frames += line.silence()
    assert frames[-1] == request(OURS, READ)
    assert not [frame for frame in frames if frame.unit == OURS and frame != frames[-1]]


def test_a_strange_function_that_never_comes_out_right_is_given_up_after_the_longest_frame() -> (
    None
):
    line = receiver()
    assert line.receive(b"\x01\x41" + b"\x55" * 500) == []
    assert line.corrupt > 0


# ---- garbage

GARBAGE = ["00", "ff", "01", "0103", "ffff0042", "0110", "fe", "c5cd", "0a c5 cd", "09 03 00 00 00"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_request_behind_garbage_is_found_at_the_latest_in_silence(garbage: str) -> None:
    frames, line = both_ways(bytes.fromhex(garbage) + READ_FRAME)
    frames += line.silence()
    assert frames == [request(OURS, READ)]
    assert line.corrupt > 0
    assert not line.pending


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_behind_a_request_does_not_touch_it_nor_the_next(garbage: str) -> None:
    frames, line = both_ways(READ_FRAME + bytes.fromhex(garbage))
    assert frames == [request(OURS, READ)]
    assert line.silence() == []
    assert line.corrupt > 0
    assert not line.pending
    assert line.receive(READ_FRAME) == [request(OURS, READ)]


def test_garbage_that_announces_a_long_frame_waits_for_silence_and_no_longer() -> None:
    garbage = bytes.fromhex("01 10 15 00 00 7b f6")  # function 16 with 246 bytes to come
    frames, line = both_ways(garbage + READ_FRAME)
    assert frames == []
    assert line.pending
    assert line.silence() == [request(OURS, READ)]
    assert line.corrupt == 1
    assert line.receive(READ_FRAME) == [request(OURS, READ)]


@pytest.mark.parametrize("flipped", flips(READ_FRAME), ids=lambda flipped: flipped.hex())
def test_a_request_with_a_flipped_bit_is_never_taken(flipped: bytes) -> None:
    frames, line = both_ways(flipped)
    frames += line.silence()
    assert frames == []
    assert line.corrupt > 0
    assert line.receive(READ_FRAME) == [request(OURS, READ)]


def test_what_waits_is_never_longer_than_a_frame() -> None:
    """Noise like the head of a device identification must not block the requests after it."""
    line = RtuReceiver(lambda unit: unit == OURS)
    frames = line.receive(bytes.fromhex("09 2b 0e 01 01 00 00 ff") + b"\x03" * 300 + 4 * READ_FRAME)
    assert frames == [request(OURS, READ)] * 4


# ---- silence


def test_silence_drops_a_frame_cut_short() -> None:
    for size in range(1, len(READ_FRAME)):
        line = receiver()
        assert line.receive(READ_FRAME[:size]) == []
        assert line.silence() == []
        assert line.corrupt > 0
        assert not line.pending
        assert line.receive(READ_FRAME) == [request(OURS, READ)]


def test_silence_without_bytes_is_nothing() -> None:
    line = receiver()
    assert line.silence() == []
    assert line.corrupt == 0


def test_silence_takes_a_strange_function_behind_garbage() -> None:
    line = receiver()
    assert line.receive(bytes.fromhex("01 10 15 00 00 7b f6") + encode(OURS, STRANGE)) == []
    assert line.silence() == [RtuFrame(OURS, STRANGE, FrameRole.UNKNOWN_FUNCTION)]


# ---- frames whose length does not fit their function

WRONG_LENGTHS = [
    "10 2000 0000 00 022b00010064",
    "0f 0000 0000 00 02",
    "10 2000 0003 04 022b00010064",
    "10 2000 0001",
    "17 0000 0001 2000 0001 00 1234",
    "17 0000 0001",
    "03 2000 0001 00",
    "03 2000",
    "03 00",
    "03",
    "06 2000",
    "05 0000 ff00 00",
    "08 0000",
    "11 00",
    "16 2000 00f2",
    "2b 0e 01 00 00",
    "07 00",
]


@pytest.mark.parametrize("pdu", WRONG_LENGTHS)
def test_a_whole_frame_of_a_wrong_length_is_known_at_the_silence(pdu: str) -> None:
    whole_pdu = bytes.fromhex(pdu)
    frames, line = both_ways(encode(OURS, whole_pdu))
    assert frames == []
    assert line.pending
    assert line.silence() == [RtuFrame(OURS, whole_pdu, FrameRole.WRONG_LENGTH)]
    assert not line.pending
    assert line.receive(READ_FRAME) == [request(OURS, READ)]


@pytest.mark.parametrize("pdu", WRONG_LENGTHS)
@pytest.mark.parametrize("before", ["ff", "01 03"])
def test_a_frame_of_a_wrong_length_behind_other_bytes_is_corrupt(pdu: str, before: str) -> None:
    frames, line = both_ways(bytes.fromhex(before) + encode(OURS, bytes.fromhex(pdu)))
    assert frames + line.silence() == []
    assert line.corrupt > 0


@pytest.mark.parametrize("pdu", WRONG_LENGTHS)
@pytest.mark.parametrize("unit", [THEIRS, BROADCAST])
def test_a_frame_of_a_wrong_length_for_others_is_not_ours(pdu: str, unit: int) -> None:
    frames, line = both_ways(encode(unit, bytes.fromhex(pdu)))
    frames += line.silence()
    assert [frame for frame in frames if frame.role is FrameRole.WRONG_LENGTH] == []


def test_no_frame_is_longer_than_the_longest() -> None:
    line = receiver()
    line.receive(encode(OURS, b"\x03" + bytes(300)))
    assert line.silence() == []
