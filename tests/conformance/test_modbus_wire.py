"""The probes of facts/modbus.md 1.3, row by row, in raw bytes: framing on TCP and RTU.

Rows about functions, counts and addresses are in test_modbus_functions.py. Two rows need a failing
meter (an action that raises, a busy one), which no wire and no command of `control` can cause.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.conformance.conftest import UNITS
from tests.conformance.running import Running
from tests.conformance.wire import (
    CERTAIN_SILENCE_S,
    Reply,
    RtuWire,
    TcpWire,
    crc,
    read,
    refusal,
    words,
    write_registers,
)
from tests.conformance.wire import rtu as rtu_frame
from tests.conformance.wire import tcp as tcp_frame
from tests.support.maps import SCRATCH as SCRATCH_SPAN

MAGIC = read(3, 0, 2)
MAGIC_REPLY = b"\x03\x04PPM1"
SERIAL = read(3, 2, 3)
SCRATCH = read(3, SCRATCH_SPAN.address, 1)
UNRELATED = 9
REQUESTS = {
    "read": read(3, 0, 10),
    "write_one": b"\x06" + words(SCRATCH_SPAN.address, 0x0BAD),
    "write_many": write_registers(SCRATCH_SPAN.address, 0x0BAD, 0x0BAD),
    "write_coil": b"\x05" + words(0, 0xFF00),
    "diagnose": b"\x08" + words(0, 0x1234),
    "identify": b"\x2b\x0e\x01\x00",
    "unregistered": b"\x41",
    "wrong_count": read(3, 0, 0),
}
"""Requests that a meter answers with a value or with an exception."""


def serial_reply(unit: int) -> bytes:
    """Return the answer to `SERIAL` of the meter whose serial number is its unit."""
    return b"\x03\x06" + bytes.fromhex(f"{unit:012}")


def scratch(value: int) -> bytes:
    """Return the answer to `SCRATCH`."""
    return b"\x03\x02" + words(value)


def set_scratch(value: int) -> bytes:
    """Return the request that writes the first scratch register; its answer is the same."""
    return b"\x06" + words(SCRATCH_SPAN.address, value)


class TestUnknownUnit:
    @pytest.mark.parametrize("request_pdu", REQUESTS.values(), ids=REQUESTS)
    @pytest.mark.parametrize("unit", [UNRELATED, 248, 0, 255])
    def test_on_tcp_it_is_refused_with_0b(
        self, tcp_of_two: TcpWire, unit: int, request_pdu: bytes
    ) -> None:
        assert tcp_of_two.ask(unit, request_pdu) == refusal(request_pdu[0], 0x0B)

    def test_on_tcp_beside_one_meter_it_is_refused_with_0b(self, tcp: TcpWire) -> None:
        assert tcp.ask(2, MAGIC) == b"\x83\x0b"
        assert tcp.ask(1, MAGIC) == MAGIC_REPLY

    @pytest.mark.parametrize("unit", [UNRELATED, 248, 0, 255])
    def test_on_tcp_it_is_left_in_silence_where_told_so(
        self, two_silent_meters: Running, unit: int
    ) -> None:
        strange = b"".join(tcp_frame(7, unit, pdu) for pdu in REQUESTS.values())
        with TcpWire(two_silent_meters.tcp) as wire:
            wire.send(strange + tcp_frame(8, UNITS[1], SERIAL))
            assert wire.reply() == Reply(8, UNITS[1], serial_reply(UNITS[1]))
            wire.expect_silence(0.02)

    @pytest.mark.parametrize("request_pdu", REQUESTS.values(), ids=REQUESTS)
    @pytest.mark.parametrize("unit", [UNRELATED, 248, 255])
    def test_on_rtu_it_is_left_in_silence(
        self, rtu_of_two: RtuWire, unit: int, request_pdu: bytes
    ) -> None:
        rtu_of_two.leave_unanswered(rtu_frame(unit, request_pdu))
        assert rtu_of_two.ask(UNITS[0], SERIAL) == serial_reply(UNITS[0])

    @pytest.mark.parametrize("unit", [2, 248, 255])
    def test_on_rtu_beside_one_meter_it_is_left_in_silence(self, rtu: RtuWire, unit: int) -> None:
        rtu.leave_unanswered(rtu_frame(unit, MAGIC))
        assert rtu.ask(1, MAGIC) == MAGIC_REPLY


class TestUnits0And255OnTcp:
    @pytest.mark.parametrize("unit", [0, 1, 255])
    def test_they_reach_a_meter_that_is_alone(self, tcp: TcpWire, unit: int) -> None:
        assert tcp.ask(unit, MAGIC) == MAGIC_REPLY
        assert tcp.ask(unit, set_scratch(0x1000 + unit)) == set_scratch(0x1000 + unit)
        assert tcp.ask(1, SCRATCH) == scratch(0x1000 + unit)

    @pytest.mark.parametrize("unit", [0, 255])
    def test_they_reach_no_meter_where_there_are_two(self, tcp_of_two: TcpWire, unit: int) -> None:
        for meter in UNITS:
            assert tcp_of_two.ask(meter, set_scratch(meter)) == set_scratch(meter)
        assert tcp_of_two.ask(unit, set_scratch(0xDEAD)) == b"\x86\x0b"
        assert [tcp_of_two.ask(meter, SCRATCH) for meter in UNITS] == [
            scratch(meter) for meter in UNITS
        ]


class TestTcpFraming:
    def test_three_requests_in_one_segment_are_answered_in_order(self, tcp: TcpWire) -> None:
        requests = [(0xFFFF, MAGIC), (0, read(4, 1, 1)), (7, b"\x08" + words(0, 0xBEEF))]
        tcp.send(b"".join(tcp_frame(number, 1, pdu) for number, pdu in requests))
        assert [tcp.reply() for _ in requests] == [
            Reply(0xFFFF, 1, MAGIC_REPLY),
            Reply(0, 1, b"\x04\x02M1"),
            Reply(7, 1, b"\x08" + words(0, 0xBEEF)),
        ]
        tcp.expect_silence(0.02)

    def test_refusals_in_between_keep_the_order(self, tcp: TcpWire) -> None:
        requests = [
            MAGIC,
            read(3, 0, 0),
            b"\x41",
            MAGIC,
            read(3, 0xFFFF, 1),
            set_scratch(5),
            SCRATCH,
        ]
        tcp.send(b"".join(tcp_frame(number, 1, pdu) for number, pdu in enumerate(requests)))
        pdus = [
            MAGIC_REPLY,
            b"\x83\x03",
            b"\xc1\x01",
            MAGIC_REPLY,
            b"\x83\x02",
            set_scratch(5),
            scratch(5),
        ]
        assert [tcp.reply() for _ in requests] == [
            Reply(number, 1, pdu) for number, pdu in enumerate(pdus)
        ]

    def test_two_units_pipelined_get_their_own_transactions_and_values(
        self, tcp_of_two: TcpWire
    ) -> None:
        asked = [(number, UNITS[number * number % 7 % 2]) for number in range(200)]
        assert {unit for _, unit in asked} == set(UNITS)
        tcp_of_two.send(
            b"".join(tcp_frame(0xFF00 + number, unit, SERIAL) for number, unit in asked)
        )
        replies = [tcp_of_two.reply() for _ in asked]
        assert replies == [
            Reply(0xFF00 + number, unit, serial_reply(unit)) for number, unit in asked
        ]

    def test_a_master_that_reads_only_after_2000_requests_loses_none(self, tcp: TcpWire) -> None:
        tcp.send(
            b"".join(tcp_frame(number, 1, read(3, number % 100, 125)) for number in range(2000))
        )
        replies = [tcp.reply() for _ in range(2000)]
        assert [(reply.transaction, len(reply.pdu)) for reply in replies] == [
            (number, 252) for number in range(2000)
        ]

    def test_byte_at_a_time(self, tcp: TcpWire) -> None:
        tcp.send_parts(
            *(
                bytes([byte])
                for byte in tcp_frame(0x0102, 1, write_registers(SCRATCH_SPAN.address, 0x1234, 2))
            )
        )
        assert tcp.reply() == Reply(0x0102, 1, b"\x10" + words(SCRATCH_SPAN.address, 2))

    @pytest.mark.parametrize("cut", range(1, 24))
    def test_two_requests_cut_anywhere(self, tcp: TcpWire, cut: int) -> None:
        stream = tcp_frame(1, 1, MAGIC) + tcp_frame(2, 1, SERIAL)
        tcp.send_parts(stream[:cut], stream[cut:])
        assert [tcp.reply(), tcp.reply()] == [
            Reply(1, 1, MAGIC_REPLY),
            Reply(2, 1, serial_reply(1)),
        ]

    def test_half_a_request_waits_for_the_rest_whatever_the_silence(self, tcp: TcpWire) -> None:
        frame = tcp_frame(3, 1, MAGIC)
        tcp.send(frame[:9])
        tcp.expect_silence()
        tcp.send(frame[9:])
        assert tcp.reply() == Reply(3, 1, MAGIC_REPLY)

    @pytest.mark.parametrize("protocol", [1, 0x0100, 0xFFFF])
    def test_another_protocol_id_closes_the_connection(self, tcp: TcpWire, protocol: int) -> None:
        tcp.send(tcp_frame(1, 1, MAGIC, protocol=protocol))
        assert tcp.ended()

    def test_what_was_whole_before_another_protocol_id_is_answered(
        self, one_meter: Running, tcp: TcpWire
    ) -> None:
        tcp.send(
            tcp_frame(1, 1, MAGIC)
            + tcp_frame(2, 1, set_scratch(0x0AAA))
            + tcp_frame(3, 1, set_scratch(0x0BBB), protocol=1)
            + tcp_frame(4, 1, set_scratch(0x0CCC))
        )
        assert [tcp.reply(), tcp.reply()] == [
            Reply(1, 1, MAGIC_REPLY),
            Reply(2, 1, set_scratch(0x0AAA)),
        ]
        assert tcp.ended()
        with TcpWire(one_meter.tcp) as other:
            assert other.ask(1, SCRATCH) == scratch(0x0AAA)

    @pytest.mark.parametrize("length", [0, 1, 255, 0xFFFF])
    def test_a_length_that_no_request_has_never_wedges_the_connection(
        self, tcp: TcpWire, length: int
    ) -> None:
        """MODBUS on TCP 3.1.3: unit and PDU are 2 to 254 bytes, else framing is lost."""
        tcp.send(tcp_frame(1, 1, MAGIC) + words(2, 0, length) + b"\x01")
        assert tcp.reply() == Reply(1, 1, MAGIC_REPLY)
        assert tcp.ended()

    def test_a_master_that_has_said_all_gets_its_answers(self, one_meter: Running) -> None:
        with socket.create_connection(one_meter.tcp, 3) as master:
            master.sendall(b"".join(tcp_frame(number, 1, MAGIC) for number in range(3)))
            master.shutdown(socket.SHUT_WR)
            replies = b"".join(iter(lambda: master.recv(1024), b""))
        assert replies == b"".join(tcp_frame(number, 1, MAGIC_REPLY) for number in range(3))

    def test_64_connections_each_get_their_own_answer(self, two_meters: Running) -> None:
        with ExitStack() as stack:
            wires = [stack.enter_context(TcpWire(two_meters.tcp)) for _ in range(64)]
            half = [tcp_frame(number, UNITS[number % 2], SERIAL) for number in range(64)]
            for part in (slice(0, 8), slice(8, None)):
                for wire, frame in zip(wires, half, strict=True):
                    wire.send(frame[part])
            replies = [wire.reply() for wire in wires]
        assert replies == [Reply(n, UNITS[n % 2], serial_reply(UNITS[n % 2])) for n in range(64)]

    def test_a_connection_that_breaks_within_a_frame_troubles_no_other(
        self, one_meter: Running, tcp: TcpWire
    ) -> None:
        with TcpWire(one_meter.tcp) as other:
            other.send(tcp_frame(1, 1, set_scratch(0xDEAD))[:-1])
        assert tcp.ask(1, MAGIC) == MAGIC_REPLY


class TestRtuFraming:
    @pytest.mark.parametrize("cut", range(1, 8))
    def test_half_a_frame_then_silence_then_a_good_frame(self, rtu: RtuWire, cut: int) -> None:
        rtu.leave_unanswered(rtu_frame(1, MAGIC)[:cut])
        rtu.send(rtu_frame(1, SERIAL))
        rtu.expect(rtu_frame(1, serial_reply(1)))
        rtu.expect_silence()

    def test_halves_parted_by_silence_are_no_frame(self, rtu: RtuWire) -> None:
        assert rtu.ask(1, set_scratch(0x0001)) == set_scratch(0x0001)
        frame = rtu_frame(1, set_scratch(0xDEAD))
        rtu.leave_unanswered(frame[:4], CERTAIN_SILENCE_S)
        rtu.leave_unanswered(frame[4:])
        assert rtu.ask(1, SCRATCH) == scratch(0x0001)

    @pytest.mark.parametrize(
        "garbage", ["ff", "00", "01", "03", "7f", "55 aa 55", "01 03", "01 03 00 00 00 00"]
    )
    def test_garbage_and_a_good_frame_in_one_write(self, rtu: RtuWire, garbage: str) -> None:
        rtu.send(bytes.fromhex(garbage) + rtu_frame(1, MAGIC))
        rtu.expect(rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()
        assert rtu.ask(1, SERIAL) == serial_reply(1)

    def test_a_flood_of_garbage_is_forgotten_after_silence(self, rtu: RtuWire) -> None:
        rtu.leave_unanswered(bytes([0xFF, 0x01, 0x10]) * 500)
        assert rtu.ask(1, MAGIC) == MAGIC_REPLY

    @pytest.mark.parametrize("flip", [0x0001, 0x8000, 0x00FF])
    def test_a_wrong_crc_is_left_in_silence_and_not_executed(self, rtu: RtuWire, flip: int) -> None:
        assert rtu.ask(1, set_scratch(0x0002)) == set_scratch(0x0002)
        frame = rtu_frame(1, set_scratch(0xDEAD))
        wrong = (int.from_bytes(frame[-2:], "big") ^ flip).to_bytes(2, "big")
        rtu.leave_unanswered(frame[:-2] + wrong)
        assert rtu.ask(1, SCRATCH) == scratch(0x0002)

    def test_a_crc_in_the_other_byte_order_is_wrong(self, rtu: RtuWire) -> None:
        frame = rtu_frame(1, MAGIC)
        rtu.leave_unanswered(frame[:-2] + frame[:-3:-1])
        assert rtu.ask(1, MAGIC) == MAGIC_REPLY

    def test_byte_at_a_time(self, rtu: RtuWire) -> None:
        frame = rtu_frame(1, write_registers(SCRATCH_SPAN.address, 0x1234, 2))
        _in_time(rtu, lambda: rtu.send_parts(*(bytes([byte]) for byte in frame), pause=0.001))
        rtu.expect(rtu_frame(1, b"\x10" + words(SCRATCH_SPAN.address, 2)))
        rtu.expect_silence()

    @pytest.mark.parametrize("cut", range(1, 8))
    def test_a_frame_in_two_parts_without_silence_between(self, rtu: RtuWire, cut: int) -> None:
        frame = rtu_frame(1, MAGIC)
        _in_time(rtu, lambda: rtu.send_parts(frame[:cut], frame[cut:]))
        rtu.expect(rtu_frame(1, MAGIC_REPLY))

    def test_two_frames_back_to_back_are_answered_in_order(self, rtu: RtuWire) -> None:
        rtu.send(rtu_frame(1, MAGIC) + rtu_frame(1, SERIAL))
        rtu.expect(rtu_frame(1, MAGIC_REPLY) + rtu_frame(1, serial_reply(1)))
        rtu.expect_silence()

    def test_writes_and_reads_back_to_back_are_executed_in_order(self, rtu: RtuWire) -> None:
        pdus = [
            set_scratch(1),
            SCRATCH,
            write_registers(SCRATCH_SPAN.address, 2),
            SCRATCH,
            set_scratch(3),
            SCRATCH,
        ]
        rtu.send(b"".join(rtu_frame(1, pdu) for pdu in pdus))
        answers = [
            set_scratch(1),
            scratch(1),
            b"\x10" + words(SCRATCH_SPAN.address, 1),
            scratch(2),
            set_scratch(3),
        ]
        rtu.expect(b"".join(rtu_frame(1, pdu) for pdu in [*answers, scratch(3)]))
        rtu.expect_silence()

    def test_a_refusal_back_to_back_with_a_read(self, rtu: RtuWire) -> None:
        rtu.send(rtu_frame(1, read(3, 0, 126)) + rtu_frame(1, MAGIC))
        rtu.expect(rtu_frame(1, b"\x83\x03") + rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()

    def test_frames_for_two_units_back_to_back_are_both_answered(self, rtu_of_two: RtuWire) -> None:
        rtu_of_two.send(b"".join(rtu_frame(unit, SERIAL) for unit in UNITS))
        frames = [rtu_of_two.frame() for _ in UNITS]
        assert sorted(frames) == sorted(rtu_frame(unit, serial_reply(unit)) for unit in UNITS)
        rtu_of_two.expect_silence()

    @pytest.mark.parametrize("pdu", ["41", "41 de ad be ef", "07", "64 01"])
    def test_an_unregistered_function_is_refused_and_the_next_frame_answered(
        self, rtu: RtuWire, pdu: str
    ) -> None:
        function = bytes.fromhex(pdu)[0]
        rtu.send(rtu_frame(1, bytes.fromhex(pdu)))
        rtu.expect(rtu_frame(1, refusal(function, 0x01)))
        rtu.send(rtu_frame(1, MAGIC))
        rtu.expect(rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()

    @pytest.mark.parametrize("low", [0x00, 0x01])
    def test_its_length_is_not_guessed_from_a_crc_that_ends_with_00(
        self, rtu: RtuWire, low: int
    ) -> None:
        """If the last byte of a frame is 00, the frame without it has a right CRC too."""
        bodies = (b"\x41\x55" + words(n) for n in range(0x10000))
        pdu = next(
            pdu for pdu in bodies if rtu_frame(1, pdu)[-1] == 0 and rtu_frame(1, pdu)[-2] & 1 == low
        )
        rtu.send(rtu_frame(1, pdu))
        rtu.expect(rtu_frame(1, b"\xc1\x01"))
        rtu.send(rtu_frame(1, MAGIC))
        rtu.expect(rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()

    def test_a_request_inside_an_unregistered_one_is_not_executed(self, rtu: RtuWire) -> None:
        assert rtu.ask(1, set_scratch(0x0005)) == set_scratch(0x0005)
        assert rtu.ask(1, b"\x41" + rtu_frame(1, set_scratch(0xDEAD))) == b"\xc1\x01"
        rtu.expect_silence()
        assert rtu.ask(1, SCRATCH) == scratch(0x0005)

    def test_a_request_inside_a_write_to_us_is_data(self, rtu: RtuWire) -> None:
        inner = rtu_frame(1, set_scratch(0xDEAD))
        pdu = b"\x10" + words(SCRATCH_SPAN.address, 4) + b"\x08" + inner
        assert rtu.ask(1, pdu) == b"\x10" + words(SCRATCH_SPAN.address, 4)
        rtu.expect_silence()
        assert rtu.ask(1, read(3, SCRATCH_SPAN.address, 4)) == b"\x03\x08" + inner

    @pytest.mark.parametrize("pdu", ["03 00 00", "10 20 00 00 01 02", "06 20 00", "08 00 00"])
    def test_a_frame_of_a_wrong_length_with_a_right_crc_does_not_take_the_next_with_it(
        self, rtu: RtuWire, pdu: str
    ) -> None:
        """It is refused at the silence behind it; the next frame is always answered."""
        request = rtu_frame(1, bytes.fromhex(pdu))
        rtu.send(request)
        rtu.expect(rtu_frame(1, refusal(bytes.fromhex(pdu)[0], 0x03)))
        assert rtu.ask(1, MAGIC) == MAGIC_REPLY
        rtu.send(request + rtu_frame(1, MAGIC))
        rtu.expect(rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()

    def test_the_line_goes_on_after_its_master_closed_it_within_a_frame(
        self, one_meter: Running
    ) -> None:
        with RtuWire(one_meter.pty) as wire:
            wire.send(rtu_frame(1, MAGIC)[:5])
        with RtuWire(one_meter.pty) as wire:
            assert wire.ask(1, MAGIC) == MAGIC_REPLY


class TestRtuBroadcast:
    WRITES = (
        ("write_one", set_scratch(0xB001), read(3, SCRATCH_SPAN.address, 1), scratch(0xB001)),
        (
            "write_many",
            write_registers(SCRATCH_SPAN.address, 1, 2),
            read(4, SCRATCH_SPAN.address, 2),
            b"\x04\x04" + words(1, 2),
        ),
        ("write_coil", b"\x05" + words(3, 0xFF00), read(1, 3, 1), b"\x01\x01\x01"),
        (
            "write_coils",
            b"\x0f" + words(0, 10) + b"\x02\xa5\x02",
            read(1, 0, 10),
            b"\x01\x02\xa5\x02",
        ),
    )

    @pytest.mark.parametrize(
        ("write", "check", "reply"), [w[1:] for w in WRITES], ids=[w[0] for w in WRITES]
    )
    def test_a_write_is_executed_by_all_and_answered_by_none(
        self, rtu_of_two: RtuWire, write: bytes, check: bytes, reply: bytes
    ) -> None:
        for unit in UNITS:
            clear_coils = b"\x0f" + words(0, 16) + b"\x02\x00\x00"
            assert rtu_of_two.ask(unit, clear_coils) == b"\x0f" + words(0, 16)
            clear = write_registers(SCRATCH_SPAN.address, *[0] * 16)
            assert rtu_of_two.ask(unit, clear) == b"\x10" + words(SCRATCH_SPAN.address, 16)
            assert rtu_of_two.ask(unit, check) != reply
        rtu_of_two.leave_unanswered(rtu_frame(0, write))
        assert [rtu_of_two.ask(unit, check) for unit in UNITS] == [reply, reply]

    def test_it_reaches_a_meter_that_is_alone_and_is_not_answered(self, rtu: RtuWire) -> None:
        assert rtu.ask(1, set_scratch(0)) == set_scratch(0)
        rtu.leave_unanswered(rtu_frame(0, set_scratch(0xB002)))
        assert rtu.ask(1, SCRATCH) == scratch(0xB002)

    def test_a_read_may_follow_back_to_back(self, rtu_of_two: RtuWire) -> None:
        rtu_of_two.send(rtu_frame(0, set_scratch(0xB003)) + rtu_frame(UNITS[1], SCRATCH))
        rtu_of_two.expect(rtu_frame(UNITS[1], scratch(0xB003)))
        rtu_of_two.expect_silence()
        assert rtu_of_two.ask(UNITS[0], SCRATCH) == scratch(0xB003)

    @pytest.mark.parametrize(
        "pdu",
        [
            *(
                REQUESTS[name]
                for name in ("read", "diagnose", "identify", "unregistered", "wrong_count")
            ),
            b"\x06" + words(0, 1),
            b"\x05" + words(0, 0x1234),
            b"\x10" + words(SCRATCH_SPAN.address, 1) + b"\x04" + words(1, 2),
            b"\x17" + words(0, 1, SCRATCH_SPAN.address, 1) + b"\x02" + words(7),
        ],
        ids=[
            *("read", "diagnose", "identify", "unregistered", "wrong_count"),
            *("write_to_identity", "bad_coil_value", "byte_count_mismatch", "write_and_read"),
        ],
    )
    def test_nothing_that_is_broadcast_is_ever_answered(
        self, rtu_of_two: RtuWire, pdu: bytes
    ) -> None:
        rtu_of_two.leave_unanswered(rtu_frame(0, pdu))
        assert rtu_of_two.ask(UNITS[0], SERIAL) == serial_reply(UNITS[0])


class TestAnotherUnitPassesBy:
    """Unit 9 is elsewhere on the same bus: its master's requests and its replies are ignored."""

    EXCHANGES = (
        ("read", read(3, 0, 4), b"\x03\x08" + bytes(range(8))),
        ("read_one", read(3, 0, 1), b"\x03\x02\x00\x01"),
        ("read_125", read(4, 0, 125), b"\x04\xfa" + bytes(range(250))),
        ("coils", read(1, 0, 3), b"\x01\x01\x05"),
        ("write_one", set_scratch(0xDEAD), set_scratch(0xDEAD)),
        (
            "write_many",
            write_registers(SCRATCH_SPAN.address, 1, 2),
            b"\x10" + words(SCRATCH_SPAN.address, 2),
        ),
        (
            "write_and_read",
            b"\x17" + words(0, 1, 0, 1) + b"\x02" + words(7),
            b"\x17\x02" + words(9),
        ),
        ("refused", read(3, 0, 126), b"\x83\x03"),
        ("identify", b"\x2b\x0e\x01\x00", b"\x2b\x0e\x01\x01\x00\x00\x01\x00\x04Acme"),
        ("own_function", b"\x64\x01\x02", b"\x64\x03\x04\x05"),
    )
    NAMES = tuple(name for name, _, _ in EXCHANGES)
    PDUS = tuple((request, reply) for _, request, reply in EXCHANGES)

    @pytest.mark.parametrize(("request_pdu", "reply_pdu"), PDUS, ids=NAMES)
    def test_with_silence_between(self, rtu: RtuWire, request_pdu: bytes, reply_pdu: bytes) -> None:
        rtu.leave_unanswered(rtu_frame(UNRELATED, request_pdu))
        rtu.leave_unanswered(rtu_frame(UNRELATED, reply_pdu))
        assert rtu.ask(1, MAGIC) == MAGIC_REPLY

    @pytest.mark.parametrize(("request_pdu", "reply_pdu"), PDUS[:-1], ids=NAMES[:-1])
    def test_back_to_back_with_our_request(
        self, rtu: RtuWire, request_pdu: bytes, reply_pdu: bytes
    ) -> None:
        rtu.send(
            rtu_frame(UNRELATED, request_pdu)
            + rtu_frame(UNRELATED, reply_pdu)
            + rtu_frame(1, MAGIC)
        )
        rtu.expect(rtu_frame(1, MAGIC_REPLY))
        rtu.expect_silence()

    def test_a_unit_that_is_dead_does_not_silence_us(self, rtu: RtuWire) -> None:
        for _ in range(3):
            rtu.leave_unanswered(rtu_frame(UNRELATED, MAGIC))
            assert rtu.ask(1, MAGIC) == MAGIC_REPLY

    INNER = rtu_frame(1, set_scratch(0xDEAD))
    """A whole request for unit 1, with a right CRC, inside another unit's frame."""
    TRAPS = (
        ("registers", b"\x03" + bytes([len(INNER)]) + INNER),
        ("registers_later", b"\x03" + bytes([len(INNER) + 6]) + bytes(4) + INNER + bytes(2)),
        ("write_many", b"\x10" + words(0, len(INNER) // 2) + bytes([len(INNER)]) + INNER),
        ("read_and_write", b"\x17" + words(0, 1, 0, len(INNER) // 2) + bytes([len(INNER)]) + INNER),
        ("read_and_write_reply", b"\x17" + bytes([len(INNER)]) + INNER),
        ("identify_reply", b"\x2b\x0e\x01\x01\x00\x00\x01\x00" + bytes([len(INNER)]) + INNER),
        ("server_id_reply", b"\x11" + bytes([len(INNER)]) + INNER),
        ("file_record_reply", b"\x14" + bytes([len(INNER) + 2, len(INNER) + 1, 6]) + INNER),
        ("own_function", b"\x64" + INNER),
        ("own_function_broadcast", b"\x64" + rtu_frame(0, set_scratch(0xDEAD))),
    )

    @pytest.mark.parametrize("pdu", [pdu for _, pdu in TRAPS], ids=[name for name, _ in TRAPS])
    @pytest.mark.parametrize("asked_before", [True, False], ids=["asked_before", "unasked"])
    def test_a_request_for_us_inside_its_frame_is_not_executed(
        self, rtu: RtuWire, pdu: bytes, asked_before: bool
    ) -> None:
        assert rtu.ask(1, set_scratch(0x0003)) == set_scratch(0x0003)
        if asked_before:
            rtu.leave_unanswered(rtu_frame(UNRELATED, read(3, 0, 4)))
        rtu.leave_unanswered(rtu_frame(UNRELATED, pdu))
        assert rtu.ask(1, SCRATCH) == scratch(0x0003)

    @pytest.mark.parametrize("pdu", [pdu for _, pdu in TRAPS], ids=[name for name, _ in TRAPS])
    def test_nor_when_its_frame_comes_in_parts(self, rtu: RtuWire, pdu: bytes) -> None:
        frame = rtu_frame(UNRELATED, pdu)
        at = frame.index(b"\x06" + words(SCRATCH_SPAN.address, 0xDEAD)) - 1
        end = at + len(self.INNER)

        def attempt() -> bool:
            assert rtu.ask(1, set_scratch(0x0004)) == set_scratch(0x0004)
            return rtu.send_parts(frame[:at], frame[at:end], frame[end:])

        _in_time(rtu, attempt)
        rtu.expect_silence()
        assert rtu.ask(1, SCRATCH) == scratch(0x0004)


def _in_time(wire: RtuWire, attempt: Callable[[], bool]) -> None:
    """Repeat an attempt whose frame was broken by a pause, on a loaded machine."""
    for _ in range(20):
        if attempt():
            return
        wire.settle()
    pytest.fail("this machine is too slow to send a frame without silence in it")


def test_the_crc_is_that_of_the_standard() -> None:
    """MODBUS over Serial Line 6.2.2: the frame 02 07 has the CRC 12 41."""
    assert crc(b"\x02\x07") == b"\x41\x12"
