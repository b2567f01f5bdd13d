"""Requests and replies are told apart by form and order, and paired."""

from __future__ import annotations

from protocols.decoded_frames import DecoderOptions
from protocols.faults import Way
from protocols.modbus import tcp
from protocols.modbus.dissection.decoder import ModbusDecoder
from protocols.modbus.dissection.pairing import MAX_OPEN
from tests.unit.protocols.modbus.dissection.support import decode, directions, rtu, values

READ = rtu("03 0040 0002")
REPLY = rtu("03 04 000007d0")
WRITE = rtu("06 2000 0005")


def answers(*frames: bytes) -> list[int | None]:
    return [values(frame).get("answers") for frame in decode(*frames)]


def test_a_reply_belongs_to_the_request_before_it() -> None:
    assert directions(decode(READ, REPLY)) == ["request", "reply"]
    assert answers(READ, REPLY) == [None, 1]


def test_a_write_and_its_confirmation_are_the_same_bytes() -> None:
    assert directions(decode(READ, REPLY, WRITE, WRITE, WRITE, WRITE)) == [
        *("request", "reply") * 3
    ]


def test_the_first_frame_that_may_be_both_is_unknown() -> None:
    assert directions(decode(WRITE)) == ["unknown"]
    assert directions(decode(WRITE, WRITE)) == ["unknown", "reply"]


def test_a_write_that_is_tried_again_is_no_reply() -> None:
    assert directions(decode(READ, REPLY, WRITE, READ, REPLY, WRITE)) == [
        *("request", "reply", "request", "request", "reply", "request")
    ]
    decoder = ModbusDecoder()
    found = [*decoder.receive(READ + REPLY, 0), *decoder.receive(WRITE, 100_000)]
    found += decoder.receive(WRITE, 1_100_000)  # its reply after 1 s, or another try
    found += decoder.receive(WRITE, 1_120_000)
    assert directions(found[2:]) == ["request", "unknown", "reply"]
    assert [values(frame).get("answers") for frame in found[2:]] == [None, None, 4]
    assert decoder.waiting() == [3]


def test_a_listener_that_begins_between_a_write_and_its_reply_finds_the_order() -> None:
    decoder = ModbusDecoder()
    found = [*decoder.receive(WRITE, 0)]
    for second in (1, 2):
        for frame, after in ((WRITE, 0), (WRITE, 20_000)):
            found += decoder.receive(frame, second * 1_000_000 + after)
    assert directions(found) == ["unknown", "unknown", "reply", "request", "reply"]


def test_eight_bytes_of_function_3_are_a_request() -> None:
    assert directions(decode(rtu("03 0304 0002"))) == ["request"]  # 3 bytes are no registers


def test_eight_bytes_of_function_1_are_what_was_asked_for() -> None:
    both = rtu("01 0300 0010")  # 16 coils from 0300H on, or 24 coils
    assert directions(decode(both)) == ["unknown"]
    assert directions(decode(rtu("01 0000 0018"), both)) == ["request", "reply"]


def test_a_reply_of_another_length_or_unit_is_without_its_request() -> None:
    assert answers(READ, rtu("03 02 0001")) == [None, None]
    assert answers(READ, rtu("03 04 000007d0", unit=2)) == [None, None]
    assert "without its request" in decode(REPLY)[0].summary


def test_a_late_reply_is_named() -> None:
    found = decode(READ, rtu("03 0040 0001"), REPLY, rtu("03 02 0001"))
    assert [values(frame).get("answers") for frame in found] == [None, None, 1, 2]
    assert [values(frame).get("late") for frame in found] == [None, None, True, False]


def test_a_request_without_a_reply_is_known_at_the_end() -> None:
    decoder = ModbusDecoder()
    decoder.receive(READ + rtu("03 0040 0002", unit=2) + rtu("03 04 000007d0", unit=2))
    assert decoder.waiting() == [1]


def test_requests_without_a_reply_are_counted_and_the_last_ones_kept() -> None:
    decoder = ModbusDecoder()
    decoder.receive(READ * (MAX_OPEN + 10))
    assert decoder.unanswered() == MAX_OPEN + 10
    assert [*decoder.waiting()] == [*range(11, MAX_OPEN + 11)]


def test_a_broadcast_waits_for_no_reply() -> None:
    decoder = ModbusDecoder()
    decoder.receive(rtu("10 2000 0001 02 0005", unit=0))
    assert decoder.unanswered() == 0


def test_an_exception_answers_a_request() -> None:
    found = decode(rtu("03 f000 0001"), rtu("83 02"))
    assert directions(found) == ["request", "reply"]
    assert values(found[1])["answers"] == 1
    assert values(found[1])["exception_name"] == "illegal data address"


def test_pipelined_requests_are_paired_by_their_transaction() -> None:
    read = bytes.fromhex("03 0040 0002")
    reply = bytes.fromhex("03 04 000007d0")
    found = decode(
        tcp.encode(1, 1, read), tcp.encode(2, 1, read), tcp.encode(2, 1, reply),
        tcp.encode(1, 1, reply),
    )  # fmt: skip
    assert [values(frame).get("answers") for frame in found] == [None, None, 2, 1]
    assert [values(frame).get("late") for frame in found[2:]] == [False, False]


def test_a_known_direction_is_taken_as_it_is() -> None:
    assert directions(decode(WRITE, options=DecoderOptions(direction=Way.REPLY))) == ["reply"]
    decoder = ModbusDecoder()
    found = [*decoder.receive(WRITE, None, Way.REQUEST), *decoder.receive(WRITE, None, Way.REPLY)]
    assert directions(found) == ["request", "reply"]


def test_the_time_of_an_answer_counts_from_the_end_of_the_request() -> None:
    decoder = ModbusDecoder()
    decoder.receive(READ[:4], 1_000_000)
    decoder.receive(READ[4:], 1_004_000)
    (reply,) = decoder.receive(REPLY, 1_010_500)
    assert values(reply)["response_ms"] == 6.5
