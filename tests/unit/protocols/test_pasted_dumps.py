"""Packets are taken from the dumps and arrays of capture programs; no byte is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import QuantityError
from protocols.faults import Way
from protocols.pasted_bytes import parse_pasted

FIRST = bytes.fromhex("01 03 00 40 00 02 c5 df")
SECOND = bytes.fromhex("01 03 00 00 00 02 c4 0b")


def packets(text: str) -> list[bytes]:
    found = parse_pasted(text).parts
    assert all(part.is_packet for part in found)
    return [part.data for part in found]


def wireshark(*data: bytes) -> str:
    rows = (
        "".join(
            f"{at:04x}  {each[at : at + 16].hex(' '):<47}   {'.' * len(each[at : at + 16])}\n"
            for at in range(0, len(each), 16)
        )
        for each in data
    )
    return "\n".join(rows)


def tcpdump(data: bytes) -> str:
    return "".join(
        f"\t0x{at:04x}:  {data[at : at + 16].hex(' ', 2):<39}  {'.' * len(data[at : at + 16])}\n"
        for at in range(0, len(data), 16)
    )


def test_no_byte_of_a_dump_with_several_packets_is_lost() -> None:
    assert packets(wireshark(FIRST, SECOND)) == [FIRST, SECOND]
    assert packets(wireshark(FIRST, SECOND).replace("\n\n", "\n")) == [FIRST, SECOND]


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4))
def test_packets_come_back_from_each_dump(data: list[bytes]) -> None:
    assert packets(wireshark(*data)) == data
    assert packets("".join(f"IP a.1 > b.2: Flags [P.]\n{tcpdump(each)}" for each in data)) == data
    arrays = (
        f"static const unsigned char pkt{number}[{len(each)}] = {{\n"
        + ", ".join(f"0x{byte:02x}" for byte in each)
        + " /* ..#*/.. */\n};\n"
        for number, each in enumerate(data)
    )
    assert packets("/* Frame */\n" + "\n".join(arrays)) == data


def test_lines_that_tcpdump_prints_above_a_packet_are_skipped() -> None:
    head = "12:00:00.000000 IP 127.0.0.1.35188 > 127.0.0.1.502: Flags [P.], seq 1:9, length 8\n"
    found = parse_pasted(head + tcpdump(FIRST) + head + tcpdump(SECOND))
    assert [part.data for part in found.parts] == [FIRST, SECOND]
    assert found.skipped == 2


def test_what_wireshark_put_together_is_not_taken_twice() -> None:
    text = (
        "No.     Time      Source     Destination  Protocol Length Info\n"
        "      1 0.000000  127.0.0.1  127.0.0.1    TCP      8      a → b [PSH, ACK]\n\n"
        "Frame 1: 8 bytes on wire (64 bits), 8 bytes captured (64 bits)\n"
        "    0100 .... = Version: 4\n    0000 00.. = Differentiated Services: Default (0)\n\n"
        f"Frame (8 bytes):\n{wireshark(FIRST)}Reassembled TCP (8 bytes):\n{wireshark(FIRST)}"
    )
    assert packets(text) == [FIRST]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0000  01 03 00 4g 00", "line 1, column 16: '4g' is no byte"),
        ("0000  01 03\n0002  0g 01", "line 2, column 1: '0002  0g 01' is no line of a dump"),
        ("0000  01 03\n01 03 00 40", "line 2, column 1: '01 03 00 40' is no line of a dump"),
        (
            "0000  01 03 00 40 00\n0004  00 02",
            "line 1, column 19: '00' is past the offset of the next row",
        ),
        ("0000  01 03\n\n0003  01", "line 3, column 1: offset 0003, 0002 is due"),
        ("char a[3] = { 0x01, 0x03 };", "line 1: the array a has 2 bytes and names 3"),
        ("char a[] = { 0x01, x };", "line 1: 'x' is no byte; write it as 0x1f"),
        ("char a[] = { 0x01,", "line 1: the array a does not end"),
        ("char a[] = { 1 };\n01 03", "line 2, column 1: '01 03' is in no array"),
    ],
)
def test_a_dump_that_lacks_bytes_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_pasted(text)
    assert str(refused.value) == place


@pytest.mark.parametrize("indent", ["\t", "    "])
def test_the_two_streams_of_a_connection_have_offsets_of_their_own(indent: str) -> None:
    text = (
        "Node 0: 127.0.0.1:35188\nNode 1: 127.0.0.1:502\n"
        "00000000  00 01 00 00 00 06 01 03  00 00 00 02              ........ ....\n"
        f"{indent}00000000  00 01 00 00 00 07 01 03  04 50 50 4d 31           ........ .PPM1\n"
        "0000000C  00 02 00 00 00 06 01 03  00 0e 00 01 00 03 00 00  ........ ........\n"
        "0000001C  00 06 01 03  00 40 00 02                          ........\n"
    )
    found = parse_pasted(text)
    assert [(part.way, len(part.data)) for part in found.parts] == [
        (Way.REQUEST, 12),
        (Way.REPLY, 13),
        (Way.REQUEST, 24),
    ]
    assert found.skipped == 2
