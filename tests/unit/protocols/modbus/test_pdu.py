"""Lengths of requests and replies, exceptions, and the check of a reply against its request."""

from __future__ import annotations

import pytest

from protocols.errors import FrameError
from protocols.modbus import pdu as p
from protocols.modbus.pdu import INCOMPLETE, UNKNOWN, check_reply, reply_length, request_length

REQUESTS = {
    "read coils": "01 0013 0025",
    "read discrete inputs": "02 00c4 0016",
    "read holding registers": "03 006b 0003",
    "read input registers": "04 0008 0001",
    "write single coil": "05 00ac ff00",
    "write single register": "06 0001 0003",
    "diagnostics": "08 0000 a537",
    "write multiple coils": "0f 0013 000a 02 cd01",
    "write multiple registers": "10 0001 0002 04 000a 0102",
    "read/write multiple registers": "17 0003 0006 000e 0003 06 00ff 00ff 00ff",
    "read device identification": "2b 0e 01 00",
}
"""The examples of the Application Protocol V1.1b3, section 6."""
REPLIES = {
    "read coils": "01 05 cd6bb20e1b",
    "read discrete inputs": "02 03 acdb35",
    "read holding registers": "03 06 022b00000064",
    "read input registers": "04 02 000a",
    "write single coil": "05 00ac ff00",
    "write single register": "06 0001 0003",
    "diagnostics": "08 0000 a537",
    "write multiple coils": "0f 0013 000a",
    "write multiple registers": "10 0001 0002",
    "read/write multiple registers": "17 0c 00fe0acd00010003000d00ff",
    "read device identification": "2b 0e 01 01 00 00 03 00 16"
    + b"Company identification".hex()
    + "01 0d"
    + b"Product code ".hex()
    + "02 05"
    + b"V2.11".hex(),
}


def test_limits_are_those_of_the_specification() -> None:
    assert p.MAX_PDU == 253
    assert (p.MAX_READ_REGISTERS, p.MAX_WRITE_REGISTERS, p.MAX_READ_WRITE_REGISTERS) == (
        125,
        123,
        121,
    )
    assert (p.MAX_READ_BITS, p.MAX_WRITE_BITS) == (2000, 1968)
    assert {f.name: f.value for f in p.Function} == {
        "READ_COILS": 1, "READ_DISCRETE_INPUTS": 2, "READ_HOLDING_REGISTERS": 3,
        "READ_INPUT_REGISTERS": 4,
        "WRITE_SINGLE_COIL": 5, "WRITE_SINGLE_REGISTER": 6, "DIAGNOSTICS": 8,
        "WRITE_MULTIPLE_COILS": 15,
        "WRITE_MULTIPLE_REGISTERS": 16, "REPORT_SERVER_ID": 17,
            "MASK_WRITE_REGISTER": 22, "READ_WRITE_MULTIPLE_REGISTERS": 23,
        "ENCAPSULATED_INTERFACE": 43,
    }  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_requests_length_is_told_as_soon_as_it_can_be(name: str) -> None:
    request = bytes.fromhex(REQUESTS[name])
    told = [request_length(request[:size]) for size in range(len(request) + 1)]
    assert told[-1] == len(request)
    assert set(told) <= {INCOMPLETE, len(request)}
    assert told == sorted(told)  # a known length stays known
    assert request_length(request + b"\xff\xff") == len(request)
    assert request_length(memoryview(request)) == len(request)


@pytest.mark.parametrize("name", REPLIES)
def test_a_replys_length_is_told_as_soon_as_it_can_be(name: str) -> None:
    reply = bytes.fromhex(REPLIES[name])
    told = [reply_length(reply[:size]) for size in range(len(reply) + 1)]
    assert told[-1] == len(reply)
    assert set(told) <= {INCOMPLETE, len(reply)}
    assert told == sorted(told)
    assert reply_length(reply + b"\xff\xff") == len(reply)
    assert reply_length(memoryview(reply)) == len(reply)


def test_nothing_tells_nothing() -> None:
    assert request_length(b"") == INCOMPLETE
    assert reply_length(b"") == INCOMPLETE


def test_an_identification_without_objects_has_seven_bytes() -> None:
    assert reply_length(bytes.fromhex("2b0e0101000000")) == 7


@pytest.mark.parametrize("function", range(256))
def test_each_function_is_known_on_both_sides_or_strange(function: int) -> None:
    asked = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43}
    answered = asked - {24} | set(range(128, 256))
    assert (request_length(bytes((function,)) + bytes(20)) == UNKNOWN) is (function not in asked)
    assert (reply_length(bytes((function,)) + bytes(20)) == UNKNOWN) is (function not in answered)


@pytest.mark.parametrize("function", range(128, 256))
def test_an_exception_reply_has_two_bytes(function: int) -> None:
    assert reply_length(bytes((function,))) == 2
    assert p.exception_reply(function & 0x7F, 2) == bytes((function, 2))


def test_requests_are_made_to_the_byte() -> None:
    assert p.read_request(3, 0x006B, 3) == bytes.fromhex(REQUESTS["read holding registers"])
    assert p.write_request(1, bytes.fromhex("000a0102")) == bytes.fromhex(
        REQUESTS["write multiple registers"]
    )


