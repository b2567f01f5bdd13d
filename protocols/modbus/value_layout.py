"""How one value lies on a Modbus wire: type, size, orders, scale, words, "off" and absence.

`value_packing.py` encodes and decodes values under a layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import gcd
from struct import Struct
from typing import TYPE_CHECKING

from protocols.data_model.kinds import Boolean, Choice, Digits, Fixed, Flags, Kind, Moment, Optional

if TYPE_CHECKING:
    from fractions import Fraction


class ValueType(Enum):
    """Type of a value; BITS exists in coils and discrete inputs alone, BOOL there and elsewhere."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    BCD = "bcd"
    ASCII = "ascii"
    BITS = "bits"
    BOOL = "bool"


_CODES = {
    ValueType.U16: "H",
    ValueType.S16: "h",
    ValueType.U32: "I",
    ValueType.S32: "i",
    ValueType.U64: "Q",
    ValueType.S64: "q",
    ValueType.F32: "f",
    ValueType.F64: "d",
    ValueType.BOOL: "H",
}
_WIDTHS = {kind: Struct(">" + code).size // 2 for kind, code in _CODES.items()}
_EXACT_BITS = {ValueType.F32: 24, ValueType.F64: 53}
"""Floats -> bits of the significand: whole numbers up to 2**bits are held exactly."""
_F32_STEP = 1e-4
MAX_DIVISOR = 1 << 27
"""With an odd part of the divisor below it, and a dividend below 2**52, a quotient is further from
every midpoint of two f32 than from its f64: that f64 as an f32 is the f32 nearest to the quotient.
"""


MAX_BITS = 64
"""Most bits of a value in coils or discrete inputs: those of the largest items."""


class Order(Enum):
    """Which part of a number comes first."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class NotANumber(Enum):
    """The value of a float that is no number."""

    NAN = "nan"


NAN = NotANumber.NAN


@dataclass(frozen=True, slots=True)
class Layout:
    """How one value lies in consecutive addresses.

    The number 1 is `factor` (numerator and denominator) times 10**-`decimals` of the item's unit;
    a negative factor turns the sign. An instant has a factor to milliseconds and no decimals.
    `off` is the number that stands for "off" and for a value that the meter lacks. `size` is the
    number of registers of packed BCD and ASCII, or of addresses of BITS, where the first holds bit
    0; other types have their own size. `word_order` orders the registers of a value, `byte_order`
    the two bytes of each register. `values` are the numbers of the words of a choice where they are
    not those of the data model. `bit` is the one word of a set that a BOOL holds. A number that
    `wraps` begins again at 0 after the end of its unsigned type, as the counts of real meters do.
    """

    type: ValueType
    decimals: int = 0
    off: int | NotANumber | None = None
    size: int = 0
    word_order: Order = Order.HIGH_FIRST
    byte_order: Order = Order.HIGH_FIRST
    factor: tuple[int, int] = (1, 1)
    values: Mapping[str, int] = field(default_factory=dict, hash=False)
    bit: str = ""
    wraps: bool = False

    @property
    def width(self) -> int:
        """Number of addresses of a value: registers, or single bits."""
        return _WIDTHS.get(self.type, self.size)

    @property
    def is_float(self) -> bool:
        """Whether numbers are floating-point numbers."""
        return self.type in _EXACT_BITS

    @property
    def signed(self) -> bool:
        """Whether numbers may be negative."""
        return self.is_float or self.type in (ValueType.S16, ValueType.S32, ValueType.S64)

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest number of the type.

        Of floats they are the ends of the whole numbers that are all held exactly.
        """
        if self.is_float:
            most = 1 << _EXACT_BITS[self.type]
            return -most, most
        if self.type is ValueType.BOOL:
            return 0, 1
        if self.type is ValueType.BCD:
            return 0, 10 ** (4 * self.size) - 1
        bits = self.width if self.type is ValueType.BITS else 16 * self.width
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)

    @property
    def all_ones(self) -> int:
        """The number whose bits are all ones, -1 of packed BCD, which has none."""
        return -1 if self.signed or self.type is ValueType.BCD else self.bounds[1]

    @property
    def struct(self) -> Struct:
        """The big-endian struct of a value in registers."""
        return Struct(">" + _CODES.get(self.type, f"{2 * self.size}s"))

    @property
    def scale(self) -> Fraction:
        """Value of the number 1, in the item's unit; of an instant in milliseconds."""
        from fractions import Fraction  # noqa: PLC0415 - no start needs its 2 ms

        return Fraction(*self.factor) / Fraction(10) ** self.decimals

    @property
    def resolution(self) -> float:
        """The smallest step of numbers, in the item's unit; of an f32 that of some hundreds."""
        if self.type is ValueType.F64:
            return 0.0
        step = abs(self.factor[0]) / self.factor[1] / 10.0**self.decimals
        return step * _F32_STEP if self.type is ValueType.F32 else step

    def ratio(self, decimals: int) -> tuple[int, int]:
        """Return the factor and then the divisor from a value to its number.

        Args:
            decimals: those of the value, which is a whole number of 10**-decimals of its unit.
        """
        shift = decimals - self.decimals
        up, down = self.factor[1] * 10 ** max(0, -shift), self.factor[0] * 10 ** max(0, shift)
        if down < 0:
            up, down = -up, -down
        common = gcd(up, down)
        return up // common, down // common

    @property
    def shared_numbers(self) -> tuple[int, ...]:
        """The numbers that stand for several words each: a reader cannot tell which."""
        counts = Counter(self.values.values())
        return tuple(number for number, count in counts.items() if count > 1)

    def problem(self, kind: Kind) -> str | None:
        """Return why values of a kind cannot lie like this, None where they can."""
        if self.width < 1:
            return f"{self.type.value} needs a size of at least 1"
        if self.type is ValueType.BITS and self.size > MAX_BITS:
            return f"the bits of a value are at most {MAX_BITS}"
        is_text = self.type in (ValueType.BCD, ValueType.ASCII)
        if isinstance(kind, Digits) and not is_text:
            return f"its value is {kind.count} digits: the type is bcd or ascii"
        if self.type is ValueType.ASCII and not isinstance(kind, Digits):
            return "ascii holds digits only, such as those of a serial number"
        if self.type is ValueType.BCD and not isinstance(kind, Digits | Fixed | Optional):
            return "bcd holds digits and numbers only"
        return self._digits_problem(kind) or self._scale_problem(kind) or self._word_problem(kind)

    def _digits_problem(self, kind: Kind) -> str | None:
        room = (4 if self.type is ValueType.BCD else 2) * self.size
        if isinstance(kind, Digits) and kind.count > room:
            return f"{kind.count} digits do not fit {self.size} registers"
        return None

    def _scale_problem(self, kind: Kind) -> str | None:
        if self.decimals and not isinstance(kind, Fixed | Optional):
            return "only fixed-point numbers have decimals"
        if self.factor != (1, 1) and not isinstance(kind, Fixed | Optional | Moment):
            return "only fixed-point numbers and instants have a scale"
        if self.type is ValueType.BITS and (self.decimals or self.factor != (1, 1)):
            return "bits have no scale"
        if not self.factor[0] or self.factor[1] < 1:
            return "a scale is not 0"
        if self.factor[0] < 0 and not self.signed:
            return f"a negative scale needs a signed type, not {self.type.value}"
        if self.wraps and (self.signed or not isinstance(kind, Fixed)):
            return "only a number of an unsigned type wraps"
        _, down = self.ratio(decimals_of(kind))
        if self.is_float and down // (down & -down) >= MAX_DIVISOR:
            return f"{self.type.value} cannot hold this scale exactly"
        return self._off_problem(kind)

    def _off_problem(self, kind: Kind) -> str | None:
        if self.type is ValueType.BITS and isinstance(kind, Optional):
            return 'bits have no "off"'
        if self.off is None:
            needed = isinstance(kind, Optional) and not kind.inner.wraps
            return f'"off" needs {self.allowed}' if needed else None
        if isinstance(kind, Digits):
            return 'digits have no number for "off"'
        return None if self.holds(self.off) else f'"off" is {self.allowed}'

    @property
    def allowed(self) -> str:
        """The numbers of the type, as they are told in a mistake."""
        low, high = self.bounds
        return f"a number from {low} to {high}{' or nan' if self.is_float else ''}"

    def holds(self, number: int | NotANumber) -> bool:
        """Return whether a number is one of the type."""
        low, high = self.bounds
        return self.is_float if isinstance(number, NotANumber) else low <= number <= high

    def _word_problem(self, kind: Kind) -> str | None:
        if self.bit or (self.type is ValueType.BOOL and isinstance(kind, Flags)):
            return self._bit_problem(kind)
        words = words_of(kind)
        if not self.values:
            if self.type is ValueType.BOOL and not 0 < len(words) <= 2:
                return "a bool holds on and off, one of two words, or one bit of a set"
            return None
        if not words:
            return "only a choice has values of its words"
        for word in self.values:
            if word not in words:
                return f"{word!r} is not one of {', '.join(words)}"
        lacking = [word for word in words if word not in self.values]
        if lacking:
            return f"values lacks {', '.join(lacking)}"
        low, high = self.bounds
        wrong = [number for number in self.values.values() if not low <= number <= high]
        return f"{wrong[0]} is no number from {low} to {high}" if wrong else None

    def _bit_problem(self, kind: Kind) -> str | None:
        if not isinstance(kind, Flags):
            return "only a set of words has a bit"
        if self.type is not ValueType.BOOL:
            return "one bit of a set is a bool"
        if self.bit not in kind.words:
            return f"bit is one of {', '.join(kind.words)}"
        return None


def words_of(kind: Kind) -> tuple[str, ...]:
    """Return the words whose numbers a layout may choose, in the order of the data model."""
    match kind:
        case Choice():
            return kind.words
        case Boolean():
            return ("off", "on")
        case _:
            return ()


def decimals_of(kind: Kind) -> int:
    """Return how many decimals of its unit the whole numbers of a kind count."""
    inner = kind.inner if isinstance(kind, Optional) else kind
    return inner.decimals if isinstance(inner, Fixed) else 0
