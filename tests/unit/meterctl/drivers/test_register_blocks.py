"""Which registers are read in which request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.drivers.register_blocks import GAP, OwnLengths, ReadableMap
from protocols.data_model import items
from protocols.data_model.items import ITEMS, Item
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section, Span
from protocols.modbus.value_layout import Layout, ValueType
from tests.support.maps import SMALL_MAP

U16, U32 = Layout(ValueType.U16), Layout(ValueType.U32)
A, B, C = items.PURCHASE_COUNT, items.CREDIT_SEQUENCE, items.COMMAND_SEQUENCE


def requests(register_map: RegisterMap, *wanted: Item) -> list[tuple[Area, int, int]]:
    """Return area, first register and number of registers of each request."""
    blocks = ReadableMap(register_map).blocks_of(wanted)
    return [(block.area, block.address, block.width) for block in blocks]


def a_map(*registers: Register, zeros: tuple[Span, ...] = (), largest: int = 125) -> RegisterMap:
    """Return a map with some registers."""
    return RegisterMap("tried", (Section("All", registers),), zeros=zeros, largest_read=largest)


def test_neighbours_share_a_request() -> None:
    found = a_map(Register(Area.HOLDING, 5, A, U32), Register(Area.HOLDING, 7, B, U32))
    assert requests(found, A, B) == [(Area.HOLDING, 5, 4)]
    assert requests(found, B) == [(Area.HOLDING, 7, 2)]
    assert requests(found, B, B) == [(Area.HOLDING, 7, 2)]


def test_a_request_reads_across_zeros_but_not_across_a_gap_that_is_refused() -> None:
    registers = (Register(Area.HOLDING, 5, A, U32), Register(Area.HOLDING, 8, B, U32))
    assert requests(a_map(*registers), A, B) == [(Area.HOLDING, 5, 2), (Area.HOLDING, 8, 2)]
    filled = a_map(*registers, zeros=(Span(Area.HOLDING, 7, 1),))
    assert requests(filled, A, B) == [(Area.HOLDING, 5, 5)]


def test_a_wide_gap_takes_two_requests() -> None:
    zeros = (Span(Area.HOLDING, 0, 100),)
    for gap, count in ((GAP, 1), (GAP + 1, 2)):
        registers = (Register(Area.HOLDING, 0, A, U16), Register(Area.HOLDING, 1 + gap, B, U16))
        assert len(requests(a_map(*registers, zeros=zeros), A, B)) == count


def test_a_request_is_no_larger_than_the_map_allows() -> None:
    registers = (Register(Area.HOLDING, 5, A, U32), Register(Area.HOLDING, 7, B, U32))
    assert requests(a_map(*registers, largest=4), A, B) == [(Area.HOLDING, 5, 4)]
    assert len(requests(a_map(*registers, largest=3), A, B)) == 2


def test_areas_are_read_apart_and_holding_registers_where_an_item_lies_in_both() -> None:
    found = a_map(
        Register(Area.INPUT, 5, A, U32),
        Register(Area.HOLDING, 7, B, U32),
        Register(Area.REGISTERS, 9, C, U32),
    )
    assert requests(found, A, B, C) == [(Area.HOLDING, 7, 4), (Area.INPUT, 5, 2)]


def test_an_item_with_two_places_is_read_where_it_needs_no_request_of_its_own() -> None:
    exact = items.AVAILABLE_CREDIT_EXACT
    assert requests(NATIVE_MAP, exact) == [(Area.HOLDING, 72, 4)]
    books = [one.item for one in NATIVE_MAP.registers if 192 <= one.address < 228]
    assert requests(NATIVE_MAP, exact, *books) == [(Area.HOLDING, 192, 40)]


def test_the_whole_native_map_takes_few_requests_that_hold_every_item() -> None:
    blocks = ReadableMap(NATIVE_MAP).blocks_of(ITEMS)
    assert {one.item for block in blocks for one in block.registers} == set(ITEMS)
    assert len(blocks) == 5
    assert all(block.width <= 125 for block in blocks)
    smaller = ReadableMap(replace(NATIVE_MAP, largest_read=60)).blocks_of(ITEMS)
    assert all(block.width <= 60 for block in smaller)


def test_bits_are_not_read_as_registers() -> None:
    assert items.GUARANTEE not in ReadableMap(SMALL_MAP).best
    assert items.TRIP_MODE in ReadableMap(SMALL_MAP).best


@pytest.mark.parametrize("shift", range(20))
def test_every_block_that_a_session_reads_has_a_length_of_its_own(shift: int) -> None:
    readable = ReadableMap(NATIVE_MAP)
    own = OwnLengths(readable, shift)
    blocks = [block for item in readable.best for block in readable.blocks_of([item])]
    blocks += readable.blocks_of(readable.best)
    sizes: dict[int, tuple[Area, int]] = {}
    crowded = 0
    for block in blocks:
        first, size = own.widened(block.area, block.address, block.width)
        assert first <= block.address
        assert block.address + block.width <= first + size
        assert block.width <= size <= NATIVE_MAP.largest_read
        assert any(
            run.start <= first and first + size <= run.stop for run in NATIVE_MAP.runs(block.area)
        )
        assert own.widened(block.area, block.address, block.width) == (first, size)
        crowded += sizes.setdefault(size, (block.area, block.address)) != (
            block.area,
            block.address,
        )
    few = OwnLengths(readable, shift)
    given = [few.widened(b.area, b.address, b.width)[1] for b in readable.blocks_of(readable.best)]
    assert len(set(given)) == len(given), "a read of everything has no two blocks alike"
    assert crowded < len(blocks), "a session that reads very many blocks uses lengths again"
