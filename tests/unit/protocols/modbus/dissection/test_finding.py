"""Frames of every framing are found in a stream, and what is between them is kept."""

from __future__ import annotations

import pytest

from protocols.decoded_frames import DecoderOptions
from protocols.modbus import tcp
from protocols.modbus.dissection.decoder import ModbusDecoder
from protocols.modbus.dissection.finding import MAX_NOISE, Fault, FrameFinder, Framing
from tests.unit.protocols.modbus.dissection.support import decode, rtu, values

READ = rtu("03 0040 0002")
REPLY = rtu("03 04 000007d0")
ASCII = b":010300400002BA\r\n"
TCP = tcp.encode(7, 1, bytes.fromhex("03 0040 0002"))


def faults(*parts: bytes, given: Framing | None = None) -> list[tuple[bytes, str | None]]:
    finder = FrameFinder(given)
    pieces = [*finder.receive(b"".join(parts)), *finder.silence()]
    return [(each.raw, None if each.fault is None else each.fault.value) for each in pieces]


@pytest.mark.parametrize(
    ("frame", "framing"), [(READ, "rtu"), (REPLY, "rtu"), (TCP, "tcp"), (ASCII, "ascii")]
)
def test_the_framing_is_found(frame: bytes, framing: str) -> None:
    (found,) = decode(frame)
    assert values(found)["framing"] == framing
    assert found.is_right


def test_frames_after_noise_and_between_noise_are_whole() -> None:
    assert faults(b"\xff\x00\x13", READ, b"\x00", REPLY, b"\xfe\xfe") == [
        (b"\xff\x00\x13", "noise"),
        (READ, None),
        (b"\x00", "noise"),
        (REPLY, None),
        (b"\xfe\xfe", "noise"),
    ]


def test_a_frame_with_a_wrong_crc_is_a_frame() -> None:
    wrong = READ[:-1] + bytes((READ[-1] ^ 1,))
    assert faults(REPLY, wrong, REPLY) == [(REPLY, None), (wrong, "wrong_check"), (REPLY, None)]
    (found,) = decode(wrong)
    assert values(found)["crc"] == "wrong"
    assert values(found)["crc_expected"] == READ[-2:].hex(" ")


def test_a_wrong_lrc_is_named_with_the_right_one() -> None:
    (found,) = decode(b":010300400002BB\r\n")
    assert (values(found)["lrc"], values(found)["lrc_expected"]) == ("wrong", "ba")


def test_a_length_in_noise_does_not_hide_the_frames_behind_it() -> None:
    lies = bytes.fromhex("01 03 f0")  # a reply of 240 bytes begins here
    assert faults(lies, READ, REPLY) == [(lies, "noise"), (READ, None), (REPLY, None)]


def test_a_frame_that_a_silence_ends_is_cut_short() -> None:
    assert faults(READ[:5]) == [(READ[:5], "cut_short")]


def test_a_function_that_is_not_listed_ends_at_the_first_right_crc() -> None:
    strange = rtu("41 616263")
    assert faults(strange, READ) == [(strange, None), (READ, None)]


def test_a_length_that_its_function_does_not_have_is_named() -> None:
    long = rtu("03 0040 0002 00")
    assert faults(long) == [(long, "wrong_length")]


def test_a_tcp_frame_of_any_length_is_shown_where_the_framing_is_given() -> None:
    odd = tcp.encode(1, 1, bytes.fromhex("03 00 00"))
    assert faults(odd, TCP, given=Framing.TCP) == [(odd, None), (TCP, None)]
    assert faults(odd) == [(odd, "wrong_length")]


def test_noise_is_given_back_before_it_grows() -> None:
    finder = FrameFinder()
    pieces = finder.receive(b"\xfe" * (2 * MAX_NOISE + 300))
    assert [len(each.raw) for each in pieces] == [MAX_NOISE, MAX_NOISE]
    assert {each.fault for each in pieces} == {Fault.NOISE}
    assert finder.pending <= 300


def test_packets_of_an_adapter_make_whole_frames() -> None:
    decoder = ModbusDecoder()
    long = rtu("03 f8" + "00" * 248)
    found = [
        frame
        for at in range(0, len(long), 62)
        for frame in decoder.receive(long[at : at + 62], at * 250)
    ]
    (frame,) = found
    assert frame.raw == long
    assert (frame.at_us, frame.ended_us) == (0, 62_000)


def test_a_hint_ends_whole_frames_and_nothing_else() -> None:
    finder = FrameFinder()
    wrong = READ[:-1] + b"\x00"
    assert finder.receive(READ[:4]) == finder.boundary() == []
    assert [each.raw for each in finder.receive(READ[4:])] == [READ]
    finder.receive(wrong)
    assert [each.fault for each in finder.boundary()] == [Fault.WRONG_CHECK]


def test_unit_58_is_no_ascii_frame() -> None:
    frame = rtu("03 0040 0002", unit=0x3A)
    assert faults(frame) == [(frame, None)]
    assert faults(frame[:1], given=Framing.ASCII) == [(b":", "noise")]


def test_a_given_framing_finds_no_other() -> None:
    found = decode(READ, options=DecoderOptions("tcp"))
    assert not any(frame.is_frame for frame in found)