# ---- check_reply


@pytest.mark.parametrize("name", REQUESTS)
def test_the_right_reply_and_any_exception_are_taken(name: str) -> None:
    request = bytes.fromhex(REQUESTS[name])
    check_reply(request, bytes.fromhex(REPLIES[name]))
    for code in (1, 2, 3, 4, 11, 255):
        check_reply(request, p.exception_reply(request[0], code))


@pytest.mark.parametrize("name", REQUESTS)
def test_no_bytes_another_function_and_a_long_exception_are_refused(name: str) -> None:
    request, reply = bytes.fromhex(REQUESTS[name]), bytes.fromhex(REPLIES[name])
    with pytest.raises(
        FrameError, match=f"a reply to function {request[0]} came with function None"
    ):
        check_reply(request, b"")
    with pytest.raises(
        FrameError, match=f"a reply to function {request[0]} came with function {request[0] ^ 0x40}"
    ):
        check_reply(request, bytes((request[0] ^ 0x40,)) + reply[1:])
    for size in (1, 3):
        with pytest.raises(FrameError, match="an exception reply has two bytes"):
            check_reply(request, p.exception_reply(request[0], 2).ljust(3, b"\0")[:size])


@pytest.mark.parametrize(
    "name", [name for name in REQUESTS if name != "read device identification"]
)
def test_another_length_than_asked_for_is_refused(name: str) -> None:
    request, reply = bytes.fromhex(REQUESTS[name]), bytes.fromhex(REPLIES[name])
    for other in (reply[:1], reply[:-1], reply + b"\0"):
        with pytest.raises(
            FrameError, match=f"the reply has {len(other)} bytes, {len(reply)} were asked for"
        ):
            check_reply(request, other)


@pytest.mark.parametrize(
    "name",
    [
        "read coils",
        "read discrete inputs",
        "read holding registers",
        "read input registers",
        "read/write multiple registers",
    ],
)
def test_a_byte_count_that_is_not_that_of_the_data_is_refused(name: str) -> None:
    reply = bytearray.fromhex(REPLIES[name])
    reply[1] ^= 2
    with pytest.raises(FrameError, match="byte count"):
        check_reply(bytes.fromhex(REQUESTS[name]), bytes(reply))


@pytest.mark.parametrize(
    "name",
    [
        "write single coil",
        "write single register",
        "diagnostics",
        "write multiple coils",
        "write multiple registers",
    ],
)
def test_a_reply_that_confirms_another_write_is_refused(name: str) -> None:
    reply = bytes.fromhex(REPLIES[name])
    for at in range(1, len(reply)):
        for bit in range(8):
            other = bytes((*reply[:at], reply[at] ^ 1 << bit, *reply[at + 1 :]))
            with pytest.raises(FrameError, match="confirms another write"):
                check_reply(bytes.fromhex(REQUESTS[name]), other)


@pytest.mark.parametrize(("bits", "size"), [(1, 1), (8, 1), (9, 2), (2000, 250)])
def test_bits_come_in_whole_bytes(bits: int, size: int) -> None:
    check_reply(p.read_request(1, 0, bits), bytes((1, size)) + bytes(size))
    with pytest.raises(FrameError):
        check_reply(p.read_request(1, 0, bits), bytes((1, size + 1)) + bytes(size + 1))


@pytest.mark.parametrize("count", [1, 125])
def test_registers_come_in_two_bytes_each(count: int) -> None:
    check_reply(p.read_request(3, 0, count), bytes((3, 2 * count)) + bytes(2 * count))
    with pytest.raises(FrameError):
        check_reply(p.read_request(3, 0, count), bytes((3, 2 * count - 2)) + bytes(2 * count - 2))


OTHER_REQUESTS = {
    7: "07",
    11: "0b",
    12: "0c",
    17: "11",
    20: "14 07 06 0004 0001 0002",
    21: "15 0d 06 0004 0007 0003 06af 04be 100d",
    22: "16 0004 00f2 0025",
    24: "18 04de",
}
OTHER_REPLIES = {
    7: "07 6d",
    11: "0b ffff 0108",
    12: "0c 08 0000 0108 0121 2000",
    17: "11 03 11 ff 01",
    20: "14 06 05 06 0dfe 0020",
    21: "15 0d 06 0004 0007 0003 06af 04be 100d",
    22: "16 0004 00f2 0025",
}
"""The examples of section 6 for functions that are not in the table of requests above."""


@pytest.mark.parametrize("function", OTHER_REQUESTS)
def test_requests_of_other_functions_have_their_length(function: int) -> None:
    request = bytes.fromhex(OTHER_REQUESTS[function])
    assert request[0] == function
    assert request_length(request + b"\xff") == len(request)


@pytest.mark.parametrize("function", OTHER_REPLIES)
def test_replies_of_other_functions_have_their_length(function: int) -> None:
    reply = bytes.fromhex(OTHER_REPLIES[function])
    assert reply[0] == function
    assert reply_length(reply + b"\xff") == len(reply)


def test_functions_of_the_table_alone_have_a_length() -> None:
    some = bytes(20)
    known = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43}
    for function in range(128):
        known_length = request_length(bytes([function]) + some) != UNKNOWN
        assert known_length == (function in known), function
