"""The driver under maps that are not the native one, on the wire of a meter with such a map."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.assembly import build, rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.servers.line import Line
from firmware_sim.settings import Settings
from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.register_blocks import OwnLengths, ReadableMap
from meterctl.errors import CorruptAnswerError, NoAnswerError, UsageError
from protocols.data_model import items
from protocols.data_model.items import ITEMS
from protocols.data_model.tables import PURCHASES, TABLES
from protocols.keys import MessageClass
from protocols.modbus import rtu, shipped_maps
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.value_layout import NAN, Layout, ValueType
from protocols.quantities import CENT, HOUR, LEDGER
from protocols.sealed_message import MessageKind
from protocols.sealed_status import StatusQuestion
from tests.support.maps import SMALL_MAP
from tests.support.meters import Host
from tests.support.racks import rtu_server, tcp_server
from tests.support.wire import PipeTransport, connect

MISSING = (items.FREQUENCY, items.EPOCH, items.TRIP_MODE, items.GUARANTEE)
"""`trip_mode` lies in a register, `guarantee` in a discrete input; the others nowhere."""

CONSUMED = MeterDescription(
    credit=200 * LEDGER,
    settings=Settings(low_credit_threshold_1=500 * CENT, trip_mode=1),
    load=Load.constant((123_456_000,)),
    register_map=SMALL_MAP,
)
"""A meter that uses 123.456 kWh an hour."""


def with_map(register_map: RegisterMap, framed: bool = True) -> tuple[ModbusDriver, PipeTransport]:
    """Return a driver with a map on the wire of a meter with the small map, after an hour."""
    rack = rack_of(CONSUMED, 0)
    rack.stations[0].meter.advance(HOUR)
    transport = PipeTransport(Line(tcp_server(rack) if framed else rtu_server(rack)), framed=framed)
    return ModbusDriver(transport, 1, 1000, transport.clock, None, register_map), transport


@pytest.mark.parametrize("framed", [False, True])
def test_items_are_read_where_the_map_has_them_in_the_units_of_the_data_model(framed: bool) -> None:
    driver, transport = with_map(SMALL_MAP, framed)
    wanted = list(SMALL_MAP.best_registers)
    values = driver.read(wanted)
    assert values[items.ENERGY_IMPORT] == 123_400_000
    assert values[items.ENERGY_EXPORT] == 0
    assert values[items.SERIAL_NUMBER] == "000000000001"
    assert values[items.LOW_CREDIT_1] == 500 * CENT
    assert 0 < values[items.AVAILABLE_CREDIT] < 200 * LEDGER
    assert set(values) == set(wanted)
    assert transport.exchanges == driver.answers(wanted) + (not framed) == 5 + (not framed)


@pytest.mark.parametrize(
    "call",
    [
        lambda driver: driver.deliver(bytes(80)),
        lambda driver: driver.receipt(MessageClass.CREDIT, 1),
        lambda driver: driver.status(StatusQuestion(bytes(8), 1, 0)),
    ],
    ids=["deliver", "receipt", "status"],
)
def test_a_map_without_windows_refuses_sealed_messages_before_a_byte_is_sent(
    call: Callable[[ModbusDriver], object],
) -> None:
    driver, transport = with_map(SMALL_MAP)
    with pytest.raises(UsageError) as raised:
        call(driver)
    assert (
        str(raised.value) == "pipe unit 1: map small has no windows for sealed messages; "
        "nothing was sent"
    )
    assert transport.exchanges == 0


def test_items_and_tables_that_the_map_lacks_are_named_before_a_byte_is_sent() -> None:
    driver, transport = with_map(SMALL_MAP)
    for missing in (lambda: driver.read(MISSING), lambda: driver.answers(MISSING)):
        with pytest.raises(
            UsageError, match="map small has no epoch, frequency_hz; nothing was sent"
        ):
            missing()
    for table in TABLES.values():
        with pytest.raises(UsageError, match=f"map small has no {table.name}; nothing was sent"):
            driver.rows(table)
    assert transport.exchanges == 0


def test_a_device_without_the_mark_of_the_map_is_not_read() -> None:
    mark = Constant(Area.HOLDING, 43, b"PP")
    marked = replace(SMALL_MAP, name="marked", mark=mark, constants=())
    driver, transport = with_map(marked)
    with pytest.raises(CorruptAnswerError, match=r"the marked map: .*--map.*scan`"):
        driver.read([items.TRIP_MODE])
    assert transport.exchanges == 2
    right = replace(marked, mark=mark._replace(data=bytes.fromhex("cafe")))
    driver, transport = with_map(right)
    for _ in range(2):
        assert driver.read([items.TRIP_MODE])[items.TRIP_MODE] == 1
    assert transport.exchanges == 3  # the mark is read once


def test_rows_of_a_list_are_read_in_requests_that_the_map_allows() -> None:
    register_map = replace(NATIVE_MAP, largest_read=124)
    meter = build(MeterDescription())
    host = Host(meter)
    for _ in range(5):
        host.send(MessageKind.CREDIT, amount=5)
    _, transport = connect(meter, framed=True)
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    rows, more = driver.rows(PURCHASES, 3)
    assert ([row.number for row in rows], more) == ([3, 4, 5], False)


def test_items_in_coils_and_discrete_inputs_are_read_as_bits() -> None:
    for framed in (True, False):
        driver, transport = with_map(SMALL_MAP, framed)
        in_bits = (items.SUPPLY_SWITCH, items.GUARANTEE, items.TAMPER_TRIP)
        assert all(driver.holds(item) for item in in_bits)
        values = driver.read(in_bits)
        assert values == {items.SUPPLY_SWITCH: 1, items.GUARANTEE: 0, items.TAMPER_TRIP: 0}
        assert transport.exchanges == 2 + (not framed), "the discrete inputs share a request"


def test_single_bits_of_a_set_make_its_value() -> None:
    words = items.STATUS.kind.words[:3]  # type: ignore[attr-defined]
    bits = tuple(
        Register(Area.HOLDING, 0x2000 + place, items.STATUS, Layout(ValueType.BOOL, bit=word))
        for place, word in enumerate(words)
    )
    driver, _ = scratch_driver(*bits)
    driver.write_once(Area.HOLDING, 0x2000, (1, 0, 1))
    assert driver.read([items.STATUS]) == {items.STATUS: 0b101}


def test_a_set_without_all_its_words_in_the_map_is_unknown_while_none_is_set() -> None:
    words = items.SUPPLY_CAUSES.kind.words  # type: ignore[attr-defined]
    for placed, of_none in ((words[2:4], None), (words, 0)):
        bits = tuple(
            Register(
                Area.HOLDING, 0x2000 + place, items.SUPPLY_CAUSES, Layout(ValueType.BOOL, bit=word)
            )
            for place, word in enumerate(placed)
        )
        driver, _ = scratch_driver(*bits)
        driver.write_once(Area.HOLDING, 0x2000, (0,) * len(bits))
        assert driver.read([items.SUPPLY_CAUSES]) == {items.SUPPLY_CAUSES: of_none}
        driver.write_once(Area.HOLDING, 0x2000, (1,))
        first = 1 << words.index(placed[0])
        assert driver.read([items.SUPPLY_CAUSES]) == {items.SUPPLY_CAUSES: first}


def scratch_driver(*registers: Register, **how: Any) -> tuple[ModbusDriver, PipeTransport]:
    """Return a driver whose map has registers where the meter's native map has scratch."""
    register_map = RegisterMap("tried", (Section("All", registers),), **how)
    _, transport = connect(build(MeterDescription()), framed=True)
    return ModbusDriver(transport, 1, 1000, transport.clock, None, register_map), transport


