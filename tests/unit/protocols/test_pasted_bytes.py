"""Bytes are taken in every spelling that people paste."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import QuantityError
from protocols.faults import Way
from protocols.pasted_bytes import PastedBytes, parse_pasted

FRAME = bytes.fromhex("01 03 00 40 00 02 c5 df")


def data(text: str) -> bytes:
    return b"".join(part.data for part in parse_pasted(text).parts)


@pytest.mark.parametrize(
    "text",
    [
        "01 03 00 40 00 02 c5 df",
        "010300400002C5DF",
        "0x01,0x03,0x00,0x40,0x00,0x02,0xc5,0xdf",
        "{0x1, 0x3, 0x0, 0x40, 0x0, 0x2, 0xC5, 0xDF};",
        "01:03:00:40:00:02:c5:df",
        "01-03-00-40-00-02-c5-df",
        "01h 03h 00h 40h 00h 02h c5h dfh",
        r"\x01\x03\x00\x40\x00\x02\xc5\xdf",
        r"b'\x01\x03\x00\x40\x00\x02\xc5\xdf'",
        '"\\x01\\x03\\x00\\x40" \\\n"\\x00\\x02\\xc5\\xdf"',
        "0x010300400002c5df",
        "0103 0040 0002 c5df",
        "[01][03][00][40][00][02][C5][DF]",
        "<01><03><00><40><00><02><C5><DF>",
        "-> 01 03 00 40 00 02 c5 df",
        "2026-01-01 12:00:01.123 -> 01 03 00 40 00 02 c5 df",
        "[12:00:01] TX: 01 03 00 40 00 02 c5 df",
        "01 03 00 40 # the address\n00 02 c5 df",
        "00000000  01 03 00 40 00 02 c5 df                           |...@....|\n00000008",
        "0000   01 03 00 40 00 02 c5 df                           ...@....",
        "00000000: 0103 0040 0002 c5df                      ...@....",
        "\t0x0000:  0103 0040 0002 c5df                      ...@....",
        "000000 01 03 00 40 00 02 c5 df\n000010"[:30],
    ],
)
def test_a_spelling_is_taken(text: str) -> None:
    assert data(text) == FRAME


def test_arrows_say_who_sent_the_bytes_and_other_lines_are_skipped() -> None:
    found = parse_pasted("no --keys\n-> 01 03\n<- 01 83\n<? ff\nserial_number  000000000001\n")
    assert found.parts == [
        PastedBytes(b"\x01\x03", Way.REQUEST),
        PastedBytes(b"\x01\x83", Way.REPLY),
        PastedBytes(b"\xff", Way.REPLY),
    ]
    assert found.skipped == 2


def test_a_request_that_an_adapter_sent_back_is_a_request() -> None:
    found = parse_pasted("-> 01 03\n<? 01 03\n<- 01 83\n<? 01 83\n").parts
    assert [part.way for part in found] == [Way.REQUEST, Way.REQUEST, Way.REPLY, Way.REPLY]


def test_lines_of_mbpoll_are_found_among_its_output() -> None:
    text = "mbpoll 1.0-0\n\n[01][03][00][40]\nWaiting for a confirmation...\n<01><83><02>\n"
    found = parse_pasted(text)
    assert [part.data for part in found.parts] == [b"\x01\x03\x00\x40", b"\x01\x83\x02"]
    assert {part.way for part in found.parts} == {None}


def test_a_dump_of_several_lines_is_one_stream() -> None:
    text = (
        "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
        "*\n"
        "00000030  30 31 32                                          |012|\n"
        "00000033\n"
    )
    found = parse_pasted(text)
    assert b"".join(part.data for part in found.parts) == bytes(48) + b"012"
    assert [part.is_packet for part in found.parts] == [True]


def test_characters_of_a_dump_that_look_like_bytes_are_none() -> None:
    text = "0000   61 62 63 64   abcd\n0004   61 62   ab\n"
    assert data(text) == b"abcdab"


def test_a_frame_of_modbus_ascii_keeps_its_characters() -> None:
    assert data(":010300400002BA") == b":010300400002BA\r\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("01 0g", "line 1, column 4: '0g' is not hexadecimal"),
        ("01\n02 hello", "line 2, column 4: 'hello' is not hexadecimal"),
        ("01 030", "line 1, column 4: '030' has an odd number of digits"),
        ("-> 01 xx", "line 1, column 7: 'xx' is not hexadecimal"),
        ("00000000  01 02\n00000005  03", "line 2, column 1: offset 0005, 0002 is due"),
    ],
)
def test_what_is_not_hexadecimal_is_named_with_its_place(text: str, place: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_pasted(text)
    assert str(refused.value) == place


@given(st.text(st.sampled_from("0123456789abcdefxX \n:-<>[]|*#\\ghb'\t.→"), max_size=80))
def test_any_text_gives_bytes_or_is_refused(text: str) -> None:
    with contextlib.suppress(QuantityError):
        assert all(isinstance(part.data, bytes) for part in parse_pasted(text).parts)


@given(st.binary(min_size=1, max_size=60))
def test_bytes_come_back_from_each_spelling(raw: bytes) -> None:
    spaced = raw.hex(" ")
    for text in (spaced, f"-> {spaced}", "".join(f"[{byte:02X}]" for byte in raw)):
        assert data(text) == raw
    rows = [f"{at:04x}   {raw[at : at + 16].hex(' ')}" for at in range(0, len(raw), 16)]
    assert data("\n".join(rows)) == raw
