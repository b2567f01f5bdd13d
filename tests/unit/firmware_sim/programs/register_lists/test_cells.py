"""Types, scales, units, functions and access as manuals write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.programs.register_lists.cells import (
    parse_access,
    parse_factor,
    parse_functions,
    parse_order,
    parse_type,
    parse_unit,
    split_unit,
)
from protocols.errors import QuantityError

LOW = "low_first"


@pytest.mark.parametrize(
    ("text", "size", "read"),
    [
        ("UINT16", 0, ("u16", "", "", 0)),
        ("u32", 0, ("u32", "", "", 0)),
        ("Unsigned 32-bit", 0, ("u32", "", "", 0)),
        ("32 bit signed integer", 0, ("s32", "", "", 0)),
        ("int16", 1, ("s16", "", "", 1)),
        ("INT", 2, ("s32", "", "", 2)),
        ("unsigned", 4, ("u64", "", "", 4)),
        ("DWORD", 0, ("u32", "", "", 0)),
        ("long", 2, ("s32", "", "", 2)),
        ("acc32", 2, ("u32", "", "", 2)),
        ("Float", 2, ("f32", "", "", 2)),
        ("FLOAT32 (IEEE 754)", 0, ("f32", "", "", 0)),
        ("float", 4, ("f64", "", "", 4)),
        ("float", 1, ("f32", "", "", 1)),
        ("double", 0, ("f64", "", "", 0)),
        ("float CDAB", 0, ("f32", LOW, "", 0)),
        ("INT32 (little endian)", 0, ("s32", LOW, LOW, 0)),
        ("uint32_sw", 0, ("u32", LOW, "", 0)),
        ("UINT32 ABCD", 0, ("u32", "", "", 0)),
        ("uint32 BADC", 0, ("u32", "", LOW, 0)),
        ("U_DWORD_R", 0, ("u32", LOW, "", 0)),
        ("S_WORD", 0, ("s16", "", "", 0)),
        ("FP32", 0, ("f32", "", "", 0)),
        ("32BIT_UINT_3412", 0, ("u32", LOW, "", 0)),
        ("16bit Integer", 0, ("s16", "", "", 0)),
        ("32bit Unsigned Integer (1234)", 0, ("u32", "", "", 0)),
        ("STRING", 16, ("ascii", "", "", 16)),
        ("STR32", 0, ("ascii", "", "", 16)),
        ("BCD", 3, ("bcd", "", "", 3)),
        ("uint8", 0, ("u16", "", "", 0)),
        ("Bool", 0, ("bool", "", "", 0)),
        ("", 2, ("", "", "", 2)),
    ],
)
def test_a_type_is_read_with_its_orders_and_its_size(
    text: str, size: int, read: tuple[str, str, str, int]
) -> None:
    assert parse_type(text, size) == read


@pytest.mark.parametrize("text", ["date", "string CDAB", "struct", "sunssf"])
def test_a_type_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="not known"):
        parse_type(text)


def test_an_order_is_read_as_letters_or_words() -> None:
    assert parse_order("CD AB") == (LOW, "")
    assert parse_order("big-endian") == parse_order("") == ("", "")
    with pytest.raises(QuantityError):
        parse_order("middle")


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("0.1", Fraction(1, 10)),
        ("x0.01", Fraction(1, 100)),
        ("1/1000", Fraction(1, 1000)),
        ("/10", Fraction(1, 10)),
        ("10^-2", Fraction(1, 100)),
        ("*10", Fraction(10)),
        ("1e-3", Fraction(1, 1000)),
        ("3", Fraction(3)),
    ],
)
def test_a_factor_is_exact(text: str, factor: Fraction) -> None:
    assert parse_factor(text) == factor


@pytest.mark.parametrize("text", ["A_SF", "0", "1/0", "1e99", "", "0.1.2", "-1"])
def test_what_is_no_factor_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="no scale"):
        parse_factor(text)


@pytest.mark.parametrize(
    ("text", "unit", "factor"),
    [
        ("V", "V", 1),
        ("Volts", "V", 1),
        ("0.1V", "V", Fraction(1, 10)),
        ("0.01 kWh", "kWh", Fraction(1, 100)),
        ("[KWH]", "kWh", 1),
        ("MWh", "MWh", 1),
        ("mA", "mA", 1),
        ("A x 0.001", "A", Fraction(1, 1000)),
        ("1/10 Hz", "Hz", Fraction(1, 10)),
        ("kVAr", "kvar", 1),
        ("VA", "VA", 1),
        ("°", "deg", 1),
        ("10 W", "W", 10),
        ("0.1", "", Fraction(1, 10)),
        ("元", "money", 1),
        ("account_unit per kWh", "money", 1),
        ("元/kWh", "money", 1),
        ("-", "", 1),
    ],
)
def test_a_unit_is_read_with_the_number_before_it(
    text: str, unit: str, factor: Fraction | int
) -> None:
    assert parse_unit(text) == (unit, factor)


@pytest.mark.parametrize("text", ["furlong", "0.1 V x 0.1"])
def test_a_unit_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_unit(text)


def test_a_unit_is_split_from_its_prefix() -> None:
    assert split_unit("kWh") == ("Wh", 1000)
    assert split_unit("mA") == ("A", Fraction(1, 1000))
    assert split_unit("min") == ("min", 1)


@pytest.mark.parametrize(
    ("text", "areas", "writes"),
    [
        ("03", ("holding",), False),
        ("FC04", ("input",), False),
        ("0x03/0x10", ("holding",), True),
        ("3/6/16", ("holding",), True),
        ("03,04", ("holding", "input"), False),
        ("03 10", ("holding",), True),
        ("06", ("holding",), True),
        ("1", ("coil",), False),
        ("Input register", ("input",), False),
        ("Holding Registers (read/write)", ("holding",), True),
        ("discrete input", ("discrete",), False),
        ("F3_HOLDING_REGS", ("holding",), False),
        ("read_input_register", ("input",), False),
        ("Input status", ("discrete",), False),
        ("", (), False),
    ],
)
def test_functions_name_the_areas(text: str, areas: tuple[str, ...], writes: bool) -> None:
    assert parse_functions(text) == (areas, writes)


@pytest.mark.parametrize("text", ["43", "yes"])
def test_what_is_no_function_of_registers_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="function"):
        parse_functions(text)


def test_access_says_what_may_be_written() -> None:
    assert parse_access("RO") == parse_access("") == (True, False)
    assert parse_access("R/W") == parse_access("读写") == (True, True)
    assert parse_access("Write only") == (False, True)


@given(st.text("0123456789abcdfhiknortuvwxABCDFHIKNORTUVWX .,-/^*%°()[]元读", max_size=14))
def test_any_cell_is_read_or_refused(text: str) -> None:
    for read in (parse_type, parse_order, parse_factor, parse_unit, parse_functions, parse_access):
        try:
            read(text)
        except QuantityError:
            continue
