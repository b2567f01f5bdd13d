"""Floats, scales, words, bits and texts in registers; what is absent has a number."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pytest

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import COUNT, ENERGY, MONEY, POWER, Boolean, Choice, Digits, Flags
from protocols.errors import MalformedMessageError
from protocols.modbus.value_layout import NAN, Layout, Order, ValueType
from protocols.modbus.value_packing import bits_of, of_bits, packer, unpack
from protocols.quantities import CENT, ENERGY_WRAP, KWH, LEDGER, MONEY_LIMIT

U16, S16, U32, S32 = ValueType.U16, ValueType.S16, ValueType.U32, ValueType.S32
F32, F64, ASCII, BOOL, BITS = (
    ValueType.F32,
    ValueType.F64,
    ValueType.ASCII,
    ValueType.BOOL,
    ValueType.BITS,
)
CHOICE = Choice(("open", "closed", "welded"))
WORDS = Item("words", CHOICE, "")
FLAGS = Flags(("low", "high", "lost"))
MOMENT = items.CLOCK.kind


def packed(kind: Any, layout: Layout, value: Any) -> str:
    """Return the registers of a value as hexadecimal digits."""
    return packer(kind, layout)(value).hex()


def number(kind: Any, layout: Layout, value: Any) -> float:
    """Return the float of a value."""
    found = struct.unpack(">f" if layout.type is F32 else ">d", packer(kind, layout)(value))[0]
    assert isinstance(found, float)
    return found


# ---- floats


def test_a_float_is_high_word_first_and_takes_the_orders() -> None:
    assert packed(items.VOLTAGES[0].kind, Layout(F32), 230_500) == "43668000"
    assert packed(items.VOLTAGES[0].kind, Layout(F32, word_order=Order.LOW_FIRST), 230_500) == (
        "80004366"
    )
    assert packed(POWER, Layout(F64), -1_500_000) == "bff8000000000000"


def test_a_float_is_the_nearest_to_the_exact_value() -> None:
    for value in (1, 16_777_217, 33_554_433_000_000, 230_123, 999_999_999_999, 123_456_789_012):
        exact = Fraction(value, 10**6)
        found = Fraction(number(POWER, Layout(F32), value))
        data = struct.unpack(">I", struct.pack(">f", float(found)))[0]
        for beside in (data - 1, data + 1):
            other = Fraction(struct.unpack(">f", struct.pack(">I", beside))[0])
            assert abs(found - exact) <= abs(other - exact), value


def test_a_quotient_beside_the_middle_of_two_floats_is_not_rounded_twice() -> None:
    middle = (2**24 + 1) * 10**6  # 16,777,217 lies between 16,777,216 and 16,777,218
    assert number(POWER, Layout(F32), middle) == 16_777_216.0
    assert number(POWER, Layout(F32), middle + 1) == 16_777_218.0
    assert number(POWER, Layout(F32), middle - 1) == 16_777_216.0


def test_zero_is_never_minus_zero_and_a_huge_number_is_no_infinity() -> None:
    for layout in (Layout(F32, factor=(-1, 1)), Layout(F32), Layout(F64, factor=(-1, 1000))):
        assert set(packed(POWER, layout, 0)) == {"0"}
    assert packed(COUNT, Layout(F32), 10**60) == "7f7fffff"
    assert packed(COUNT, Layout(F32), -(10**400)) == "ff7fffff"


def test_a_float_of_energy_wraps_and_one_of_money_shows_cents() -> None:
    assert number(ENERGY, Layout(F32), ENERGY_WRAP + 250_000) == 0.25
    cents = Layout(F64)
    assert number(MONEY, cents, 12 * LEDGER + 34 * CENT + CENT - 1) == 12.34
    assert packed(MONEY, cents, -(CENT - 1)) == "00" * 8
    assert number(MONEY, cents, 5 * MONEY_LIMIT) == 999_999.99
    assert number(items.CREDITED.kind, cents, CENT // 4) == 0.0025


def test_a_float_is_read_as_the_shortest_decimal_number_that_it_stands_for() -> None:
    layout = Layout(F32)
    for value in (230_123, 1, 999_999, 100_000):
        data = packer(items.VOLTAGES[0].kind, layout)(value)
        assert unpack(items.VOLTAGES[0], layout, data) == value
    data = packer(ENERGY, layout)(1_234_567 * KWH // 1000)
    assert unpack(items.ENERGY_IMPORT, layout, data) == 1_234_567 * KWH // 1000


@pytest.mark.parametrize("data", ["7fc00000", "7f800000", "ff800000"])
def test_a_float_that_is_no_number_is_malformed(data: str) -> None:
    with pytest.raises(MalformedMessageError, match="is no number"):
        unpack(items.FREQUENCY, Layout(F32), bytes.fromhex(data))


# ---- absence


def test_what_is_absent_is_nan_or_a_number() -> None:
    item = items.VOLTAGES[1]
    for layout, data in (
        (Layout(F32, off=NAN), "7fc00000"),
        (Layout(F64, off=NAN), "7ff8000000000000"),
        (Layout(S16, 1, off=-0x8000), "8000"),
        (Layout(F32, off=-1), "bf800000"),
        (Layout(U32, 3, off=0), "00000000"),
    ):
        assert packed(item.kind, layout, None) == data
        assert unpack(item, layout, bytes.fromhex(data)) is None
    assert unpack(item, Layout(F32, off=NAN), bytes.fromhex("ffc00001")) is None


def test_a_number_at_the_end_of_the_type_is_not_absent() -> None:
    assert packed(POWER, Layout(S16, 1, off=-0x8000), -(10**12)) == "8001"
    assert packed(ENERGY, Layout(U16, off=0xFFFF), 65_535 * KWH) == "fffe"


def test_zero_is_shown_where_the_number_of_absence_is_zero() -> None:
    assert packed(ENERGY, Layout(U32, 3, off=0), 0) == "00000000"
    assert packed(POWER, Layout(U16, off=0), 0) == "0000"
    assert packed(items.MAX_CREDIT.kind, Layout(U16, 2, off=0), 0) == "0001"


def test_a_choice_that_is_absent_has_a_number_too() -> None:
    layout = Layout(U16, off=9)
    assert [packed(CHOICE, layout, value) for value in (None, 2)] == ["0009", "0002"]


def test_a_counter_that_may_not_be_kept_needs_no_number_for_off() -> None:
    kind = items.MAX_CREDIT.kind.__class__(ENERGY, "not_kept")
    layout = Layout(U32, 2)
    assert layout.problem(kind) is None
    assert packed(kind, layout, 1_230_000) == "0000007b"
    assert packed(kind, layout, None) == "00000000"
    assert packed(kind, layout, ENERGY_WRAP + 20_000) == "00000002"
    assert number(kind, Layout(F32), 1_500_000) == 1.5


# ---- scales


@pytest.mark.parametrize(
    ("kind", "layout", "value", "raw"),
    [
        (POWER, Layout(S32, factor=(1, 1000)), -1_234_567, -1234),  # W
        (POWER, Layout(S32, 1, factor=(1, 1000)), -1_234_567, -12_345),  # 0.1 W
        (POWER, Layout(S16, 1, factor=(-1, 1)), 1_234_567, -12),  # export is positive
        (ENERGY, Layout(U32, factor=(1, 1000)), 1_234_567, 1234),  # Wh
        (ENERGY, Layout(U32, factor=(5, 1)), 14_999_999, 2),
        (ENERGY, Layout(S32, 1, factor=(-1, 1)), 1_234_567, -12),
        (POWER, Layout(S32, factor=(3, 7)), 1_000_000, 2),
        (MOMENT, Layout(U32, factor=(1000, 1)), 1_700_000_000_999, 1_700_000_000),  # s
    ],
)
def test_a_scale_is_a_fraction_of_the_unit(kind: Any, layout: Layout, value: int, raw: int) -> None:
    assert layout.problem(kind) is None
    data = packer(kind, layout)(value)
    assert int.from_bytes(data, "big", signed=layout.signed) == raw
    shown = unpack(Item("scaled", kind, ""), layout, data)
    unit = 1 if kind is MOMENT else 10**kind.decimals
    assert abs(shown - value) <= abs(layout.scale) * unit


def test_the_scale_is_the_value_of_the_number_1() -> None:
    assert Layout(U16, 2).scale == Fraction(1, 100)
    assert Layout(U16, 1, factor=(1, 1000)).scale == Fraction(1, 10_000)
    assert Layout(S16, -1, factor=(-1, 1)).scale == -10


def test_a_count_that_wraps_begins_again_after_the_end_of_its_type() -> None:
    assert packed(COUNT, Layout(U16, wraps=True), 65_537) == "0001"
    assert packed(COUNT, Layout(U16), 65_537) == "ffff"
    assert packed(COUNT, Layout(U16, wraps=True), -1) == "0000"


# ---- words and bits


def test_a_number_in_packed_bcd_has_four_digits_a_register() -> None:
    energy, bcd = Item("energy", ENERGY, ""), ValueType.BCD
    layout = Layout(bcd, 2, size=2)
    assert packed(ENERGY, layout, 1234 * KWH + 56 * KWH // 100) == "00123456"
    assert unpack(energy, layout, bytes.fromhex("00123456")) == 1234 * KWH + 56 * KWH // 100
    turned = Layout(bcd, 2, size=2, word_order=Order.LOW_FIRST)
    assert packed(ENERGY, turned, 99 * KWH) == "99000000"
    assert packed(POWER, layout, -1) == "00000000"
    assert packed(POWER, Layout(bcd, 0, size=1), 10**12) == "9999"
    with pytest.raises(MalformedMessageError, match="00ff3456 is no packed BCD"):
        unpack(energy, layout, bytes.fromhex("00ff3456"))


def test_words_have_the_numbers_of_the_map() -> None:
    layout = Layout(U16, values={"open": 0x55, "closed": 0xAA, "welded": 0xAA})
    assert [packed(CHOICE, layout, value) for value in (0, 1, 2)] == ["0055", "00aa", "00aa"]
    assert unpack(WORDS, layout, b"\0\x55") == 0
    with pytest.raises(MalformedMessageError, match="number of no word"):
        unpack(WORDS, layout, b"\0\1")


def test_a_number_of_several_words_is_read_as_none_of_them() -> None:
    layout = Layout(U16, values={"open": 0x55, "closed": 0xAA, "welded": 0xAA})
    assert CHOICE.text(unpack(WORDS, layout, b"\0\xaa")) == "unknown_170"
    layout = Layout(BOOL, values={"open": 0, "closed": 1, "welded": 1})
    assert [of_bits(WORDS, layout, bit) for bit in (0, 1)] == [0, None]


def test_a_switch_has_numbers_of_the_map_too() -> None:
    layout = Layout(U16, values={"on": 1, "off": 2})
    assert [packed(Boolean(), layout, value) for value in (0, 1)] == ["0002", "0001"]
    assert unpack(items.GUARANTEE, layout, b"\0\2") == 0


def test_a_bool_holds_one_bit_of_a_set() -> None:
    layout, item = Layout(BOOL, bit="high"), Item("set", FLAGS, "")
    assert [packed(FLAGS, layout, value) for value in (0b010, 0b101)] == ["0001", "0000"]
    assert [unpack(item, layout, data) for data in (b"\0\1", b"\0\0", b"\xff\0")] == [2, 0, 2]
    assert [bits_of(FLAGS, layout)(value) for value in (0b110, 0b001)] == [1, 0]
    assert [of_bits(item, layout, bit) for bit in (0, 1)] == [0, 2]


def test_bits_are_the_whole_value() -> None:
    layout = Layout(BITS, size=3)
    assert bits_of(FLAGS, layout)(0b101) == 0b101
    assert of_bits(Item("set", FLAGS, ""), layout, 0b101) == 0b101


# ---- texts


def test_digits_as_text_are_filled_with_nul() -> None:
    layout = Layout(ASCII, size=8)
    data = packer(Digits(12), layout)("000000000042")
    assert data == b"000000000042" + bytes(4)
    assert unpack(items.SERIAL_NUMBER, layout, data) == "000000000042"
    assert unpack(items.SERIAL_NUMBER, layout, b"000000000042    ") == "000000000042"
    for wrong in (bytes(16), b"SN-000000042".ljust(16, b"\0"), b"42".ljust(16, b"\0")):
        with pytest.raises(MalformedMessageError, match="serial_number"):
            unpack(items.SERIAL_NUMBER, layout, wrong)


# ---- what cannot be


@pytest.mark.parametrize(
    ("kind", "layout", "problem"),
    [
        (Digits(12), Layout(ASCII, size=5), "12 digits"),
        (Digits(12), Layout(ASCII, size=6), None),
        (Digits(12), Layout(F32), "bcd or ascii"),
        (COUNT, Layout(ASCII, size=6), "ascii holds digits only"),
        (POWER, Layout(U16, factor=(-1, 1)), "signed type"),
        (POWER, Layout(U16, factor=(0, 1)), "not 0"),
        (POWER, Layout(F32, factor=(-1, 1000)), None),
        (POWER, Layout(F32, factor=(10**9 + 7, 1)), "exactly"),
        (CHOICE, Layout(U16, factor=(1, 10)), "scale"),
        (MOMENT, Layout(U32, factor=(1000, 1)), None),
        (COUNT, Layout(U16, off=NAN), "from 0 to 65535"),
        (COUNT, Layout(F32, off=NAN), None),
        (Digits(12), Layout(ASCII, size=6, off=0), "digits"),
        (CHOICE, Layout(U16, values={"open": 1}), "lacks closed, welded"),
        (CHOICE, Layout(U16, values={"shut": 1}), "'shut'"),
        (CHOICE, Layout(U16, values={"open": 1, "closed": 2, "welded": 1 << 16}), "65536"),
        (CHOICE, Layout(BOOL, values={"open": 0, "closed": 1, "welded": 1}), None),
        (CHOICE, Layout(BOOL), "one of two words"),
        (COUNT, Layout(BOOL), "a bool holds"),
        (COUNT, Layout(U16, values={"open": 1}), "only a choice"),
        (FLAGS, Layout(BOOL), "bit is one of low, high, lost"),
        (FLAGS, Layout(BOOL, bit="high"), None),
        (FLAGS, Layout(U16, bit="high"), "is a bool"),
        (CHOICE, Layout(U16, bit="open"), "set of words"),
        (Boolean(), Layout(BOOL), None),
        (COUNT, Layout(S16, wraps=True), "unsigned"),
        (POWER, Layout(BITS, 2, size=16), "no scale"),
        (FLAGS, Layout(BITS, size=65), "at most 64"),
        (items.MAX_CREDIT.kind, Layout(BITS, size=32), 'bits have no "off"'),
        (items.ENERGY_IMPORTS[0].kind, Layout(BITS, size=32), 'bits have no "off"'),
    ],
)
def test_a_layout_names_why_it_cannot_hold_a_kind(
    kind: Any, layout: Layout, problem: str | None
) -> None:
    found = layout.problem(kind)
    assert (found is None) == (problem is None), found
    assert problem is None or problem in str(found)
