"""A server serves each station under the map of the station."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.assembly import build, rack_of
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.modbus.bank import Bank, bank_of
from firmware_sim.servers.modbus.plan import BLOCK, plan_of
from firmware_sim.settings import Settings
from protocols.data_model import items
from protocols.data_model.words import Tamper
from protocols.modbus import rtu, tcp
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.value_layout import Layout, ValueType
from protocols.quantities import CENT, HOUR, LEDGER
from tests.support.maps import MAGIC, SMALL_MAP, WINDOWS
from tests.support.racks import rtu_server, tcp_server

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = b"\x01", b"\x02", b"\x03"
U16 = Layout(ValueType.U16)


def a_meter(number: int = 1) -> Meter:
    """Return a meter that used 123.4 kWh of 200.00, with a threshold of 5.00."""
    description = MeterDescription(
        f"{number:012d}",
        number,
        credit=200 * LEDGER,
        settings=Settings(low_credit_threshold_1=500 * CENT, tamper_trip=int(Tamper.MAGNET)),
        load=Load.constant((123_456_000,)),
        guarantee=True,
    )
    meter = build(description)
    meter.advance(HOUR)
    return meter


class Wire:
    """A TCP wire to one station with a map."""

    def __init__(self, register_map: RegisterMap) -> None:
        self.rack = Rack([(1, a_meter())], 0)
        self.rack.stations[0].register_map = register_map
        self._server = tcp_server(self.rack)

    def ask(self, pdu: bytes) -> bytes:
        """Return the reply PDU."""
        return self._server.receive(tcp.encode(7, 1, pdu), 0)[tcp.HEADER_SIZE :]

    def read(self, function: int, address: int, count: int) -> bytes:
        """Return the data of a read, the exception code of a refused one."""
        reply = self.ask(read_request(function, address, count))
        return reply[2:] if reply[0] == function else reply[1:]


@pytest.fixture
def wire() -> Wire:
    """Return a wire to a station with the small map."""
    return Wire(SMALL_MAP)


# ---- registers


def test_holding_and_input_registers_of_one_address_may_differ(wire: Wire) -> None:
    credit = wire.rack.stations[0].meter.state.account.credit
    assert 0 < credit < 200 * LEDGER
    assert wire.read(4, 40, 2) == (credit * 10 // LEDGER).to_bytes(4, "big")
    assert wire.read(3, 40, 2) == bytes.fromhex("0000 f401")
    assert wire.read(4, 42, 1) == ILLEGAL_ADDRESS
    assert len(wire.read(3, 42, 1)) == 2


def test_an_energy_lies_low_word_first_in_its_unit(wire: Wire) -> None:
    assert wire.read(4, 1000, 2) == (1234).to_bytes(2, "big") + bytes(2)
    assert wire.read(3, 1000, 2) == ILLEGAL_ADDRESS


def test_the_highest_address_is_served_from_a_small_image(wire: Wire) -> None:
    assert wire.read(4, 65_532, 4) == bytes.fromhex("0000 000000000001")
    assert wire.read(4, 65_535, 1) == b"\0\1"
    assert wire.read(4, 65_535, 2) == ILLEGAL_ADDRESS
    blocks = plan_of(SMALL_MAP).blocks
    assert len(blocks) == 4  # of input: 40, 1000 and 65,532; of holding: 40
    assert len(plan_of(SMALL_MAP).blank) == 2 * BLOCK * len(blocks)


def test_a_gap_is_refused_and_a_read_may_begin_and_end_within_a_run(wire: Wire) -> None:
    whole = wire.read(4, 1000, 4)
    for first in range(4):
        for count in range(1, 5 - first):
            assert wire.read(4, 1000 + first, count) == whole[2 * first : 2 * (first + count)]
    for address, count in ((999, 1), (999, 2), (1003, 2), (1004, 1), (1004, 6), (1008, 3), (0, 1)):
        assert wire.read(4, address, count) == ILLEGAL_ADDRESS


def test_a_constant_and_an_item_that_touch_are_read_together(wire: Wire) -> None:
    assert wire.read(3, 43, 1) == bytes.fromhex("cafe")
    assert wire.read(3, 42, 2)[2:] == bytes.fromhex("cafe")


def test_zeros_are_read_without_a_place_in_the_image(wire: Wire) -> None:
    assert wire.read(3, 500, 60) == bytes(120)
    assert wire.read(3, 540, 60) == bytes(120)
    assert wire.read(3, 541, 60) == ILLEGAL_ADDRESS


def test_zeros_between_items_are_read_across() -> None:
    far = RegisterMap(
        "far",
        (
            Section(
                "All",
                (
                    Register(Area.HOLDING, 10, items.KEY_VERSION, U16),
                    Register(Area.HOLDING, 120, items.METER_TYPE, Layout(ValueType.U32)),
                    Register(Area.HOLDING, 127, items.ACCOUNT_UNIT, Layout(ValueType.U32)),
                ),
            ),
        ),
        constants=(Constant(Area.HOLDING, 31, bytes.fromhex("aaaabbbb")),),
        zeros=(Span(Area.HOLDING, 0, 0x10000),),
    )
    wire = Wire(far)
    data = wire.read(3, 8, 125)
    words = [data[at : at + 2] for at in range(0, 250, 2)]
    held = {8 + at: word.hex() for at, word in enumerate(words) if any(word)}
    assert held == {31: "aaaa", 32: "bbbb", 128: "009c"}
    assert wire.read(3, 127, 2) == bytes.fromhex("0000009c")  # a value across two blocks
    assert wire.read(3, 0xFFFF, 1) == b"\0\0"
    assert wire.read(3, 0xFFFF, 2) == ILLEGAL_ADDRESS
    assert wire.read(4, 0, 1) == ILLEGAL_ADDRESS
    assert len(plan_of(far).blocks) == 4


def test_a_read_follows_the_meter(wire: Wire) -> None:
    assert wire.read(2, 8, 1) == b"\1"
    before = wire.read(4, 1000, 2)
    assert wire.read(4, 1000, 2) == before
    wire.rack.stations[0].meter.advance(2 * HOUR)
    assert wire.read(4, 1000, 2) == (2469).to_bytes(2, "big") + bytes(2)


# ---- coils and discrete inputs


def test_bits_of_several_items_are_read_together(wire: Wire) -> None:
    assert wire.read(2, 7, 2) == b"\3"
    assert wire.read(2, 7, 1) == b"\1"
    for address, count in ((6, 2), (7, 3), (9, 1), (0, 1)):
        assert wire.read(2, address, count) == ILLEGAL_ADDRESS
    assert wire.read(1, 100, 3) == bytes((int(Tamper.MAGNET),))
    assert wire.read(1, 101, 2) == bytes((int(Tamper.MAGNET) >> 1,))


def test_scratch_coils_beside_an_item_are_written_alone(wire: Wire) -> None:
    assert wire.ask(bytes.fromhex("05 0067 ff00")) == bytes.fromhex("05 0067 ff00")
    assert wire.ask(bytes.fromhex("0f 0067 0002 01 02")) == bytes.fromhex("0f 0067 0002")
    assert wire.read(1, 100, 5) == bytes((int(Tamper.MAGNET) | 0b10000,))
    assert wire.ask(bytes.fromhex("05 0066 ff00")) == b"\x85" + ILLEGAL_ADDRESS
    assert wire.ask(bytes.fromhex("0f 0066 0002 01 03")) == b"\x8f" + ILLEGAL_ADDRESS


# ---- scratch, functions, limits, identification


def test_scratch_spans_are_apart(wire: Wire) -> None:
    assert wire.ask(write_request(700, b"abcd"))[0] == 16
    assert wire.ask(write_request(710, b"ef"))[0] == 16
    assert (wire.read(3, 700, 2), wire.read(3, 710, 1)) == (b"abcd", b"ef")
    assert wire.read(4, 700, 1) == ILLEGAL_ADDRESS
    for address, data in ((701, b"abcd"), (40, b"ab"), (699, b"abcd"), (711, b"ab")):
        assert wire.ask(write_request(address, data)) == b"\x90" + ILLEGAL_ADDRESS


def test_a_function_that_the_map_lacks_is_refused_and_a_large_read_too(wire: Wire) -> None:
    assert wire.ask(bytes.fromhex("08 0000 0000")) == b"\x88" + ILLEGAL_FUNCTION
    assert Wire(NATIVE_MAP).ask(bytes.fromhex("08 0000 0000"))[0] == 8
    assert wire.read(3, 500, 61) == ILLEGAL_VALUE
    both = bytes.fromhex("17 01f4 003d 02bc 0001 02 0000")
    assert wire.ask(both) == b"\x97" + ILLEGAL_VALUE
    assert wire.ask(both.replace(b"\x3d", b"\x3c")) == bytes((23, 120)) + bytes(120)


def test_the_map_identifies_the_device(wire: Wire) -> None:
    assert b"another" in wire.ask(bytes.fromhex("2b 0e 01 00"))
    assert b"prepaid-meter" in Wire(NATIVE_MAP).ask(bytes.fromhex("2b 0e 01 00"))


def test_a_map_without_windows_has_none(wire: Wire) -> None:
    for address in (WINDOWS.receipt, WINDOWS.message, WINDOWS.status, 0x1000):
        assert wire.ask(write_request(address, bytes(14))) == b"\x90" + ILLEGAL_ADDRESS
        assert wire.read(3, address, 1) == ILLEGAL_ADDRESS
    assert wire.read(3, WINDOWS.answer, 1) == ILLEGAL_ADDRESS


def test_windows_move_with_the_map() -> None:
    moved = Wire(replace(NATIVE_MAP, windows=SealedWindows(0x5000)))
    question = bytes(8) + (7).to_bytes(4, "big") + (0).to_bytes(2, "big")
    assert moved.ask(write_request(0x5300, question))[0] == 16
    assert int.from_bytes(moved.read(3, 0x5307, 1), "big") > 100
    assert moved.read(3, WINDOWS.status_read, 1) == ILLEGAL_ADDRESS


def test_a_window_is_read_whole_where_items_are_read_in_small_requests() -> None:
    wire = Wire(replace(NATIVE_MAP, largest_read=40))
    events = NATIVE_MAP.row_windows[0]
    assert len(wire.read(3, events.read_address, events.read_registers)) > 80
    assert len(wire.read(4, WINDOWS.answer, 41)) == 82
    assert wire.read(3, 0, 41) == ILLEGAL_VALUE
    assert wire.read(3, 0xF000, 41) == ILLEGAL_VALUE
    assert wire.read(3, events.read_address, 126) == ILLEGAL_VALUE
    assert wire.read(3, WINDOWS.answer, 0) == ILLEGAL_VALUE
    assert len(wire.read(3, 0, 40)) == 80


# ---- several maps on one wire


def test_two_stations_of_one_wire_have_maps_of_their_own() -> None:
    rack = Rack([(1, a_meter(1)), (2, a_meter(2))], 0)
    rack.stations[1].register_map = SMALL_MAP
    server = tcp_server(rack)

    def data(unit: int, function: int, address: int, count: int) -> bytes:
        frame = tcp.encode(1, unit, read_request(function, address, count))
        return server.receive(frame, 0)[tcp.HEADER_SIZE :]

    for _ in range(2):  # the second time from the cache
        assert data(1, 3, 0, 2) == b"\3\4" + MAGIC
        assert data(2, 3, 0, 2) == b"\x83" + ILLEGAL_ADDRESS
        assert data(2, 4, 65_532, 4) == b"\4\x08" + bytes.fromhex("0000 000000000002")
        assert data(1, 4, 65_532, 4) == b"\x84" + ILLEGAL_ADDRESS


@pytest.mark.parametrize("unit", [0, 1, 2, 18, 247, 255])
def test_a_meter_that_is_alone_answers_every_unit_where_its_map_says_so(unit: int) -> None:
    """On TCP only, where the address of the connection is the address of the meter."""
    rack = Rack([(1, a_meter())], 0)
    rack.stations[0].register_map = replace(SMALL_MAP, any_unit=True)
    request = read_request(4, 40, 2)
    reply = tcp_server(rack).receive(tcp.encode(7, unit, request), 0)
    assert reply[: tcp.HEADER_SIZE] == tcp.HEADER.pack(7, 0, 7, unit)
    assert reply[tcp.HEADER_SIZE :][:2] == b"\4\4"
    own = unit in (0, 1, 255)
    rack.stations[0].register_map = SMALL_MAP
    reply = tcp_server(rack).receive(tcp.encode(7, unit, request), 0)
    assert (reply[tcp.HEADER_SIZE :] == b"\x84\x0b") != own
    line, frame = rtu_server(rack), rtu.encode(2, request)
    rack.stations[0].register_map = replace(SMALL_MAP, any_unit=True)
    assert line.receive(frame, 0) == b""


def test_of_two_meters_none_answers_the_units_of_others() -> None:
    rack = Rack([(1, a_meter(1)), (2, a_meter(2))], 0)
    for station in rack.stations:
        station.register_map = replace(SMALL_MAP, any_unit=True)
    reply = tcp_server(rack).receive(tcp.encode(7, 3, read_request(4, 40, 2)), 0)
    assert reply[tcp.HEADER_SIZE :] == b"\x84\x0b"


def test_stations_with_equal_maps_share_a_plan_and_have_banks_of_their_own() -> None:
    rack = Rack([(1, a_meter(1)), (2, a_meter(2))], 0)
    for station in rack.stations:
        station.register_map = replace(SMALL_MAP, sections=tuple(SMALL_MAP.sections))
    one, other = (station.image(bank_of) for station in rack.stations)
    assert one.plan is other.plan
    assert one is not other
    assert rack.stations[0].image(bank_of) is one


def test_the_native_map_stands_once_in_the_image_for_both_areas() -> None:
    plan = plan_of(NATIVE_MAP)
    assert plan.holding is plan.input
    assert len(plan.blocks) == 16
    assert plan.blank == MAGIC + bytes(2 * 16 * BLOCK - len(MAGIC))


def test_a_described_map_reaches_the_station() -> None:
    rack = rack_of(MeterDescription(register_map=SMALL_MAP), 0)
    assert rack.stations[0].register_map is SMALL_MAP
    assert rack_of(MeterDescription(), 0).stations[0].register_map is NATIVE_MAP


# ---- the cache


def test_only_reads_of_the_map_may_be_cached(wire: Wire) -> None:
    bank = Bank(a_meter(), plan_of(SMALL_MAP))
    cacheable = {
        (function, address, count): bank.is_cacheable(
            read_request(function, address, count), bytes((function, 2 * count))
        )
        for function, address, count in (
            (3, 40, 4),
            (4, 1000, 4),
            (3, 500, 60),
            (3, 1000, 2),
            (4, 40, 4),
            (3, 700, 2),
            (2, 7, 2),
            (1, 103, 1),
        )
    }
    assert [key for key, value in cacheable.items() if value] == [
        (3, 40, 4),
        (4, 1000, 4),
        (3, 500, 60),
    ]
    assert not bank.is_cacheable(read_request(3, 40, 4), b"\x83\x02")


def test_a_serial_line_serves_the_map_too() -> None:
    rack = Rack([(1, a_meter())], 0)
    rack.stations[0].register_map = SMALL_MAP
    server, frame = rtu_server(rack), rtu.encode(1, read_request(4, 65_535, 1))
    for _ in range(2):  # the second time from the cache
        assert server.receive(frame, 0) == rtu.encode(1, bytes.fromhex("04 02 0001"))
