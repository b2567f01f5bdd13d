"""Replies of each function on TCP and RTU: values, exceptions, and their precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.modbus.native_map import MAP_END, NATIVE_MAP
from tests.conformance.running import running
from tests.conformance.wire import (
    RtuWire,
    TcpWire,
    Wire,
    read,
    refusal,
    rtu,
    tcp,
    words,
    write_registers,
)
from tests.support.maps import ADDRESS, EVENT_WINDOW, SCRATCH, SCRATCH_COILS, STATUS_INPUTS

NOWHERE = 0xF000
"""An address without any register, coil or input."""
PROVIDED = (1, 2, 3, 4, 5, 6, 8, 15, 16, 17, 22, 23, 43)


def write_coils(address: int, count: int, data: str) -> bytes:
    """Return the PDU of function 15."""
    return b"\x0f" + words(address, count) + bytes([len(bytes.fromhex(data))]) + bytes.fromhex(data)


def write_and_read(
    read_at: int, count: int, write_at: int, *values: int, quantity: int | None = None
) -> bytes:
    """Return the PDU of function 23."""
    quantity = len(values) if quantity is None else quantity
    return (
        b"\x17"
        + words(read_at, count, write_at, quantity)
        + bytes([2 * len(values)])
        + words(*values)
    )


def registers(wire: Wire, address: int, count: int, function: int = 3) -> bytes:
    """Read registers; return their bytes."""
    reply = wire.ask(1, read(function, address, count))
    assert reply[:2] == bytes([function, 2 * count]), reply.hex(" ")
    assert len(reply) == 2 + 2 * count
    return reply[2:]


@pytest.fixture
def scratch(wire: Wire) -> bytes:
    """Set all scratch registers and coils to values of no other test; return the register bytes."""
    values = words(*range(0xA0, 0xA0 + SCRATCH.size))
    write = write_registers(SCRATCH.address, *range(0xA0, 0xA0 + SCRATCH.size))
    assert wire.ask(1, write) == b"\x10" + words(SCRATCH.address, SCRATCH.size)
    assert wire.ask(1, write_coils(0, SCRATCH_COILS.size, "5a c3")) == b"\x0f" + words(
        0, SCRATCH_COILS.size
    )
    return values


def assert_untouched(wire: Wire, scratch: bytes) -> None:
    """Assert that no scratch register or coil has changed."""
    assert registers(wire, SCRATCH.address, SCRATCH.size) == scratch
    assert wire.ask(1, read(1, 0, SCRATCH_COILS.size)) == b"\x01\x02\x5a\xc3"


class TestMap:
    def test_identity(self, wire: Wire) -> None:
        identity = registers(wire, 0, 10)
        assert identity[:10] == b"PPM1" + bytes.fromhex("000000000001")
        assert identity[16:18] == words(156), "CNY"

    def test_available_credit(self, wire: Wire) -> None:
        assert registers(wire, ADDRESS["available_credit"], 2) == (2000).to_bytes(4, "big")
        assert registers(wire, ADDRESS["available_credit_exact"], 4) == (20 * 10**10).to_bytes(
            8, "big"
        )

    @pytest.mark.parametrize("function", [3, 4])
    def test_a_read_may_begin_and_end_anywhere_in_0_to_99(
        self, tcp: TcpWire, function: int
    ) -> None:
        """Every start with every length, pipelined."""
        whole = registers(tcp, 0, 100, function)
        for start in range(100):
            counts = range(1, 101 - start)
            tcp.send(b"".join(_tcp(count, read(function, start, count)) for count in counts))
            for count in counts:
                reply = tcp.reply()
                assert reply.transaction == count
                assert (
                    reply.pdu
                    == bytes([function, 2 * count]) + whole[2 * start : 2 * (start + count)]
                )

    @pytest.mark.parametrize("function", [3, 4])
    def test_a_read_may_begin_anywhere_on_rtu(self, rtu: RtuWire, function: int) -> None:
        whole = registers(rtu, 0, 100, function)
        for start in range(100):
            count = min(1 + 2 * (start * 7 % 20), 100 - start)
            assert registers(rtu, start, count, function) == whole[2 * start : 2 * (start + count)]

    def test_a_read_may_begin_and_end_anywhere_in_the_whole_map(self, tcp: TcpWire) -> None:
        whole = b"".join(registers(tcp, at, 84) for at in range(0, MAP_END, 84))
        for start in range(MAP_END):
            for most in (1, 3, 33, 63, 125):
                count = min(most, MAP_END - start)
                assert registers(tcp, start, count) == whole[2 * start : 2 * (start + count)]

    def test_holding_registers_are_the_input_registers(self, wire: Wire, scratch: bytes) -> None:
        for start in range(0, MAP_END, 84):
            assert registers(wire, start, 84, 3) == registers(wire, start, 84, 4)
        assert registers(wire, SCRATCH.address, SCRATCH.size, 4) == scratch

    def test_the_last_register_and_the_one_after_it(self, wire: Wire) -> None:
        assert len(registers(wire, MAP_END - 1, 1)) == 2
        for function in (3, 4):
            assert wire.ask(1, read(function, MAP_END, 1)) == refusal(function, 2)
            assert wire.ask(1, read(function, MAP_END - 1, 2)) == refusal(function, 2)


class TestWhileTheMeterLives:
    """A meter of its own, whose time advances and whose cover is opened."""

    def test_identity_is_constant_and_the_rest_is_alive(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, "--load", "2kW") as meters,
            TcpWire(meters.tcp) as wire,
            TcpWire(meters.tcp) as other,
            RtuWire(meters.pty) as line,
        ):
            before = registers(wire, 0, 100)
            meters.control("cover", "open")
            meters.control("advance", "7h")
            meters.control("cover", "close")
            after = registers(wire, 0, 100)
            assert after[:20] == before[:20]
            assert registers(line, 0, 100) == after
            clock = ADDRESS["clock"]
            passed = _number(after, clock, 4) - _number(before, clock, 4)
            assert passed in (7 * 3600, 7 * 3_600_000)
            assert _number(after, ADDRESS["available_credit"], 2) == 2000 - 740, (
                "14 kWh at 0.5283 are 7.3962"
            )
            assert _number(registers(wire, 96, 2), 0, 2) == 1400
            self._the_status_word_is_the_discrete_inputs(wire, after)
            self._each_session_has_its_cursor(wire, other, line)

    def test_without_power_it_is_silent_on_every_wire(self, tmp_path: Path) -> None:
        """METER.md 9: without power every wire is silent; after power-up the line is answered."""
        with running(tmp_path) as meters, TcpWire(meters.tcp) as wire, RtuWire(meters.pty) as line:
            identity = registers(wire, 0, 10)
            meters.control("power", "cut")
            wire.send(_tcp(1, read(3, 0, 1)))
            line.leave_unanswered(rtu(1, read(3, 0, 1)))
            line.leave_unanswered(rtu(1, b"\x41"))
            wire.expect_silence(0)
            meters.control("power", "return")
            assert registers(line, 0, 10) == identity
            with TcpWire(meters.tcp) as another:
                assert registers(another, 0, 10) == identity

    def _the_status_word_is_the_discrete_inputs(self, wire: Wire, values: bytes) -> None:
        status = _number(values, ADDRESS["status"], 2)
        inputs = wire.ask(1, read(2, 0, STATUS_INPUTS))
        assert inputs == b"\x02\x04" + status.to_bytes(4, "little")

    def _each_session_has_its_cursor(self, *wires: Wire) -> None:
        """Function 23 sets the cursor and reads the rows; each session has its own cursor."""
        newest = _number(registers(wires[0], ADDRESS["event_number"], 2), 0, 2)
        assert newest >= 2
        for wire, first in ((wires[0], 1), (wires[1], 2), (wires[2], 1)):
            ask = write_and_read(
                EVENT_WINDOW.read_address,
                EVENT_WINDOW.read_registers,
                EVENT_WINDOW.address,
                0,
                first,
            )
            reply = wire.ask(1, ask)
            assert reply[:2] == bytes([0x17, 2 * EVENT_WINDOW.read_registers])
            assert (_number(reply[2:], 0, 2), _number(reply[2:], 2, 1)) == (
                first,
                min(6, newest + 1 - first),
            )
        for wire, first in ((wires[1], 2), (wires[2], 1), (wires[0], 1)):
            assert _number(registers(wire, EVENT_WINDOW.read_address, 3), 0, 2) == first


class TestRead:
    @pytest.mark.usefixtures("scratch")
    @pytest.mark.parametrize("start", range(SCRATCH_COILS.size))
    def test_coils_begin_anywhere_and_are_padded_with_zeros(self, wire: Wire, start: int) -> None:
        bits = 0xC35A >> start
        for count in range(1, SCRATCH_COILS.size - start + 1):
            size = (count + 7) // 8
            data = (bits & (1 << count) - 1).to_bytes(size, "little")
            assert wire.ask(1, read(1, start, count)) == bytes([1, size]) + data

    def test_discrete_inputs(self, wire: Wire) -> None:
        assert wire.ask(1, read(2, 0, STATUS_INPUTS)) == b"\x02\x04\x00\x00\x00\x00"
        assert wire.ask(1, read(2, STATUS_INPUTS - 1, 1)) == b"\x02\x01\x00"

    def test_diagnose(self, wire: Wire) -> None:
        for data in ("0000", "1234", "ffff"):
            pdu = b"\x08\x00\x00" + bytes.fromhex(data)
            assert wire.ask(1, pdu) == pdu

    @pytest.mark.parametrize(
        ("code", "objects"), [(1, (0, 1, 2)), (2, (0, 1, 2, 4, 5))], ids=["basic", "regular"]
    )
    def test_identify(self, wire: Wire, code: int, objects: tuple[int, ...]) -> None:
        content = b"".join(
            bytes([n, len(NATIVE_MAP.identification[n])]) + NATIVE_MAP.identification[n]
            for n in objects
        )
        head = bytes([0x2B, 0x0E, code, 0x82, 0, 0, len(objects)])
        assert wire.ask(1, bytes([0x2B, 0x0E, code, 0])) == head + content

    @pytest.mark.parametrize("number", sorted(NATIVE_MAP.identification))
    def test_identify_one_object(self, wire: Wire, number: int) -> None:
        text = NATIVE_MAP.identification[number]
        reply = bytes([0x2B, 0x0E, 4, 0x82, 0, 0, 1, number, len(text)]) + text
        assert wire.ask(1, bytes([0x2B, 0x0E, 4, number])) == reply

    def test_the_server_identifier(self, wire: Wire) -> None:
        """Application Protocol V1.1b3 6.13: identifier, running, additional data."""
        text = b"Simulated prepaid electricity meter 000000000001"
        assert wire.ask(1, b"\x11") == bytes([0x11, 2 + len(text), 0x50, 0xFF]) + text

    def test_identify_extended_answers_what_there_is(self, wire: Wire) -> None:
        """Application Protocol V1.1b3 6.21: above its conformity level a server uses its own."""
        regular, extended = wire.ask(1, b"\x2b\x0e\x02\x00"), wire.ask(1, b"\x2b\x0e\x03\x00")
        assert extended[3:] == regular[3:]

    def test_identify_from_an_object_that_is_not_there_begins_again(self, wire: Wire) -> None:
        assert wire.ask(1, b"\x2b\x0e\x01\x77") == wire.ask(1, b"\x2b\x0e\x01\x00")


class TestWrite:
    @pytest.mark.usefixtures("scratch")
    def test_one_coil(self, wire: Wire) -> None:
        for coil in range(SCRATCH_COILS.size):
            for value, bit in ((0xFF00, 1), (0x0000, 0), (0xFF00, 1)):
                assert wire.ask(1, b"\x05" + words(coil, value)) == b"\x05" + words(coil, value)
                assert wire.ask(1, read(1, coil, 1)) == bytes([1, 1, bit])
        assert wire.ask(1, read(1, 0, SCRATCH_COILS.size)) == b"\x01\x02\xff\xff"

    @pytest.mark.usefixtures("scratch")
    def test_coils(self, wire: Wire) -> None:
        assert wire.ask(1, write_coils(3, 10, "cd 01")) == b"\x0f" + words(3, 10)
        bits = 0xC35A & ~(0x3FF << 3) | 0x1CD << 3
        assert wire.ask(1, read(1, 0, SCRATCH_COILS.size)) == b"\x01\x02" + bits.to_bytes(
            2, "little"
        )

    def test_one_register(self, wire: Wire, scratch: bytes) -> None:
        for n in range(SCRATCH.size):
            pdu = b"\x06" + words(SCRATCH.address + n, 0xFFFF - n)
            assert wire.ask(1, pdu) == pdu
        expected = words(*range(0xFFFF, 0xFFFF - SCRATCH.size, -1))
        assert registers(wire, SCRATCH.address, SCRATCH.size) == expected != scratch

    def test_bits_of_one_register(self, wire: Wire, scratch: bytes) -> None:
        """Application Protocol V1.1b3 6.16: its example, and masks that change nothing or all."""
        assert wire.ask(1, b"\x06" + words(SCRATCH.address, 0x12)) != b""
        for and_mask, or_mask, expected in (
            (0xF2, 0x25, 0x17),
            (0xFFFF, 0x1234, 0x17),
            (0, 0xA5A5, 0xA5A5),
            (0, 0, 0),
        ):
            pdu = b"\x16" + words(SCRATCH.address, and_mask, or_mask)
            assert wire.ask(1, pdu) == pdu
            assert registers(wire, SCRATCH.address, 1) == words(expected)
        assert registers(wire, SCRATCH.address + 1, SCRATCH.size - 1) == scratch[2:]

    def test_registers(self, wire: Wire, scratch: bytes) -> None:
        assert wire.ask(1, write_registers(SCRATCH.address + 5, 1, 0xFFFF, 3)) == b"\x10" + words(
            SCRATCH.address + 5, 3
        )
        expected = scratch[:10] + words(1, 0xFFFF, 3) + scratch[16:]
        assert registers(wire, SCRATCH.address, SCRATCH.size) == expected

    def test_write_comes_before_read_in_function_23(self, wire: Wire, scratch: bytes) -> None:
        reply = wire.ask(1, write_and_read(SCRATCH.address, 4, SCRATCH.address + 1, 0x1111, 0x2222))
        assert reply == b"\x17\x08" + scratch[:2] + words(0x1111, 0x2222) + scratch[6:8]

    def test_function_23_reads_elsewhere(self, wire: Wire, scratch: bytes) -> None:
        identity = registers(wire, 0, 10)
        assert wire.ask(1, write_and_read(0, 10, SCRATCH.address + 15, 7)) == b"\x17\x14" + identity
        assert registers(wire, SCRATCH.address, SCRATCH.size) == scratch[:30] + words(7)


class TestUnregisteredFunction:
    @pytest.mark.parametrize("pdu", ["41", "41 12 34", "07", "0b", "0c", "64", "7f"])
    def test_it_is_refused_with_01(self, wire: Wire, pdu: str) -> None:
        request = bytes.fromhex(pdu)
        assert wire.ask(1, request) == refusal(request[0], 1)
        assert len(registers(wire, 0, 1)) == 2

    def test_all_of_them(self, tcp: TcpWire) -> None:
        others = [function for function in range(1, 128) if function not in PROVIDED]
        assert [tcp.ask(1, bytes([function])) for function in others] == [
            refusal(function, 1) for function in others
        ]

    @pytest.mark.parametrize("function", [20, 21, 24])
    def test_file_and_queue_requests_in_full(self, wire: Wire, function: int) -> None:
        pdu = {
            20: b"\x14\x07\x06" + words(4, 1, 2),
            21: b"\x15\x09\x06" + words(4, 1, 1, 7),
            24: b"\x18" + words(0x04DE),
        }[function]
        assert wire.ask(1, pdu) == refusal(function, 1)
        assert len(registers(wire, 0, 1)) == 2

    @pytest.mark.parametrize("sub", [1, 3, 0x15, 0xFFFF])
    def test_a_sub_function_of_8_that_is_not_there(self, wire: Wire, sub: int) -> None:
        """Application Protocol V1.1b3, figure 18: function and sub-function are one check."""
        assert wire.ask(1, b"\x08" + words(sub, 0)) == b"\x88\x01"

    def test_another_encapsulated_interface(self, tcp: TcpWire) -> None:
        assert tcp.ask(1, b"\x2b\x0d\x01\x00") == b"\xab\x01"


BAD_COUNTS = {
    "coils_0": read(1, 0, 0),
    "coils_2001": read(1, 0, 2001),
    "inputs_0": read(2, 0, 0),
    "inputs_2001": read(2, 0, 2001),
    "holding_0": read(3, 0, 0),
    "holding_126": read(3, 0, 126),
    "holding_65535": read(3, 0, 65535),
    "input_registers_0": read(4, 0, 0),
    "input_registers_126": read(4, 0, 126),
    "write_coils_0": write_coils(0, 0, ""),
    "write_coils_1969": write_coils(0, 1969, "00"),
    "write_registers_0": write_registers(SCRATCH.address),
    "write_registers_124": b"\x10" + words(SCRATCH.address, 124) + b"\x02\x00\x01",
    "write_and_read_0": write_and_read(0, 0, SCRATCH.address, 1),
    "write_and_read_126": write_and_read(0, 126, SCRATCH.address, 1),
    "write_0_and_read": write_and_read(0, 1, SCRATCH.address),
    "write_122_and_read": write_and_read(0, 1, SCRATCH.address, 1, quantity=122),
}
BAD_VALUES = {
    **{
        f"coil_{value:04x}": b"\x05" + words(0, value)
        for value in (0x1234, 0x0001, 0xFF01, 0x00FF, 0xFFFF)
    },
    "registers_byte_count_over": b"\x10" + words(SCRATCH.address, 1) + b"\x04" + words(1, 2),
    "registers_byte_count_under": b"\x10" + words(SCRATCH.address, 2) + b"\x02" + words(1),
    "registers_byte_count_odd": b"\x10" + words(SCRATCH.address, 2) + b"\x03" + b"\x00\x01\x00",
    "coils_byte_count_over": write_coils(0, 8, "00 00"),
    "coils_byte_count_under": write_coils(0, 9, "00"),
    "write_and_read_byte_count_over": write_and_read(0, 1, SCRATCH.address, 1, 2, quantity=1),
    "write_and_read_byte_count_under": write_and_read(0, 1, SCRATCH.address, 1, quantity=2),
    "identify_code_0": b"\x2b\x0e\x00\x00",
    "identify_code_5": b"\x2b\x0e\x05\x00",
}
BAD_ADDRESSES = {
    "coils_after": read(1, SCRATCH_COILS.size, 1),
    "coils_over_the_end": read(1, 0, SCRATCH_COILS.size + 1),
    "coils_2000": read(1, 0, 2000),
    "inputs_after": read(2, STATUS_INPUTS, 1),
    "inputs_over_the_end": read(2, 1, STATUS_INPUTS),
    "holding": read(3, NOWHERE, 1),
    "holding_hole": read(3, MAP_END, 1),
    "holding_125_over_the_end": read(3, MAP_END - 100, 125),
    "holding_over_65535": read(3, 0xFFFF, 2),
    "input_registers": read(4, NOWHERE, 125),
    "coil": b"\x05" + words(SCRATCH_COILS.size, 0xFF00),
    "identity": b"\x06" + words(0, 1),
    "credit": b"\x06" + words(ADDRESS["available_credit"], 1),
    "mask_identity": b"\x16" + words(0, 0xFFFF, 0),
    "mask_after_scratch": b"\x16" + words(SCRATCH.address + SCRATCH.size, 0, 1),
    "mask_nowhere": b"\x16" + words(NOWHERE, 0, 1),
    "mask_window": b"\x16" + words(EVENT_WINDOW.address, 0, 1),
    "before_scratch": b"\x06" + words(SCRATCH.address - 1, 1),
    "after_scratch": b"\x06" + words(SCRATCH.address + SCRATCH.size, 1),
    "write_coils_over_the_end": write_coils(8, 9, "00 00"),
    "write_coils_1968": write_coils(0, 1968, "00" * 246),
    "write_registers_over_the_end": write_registers(SCRATCH.address + 15, 1, 2),
    "write_registers_into_scratch": write_registers(SCRATCH.address - 1, 1, 2),
    "write_registers_123": write_registers(SCRATCH.address, *range(123)),
    "write_registers_over_65535": write_registers(0xFFFF, 1, 2),
    "write_here_and_read_nowhere": write_and_read(NOWHERE, 1, SCRATCH.address, 1),
    "write_nowhere_and_read_here": write_and_read(SCRATCH.address, 1, NOWHERE, 1),
    "write_121_and_read_125": write_and_read(0, 125, SCRATCH.address, *range(121)),
    "object_3": b"\x2b\x0e\x04\x03",
    "object_128": b"\x2b\x0e\x04\x80",
}
BAD_BOTH = {
    **{f"read_{function}_0": read(function, NOWHERE, 0) for function in (1, 2, 3, 4)},
    **{f"read_{function}_over": read(function, NOWHERE, 2001) for function in (1, 2, 3, 4)},
    "coil": b"\x05" + words(NOWHERE, 0x1234),
    "write_coils_0": write_coils(NOWHERE, 0, ""),
    "write_coils_byte_count": write_coils(NOWHERE, 9, "00"),
    "write_registers_0": write_registers(NOWHERE),
    "write_registers_byte_count": b"\x10" + words(NOWHERE, 1) + b"\x04" + words(1, 2),
    "write_and_read_0": write_and_read(NOWHERE, 0, NOWHERE, 1),
    "write_0_and_read": write_and_read(NOWHERE, 1, NOWHERE),
    "write_and_read_byte_count": write_and_read(NOWHERE, 1, NOWHERE, 1, 2, quantity=1),
}
BAD_LENGTHS = {
    "read_short": "03 00 00",
    "read_long": "03 00 00 00 01 00",
    "function_alone": "03",
    "coil_short": "05 00 00 ff",
    "register_short": "06 20 00",
    "register_long": "06 20 00 00 01 00",
    "coils_short": "0f 00 00 00 10 02 00",
    "coils_long": "0f 00 00 00 08 01 00 00",
    "registers_without_byte_count": "10 20 00 00 01",
    "registers_short": "10 20 00 00 02 04 00 01",
    "registers_long": "10 20 00 00 01 02 00 01 00",
    "write_and_read_short": "17 00 00 00 01 20 00 00 01 02 00",
    "write_and_read_head_alone": "17 00 00 00 01",
    "libmodbus_registers_0": "10 20 00 00 00 00 02 2b 00 01 00 64",
    "libmodbus_coils_0": "0f 00 00 00 00 00 02",
    "libmodbus_registers_byte_count": "10 20 00 00 03 04 02 2b 00 01 00 64",
    "write_and_read_byte_count_0": "17 00 00 00 01 20 00 00 01 00 12 34",
    "address_alone": "03 20 00",
    "coil_long": "05 00 00 ff 00 00",
    "loopback_short": "08 00 00",
    "server_identifier_long": "11 00",
    "mask_short": "16 20 00 00 f2",
    "mask_long": "16 20 00 00 f2 00 25 00",
    "identify_long": "2b 0e 01 00 00",
}


class TestRefusals:
    """The order of Application Protocol V1.1b3: 01 function, 03 quantity and value, 02 address."""

    @pytest.mark.parametrize("pdu", BAD_COUNTS.values(), ids=BAD_COUNTS)
    def test_a_bad_count_is_03(self, wire: Wire, pdu: bytes, scratch: bytes) -> None:
        assert wire.ask(1, pdu) == refusal(pdu[0], 3)
        assert_untouched(wire, scratch)

    @pytest.mark.parametrize("pdu", BAD_VALUES.values(), ids=BAD_VALUES)
    def test_a_bad_value_is_03(self, wire: Wire, pdu: bytes, scratch: bytes) -> None:
        assert wire.ask(1, pdu) == refusal(pdu[0], 3)
        assert_untouched(wire, scratch)

    @pytest.mark.parametrize("pdu", BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
    def test_a_bad_address_is_02_and_nothing_is_written(
        self, wire: Wire, pdu: bytes, scratch: bytes
    ) -> None:
        assert wire.ask(1, pdu) == refusal(pdu[0], 2)
        assert_untouched(wire, scratch)

    @pytest.mark.parametrize("pdu", BAD_BOTH.values(), ids=BAD_BOTH)
    def test_03_comes_before_02(self, wire: Wire, pdu: bytes) -> None:
        assert wire.ask(1, pdu) == refusal(pdu[0], 3)

    def test_01_comes_before_03_and_02(self, wire: Wire) -> None:
        assert wire.ask(1, b"\x18" + words(NOWHERE)) == b"\x98\x01"
        assert wire.ask(1, b"\x41" + words(NOWHERE, 0)) == b"\xc1\x01"

    @pytest.mark.parametrize("pdu", BAD_LENGTHS.values(), ids=BAD_LENGTHS)
    def test_a_request_of_a_wrong_length_is_03(self, wire: Wire, pdu: str) -> None:
        """Application Protocol V1.1b3 7: 03 is also "that the implied length is incorrect"."""
        before = registers(wire, SCRATCH.address, SCRATCH.size)
        request = bytes.fromhex(pdu)
        assert wire.ask(1, request) == refusal(request[0], 3)
        assert registers(wire, SCRATCH.address, SCRATCH.size) == before


def _tcp(transaction: int, pdu: bytes) -> bytes:
    return tcp(transaction, 1, pdu)


def _number(data: bytes, register: int, count: int) -> int:
    return int.from_bytes(data[2 * register : 2 * (register + count)], "big")
