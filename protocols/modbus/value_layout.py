"""How one value lies on a Modbus wire: type, size, order of bytes and words, decimals, "off".

Numbers saturate at the ends of their type. Energy wraps at 1,000,000.00 kWh, or at the end of a
type that does not hold that much; money with fewer decimals than the ledger saturates at
999,999.99 (METER.md 3 and 4). Digits lost are cut towards zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from struct import error as StructError
from typing import Any

from protocols.data_model.items import Item
from protocols.data_model.kinds import Digits, Fixed, Kind, Optional
from protocols.errors import MalformedMessageError
from protocols.quantities import ENERGY_WRAP, LEDGER_DECIMALS, MONEY_LIMIT


class ValueType(Enum):
    """Type of a value in registers; BITS is the type in coils and discrete inputs."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    BCD = "bcd"
    BITS = "bits"


_CODES = {
    ValueType.U16: "H",
    ValueType.S16: "h",
    ValueType.U32: "I",
    ValueType.S32: "i",
    ValueType.U64: "Q",
    ValueType.S64: "q",
}
_WIDTHS = {kind: Struct(">" + code).size // 2 for kind, code in _CODES.items()}


class Order(Enum):
    """Which part of a number comes first."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one value lies in consecutive addresses.

    A number is a whole number of 10**-`decimals` of the item's unit. `off` is the number that
    stands for "off" of an item that has it. `size` is the number of registers of packed BCD, or of
    addresses of BITS, where the first holds bit 0; other types have their own size. `word_order`
    orders the registers of a value, `byte_order` the two bytes of each register.
    """

    type: ValueType
    decimals: int = 0
    off: int | None = None
    size: int = 0
    word_order: Order = Order.HIGH_FIRST
    byte_order: Order = Order.HIGH_FIRST

    @property
    def width(self) -> int:
        """Number of addresses of a value: registers, or single bits of BITS."""
        return _WIDTHS.get(self.type, self.size)

    @property
    def signed(self) -> bool:
        """Whether numbers may be negative."""
        return self.type in (ValueType.S16, ValueType.S32, ValueType.S64)

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest number of the type."""
        bits = self.width if self.type is ValueType.BITS else 16 * self.width
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)

    @property
    def all_ones(self) -> int:
        """The number whose bits are all ones."""
        return -1 if self.signed else self.bounds[1]

    @property
    def struct(self) -> Struct:
        """The big-endian struct of a value in registers."""
        return Struct(">" + _CODES.get(self.type, f"{2 * self.size}s"))

    def problem(self, kind: Kind) -> str | None:
        """Return why values of a kind cannot lie like this, None where they can."""
        if self.width < 1:
            return f"{self.type.value} needs a size of at least 1"
        if isinstance(kind, Digits) != (self.type is ValueType.BCD):
            return "digits are packed BCD, and nothing else is"
        if isinstance(kind, Digits) and kind.count > 4 * self.size:
            return f"{kind.count} digits do not fit {self.size} registers"
        if self.decimals and not isinstance(kind, Fixed | Optional):
            return "only fixed-point numbers have decimals"
        low, high = self.bounds
        if isinstance(kind, Optional) and (self.off is None or not low <= self.off <= high):
            return f'"off" needs a number from {low} to {high}'
        return None


def packer(kind: Kind, layout: Layout) -> Callable[[Any], bytes]:
    """Return the function that encodes a value of a kind into its registers. It never raises."""
    pack = _pack(layout)
    match kind:
        case Digits():
            digits = 4 * layout.size
            return lambda value: pack(bytes.fromhex(value.rjust(digits, "0")))
        case Optional(inner):
            up, down = _factors(inner, layout)
            if inner.wraps:
                return _optional_counter_packer(layout, up, down, pack)
            number = _optional_packer(layout, down, pack)
            return number if up == 1 else lambda value: number(value and value * up)
        case Fixed():
            up, down = _factors(kind, layout)
            fixed = _fixed_packer(kind, layout, up, down, pack)
            return fixed if up == 1 else lambda value: fixed(value * up)
        case _:
            return _whole_packer(layout, pack)


def _whole_packer(layout: Layout, pack: Callable[[Any], bytes]) -> Callable[[int], bytes]:
    low, high = layout.bounds

    def whole(value: int) -> bytes:
        try:
            return pack(int(value))
        except StructError:
            return pack(min(max(int(value), low), high))

    return whole


def _optional_packer(
    layout: Layout, down: int, pack: Callable[[Any], bytes]
) -> Callable[[int | None], bytes]:
    """Return the encoder of a number or "off"; a number at the end of the type is never "off"."""
    low, high = layout.bounds
    off = layout.off
    low, high = low + (off == low), high - (off == high)

    def number(value: int | None) -> bytes:
        return pack(off if value is None else min(max(value // down, low), high))

    return number


def _optional_counter_packer(
    layout: Layout, up: int, down: int, pack: Callable[[Any], bytes]
) -> Callable[[int | None], bytes]:
    """Return the encoder of a counter of energy or "off"; a number that means "off" is left out."""
    low, high = layout.bounds
    off = layout.off
    low, high = low + (off == low), high - (off == high)
    wrap = _wrap(layout, up, down)

    def number(value: int | None) -> bytes:
        return pack(off if value is None else min(max(value * up % wrap // down, low), high))

    return number


def _wrap(layout: Layout, up: int, down: int) -> int:
    """Return where a counter begins again, before it is divided by `down`."""
    return min(ENERGY_WRAP * up, (layout.bounds[1] + 1) * down)


def _fixed_packer(
    kind: Fixed, layout: Layout, up: int, down: int, pack: Callable[[Any], bytes]
) -> Callable[[int], bytes]:
    """Return the encoder of a number that was multiplied by `up` and is to be divided by `down`."""
    low, high = layout.bounds
    if kind.wraps:
        wrap = _wrap(layout, up, down)
        return lambda value: pack(value % wrap // down)
    if kind.decimals == LEDGER_DECIMALS > layout.decimals:
        limit = MONEY_LIMIT // down
        low, high = max(low, -limit), min(high, limit)

    def number(value: int) -> bytes:
        cut = value // down if value >= 0 else -(-value // down)
        return pack(min(max(cut, low), high))

    return number


def unpack(item: Item, layout: Layout, data: bytes) -> Any:
    """Return the value of registers in the item's kind; raises MalformedMessageError."""
    kind = item.kind
    if len(data) != 2 * layout.width:
        raise MalformedMessageError(
            f"{item.name} has {layout.width} registers, not {len(data)} bytes"
        )
    (raw,) = layout.struct.unpack(_arranged(layout, data))
    if isinstance(kind, Digits):
        digits: str = raw.hex()[-kind.count :]
        if not digits.isdigit():
            raise MalformedMessageError(f"{item.name}: {digits} is no packed BCD")
        return digits
    if isinstance(kind, Optional):
        if raw == layout.off:
            return None
        kind = kind.inner
    if not isinstance(kind, Fixed):
        return raw
    up, down = _factors(kind, layout)
    value = raw * down
    return value // up if value >= 0 else -(-value // up)


def _factors(kind: Fixed, layout: Layout) -> tuple[int, int]:
    """Return the factor and then the divisor from a value to the number in its registers."""
    shift = kind.decimals - layout.decimals
    return 10 ** max(0, -shift), 10 ** max(0, shift)


def _pack(layout: Layout) -> Callable[[Any], bytes]:
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