def test_a_value_that_the_meter_lacks_is_none() -> None:
    layout = Layout(ValueType.F32, off=NAN)
    place = Register(Area.HOLDING, 0x2000, items.VOLTAGES[1], layout, absent=True)
    driver, _ = scratch_driver(place)
    driver.write_once(Area.HOLDING, 0x2000, (0x7FC0, 0))
    assert driver.read([place.item]) == {place.item: None}
    driver.write_once(Area.HOLDING, 0x2000, (0x4366, 0x8000))
    assert driver.read([place.item]) == {place.item: 230_500}


def test_items_are_read_by_a_function_that_the_map_has() -> None:
    found = ReadableMap(replace(NATIVE_MAP, functions=frozenset({Function.READ_INPUT_REGISTERS})))
    assert {block.area for block in found.blocks_of(ITEMS)} == {Area.INPUT}
    none = ReadableMap(replace(NATIVE_MAP, functions=frozenset({Function.READ_COILS})))
    assert not any(none.holds(item) for item in ITEMS)


@pytest.mark.parametrize(
    ("functions", "area", "numbers", "code"),
    [
        (frozenset(Function), Area.HOLDING, (7,), 16),
        (frozenset(Function), Area.HOLDING, (7, 8), 16),
        (frozenset(Function), Area.COIL, (1,), 5),
        (frozenset(Function), Area.COIL, (1, 0, 1), 15),
        (frozenset(Function) - {Function.WRITE_MULTIPLE_REGISTERS}, Area.HOLDING, (7,), 6),
        (frozenset(Function) - {Function.WRITE_SINGLE_COIL}, Area.COIL, (1,), 15),
    ],
)
def test_numbers_are_written_by_a_function_that_the_map_has(
    functions: frozenset[Function], area: Area, numbers: tuple[int, ...], code: int
) -> None:
    sent: list[bytes] = []

    def seen(_: int, direction: str, data: bytes) -> bytes:
        sent.extend([data] if direction == "request" else [])
        return data

    _, transport = connect(build(MeterDescription()), seen, framed=True)
    register_map = replace(NATIVE_MAP, functions=functions)
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    address = 0x2000 if area is Area.HOLDING else 0
    driver.write_once(area, address, numbers)
    assert sent[-1][7] == code
    assert driver.read_numbers(area, address, len(numbers)) == numbers


