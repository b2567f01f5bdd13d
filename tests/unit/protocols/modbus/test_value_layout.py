"""Layouts of values in registers: types, orders, scales, "off", and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import COUNT, ENERGY, MONEY, POWER, Digits, Flags, Hex, Optional
from protocols.errors import MalformedMessageError
from protocols.modbus.value_layout import Layout, Order, ValueType
from protocols.modbus.value_packing import packer, unpack
from protocols.quantities import CENT, ENERGY_WRAP, KWH, LEDGER, MONEY_LIMIT

LOW, HIGH = Order.LOW_FIRST, Order.HIGH_FIRST
NO_NUMBERS = (ValueType.BCD, ValueType.ASCII, ValueType.BITS, ValueType.BOOL)
NUMBERS = tuple(kind for kind in ValueType if kind not in NO_NUMBERS)


def packed(kind: Any, layout: Layout, value: Any) -> str:
    """Return the registers of a value as hexadecimal digits."""
    return packer(kind, layout)(value).hex()


@pytest.mark.parametrize("kind", NUMBERS, ids=lambda kind: kind.value)
@pytest.mark.parametrize("words", Order)
@pytest.mark.parametrize("octets", Order)
def test_a_number_of_each_type_comes_back_in_each_order(
    kind: ValueType, words: Order, octets: Order
) -> None:
    layout = Layout(kind, word_order=words, byte_order=octets)
    low, high = layout.bounds
    for value in (low, low + 1, 0, 1, 0x1234, high - 1, high):
        assert unpack(items.PURCHASE_COUNT, layout, packer(COUNT, layout)(value)) == value


@pytest.mark.parametrize(
    ("words", "octets", "registers"),
    [
        (HIGH, HIGH, "0123456789abcdef"),
        (LOW, HIGH, "cdef89ab45670123"),
        (HIGH, LOW, "23016745ab89efcd"),
        (LOW, LOW, "efcdab8967452301"),
    ],
)
def test_orders_move_words_and_the_bytes_in_them(
    words: Order, octets: Order, registers: str
) -> None:
    layout = Layout(ValueType.U64, word_order=words, byte_order=octets)
    assert packed(COUNT, layout, 0x0123456789ABCDEF) == registers


def test_digits_take_the_order_too_and_are_filled_with_zeros_on_the_left() -> None:
    assert packed(Digits(6), Layout(ValueType.BCD, size=2), "123456") == "00123456"
    low_first = Layout(ValueType.BCD, size=3, word_order=LOW)
    assert packed(Digits(12), low_first, "123456789012") == "901256781234"
    assert unpack(items.SERIAL_NUMBER, low_first, bytes.fromhex("901256781234")) == "123456789012"


@pytest.mark.parametrize(
    ("decimals", "value", "number", "shown"),
    [
        (6, 1_234_567, 1_234_567, 1_234_567),
        (3, 1_234_567, 1_234, 1_234_000),
        (3, -1_234_567, -1_234, -1_234_000),
        (0, -999_999, 0, 0),
        (-2, 123_999_999, 1, 100_000_000),
        (7, 12, 120, 12),
    ],
)
def test_decimals_scale_a_number_and_lost_digits_are_cut_towards_zero(
    decimals: int, value: int, number: int, shown: int
) -> None:
    layout = Layout(ValueType.S32, decimals)
    assert packer(POWER, layout)(value) == number.to_bytes(4, "big", signed=True)
    assert unpack(items.ACTIVE_POWER, layout, packer(POWER, layout)(value)) == shown


def test_digits_that_the_item_does_not_have_are_cut_when_they_are_read() -> None:
    layout = Layout(ValueType.S32, 7)
    assert unpack(items.ACTIVE_POWER, layout, (-129).to_bytes(4, "big", signed=True)) == -12


def test_numbers_saturate_at_the_ends_of_their_type() -> None:
    signed = Layout(ValueType.S16, 3)
    assert [packed(POWER, signed, value) for value in (10**12, -(10**12))] == ["7fff", "8000"]
    assert packed(COUNT, Layout(ValueType.U16), -1) == "0000"


@pytest.mark.parametrize("kind", [Flags(("a", "b")), Hex(8), items.CLOCK.kind])
def test_a_value_without_decimals_saturates_too(kind: Any) -> None:
    layout = Layout(ValueType.U16)
    assert [packed(kind, layout, value) for value in (3, 1 << 40, -1)] == ["0003", "ffff", "0000"]


def test_money_saturates_at_the_largest_amount_unless_it_is_exact() -> None:
    tenths = Layout(ValueType.S64, 1)
    item = items.AVAILABLE_CREDIT
    assert unpack(item, tenths, packer(MONEY, tenths)(10**30)) == MONEY_LIMIT // (10 * CENT) * (
        10 * CENT
    )
    exact = Layout(ValueType.S64, 10)
    assert unpack(item, exact, packer(MONEY, exact)(2 * MONEY_LIMIT // 3 * 2)) > MONEY_LIMIT
    assert unpack(item, tenths, packer(MONEY, tenths)(-LEDGER)) == -LEDGER


def test_energy_wraps_at_a_million_kilowatt_hours_or_at_the_end_of_a_small_type() -> None:
    tenths = Layout(ValueType.U32, 1)
    assert packed(ENERGY, tenths, 1_000_000 * KWH + 300_000) == "00000003"
    small = Layout(ValueType.U16, 1)
    assert packed(ENERGY, small, 65_536 * KWH // 10 + 700_000) == "0007"
    assert packed(ENERGY, small, 65_535 * KWH // 10) == "ffff"


def test_off_has_a_number_of_its_own() -> None:
    item, kind = items.MAX_CREDIT, items.MAX_CREDIT.kind
    for layout in (
        Layout(ValueType.U32, 2, off=0xFFFF_FFFF),
        Layout(ValueType.S32, 2, off=-1, word_order=LOW),
        Layout(ValueType.U16, 2, off=0),
    ):
        assert unpack(item, layout, packer(kind, layout)(None)) is None
        assert unpack(item, layout, packer(kind, layout)(5 * CENT)) == 5 * CENT
    assert packed(kind, Layout(ValueType.S32, 2, off=-1), None) == "ffffffff"


def test_a_number_too_large_for_its_type_is_not_off() -> None:
    kind = items.MAX_CREDIT.kind
    assert packed(kind, Layout(ValueType.U16, 2, off=0xFFFF), 10**6 * LEDGER) == "fffe"
    assert packed(kind, Layout(ValueType.S16, 2, off=-(2**15)), -(10**6) * LEDGER) == "8001"


def test_all_ones_is_a_number_of_the_type() -> None:
    for kind in NUMBERS:
        layout = Layout(kind)
        if layout.is_float:
            continue
        assert packer(COUNT, layout)(layout.all_ones) == b"\xff" * (2 * layout.width)


@pytest.mark.parametrize(
    ("item", "layout", "problem"),
    [
        (items.SERIAL_NUMBER, Layout(ValueType.U64), "the type is bcd or ascii"),
        (items.METER_TYPE, Layout(ValueType.BCD, size=2), "bcd holds digits and numbers only"),
        (items.SERIAL_NUMBER, Layout(ValueType.BCD, size=2), "12 digits"),
        (items.SERIAL_NUMBER, Layout(ValueType.BCD), "size"),
        (items.STATUS, Layout(ValueType.BITS), "size"),
        (items.MAX_CREDIT, Layout(ValueType.U32, 2), "off"),
        (items.MAX_CREDIT, Layout(ValueType.U32, 2, off=-1), "off"),
        (items.MAX_CREDIT, Layout(ValueType.U16, 2, off=1 << 16), "off"),
        (items.MAX_CREDIT, Layout(ValueType.U16, 2, off=(1 << 16) - 1), None),
        (items.SERIAL_NUMBER, Layout(ValueType.BCD, size=3), None),
        (items.CLOCK, Layout(ValueType.U64, 1), "fixed-point"),
        (items.STATUS, Layout(ValueType.U32, 2), "fixed-point"),
        (items.CLOCK, Layout(ValueType.U64), None),
    ],
)
def test_a_layout_names_why_it_cannot_hold_a_kind(
    item: Item, layout: Layout, problem: str | None
) -> None:
    found = layout.problem(item.kind)
    assert (found is None) == (problem is None), found
    assert problem is None or problem in str(found)


def test_registers_of_another_size_or_without_digits_are_malformed() -> None:
    bcd = Layout(ValueType.BCD, size=3)
    for data in (bytes(5), bytes(7), b"\xaa" * 6):
        with pytest.raises(MalformedMessageError, match="serial_number"):
            unpack(items.SERIAL_NUMBER, bcd, data)


def test_an_item_with_an_off_may_have_more_decimals_than_the_data_model() -> None:
    kind = items.STEP_LIMITS[0].kind
    assert isinstance(kind, Optional)
    finer = Layout(ValueType.U64, 7, off=0)
    assert unpack(items.STEP_LIMITS[0], finer, packer(kind, finer)(3)) == 3
    assert unpack(items.STEP_LIMITS[0], finer, packer(kind, finer)(None)) is None


def test_a_layout_of_which_only_the_type_is_said_has_whole_numbers_high_part_first() -> None:
    high = Order.HIGH_FIRST
    assert Layout(ValueType.U32) == Layout(ValueType.U32, 0, None, 0, high, high)


@pytest.mark.parametrize("decimals", [6, 7, 9])
def test_energy_wraps_at_a_million_kwh_with_more_decimals_too(decimals: int) -> None:
    pack = packer(ENERGY, Layout(ValueType.U64, decimals))
    for energy, shown in ((1, 1), (ENERGY_WRAP - 1, ENERGY_WRAP - 1), (ENERGY_WRAP + 1, 1)):
        assert int.from_bytes(pack(energy), "big") == shown * 10 ** (decimals - 6)
