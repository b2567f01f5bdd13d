"""Values under any layout: what is packed comes back, as exactly as the type allows."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from protocols.data_model.items import Item
from protocols.data_model.kinds import ENERGY, MONEY, POWER, Choice, Fixed, Kind, Moment, Optional
from protocols.errors import MalformedMessageError
from protocols.modbus.value_layout import NAN, Layout, Order, ValueType
from protocols.modbus.value_packing import packer, unpack
from protocols.quantities import ENERGY_WRAP

WHOLE = (
    ValueType.U16,
    ValueType.S16,
    ValueType.U32,
    ValueType.S32,
    ValueType.U64,
    ValueType.S64,
)
NUMBERS = (*WHOLE, ValueType.BCD)
FLOATS = (ValueType.F32, ValueType.F64)
VOLTAGE = Fixed("V", 3, 3)
LIMIT = Optional(Fixed("kW", 6, 6, low=0))
KINDS: tuple[Kind, ...] = (VOLTAGE, POWER, ENERGY, LIMIT, Moment(), Fixed("", 0, 0))

orders = st.sampled_from(Order)
factors = st.sampled_from([(1, 1), (1, 1000), (1000, 1), (1, 60), (5, 2), (-1, 1), (-1, 1000)])
values = st.integers(-(10**13), 10**13) | st.integers(-1000, 1000)
modest = settings(max_examples=150, deadline=None)


@st.composite
def layouts(draw: st.DrawFn, types: tuple[ValueType, ...], *, absent: bool = False) -> Layout:
    """Draw a layout of numbers."""
    kind = draw(st.sampled_from(types))
    size = draw(st.integers(1, 4)) if kind is ValueType.BCD else 0
    layout = Layout(
        kind,
        draw(st.integers(-2, 7)),
        size=size,
        word_order=draw(orders),
        byte_order=draw(orders),
        factor=draw(factors),
    )
    off: Any = draw(st.integers(*layout.bounds)) if absent else None
    if layout.is_float and off is not None and draw(st.booleans()):
        off = NAN
    return Layout(
        layout.type, layout.decimals, off, size, layout.word_order, layout.byte_order, layout.factor
    )


def plain(kind: Kind, layout: Layout) -> Layout:
    """Return a layout without decimals for an instant."""
    if not isinstance(kind, Moment):
        return layout
    return Layout(
        layout.type,
        0,
        layout.off,
        0,
        layout.word_order,
        layout.byte_order,
        layout.factor,
    )


@modest
@given(st.sampled_from(KINDS), layouts((*NUMBERS, *FLOATS), absent=True), values)
def test_a_value_comes_back_within_the_resolution_of_its_number(
    kind: Kind, layout: Layout, value: int
) -> None:
    layout = plain(kind, layout)
    assume(layout.problem(kind) is None)
    item = Item("tried", kind, "")
    if kind in (ENERGY, LIMIT, Moment()):
        value = abs(value)
    inner = kind.inner if isinstance(kind, Optional) else kind
    step = abs(layout.scale) * (10**inner.decimals if isinstance(inner, Fixed) else 1)
    _, high = layout.bounds
    in_range = abs(value) < step * (high - 1) and (layout.signed or value >= 0)
    assume(in_range and (kind is not ENERGY or value < ENERGY_WRAP))
    found = unpack(item, layout, packer(kind, layout)(value))
    if found is None:
        return  # its number is that of "off"
    error = abs(found - value)
    if layout.type is ValueType.F32:
        assert error <= Fraction(abs(value), 1 << 23) + 1
    elif layout.type is ValueType.F64:
        assert error <= Fraction(abs(value), 1 << 52) + 1
    else:
        assert error <= step + 1


@modest
@given(st.sampled_from(KINDS), layouts((*NUMBERS, *FLOATS), absent=True))
def test_off_comes_back_from_every_layout_that_has_a_number_for_it(
    kind: Kind, layout: Layout
) -> None:
    layout = plain(kind, layout)
    assume(layout.problem(kind) is None)
    assert unpack(Item("tried", kind, ""), layout, packer(kind, layout)(None)) is None


@modest
@given(layouts(FLOATS), values)
def test_a_float_is_the_nearest_to_the_exact_number(layout: Layout, value: int) -> None:
    layout = Layout(layout.type, layout.decimals, factor=layout.factor)
    code, size = (">f", ">I") if layout.type is ValueType.F32 else (">d", ">Q")
    data = packer(POWER, layout)(value)
    exact = Fraction(value, 10**6) / layout.scale
    (found,) = struct.unpack(code, data)
    (bits,) = struct.unpack(size, data)
    assume(value)
    for beside in (bits - 1, bits + 1):
        (other,) = struct.unpack(code, struct.pack(size, beside))
        assert abs(Fraction(found) - exact) <= abs(Fraction(other) - exact)


@modest
@given(st.integers(0, 9_999_999), st.sampled_from([(1, 1), (1, 1000), (-1, 1)]), orders)
def test_a_number_of_seven_digits_comes_back_whole_from_an_f32(
    value: int, factor: tuple[int, int], order: Order
) -> None:
    layout = Layout(ValueType.F32, factor=factor, word_order=order)
    for kind in (VOLTAGE, POWER):
        data = packer(kind, layout)(value)
        found = unpack(Item("tried", kind, ""), layout, data)
        assert packer(kind, layout)(found) == data
        assert found == value or value > 1 << 23


@modest
@given(layouts((*WHOLE, *FLOATS)), st.integers(-(10**40), 10**40))
def test_no_value_is_too_large_to_be_packed(layout: Layout, value: int) -> None:
    for kind in (POWER, MONEY, ENERGY, VOLTAGE):
        if layout.problem(kind) is None:
            assert len(packer(kind, layout)(value)) == 2 * layout.width


@modest
@given(st.sampled_from(WHOLE), st.data())
def test_each_word_comes_back_from_its_own_number(kind: ValueType, data: st.DataObject) -> None:
    low, high = Layout(kind).bounds
    numbers = data.draw(st.lists(st.integers(low, high), min_size=3, max_size=3, unique=True))
    words = Choice(("one", "two", "three"))
    layout = Layout(kind, values=dict(zip(words.words, numbers, strict=True)))
    item = Item("tried", words, "")
    for number in range(3):
        assert unpack(item, layout, packer(words, layout)(number)) == number


@modest
@given(layouts((*NUMBERS, *FLOATS), absent=True), st.binary(min_size=8, max_size=8))
def test_any_registers_give_a_value_or_are_malformed(layout: Layout, data: bytes) -> None:
    for kind in KINDS:
        fitting = plain(kind, layout)
        if fitting.problem(kind) is None:
            try:
                unpack(Item("tried", kind, ""), fitting, data[: 2 * layout.width])
            except MalformedMessageError:
                assert layout.is_float or layout.type is ValueType.BCD


@modest
@given(st.integers(0, 0x7F7F_FFFF), st.booleans())
def test_every_f32_is_read(bits: int, negative: bool) -> None:
    layout = Layout(ValueType.F32)
    data = (bits | negative << 31).to_bytes(4, "big")
    (number,) = struct.unpack(">f", data)
    found = unpack(Item("tried", POWER, ""), layout, data)
    assert abs(Fraction(found, 10**6) - Fraction(number)) <= Fraction(1, 10**6) + abs(
        Fraction(number)
    ) / (1 << 23)
