"""Values to registers and back, under a layout.

Numbers saturate at the ends of their type. Energy wraps at 1,000,000.00 kWh, or at the end of a
type that does not hold that much; money with fewer decimals than the ledger saturates at
999,999.99 (METER.md 3 and 4). Digits lost are cut towards zero.

A float is the one nearest to the exact value (of an f32 while the value, in its own smallest unit,
is below 2**52), money to that of its two decimals; none is -0 or infinite. A float is read as the
shortest decimal number that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, isnan, nan
from struct import Struct
from struct import error as StructError
from typing import Any

from protocols.data_model.items import Item
from protocols.data_model.kinds import Digits, Fixed, Flags, Kind, Moment, Optional
from protocols.errors import MalformedMessageError, NotFiniteError
from protocols.modbus.value_layout import (
    Layout,
    NotANumber,
    Order,
    ValueType,
    decimals_of,
    words_of,
)
from protocols.quantities import ENERGY_WRAP, LEDGER_DECIMALS, MONEY_LIMIT

Encoder = Callable[[Any], bytes]
_F32 = Struct("f")
_LARGEST_F32 = 3.4028234663852886e38


def packer(kind: Kind, layout: Layout) -> Encoder:
    """Return the function that encodes a value of a kind into its registers. It never raises.

    It takes None where the layout has a number for "off", and of a counter that the meter may not
    keep, which is then 0.
    """
    pack = encoder(layout) if isinstance(kind, Digits) else _number_encoder(layout)
    if isinstance(kind, Optional) and not kind.inner.wraps and not layout.is_float:
        return _optional_packer(kind.inner, layout, pack)
    if isinstance(kind, Optional):
        return _or_off(_packer(kind.inner, layout, pack), layout)
    encode = _packer(kind, layout, pack)
    return encode if layout.off is None else _or_off(encode, layout)


def _or_off(encode: Encoder, layout: Layout) -> Encoder:
    off = bytes(2 * layout.width) if layout.off is None else off_bytes(layout)
    return lambda value: off if value is None else encode(value)


def off_bytes(layout: Layout) -> bytes:
    """Return the registers of "off" under a layout that has a number for it."""
    return _number_encoder(layout)(nan if isinstance(layout.off, NotANumber) else layout.off)


def bits_of(kind: Kind, layout: Layout) -> Callable[[Any], int]:
    """Return the function from a value to its bits in coils or discrete inputs."""
    return int if layout.type is ValueType.BITS else _whole(kind, layout)


def _packer(kind: Kind, layout: Layout, pack: Encoder) -> Encoder:
    match kind:
        case Digits():
            return _digits_packer(layout, pack)
        case Fixed() if layout.is_float:
            return _float_packer(kind, layout, pack)
        case Fixed():
            return _fixed_packer(kind, layout, pack)
        case Moment():
            up, down = layout.ratio(0)
            whole = _whole_packer(layout, pack)
            if up == down == 1:
                return whole
            if layout.is_float:
                return lambda value: pack(value * up / down)
            return lambda value: whole(value * up // down)
        case _:
            number = _whole(kind, layout)
            whole = _whole_packer(layout, pack)
            return whole if number is int else lambda value: whole(number(value))


def _whole(kind: Kind, layout: Layout) -> Callable[[Any], int]:
    """Return the function from a value without decimals to its number."""
    if layout.bit:
        assert isinstance(kind, Flags)
        shift = kind.words.index(layout.bit)
        return lambda value: int(value) >> shift & 1
    if layout.values:
        numbers = tuple(layout.values[word] for word in words_of(kind))
        return lambda value: numbers[value] if 0 <= value < len(numbers) else int(value)
    return int


def _digits_packer(layout: Layout, pack: Encoder) -> Encoder:
    if layout.type is ValueType.ASCII:
        return lambda value: pack(value.encode())
    digits = 4 * layout.size
    return lambda value: pack(bytes.fromhex(value.rjust(digits, "0")))


def _whole_packer(layout: Layout, pack: Encoder) -> Encoder:
    low, high = layout.bounds

    def whole(value: int) -> bytes:
        try:
            return pack(int(value))
        except StructError:
            return pack(min(max(int(value), low), high))

    return whole


def _ends_but_off(layout: Layout) -> tuple[int, int]:
    """Return the numbers at which a value saturates: not that of absence, unless it is 0."""
    low, high = layout.bounds
    return low + (layout.off == low != 0), high - (layout.off == high)


def _optional_packer(kind: Fixed, layout: Layout, pack: Encoder) -> Encoder:
    """Return the encoder of a limit or "off"; a number at the end of the type is never "off"."""
    (low, high), off = layout.bounds, layout.off
    low, high = low + (off == low), high - (off == high)
    up, down = layout.ratio(kind.decimals)

    def number(value: int | None) -> bytes:
        return pack(off if value is None else min(max(value // down, low), high))

    return number if up == 1 else lambda value: number(value and value * up)


def _fixed_packer(kind: Fixed, layout: Layout, pack: Encoder) -> Encoder:
    up, down = layout.ratio(kind.decimals)
    low, high = _ends_but_off(layout)
    if kind.wraps:
        return _counter_packer(layout, up, down, pack)
    if layout.wraps:
        return lambda value: pack(max(value, 0) * up // down % (layout.bounds[1] + 1))
    if kind.decimals == LEDGER_DECIMALS and down > abs(up):
        limit = MONEY_LIMIT * abs(up) // down
        low, high = max(low, -limit), min(high, limit)

    def number(value: int) -> bytes:
        cut = value // down if value >= 0 else -(-value // down)
        return pack(min(max(cut, low), high))

    return number if up == 1 else lambda value: number(value * up)


def _counter_packer(layout: Layout, up: int, down: int, pack: Encoder) -> Encoder:
    """Return the encoder of a counter of energy, which wraps and is never negative."""
    low, high = _ends_but_off(layout)
    most = -layout.bounds[0] if up < 0 else layout.bounds[1]
    wrap = min(ENERGY_WRAP * abs(up), (most + 1) * down)
    if up < 0:
        return lambda value: pack(min(max(-(value * -up % wrap // down), low), high))
    if layout.off is not None:
        return lambda value: pack(min(max(value * up % wrap // down, low), high))
    if up == 1:
        return lambda value: pack(value % wrap // down)
    return lambda value: pack(value * up % wrap // down)


def _float_packer(kind: Fixed, layout: Layout, pack: Encoder) -> Encoder:
    """Return the encoder of a float, a quotient of whole numbers: 0 is never -0."""
    if kind.decimals > kind.shown:
        return _money_float_packer(kind, layout, pack)
    up, down = layout.ratio(kind.decimals)
    if kind.wraps:
        return lambda value: pack(value % ENERGY_WRAP * up / down)
    largest = _LARGEST_F32 if up > 0 else -_LARGEST_F32

    def number(value: int) -> bytes:
        try:
            return pack(value * up / down)
        except OverflowError:
            return pack(largest if value > 0 else -largest)

    return number


def _money_float_packer(kind: Fixed, layout: Layout, pack: Encoder) -> Encoder:
    """Return the encoder of money as a float of the digits that people see."""
    up, down = layout.ratio(kind.shown)
    cut = 10 ** (kind.decimals - kind.shown)
    limit = MONEY_LIMIT // cut

    def money(value: int) -> bytes:
        shown = value // cut if value >= 0 else -(-value // cut)
        return pack(min(max(shown, -limit), limit) * up / down)

    return money


def unpack(item: Item, layout: Layout, data: bytes) -> Any:
    """Return the value of registers in the item's kind, None where they say "off".

    Numbers that the kind cannot hold are rounded to the nearest that it can; the digits of a whole
    number that the item does not have are cut. One bit of a set is that word, or no word. A number
    that stands for several words is none of them: it comes back itself, as an unknown one, and as
    None where the data model has a word of that number.

    Raises:
        MalformedMessageError: another size, digits that are none, a float that is no number, a
            number that is none of the words.
    """
    if len(data) != 2 * layout.width:
        raise MalformedMessageError(
            f"{item.name} has {layout.width} registers, not {len(data)} bytes"
        )
    (raw,) = layout.struct.unpack(_arranged(layout, data))
    if isinstance(item.kind, Digits):
        return _digits(item, item.kind, layout, raw)
    if layout.type is ValueType.BCD:
        raw = _of_packed_digits(item, raw)
    if isnan(raw) if isinstance(layout.off, NotANumber) else raw == layout.off:
        return None
    if not layout.is_float:
        return _value(item, layout, raw)
    if not isfinite(raw):
        raise NotFiniteError(f"{item.name}: {raw} is no number")
    return _rounded(item, layout, raw)


def of_bits(item: Item, layout: Layout, bits: int) -> Any:
    """Return the value of coils or discrete inputs, the first in bit 0, in the item's kind.

    Raises:
        MalformedMessageError: a number that is none of the words.
    """
    return _value(item, layout, bits)


def _digits(item: Item, kind: Digits, layout: Layout, raw: bytes) -> str:
    if layout.type is ValueType.ASCII:
        text = raw.decode("latin-1").strip(" \0")
    else:
        text = raw.hex()[-kind.count :]
    if not (text.isascii() and text.isdigit()) or len(text) != kind.count:
        wanted = "packed BCD" if layout.type is ValueType.BCD else f"number of {kind.count} digits"
        raise MalformedMessageError(f"{item.name}: {text} is no {wanted}")
    return text


def _of_packed_digits(item: Item, raw: bytes) -> int:
    """Return the number of packed BCD."""
    digits = raw.hex()
    if not digits.isdecimal():
        raise MalformedMessageError(f"{item.name}: {digits} is no packed BCD")
    return int(digits)


def _value(item: Item, layout: Layout, raw: int) -> Any:
    """Return the value of a whole number."""
    kind = item.kind
    if layout.bit:
        assert isinstance(kind, Flags)
        return bool(raw) << kind.words.index(layout.bit)
    if layout.values:
        return _word(item, layout, raw)
    if not isinstance(kind, Fixed | Optional | Moment):
        return raw
    up, down = layout.ratio(decimals_of(kind))
    if down > 1 and abs(up) > 1:
        return (2 * raw * down + up) // (2 * up)
    value = raw * down if up > 0 else -raw * down
    return value // abs(up) if value >= 0 else -(-value // abs(up))


def _word(item: Item, layout: Layout, raw: int) -> int | None:
    """Return the number in the data model of the word that a number of a layout stands for."""
    words = words_of(item.kind)
    found = [number for number, word in enumerate(words) if layout.values[word] == raw]
    if not found:
        raise MalformedMessageError(f"{item.name}: {raw} is the number of no word")
    if len(found) == 1:
        return found[0]
    return None if 0 <= raw < len(words) else raw


def _rounded(item: Item, layout: Layout, raw: float) -> Any:
    """Return the value of a float, rounded to the nearest that the kind can hold."""
    from fractions import Fraction  # noqa: PLC0415 - read by hosts of meters that have floats

    number = Fraction(repr(raw))
    if layout.type is ValueType.F32:
        shorter = (Fraction(f"{raw:.{digits}g}") for digits in range(1, 10))
        number = next(one for one in shorter if _as_f32(one.numerator / one.denominator) == raw)
    if not isinstance(item.kind, Fixed | Optional | Moment):
        return _value(item, layout, round(number))
    up, down = layout.ratio(decimals_of(item.kind))
    return round(number * down / up)


def _as_f32(number: float) -> float:
    """Return the f32 nearest to an f64; infinity beyond the f32."""
    try:
        found: float = _F32.unpack(_F32.pack(number))[0]
    except OverflowError:
        return inf
    return found


def _number_encoder(layout: Layout) -> Encoder:
    """Return the function from a number of the type to registers."""
    pack = encoder(layout)
    if layout.type is not ValueType.BCD:
        return pack
    digits = 4 * layout.size
    return lambda number: pack(bytes.fromhex(str(number).rjust(digits, "0")))


def encoder(layout: Layout) -> Encoder:
    """Return the function from a number, or the bytes of digits and text, to registers."""
    pack = layout.struct.pack
    if layout.word_order is layout.byte_order is Order.HIGH_FIRST:
        return pack
    return lambda raw: _arranged(layout, pack(raw))


def _arranged(layout: Layout, data: bytes) -> bytes:
    """Return big-endian bytes in the order of a layout, and bytes in that order big-endian."""
    if layout.word_order is layout.byte_order is Order.HIGH_FIRST:
        return data
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if layout.word_order is Order.LOW_FIRST:
        words.reverse()
    if layout.byte_order is Order.LOW_FIRST:
        words = [word[::-1] for word in words]
    return b"".join(words)
