"""The content of a map in rows: every value of it, by area and address."""

from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_sim.programs.shown_maps import decimal_text, rows_of
from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.map_file import MapFile
from protocols.modbus.map_rows import MapRow
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.shipped_maps import names, shipped
from protocols.modbus.value_layout import NAN, Layout, Order, ValueType

U16, F32 = ValueType.U16, ValueType.F32


def file_of(*registers: Register, **others: object) -> MapFile:
    """Return a map whose file says nothing of itself."""
    return MapFile(RegisterMap("m", (Section("", registers),), **others), "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(1), "1"),
        (Fraction(1, 100), "0.01"),
        (Fraction(-5, 2), "-2.5"),
        (Fraction(1, 8), "0.125"),
        (Fraction(1000), "1000"),
        (Fraction(1, 3), "1/3"),
        (Fraction(0), "0"),
    ],
)
def test_a_scale_is_written_whole(number: Fraction, text: str) -> None:
    assert decimal_text(number) == text


def test_the_native_map_has_a_row_for_each_of_its_parts() -> None:
    rows = rows_of(MapFile(NATIVE_MAP, ""))
    by_item = {row.item: row for row in rows if row.item and row.areas != ("discrete",)}
    assert {register.item.name for register in NATIVE_MAP.registers} <= {row.item for row in rows}
    energy = by_item["energy_import_kwh"]
    assert (energy.scale, energy.unit) in {("0.01", "kWh"), ("0.000001", "kWh")}
    assert (by_item["clock"].scale, by_item["clock"].unit) == ("1", "ms")
    assert by_item["serial_number"].notes == ("12 decimal digits",)
    assert any("window for sealed messages" in row.meaning for row in rows)
    assert any("cursor window of events" in row.meaning for row in rows)
    meanings = {row.address: row.meaning for row in rows}
    assert "daily_freezes: 3 rows of older builds" in meanings[0x1200]
    assert "daily_freezes: 3 rows a read" in meanings[0x1800]
    assert meanings[0x1A00] == "window of the tariff: both sets"
    assert any("the newest 10 rows of purchases" in row.meaning for row in rows)
    holding = [row.address for row in rows if "holding" in row.areas]
    assert holding == sorted(holding)


def test_a_row_says_how_its_number_is_written() -> None:
    turned = Layout(U16, 1, 0xFFFF, word_order=Order.LOW_FIRST, byte_order=Order.LOW_FIRST)
    watts = Layout(F32, off=NAN, factor=(1, 1000))
    bit = Layout(ValueType.BOOL, bit=items.STATUS.kind.words[0])  # type: ignore[attr-defined]
    third, first, second = rows_of(
        file_of(
            Register(Area.INPUT, 0, items.VOLTAGES[1], turned, absent=True, magnitude=True),
            Register(Area.INPUT, 1, items.ACTIVE_POWER, watts),
            Register(Area.REGISTERS, 8, items.STATUS, bit),
        )
    )
    assert (first.scale, first.unit, first.notes) == (
        "0.1",
        "V",
        ("absent all ones", "without sign"),
    )
    assert first.order == "low words first, low bytes first"
    assert (second.scale, second.unit, second.size, second.order) == ("0.001", "kW", 2, "")
    assert third.areas == ("holding", "input")
    assert (third.scale, third.notes[-1]) == ("", f"bit {items.STATUS.kind.words[0]}")  # type: ignore[attr-defined]


def test_off_and_words_of_a_choice_are_notes() -> None:
    off = Layout(ValueType.U32, 2, 0)
    words = Layout(U16, values=dict.fromkeys(items.SUPPLY_STATE.kind.words, 7))  # type: ignore[attr-defined]
    limit, state = rows_of(
        file_of(
            Register(Area.HOLDING, 0, items.MAX_CREDIT, off, writable=True),
            Register(Area.HOLDING, 2, items.SUPPLY_STATE, words),
        )
    )
    assert limit.notes == ("off 0",)
    assert (limit.access, state.access) == ("write", "read")
    assert "connected=7" in state.notes[-1]


def test_an_item_that_can_be_off_has_no_note_where_the_map_has_no_number_for_it() -> None:
    counter = Register(Area.INPUT, 0, items.BY_NAME["energy_import_l1_kwh"], Layout(F32))
    absent = Register(
        Area.INPUT, 2, items.BY_NAME["energy_import_l2_kwh"], Layout(F32, off=NAN), absent=True
    )
    first, second = rows_of(file_of(counter, absent))
    assert first.notes == ()
    assert second.notes == ("off nan", "absent nan")


@pytest.mark.parametrize("name", names())
def test_no_row_of_a_shipped_map_names_a_number_that_there_is_not(name: str) -> None:
    assert not [row for row in rows_of(shipped(name)) if "None" in "; ".join(row.notes)]


def test_constants_show_text_or_bytes_and_spans_what_they_do() -> None:
    rows = rows_of(
        file_of(
            constants=(
                Constant(Area.HOLDING, 0, b"SunS"),
                Constant(Area.HOLDING, 2, b"\x80\x00"),
                Constant(Area.DISCRETE, 0, b"\xac", 8),
                Constant(Area.HOLDING, 10, b"1" + bytes(15)),
                Constant(Area.HOLDING, 100, b"x" * 60),
            ),
            zeros=(Span(Area.INPUT, 0, 80),),
            scratch=(Span(Area.COIL, 0, 5),),
            credit=PlainCredit(200, Layout(U16), Layout(ValueType.U32, 2)),
            control=ForceControl(Area.HOLDING, 210, {0: "permit", 1: "interrupt"}),
        )
    )
    told = {(row.areas[0], row.address): (row.size, row.meaning) for row in rows}
    assert told["holding", 0] == (2, "constant 'SunS'")
    assert told["holding", 2] == (1, "constant 8000")
    assert told["holding", 10] == (8, "constant '1'")
    assert told["discrete", 0] == (8, "constant ac")
    assert told["holding", 100][1].endswith(" ...")
    assert told["input", 0] == (80, "zeros")
    assert told["coil", 0] == (5, "scratch: takes writes without effect")
    assert "purchase count (u16) and amount" in told["holding", 200][1]
    assert told["holding", 210][1].endswith("0: permit, 1: interrupt")


def test_what_the_file_says_of_a_row_is_shown() -> None:
    register = Register(Area.HOLDING, 0, items.FREQUENCY, Layout(U16, 2))
    constant = Constant(Area.HOLDING, 1, b"\0\1")
    rows = (
        MapRow(register, 3, "0.01 Hz", note="mean of a second"),
        MapRow(constant, 4, note="baud rate"),
    )
    shown = MapFile(RegisterMap("m", (Section("", (register,)),), None, (constant,)), "", rows=rows)
    first, second = rows_of(shown)
    assert first.notes == ("mean of a second",)
    assert second.meaning == "constant 0001: baud rate"
