"""Register maps as values: what one holds, and what it refuses to hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocols.data_model import items
from protocols.data_model.tables import DAILY_FREEZES, EVENTS, PROFILE, PURCHASES
from protocols.errors import QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.native_map import MAP_END, NATIVE_MAP
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, RowList, RowWindow, Section, Span
from protocols.modbus.sealed_windows import ANSWER_REGISTERS, SealedWindow, SealedWindows
from protocols.modbus.tariff_window import TariffWindow
from protocols.modbus.value_layout import NAN, Layout, ValueType
from tests.support.maps import SMALL_MAP, WINDOWS

U16, S16, U32 = Layout(ValueType.U16), Layout(ValueType.S16), Layout(ValueType.U32)
BIT = Layout(ValueType.BITS, size=1)
COUNT = items.PURCHASE_COUNT


def a_map(*registers: Register, **parts: Any) -> RegisterMap:
    """Return a map with registers and other parts."""
    return RegisterMap("tried", (Section("All", registers),), **parts)


# ---- values


def test_equal_maps_are_equal_values() -> None:
    again = replace(SMALL_MAP, sections=tuple(SMALL_MAP.sections))
    assert again == SMALL_MAP
    assert hash(again) == hash(SMALL_MAP)
    assert len({again, SMALL_MAP, NATIVE_MAP}) == 2
    assert replace(SMALL_MAP, largest_read=61) != SMALL_MAP


def test_runs_join_items_constants_and_zeros_that_touch() -> None:
    found = a_map(
        Register(Area.HOLDING, 3, COUNT, U32),
        Register(Area.HOLDING, 7, COUNT, U32),
        Register(Area.INPUT, 5, COUNT, U32),
        mark=Constant(Area.HOLDING, 5, bytes(4)),
        zeros=(Span(Area.HOLDING, 20, 4), Span(Area.HOLDING, 8, 3)),
    )
    assert found.runs(Area.HOLDING) == (range(3, 11), range(20, 24))
    assert found.runs(Area.INPUT) == (range(5, 7),)
    assert found.runs(Area.COIL) == ()


def test_the_native_map_has_one_run_in_both_areas_of_registers() -> None:
    for area in (Area.HOLDING, Area.INPUT):
        assert NATIVE_MAP.runs(area) == (range(MAP_END),)


def test_the_best_registers_of_an_item_have_the_most_decimals() -> None:
    coarse = Register(Area.INPUT, 0, items.ENERGY_IMPORT, Layout(ValueType.U32, 1))
    fine = Register(Area.INPUT, 4, items.ENERGY_IMPORT, Layout(ValueType.U32, 3))
    again = Register(Area.HOLDING, 4, items.ENERGY_IMPORT, Layout(ValueType.U32, 3))
    bits = Register(Area.COIL, 9, items.GUARANTEE, BIT)
    found = a_map(coarse, fine, again, bits)
    assert found.best_registers == {items.ENERGY_IMPORT: (fine, again)}


def test_the_finest_register_of_an_item_may_have_a_scale_or_be_a_float() -> None:
    watts = Register(Area.INPUT, 0, items.ACTIVE_POWER, Layout(ValueType.S32, factor=(1, 1000)))
    tenths = Register(Area.INPUT, 2, items.ACTIVE_POWER, Layout(ValueType.S16, 1))
    single = Register(Area.INPUT, 4, items.ACTIVE_POWER, Layout(ValueType.F32))
    double = Register(Area.INPUT, 6, items.ACTIVE_POWER, Layout(ValueType.F64))
    for registers, best in (
        ((tenths, watts), watts),
        ((tenths, watts, single), single),
        ((double, single, tenths), double),
    ):
        assert a_map(*registers).best_registers == {items.ACTIVE_POWER: (best,)}


def test_a_value_that_every_meter_has_is_never_shown_as_absent() -> None:
    layout = Layout(ValueType.S16, 1, off=-0x8000)
    always = Register(Area.INPUT, 0, items.FREQUENCY, layout, absent=True)
    second = Register(Area.INPUT, 0, items.ACTIVE_POWERS[1], layout, absent=True)
    assert (always.may_lack, second.may_lack) == (False, True)
    lowest = -(10**10)
    assert [second.packer()(value) for value in (None, lowest)] == [b"\x80\0", b"\x80\1"]
    total = always._replace(item=items.ACTIVE_POWER)
    assert total.packer()(lowest) == b"\x80\1", "a host would take the number for an absent one"
    assert always.unpack(b"\x80\0") is None


def test_one_bit_of_a_set_is_not_its_item() -> None:
    bit = Register(Area.INPUT, 0, items.STATUS, Layout(ValueType.BOOL, bit="overload"))
    assert a_map(bit).best_registers == {}


def test_a_constant_of_bits_is_as_long_as_its_size() -> None:
    assert Constant(Area.DISCRETE, 4, b"\xff\x07", 11).extent == range(4, 15)
    assert Constant(Area.INPUT, 4, bytes(6)).extent == range(4, 7)


def test_function_17_tells_what_the_map_says_and_else_the_meter() -> None:
    assert a_map(server_id=b"whole").server_data("000000000001") == b"whole"
    assert a_map().server_data("000000000001") == b"\x50\xff000000000001"


def test_lists_and_windows_are_found_by_their_table() -> None:
    assert NATIVE_MAP.row_list(PURCHASES) is NATIVE_MAP.row_lists[0]
    assert NATIVE_MAP.row_list(EVENTS) is None
    assert NATIVE_MAP.row_window(PROFILE) is NATIVE_MAP.row_windows[1]
    assert NATIVE_MAP.row_window(PURCHASES) is None
    assert [one.address for one in NATIVE_MAP.row_windows_of(DAILY_FREEZES)] == [0x1800, 0x1200]
    assert NATIVE_MAP.row_window(DAILY_FREEZES) is NATIVE_MAP.row_windows_of(DAILY_FREEZES)[0]
    assert NATIVE_MAP.row_windows_of(PURCHASES) == ()


def test_a_window_of_older_rows_shows_the_columns_of_that_time() -> None:
    older, whole = RowWindow(0, DAILY_FREEZES, 3, older_rows=True), RowWindow(0, DAILY_FREEZES, 3)
    assert (older.row_size, older.read_registers, len(older.extent)) == (68, 105, 107)
    assert (whole.row_size, whole.read_registers, len(whole.extent)) == (76, 117, 119)
    assert RowWindow(0, EVENTS, 6, older_rows=True).row_size == 38, "nothing was added to events"


def test_the_windows_for_sealed_messages_move_with_their_address() -> None:
    moved = SealedWindows(0x4000)
    assert [e.start + 0x4000 - 0x1400 for e in WINDOWS.extents] == [e.start for e in moved.extents]
    assert moved.written_at(0x4000) is SealedWindow.RECEIPT
    assert moved.written_at(0x4100) is SealedWindow.MESSAGE
    assert moved.written_at(0x4300) is SealedWindow.STATUS
    assert [moved.written_at(address) for address in (0x4200, 0x4001, 0x1500)] == [None] * 3
    assert moved.readable[SealedWindow.ANSWER] == range(0x4200, 0x4200 + ANSWER_REGISTERS)
    assert SealedWindow.MESSAGE not in moved.readable


# ---- refusals


@pytest.mark.parametrize(
    ("register", "problem"),
    [
        (Register(Area.HOLDING | Area.COIL, 0, COUNT, U16), "registers, or in coils"),
        (Register(Area(0), 0, COUNT, U16), "registers, or in coils"),
        (Register(Area.COIL, 0, COUNT, U16), "hold bits"),
        (Register(Area.INPUT, 0, items.GUARANTEE, BIT), "hold bits"),
        (Register(Area.INPUT, 0, items.SERIAL_NUMBER, U32), "bcd or ascii"),
        (Register(Area.INPUT, 0, items.MAX_CREDIT, U32), "off"),
        (Register(Area.INPUT, 0xFFFF, COUNT, U32), "no address 65536"),
        (Register(Area.INPUT, 0, COUNT, U32, absent=True), "absent needs a number"),
        (Register(Area.COIL, 0, items.GUARANTEE, replace(BIT, off=1)), "bits have no number"),
        (Register(Area.HOLDING, 0, COUNT, U32, writable=True), "a setting"),
        (Register(Area.INPUT, 0, items.TRIP_MODE, U16, writable=True), "are writable"),
        (Register(Area.INPUT, 0, items.TRIP_MODE, U16, magnitude=True), "have a sign"),
        (Register(Area.INPUT, 0, COUNT, S16, sign_of=items.TRIP_MODE), "have a sign"),
        (Register(Area.INPUT, 0, COUNT, U16, sign_of=COUNT), "signed type"),
        (Register(Area.INPUT, 0, COUNT, S16, magnitude=True, sign_of=COUNT), "left out or"),
        (Register(Area.INPUT, -1, COUNT, U32), "no address -1"),
    ],
)
def test_a_register_that_cannot_be_is_refused_by_its_item(register: Register, problem: str) -> None:
    with pytest.raises(QuantityError, match=problem) as raised:
        a_map(register)
    assert f"map tried, {register.item.name}" in str(raised.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"constants": (Constant(Area.HOLDING, 11, bytes(2)),)},
        {"mark": Constant(Area.REGISTERS, 8, bytes(6))},
        {"scratch": (Span(Area.HOLDING, 4, 7),)},
        {"row_lists": (RowList(10, PURCHASES, 1),)},
        {"row_windows": (RowWindow(11, EVENTS, 1),)},
        {"windows": SealedWindows(11)},
        {"tariff": TariffWindow(11)},
        {"sections": (Section("Two", (Register(Area.HOLDING, 11, COUNT, U16),) * 2),)},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_an_address_is_used_once(parts: dict[str, Any]) -> None:
    alone = a_map(Register(Area.HOLDING, 10, COUNT, U32))
    with pytest.raises(QuantityError, match="overlap at"):
        replace(alone, **parts)


def test_the_same_address_of_another_area_is_another_address() -> None:
    a_map(
        Register(Area.HOLDING, 10, COUNT, U32),
        Register(Area.INPUT, 10, COUNT, U32),
        Register(Area.COIL, 10, items.GUARANTEE, BIT),
        scratch=(Span(Area.DISCRETE, 10, 1),),
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"row_lists": (RowList(100, PURCHASES, 10),)},
        {"largest_read": 1},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_one_read_returns_a_value_and_a_row(parts: dict[str, Any]) -> None:
    small = a_map(Register(Area.HOLDING, 10, COUNT, U32), largest_read=16)
    with pytest.raises(QuantityError, match="the largest read has"):
        replace(small, **parts)


def test_windows_may_be_larger_than_the_largest_read() -> None:
    a_map(
        Register(Area.HOLDING, 10, COUNT, U32),
        row_windows=(RowWindow(100, EVENTS, 2),),
        windows=SealedWindows(200),
        largest_read=16,
    )


def test_a_value_of_single_bits_is_not_limited_by_the_largest_read_of_registers() -> None:
    bits = Layout(ValueType.BITS, size=32)
    section = Section("bits", (Register(Area.DISCRETE, 0, items.STATUS, bits),))
    assert RegisterMap("bits", (section,), largest_read=2).registers[0].width == 32


# ---- plain writes


def test_a_purchase_and_an_order_lie_over_registers_that_are_read() -> None:
    found = a_map(
        Register(Area.HOLDING, 10, COUNT, U16),
        Register(Area.HOLDING, 11, items.REMAINING_CREDIT, Layout(ValueType.U32, 2)),
        Register(Area.COIL, 3, items.SUPPLY_SWITCH, BIT),
        credit=PlainCredit(10, U16, Layout(ValueType.U32, 2)),
        control=ForceControl(Area.COIL, 3, {0: "interrupt", 1: "permit"}),
    )
    assert found.credit is not None
    assert (found.credit.amount_address, found.credit.extent) == (11, range(10, 13))
    assert found.control is not None
    assert found.control.extent == range(3, 4)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"credit": PlainCredit(0xFFFE, U16, U32)}, "no address 65536"),
        ({"credit": PlainCredit(0, Layout(ValueType.F32), U32)}, "whole numbers, not f32"),
        ({"credit": PlainCredit(0, U16, Layout(ValueType.BCD, size=2))}, "numbers, not bcd"),
        (
            {"credit": PlainCredit(0, replace(U16, decimals=-1), U32)},
            "the purchase count has no scale",
        ),
        ({"credit": PlainCredit(9, U16, U32)}, "the plain credit and trip_mode overlap at 10"),
        ({"credit": PlainCredit(99, U16, U32)}, "the plain credit and a scratch span"),
        ({"control": ForceControl(Area.INPUT, 0, {1: "permit"})}, "holding registers, or a coil"),
        ({"control": ForceControl(Area.HOLDING, 0, {})}, "from 0 to 65535"),
        ({"control": ForceControl(Area.COIL, 0, {2: "permit"})}, "from 0 to 1"),
        ({"control": ForceControl(Area.HOLDING, 10, {2: "permit"})}, "overlap at 10"),
        ({"control": ForceControl(Area.HOLDING, 0, {1 << 32: "permit"}, 2)}, "4294967295"),
    ],
)
def test_what_is_written_lies_apart(parts: dict[str, Any], problem: str) -> None:
    alone = a_map(
        Register(Area.HOLDING, 10, items.TRIP_MODE, U16, writable=True),
        scratch=(Span(Area.HOLDING, 100, 4),),
    )
    with pytest.raises(QuantityError, match=problem):
        replace(alone, **parts)


def test_a_map_of_layouts_with_words_and_nan_is_a_value_too() -> None:
    words = {"two_stage": 1, "direct": 2, "delayed": 3}
    registers = (
        Register(Area.INPUT, 0, items.TRIP_MODE, Layout(ValueType.U16, values=words)),
        Register(Area.INPUT, 2, items.FREQUENCY, Layout(ValueType.F32, off=NAN), absent=True),
    )
    assert len({a_map(*registers), a_map(*registers)}) == 1