def test_a_write_for_which_the_map_has_no_function_is_not_sent() -> None:
    functions = frozenset(Function) - {Function.WRITE_MULTIPLE_REGISTERS}
    driver, transport = scratch_driver(functions=functions)
    with pytest.raises(UsageError, match="no function that writes 2 at once; nothing was sent"):
        driver.write_once(Area.HOLDING, 0x2000, (1, 2))
    assert transport.exchanges == 0


@pytest.mark.parametrize("framed", [False, True])
def test_a_write_is_sent_once_whatever_becomes_of_its_answer(framed: bool) -> None:
    writes: list[bytes] = []

    def lost(_: int, direction: str, data: bytes) -> bytes:
        is_write = data[7 if framed else 1] == Function.WRITE_MULTIPLE_REGISTERS
        writes.extend([data] if is_write and direction == "request" else [])
        return b"" if is_write and direction == "reply" else data

    _, transport = connect(build(MeterDescription()), lost, framed=framed)
    driver = ModbusDriver(transport, 1, 1000, transport.clock)
    with pytest.raises(NoAnswerError):
        driver.write_once(Area.HOLDING, 0x2000, (7,))
    assert len(writes) == 1
    assert driver.read_numbers(Area.HOLDING, 0x2000, 1) == (7,)


def test_a_read_of_a_map_that_is_not_ours_never_begins_or_ends_within_a_value() -> None:
    voltages = tuple(
        Register(Area.INPUT, 2 * place, item, Layout(ValueType.F32))
        for place, item in enumerate(items.VOLTAGES)
    )
    readable = ReadableMap(RegisterMap("tried", (Section("All", voltages),)))
    for shift in range(20):
        own = OwnLengths(readable, shift)
        for address, count in ((0, 2), (2, 2), (4, 2), (0, 6)):
            first, size = own.widened(Area.INPUT, address, count)
            assert first % 2 == size % 2 == 0, "real meters refuse an odd address"
            assert first <= address < address + count <= first + size <= 6


@pytest.mark.parametrize("name", ["sdm120", "sdm630"])
def test_reads_of_a_map_of_double_registers_begin_and_end_at_even_addresses(name: str) -> None:
    register_map = shipped_maps.shipped(name).register_map
    readable = ReadableMap(register_map)
    blocks = [block for item in readable.best for block in readable.blocks_of([item])]
    blocks += readable.blocks_of(readable.best)
    for shift in range(20):
        own = OwnLengths(readable, shift)
        for block in blocks:
            first, size = own.widened(block.area, block.address, block.width)
            assert first % 2 == size % 2 == 0, "real meters refuse anything else"
            assert first <= block.address <= block.address + block.width <= first + size


