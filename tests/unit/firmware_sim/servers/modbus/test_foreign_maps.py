"""What maps of real meters need: absent phases, signs, written registers among read ones, bits."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.modbus.bank import Bank
from firmware_sim.servers.modbus.plan import plan_of
from protocols.data_model import items
from protocols.data_model.words import MeterType
from protocols.modbus import tcp
from protocols.modbus.areas import Area
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.shipped_maps import shipped
from protocols.modbus.value_layout import NAN, Layout, ValueType
from protocols.quantities import LEDGER
from tests.support.racks import tcp_server

ILLEGAL_ADDRESS = b"\x02"
F32 = Layout(ValueType.F32, off=NAN)
S16, U16, U32 = (Layout(kind) for kind in (ValueType.S16, ValueType.U16, ValueType.U32))
BIT = Layout(ValueType.BITS, size=1)
ONE_PHASE, THREE_PHASES = MeterType.SINGLE_PHASE, MeterType.THREE_PHASE


def a_meter(kind: MeterType = THREE_PHASES, load: tuple[int, ...] = (2_300_000,) * 3) -> Meter:
    """Return a meter with the powers of its phases in mW."""
    return build(
        MeterDescription(
            credit=20 * LEDGER, meter_type=kind, load=Load.constant(load[: kind.phases])
        )
    )


class Wire:
    """A TCP wire to one station with a map of some registers."""

    def __init__(self, meter: Meter, *registers: Register, **parts: Any) -> None:
        rack = Rack([(1, meter)], 0)
        self.map = RegisterMap("tried", (Section("All", registers),), **parts)
        rack.stations[0].register_map = self.map
        self._server = tcp_server(rack)

    def ask(self, pdu: bytes) -> bytes:
        """Return the reply PDU."""
        return self._server.receive(tcp.encode(7, 1, pdu), 0)[tcp.HEADER_SIZE :]

    def read(self, function: int, address: int, count: int) -> bytes:
        """Return the data of a read, the exception code of a refused one."""
        reply = self.ask(read_request(function, address, count))
        return reply[2:] if reply[0] == function else reply[1:]


# ---- absent phases and signs


@pytest.mark.parametrize(("kind", "present"), [(ONE_PHASE, 1), (THREE_PHASES, 3)])
def test_a_phase_that_the_meter_lacks_shows_the_number_of_absence(
    kind: MeterType, present: int
) -> None:
    registers = (
        Register(Area.INPUT, 2 * number, item, F32, absent=True)
        for number, item in enumerate(items.VOLTAGES)
    )
    shown = struct.unpack(">3f", Wire(a_meter(kind), *registers).read(4, 0, 6))
    assert [number == 230.0 for number in shown] == [n < present for n in range(3)]
    assert [math.isnan(number) for number in shown] == [n >= present for n in range(3)]


def test_a_phase_that_the_meter_lacks_is_zero_where_the_map_has_no_number_for_it() -> None:
    register = Register(Area.INPUT, 0, items.VOLTAGES[2], Layout(ValueType.F32))
    assert Wire(a_meter(ONE_PHASE), register).read(4, 0, 2) == bytes(4)


def test_a_magnitude_has_no_sign_and_a_sign_may_be_that_of_another_item() -> None:
    export = a_meter(load=(-2_300_000,) * 3)
    wire = Wire(
        export,
        Register(Area.INPUT, 0, items.CURRENTS[0], Layout(ValueType.S16, 1)),
        Register(Area.INPUT, 1, items.CURRENTS[0], Layout(ValueType.U16, 1), magnitude=True),
        Register(
            Area.INPUT,
            2,
            items.POWER_FACTOR,
            Layout(ValueType.S16, 2),
            sign_of=items.ACTIVE_POWER,
        ),
    )
    current, magnitude, factor = struct.unpack(">hHh", wire.read(4, 0, 3))
    assert current == -magnitude < 0
    assert factor == -100


# ---- constants and scratch


def test_scratch_has_its_initial_registers_and_is_read_with_its_neighbours() -> None:
    wire = Wire(
        a_meter(),
        Register(Area.HOLDING, 10, items.KEY_VERSION, U16),
        Register(Area.HOLDING, 15, items.METER_TYPE, U16),
        scratch=(Span(Area.HOLDING, 11, 3, bytes.fromhex("00010002")),),
        zeros=(Span(Area.HOLDING, 8, 60),),
    )
    assert wire.read(3, 8, 9).hex(" ", 2) == "0000 0000 0000 0001 0002 0000 0000 0001 0000"
    assert wire.read(3, 12, 1).hex() == "0002"
    assert wire.ask(write_request(12, b"abcd"))[0] == 16
    assert wire.read(3, 8, 9).hex(" ", 2) == "0000 0000 0000 0001 6162 6364 0000 0001 0000"
    assert wire.read(3, 13, 55)[:2] == b"cd"
    assert wire.ask(write_request(13, b"abcd")) == b"\x90" + ILLEGAL_ADDRESS


def test_scratch_that_touches_a_value_is_read_with_it_and_never_from_a_cache() -> None:
    wire = Wire(
        a_meter(),
        Register(Area.HOLDING, 9, items.METER_TYPE, U16),
        scratch=(Span(Area.HOLDING, 10, 2), Span(Area.HOLDING, 12, 1, b"\7\7")),
    )
    for word in (b"ab", b"cd"):
        assert wire.ask(write_request(10, word))[0] == 16
        assert wire.read(3, 9, 4) == b"\0\1" + word + b"\0\0\7\7"
    bank = Bank(a_meter(), plan_of(wire.map))
    assert bank.is_cacheable(read_request(3, 9, 1), b"\3\2")
    assert not bank.is_cacheable(read_request(3, 9, 2), b"\3\4")


def test_each_meter_of_a_line_shows_its_own_unit_number() -> None:
    rack = Rack([(unit, a_meter()) for unit in (1, 7, 247)], 0)
    register_map = shipped("sdm630").register_map
    for station in rack.stations:
        station.register_map = register_map
    server = tcp_server(rack)
    for unit in (1, 7, 247):
        reply = server.receive(tcp.encode(7, unit, read_request(3, 0x14, 2)), 0)
        assert struct.unpack(">f", reply[tcp.HEADER_SIZE + 2 :]) == (unit,)


def test_scratch_coils_have_initial_bits_and_constants_exist_for_bits() -> None:
    wire = Wire(
        a_meter(),
        Register(Area.DISCRETE, 0, items.SUPPLY_SWITCH, BIT),
        constants=(
            Constant(Area.DISCRETE, 1, b"\xac\xdb\x35", 22),
            Constant(Area.COIL, 9, b"\1", 2),
        ),
        scratch=(Span(Area.COIL, 0, 5, b"\x15"), Span(Area.COIL, 5, 4, b"\x0f")),
        zeros=(Span(Area.DISCRETE, 30, 4),),
    )
    assert wire.read(2, 1, 22) == b"\xac\xdb\x35"
    assert wire.read(2, 0, 23) == ((0x35DBAC << 1) | 1).to_bytes(3, "little")
    assert wire.read(2, 23, 1) == ILLEGAL_ADDRESS
    assert wire.read(2, 30, 4) == b"\0"
    assert wire.read(1, 0, 11) == (0x15 | 0xF << 5 | 1 << 9).to_bytes(2, "little")
    assert wire.ask(bytes.fromhex("05 0000 0000"))[0] == 5
    assert wire.read(1, 0, 5) == b"\x14"
    assert wire.ask(bytes.fromhex("05 0009 0000")) == b"\x85" + ILLEGAL_ADDRESS


def test_one_bit_of_a_set_lies_where_the_map_says() -> None:
    meter = build(MeterDescription(guarantee=True))
    guarantee = Layout(ValueType.BOOL, bit="guarantee")
    overload = Layout(ValueType.BOOL, bit="overload")
    wire = Wire(
        meter,
        Register(Area.DISCRETE, 0, items.STATUS, overload),
        Register(Area.DISCRETE, 1, items.STATUS, guarantee),
        Register(Area.INPUT, 0, items.STATUS, guarantee),
        Register(Area.INPUT, 1, items.STATUS, overload),
    )
    assert wire.read(2, 0, 2) == b"\2"
    assert wire.read(4, 0, 2) == b"\0\1\0\0"


# ---- requests


def test_a_read_may_cut_a_value_unless_the_map_refuses_it() -> None:
    registers = (
        Register(Area.INPUT, 0, items.VOLTAGES[0], F32),
        Register(Area.INPUT, 2, items.VOLTAGES[1], F32),
        Register(Area.INPUT, 4, items.METER_TYPE, U16),
    )
    cutting = [(1, 1), (1, 2), (0, 1), (0, 3), (3, 2)]
    allowed, refusing = (Wire(a_meter(), *registers, whole_values=each) for each in (False, True))
    for address, count in cutting:
        assert len(allowed.read(4, address, count)) == 2 * count
        assert refusing.read(4, address, count) == ILLEGAL_ADDRESS
    for address, count in ((0, 2), (0, 4), (2, 2), (4, 1), (2, 3)):
        assert len(refusing.read(4, address, count)) == 2 * count


def test_gaps_and_constants_are_not_cut_where_all_values_have_even_widths() -> None:
    register = Register(Area.INPUT, 0, items.VOLTAGES[0], F32)
    constant = Constant(Area.INPUT, 8, b"\1\2\3\4")
    zeros = (Span(Area.INPUT, 0, 12),)
    wire = Wire(a_meter(), register, constants=(constant,), zeros=zeros, whole_values=True)
    for address, count in ((0, 3), (2, 1), (3, 2), (3, 1), (8, 1), (9, 1), (11, 3)):
        assert wire.read(4, address, count) == ILLEGAL_ADDRESS
    for address, count in ((0, 2), (2, 2), (2, 4), (8, 2), (0, 12)):
        assert len(wire.read(4, address, count)) == 2 * count


def test_single_registers_beside_wide_ones_are_read_alone() -> None:
    register = Register(Area.INPUT, 0, items.METER_TYPE, U16)
    constant = Constant(Area.INPUT, 3, b"\1\2\3\4")
    zeros = (Span(Area.INPUT, 0, 8),)
    wire = Wire(a_meter(), register, constants=(constant,), zeros=zeros, whole_values=True)
    for address, count in ((0, 1), (1, 1), (0, 3), (3, 2), (5, 1)):
        assert len(wire.read(4, address, count)) == 2 * count
    for address, count in ((3, 1), (0, 4), (4, 2)):
        assert wire.read(4, address, count) == ILLEGAL_ADDRESS


def test_the_map_may_say_the_whole_data_of_function_17() -> None:
    wire = Wire(a_meter(), server_id=bytes.fromhex("b4ff4c4d42332e312e36"))
    assert wire.ask(b"\x11") == bytes.fromhex("11 0a b4ff4c4d42332e312e36")
