"""Rows of a map file to the parts of a register map."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import gcd, nan
from typing import Any, NamedTuple

from protocols.data_model.items import ITEMS, Item
from protocols.data_model.kinds import Digits, Fixed, Flags, Optional
from protocols.modbus.areas import Area
from protocols.modbus.map_key_kinds import shown
from protocols.modbus.map_mistakes import Findings, Row
from protocols.modbus.map_units import factor_of, unit_of, units_of
from protocols.modbus.plain_writes import CONTROL_ACTIONS, ControlAction, ForceControl, PlainCredit
from protocols.modbus.register_map import RUNNING, SERVER_ID
from protocols.modbus.register_parts import Constant, Register, Span
from protocols.modbus.value_layout import Layout, NotANumber, Order, ValueType
from protocols.modbus.value_packing import encoder
from protocols.quantities import format_fixed
from protocols.suggestions import did_you_mean

_ITEMS = {item.name: item for item in ITEMS}
_FLOAT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?")
UNIT = "unit"
"""The value of a constant that is the unit number of the meter."""
_TEXTS = (ValueType.BCD, ValueType.ASCII)


@dataclass(frozen=True, slots=True)
class MapRow:
    """A register or a constant of a map file, with what the file says of it.

    `unit` is the unit in which the number counts, with its scale, such as "0.1 W".
    """

    part: Register | Constant
    line: int
    unit: str = ""
    source: str = ""
    note: str = ""


class _Scale(NamedTuple):
    """How the number of a row counts; `unit` says what the number 1 is, such as 0.1 W."""

    decimals: int
    factor: tuple[int, int]
    unit: str


class RowReader:
    """Reads rows under the defaults of their file."""

    def __init__(self, defaults: Row, findings: Findings) -> None:
        self._defaults, self._findings = defaults, findings

    def register(self, row: Row) -> MapRow | None:
        """Return a register, None where the row has a mistake."""
        area, kind = self._needed(row, "area"), self._needed(row, "type")
        item, sign_of = self._item(row, "item"), self._item(row, "sign_of")
        if area is None or kind is None or item is None or ("sign_of" in row and sign_of is None):
            return None
        scale = self._scale(row, item)
        if scale is None or "address" not in row or self._holds_no(row, kind, item):
            return None
        absent = self._absent(row, kind, item, area)
        off = row.get("off", absent)
        if "off" in row and absent is not None and off != absent:
            self._findings.mistake(row.at("absent"), "one number is both off and absent")
        layout = Layout(
            kind,
            scale.decimals,
            number_of(kind, off),
            row.get("size") or _size_of(kind, item),
            self._order(row, "word_order"),
            self._order(row, "byte_order"),
            scale.factor,
            row.get("values", {}),
            row.get("bit", ""),
            row.get("wraps", False),
        )
        if "size" in row and layout.width != row.get("size"):
            told = f"a value of type {kind.value} has {layout.width} addresses, whatever its size"
            self._findings.mistake(row.at("size"), told)
        register = Register(
            area,
            row.get("address"),
            item,
            layout,
            row.get("writable", False),
            absent is not None,
            row.get("magnitude", False),
            sign_of,
        )
        if register.problem is not None:
            self._findings.mistake(row.place, f"{item.name}: {register.problem}")
            return None
        note, source = row.get("note", ""), row.get("source", "")
        return MapRow(register, self._findings.line(row.place), scale.unit, source, note)

    def constant(self, row: Row) -> MapRow | None:
        """Return a constant, None where the row has a mistake."""
        area = self._needed(row, "area")
        if any(self._findings.has_mistake(row.at(name)) for name in ("value", "hex")):
            return None
        if ("hex" in row) == ("value" in row):
            self._findings.mistake(row.place, "a constant has either value or hex")
            return None
        if area is None or "address" not in row:
            return None
        in_bits = bool(area & Area.BITS)
        data = self._hex_data(row, in_bits) if "hex" in row else self._value_data(row, in_bits)
        if data is None:
            return None
        size = row.get("size", 8 * len(data) if "hex" in row else 1) if in_bits else 0
        if area & Area.BITS and area & Area.REGISTERS:
            told = "it lies in registers, or in coils and discrete inputs"
            self._findings.mistake(row.at("area"), told)
            return None
        of_unit = self._unit_layout(row) if row.get("value") == UNIT and not in_bits else None
        constant = Constant(area, row.get("address"), data, size, of_unit)
        note, source = row.get("meaning", ""), row.get("source", "")
        return MapRow(constant, self._findings.line(row.place), "", source, note)

    def span(self, row: Row) -> Span | None:
        """Return zeros or scratch, None where the row has a mistake."""
        area = self._needed(row, "area")
        if area is None or "address" not in row or "size" not in row:
            return None
        size: int = row.get("size")
        initial = self._initial(row, size, bool(area & Area.BITS))
        if area & Area.BITS and area & Area.REGISTERS and initial:
            self._findings.mistake(row.at("initial"), "registers and bits differ in what they hold")
        return Span(area, row.get("address"), size, initial)

    def credit(self, row: Row) -> PlainCredit | None:
        """Return where a plain credit is written, None where the table has a mistake."""
        count, amount = (self._number(row, name) for name in ("count", "amount"))
        if count is None or amount is None or "address" not in row:
            return None
        credit = PlainCredit(row.get("address"), count, amount)
        if credit.problem is not None:
            self._findings.mistake(row.place, credit.problem)
            return None
        return credit

    def control(self, row: Row) -> ForceControl | None:
        """Return where the switch is ordered, None where the table has a mistake."""
        if "area" not in row or "address" not in row:
            return None
        area: Area = row.get("area")
        size: int = row.get("size", 1)
        most = (1 << (size if area is Area.COIL else 16 * size)) - 1
        values: dict[int, ControlAction] = {}
        for action in CONTROL_ACTIONS:
            for number in row.get(action, ()):
                if number > most:
                    self._findings.mistake(row.at(action), f"{number} is above {most}")
                elif values.setdefault(number, action) != action:
                    told = f"{number} is already {values[number]}"
                    self._findings.mistake(row.at(action), told)
        if not values:
            self._findings.mistake(
                row.place, f"no number orders anything: {', '.join(CONTROL_ACTIONS)}"
            )
            return None
        return ForceControl(area, row.get("address"), values, size)

    def _number(self, row: Row, name: str) -> Layout | None:
        table = row.table(name)
        if "type" not in table:
            return None
        return Layout(
            table.get("type"),
            table.get("decimals", 0),
            word_order=table.get("word_order", self._defaults.get("word_order", Order.HIGH_FIRST)),
            byte_order=table.get("byte_order", self._defaults.get("byte_order", Order.HIGH_FIRST)),
            wraps=table.get("wraps", False),
        )

    def _needed(self, row: Row, name: str) -> Any:
        if name in row or name in self._defaults:
            return row.get(name, self._defaults.get(name))
        told = f"this key is missing; write it here or under [{self._defaults.place or 'defaults'}]"
        if not self._findings.has_mistake(row.at(name)):
            self._findings.mistake(row.at(name), told)
        return None

    def _order(self, row: Row, name: str) -> Order:
        order: Order = row.get(name, self._defaults.get(name, Order.HIGH_FIRST))
        return order

    def _item(self, row: Row, name: str) -> Item | None:
        if name not in row:
            return None
        item = _ITEMS.get(row.get(name))
        if item is None:
            hint = did_you_mean(row.get(name), _ITEMS, "meterctl items lists them")
            self._findings.mistake(row.at(name), f"{row.get(name)!r} is no item; {hint}")
        return item

    def _scale(self, row: Row, item: Item) -> _Scale | None:
        """Return how the number of a row counts; None where one of its keys is a mistake."""
        unit = row.get("unit", unit_of(item))
        size = factor_of(unit, item) if "unit" in row else (1, 1)
        if size is None:
            units = units_of(item)
            told = f"allowed are {', '.join(units)}" if units else "it has none"
            self._findings.mistake(row.at("unit"), f"{unit} is no unit of {item.name}; {told}")
            return None
        if "scale" in row and "decimals" in row:
            self._findings.mistake(row.at("scale"), "a number has decimals or a scale, not both")
            return None
        is_number = isinstance(item.kind, Fixed | Optional)
        decimals, factor = row.get("decimals", 0), row.get("scale", (1, 1))
        if "scale" in row and is_number:
            decimals, factor = _as_decimals(factor)
        elif "decimals" not in row and "type" not in row and is_number:
            decimals = self._defaults.get("decimals", 0)
        shown = _shown_unit(unit, decimals, factor) if is_number or unit else ""
        over, under = factor[0] * size[0], factor[1] * size[1]
        common = gcd(over, under)
        return _Scale(decimals, (over // common, under // common), shown)

    def _absent(self, row: Row, kind: ValueType, item: Item, area: Area) -> int | NotANumber | None:
        """Return the number of absence of a row: its own, or the default if it is of its type."""
        if "absent" in row or "absent" not in self._defaults:
            return number_of(kind, row.get("absent"))
        if "type" in row or area & Area.BITS or kind in _TEXTS:
            return None
        if isinstance(item.kind, Optional) and "off" in row:
            return None
        return number_of(kind, self._defaults.get("absent"))

    def _holds_no(self, row: Row, kind: ValueType, item: Item) -> bool:
        """Return whether a number for "off" or for absence is none of its type: a mistake."""
        if kind in (ValueType.ASCII, ValueType.BITS) or isinstance(item.kind, Digits):
            return False
        layout, found = Layout(kind, size=row.get("size", 0)), False
        of_defaults = () if "type" in row or kind in _TEXTS else (self._defaults,)
        for source in (row, *of_defaults):
            for name in ("off", "absent"):
                number = number_of(kind, source.get(name))
                if number is not None and not layout.holds(number):
                    written = shown(source.get(name)) if isinstance(number, int) else '"nan"'
                    told = f"{written} is no {kind.value}; allowed is {layout.allowed}"
                    self._findings.mistake(source.at(name), told)
                    found = True
        return found

    def _hex_data(self, row: Row, in_bits: bool) -> bytes | None:
        data = bytes.fromhex(row.get("hex").replace("_", " "))
        size = row.get("size")
        if in_bits and size is not None and not 0 <= 8 * len(data) - size < 8:
            self._findings.mistake(row.at("size"), f"{size} bits are not {len(data)} bytes")
            return None
        if not in_bits and (len(data) % 2 or (size is not None and 2 * size != len(data))):
            wanted = "whole registers" if size is None else f"{size} registers"
            self._findings.mistake(row.at("hex"), f"{len(data)} bytes are not {wanted}")
            return None
        return data

    def _value_data(self, row: Row, in_bits: bool) -> bytes | None:
        kind = self._needed(row, "type")
        if kind is None:
            return None
        value = row.get("value")
        bits = (ValueType.BITS, ValueType.BOOL)
        if kind not in bits if in_bits else kind is ValueType.BITS:
            self._findings.mistake(row.at("type"), f"no {kind.value} lies in this area")
            return None
        try:
            return self._encoded(row, kind, value, in_bits)
        except (ValueError, OverflowError, struct.error) as error:
            told = str(error) if type(error) is ValueError else f"no {kind.value} holds it"
            self._findings.mistake(row.at("value"), f"{value!r}: {told}")
            return None

    def _encoded(self, row: Row, kind: ValueType, value: Any, in_bits: bool) -> bytes:
        if in_bits:
            size = row.get("size", 1)
            if not isinstance(value, int) or not 0 <= value < 1 << size:
                raise ValueError(f"allowed is a number of {size} bits")
            return int(value).to_bytes((size + 7) // 8, "little")
        if isinstance(value, bool) != (kind is ValueType.BOOL):
            raise ValueError("true and false are of a bool, and a bool is one of them")
        if kind in _TEXTS:
            return self._text(row, kind, value)
        layout = self._plain_layout(row, kind)
        if "size" in row and row.get("size") != layout.width:
            raise ValueError(f"a {kind.value} has {layout.width} registers")
        if value == UNIT:
            return encoder(layout)(1)
        return encoder(layout)(_plain_number(kind, layout, value))

    def _plain_layout(self, row: Row, kind: ValueType) -> Layout:
        orders = self._order(row, "word_order"), self._order(row, "byte_order")
        return Layout(kind, word_order=orders[0], byte_order=orders[1])

    def _unit_layout(self, row: Row) -> Layout | None:
        """Return the layout of the unit number of the meter, None of a text of these letters."""
        kind = self._needed(row, "type")
        return None if kind in _TEXTS else self._plain_layout(row, kind)

    def _text(self, row: Row, kind: ValueType, value: Any) -> bytes:
        if not isinstance(value, str) or not value.isascii():
            raise ValueError("a text of ASCII characters is needed")
        if kind is ValueType.BCD:
            if not value.isdigit():
                raise ValueError("only digits are packed BCD")
            size = row.get("size", (len(value) + 3) // 4)
            raw = bytes.fromhex(value.rjust(4 * size, "0"))
        else:
            size = row.get("size", (len(value) + 1) // 2)
            raw = value.encode()
        if not size or len(raw) > 2 * size:
            raise ValueError(f"it does not fit {size} registers")
        orders = self._order(row, "word_order"), self._order(row, "byte_order")
        layout = Layout(kind, size=size, word_order=orders[0], byte_order=orders[1])
        return encoder(layout)(raw)

    def _initial(self, row: Row, size: int, in_bits: bool) -> bytes:
        initial = row.get("initial", b"")
        if not isinstance(initial, bytes):
            if in_bits:
                held = sum(bool(bit) << number for number, bit in enumerate(initial))
                initial = held.to_bytes((len(initial) + 7) // 8, "little")
                count, wrong = len(row.get("initial")), any(b > 1 for b in row.get("initial"))
                if wrong:
                    self._findings.mistake(row.at("initial"), "a bit is 0 or 1")
            else:
                count = len(initial)
                initial = b"".join(number.to_bytes(2, "big") for number in initial)
        else:
            count = 8 * (len(initial) - 1) + 1 if in_bits and initial else (len(initial) + 1) // 2
        if count > size:
            self._findings.mistake(row.at("initial"), f"it is longer than {size} addresses")
        return bytes(initial)


def server_id_of(text: str) -> bytes:
    """Return the data of function 17 that a file says."""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
        return bytes.fromhex(text)
    return bytes((SERVER_ID, RUNNING)) + text.encode()


def number_of(kind: ValueType, number: int | NotANumber | None) -> int | NotANumber | None:
    """Return a number of a type; one above the numbers of a signed type is taken as its bits."""
    layout = Layout(kind)
    if not isinstance(number, int) or not layout.signed or layout.is_float:
        return number
    bits = 16 * layout.width
    return number - (1 << bits) if 1 << bits - 1 <= number < 1 << bits else number


def _plain_number(kind: ValueType, layout: Layout, value: Any) -> Any:
    if kind is ValueType.BOOL:
        return int(value)
    if layout.is_float:
        return nan if value == "nan" else _quotient(value)
    if not isinstance(value, int):
        raise ValueError("a whole number is needed")
    return number_of(kind, value)


def _quotient(value: Any) -> Any:
    """Return a number of the file, of which a text keeps every digit, as the nearest float."""
    from fractions import Fraction  # noqa: PLC0415 - few files have such a constant

    if isinstance(value, str) and not (len(value) <= 60 and _FLOAT.fullmatch(value)):
        raise ValueError("a number is needed")
    number = Fraction(value)
    return number.numerator / number.denominator


def _size_of(kind: ValueType, item: Item) -> int:
    """Return the size that a value of an item needs, where its type has none of its own."""
    match kind:
        case ValueType.BCD:
            return (item.kind.count + 3) // 4 if isinstance(item.kind, Digits) else 0
        case ValueType.ASCII:
            return (item.kind.count + 1) // 2 if isinstance(item.kind, Digits) else 0
        case ValueType.BITS:
            return len(item.kind.words) if isinstance(item.kind, Flags) else 1
        case _:
            return 0


def _shown_unit(unit: str, decimals: int, factor: tuple[int, int]) -> str:
    """Return what the number 1 is, such as "0.1 W"."""
    over, under = factor
    if decimals < 0:
        over *= 10**-decimals
    one = format_fixed(over, max(decimals, 0), max(decimals, 0))
    return f"{one}{f'/{under}' if under > 1 else ''} {unit}".strip()


def _as_decimals(scale: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Return a scale as decimals and a factor; a power of ten has no factor but its sign."""
    over, under = scale
    for size in range(1, 19):
        if (abs(over), under) in ((1, 10**size), (10**size, 1)):
            return (size if under > 1 else -size), (1 if over > 0 else -1, 1)
    return 0, scale