def test_a_read_of_a_foreign_map_cuts_no_pair_of_registers_of_a_gap() -> None:
    places = (
        Register(Area.INPUT, 2, items.VOLTAGES[0], Layout(ValueType.F32)),
        Register(Area.INPUT, 8, items.VOLTAGES[1], Layout(ValueType.F32)),
    )
    zeros = (Span(Area.INPUT, 0, 15),)
    constants = (Constant(Area.INPUT, 12, b"abcd"),)
    readable = ReadableMap(
        RegisterMap("tried", (Section("All", places),), zeros=zeros, constants=constants)
    )
    found = {OwnLengths(readable, s).widened(Area.INPUT, 2, 2) for s in range(30)}
    found |= {OwnLengths(readable, s).widened(Area.INPUT, 8, 2) for s in range(30)}
    assert len(found) > 6
    assert all(first % 2 == size % 2 == 0 for first, size in found)


@pytest.mark.parametrize("has_diagnostics", [True, False])
def test_a_longer_read_that_a_device_refuses_is_tried_once_as_long_as_it_must_be(
    has_diagnostics: bool,
) -> None:
    voltages = tuple(
        Register(Area.INPUT, 2 * place, item, Layout(ValueType.F32))
        for place, item in enumerate(items.VOLTAGES)
    )
    functions = frozenset({Function.READ_INPUT_REGISTERS})
    if has_diagnostics:
        functions |= {Function.DIAGNOSTICS}
    register_map = RegisterMap(
        "tried", (Section("All", voltages),), zeros=(Span(Area.INPUT, 6, 40),), functions=functions
    )
    counts: list[int] = []

    def refusing(_: int, direction: str, data: bytes) -> bytes:
        nonlocal count
        if direction == "request":
            count = data[5] if data[1] == 4 else 0
            counts.append(count)
        elif count:
            longer = count != 6
            return rtu.encode(1, b"\x84\x02" if longer else b"\x04\x0c" + bytes(12))
        return data

    count = 0
    _, transport = connect(build(MeterDescription()), refusing)
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    for _ in range(2):
        assert set(driver.read(items.VOLTAGES).values()) == {0}
    assert counts.count(6) == 2
    assert len([count for count in counts if count not in (0, 6)]) <= 2, "then no longer"


@pytest.mark.parametrize("function", [5, 6, 15])
def test_a_write_to_a_map_of_scratch_alone_is_confirmed_on_a_serial_line(function: int) -> None:
    functions = frozenset({*Function} - {5, 6, 15, 16}) | {Function(function)}
    scratch = (Span(Area.COIL, 0, 8), Span(Area.HOLDING, 0x2000, 4))
    register_map = RegisterMap("tried", (), scratch=scratch, functions=functions)
    area, address = (Area.HOLDING, 0x2000) if function == 6 else (Area.COIL, 0)
    _, transport = connect(build(MeterDescription()))
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    for value in (1, 0):
        driver.write_once(area, address, (value,))
        assert driver.read_numbers(area, address, 1) == (value,)


@pytest.mark.parametrize("shift", range(16))
def test_late_replies_are_not_believed_by_a_session_that_has_no_probe(shift: int) -> None:
    """Each reply comes one request late, the first one to a process before."""
    held: list[bytes] = []
    delays = False

    def late(_: int, direction: str, data: bytes) -> bytes:
        if not delays:
            return data
        if direction == "request":
            if not held:  # of the same length as the right one
                count = int.from_bytes(data[4:6], "big")
                held.append(rtu.encode(1, bytes((data[1], 2 * count)) + bytes(2 * count)))
            return data
        held.append(data)
        return held.pop(0)

    registers = (
        Register(Area.HOLDING, 0x2000, items.PURCHASE_COUNT, Layout(ValueType.U32)),
        Register(Area.HOLDING, 0x2002, items.CREDIT_SEQUENCE, Layout(ValueType.U32)),
    )
    register_map = RegisterMap(
        "tried",
        (Section("All", registers),),
        zeros=(Span(Area.HOLDING, 0x2004, 8),),
        functions=frozenset(Function) - {Function.DIAGNOSTICS},
    )
    _, transport = connect(build(MeterDescription()), late)
    first = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    first.write_once(Area.HOLDING, 0x2000, (0, 1, 0, 2))
    transport.now_us += (shift - transport.clock() % 16) % 16 * 1000
    delays = True
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    with suppress(NoAnswerError, CorruptAnswerError):
        assert driver.read([items.CREDIT_SEQUENCE]) == {items.CREDIT_SEQUENCE: 2}
