"""The content of a register map in rows, in the order of addresses: what `map show` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from protocols.data_model.codes import codes
from protocols.data_model.items import Windows
from protocols.data_model.kinds import Date, Digits, Fixed, Flags, Hex, Kind, Moment, Optional
from protocols.modbus.areas import Area
from protocols.modbus.map_file import MapFile
from protocols.modbus.map_rows import MapRow
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Span
from protocols.modbus.value_layout import NAN, Layout, NotANumber, Order, ValueType

AREAS = {
    Area.COIL: "coil",
    Area.DISCRETE: "discrete",
    Area.HOLDING: "holding",
    Area.INPUT: "input",
}
_LONGEST_TEXT = 40
"""Characters of a constant that are shown."""
_SHORTEST_TEXT = 4
"""Printable bytes that are a text: fewer are often a number, but in a long field."""


_Said = Mapping[Register | Constant, MapRow]
"""What the file of a map says of its registers and constants."""


class ShownRow(NamedTuple):
    """One value, constant or span of a map.

    `scale` is the value of the number 1 in `unit`; both are empty where a number has none. `keys`
    are further keys of a register in its map file.
    """

    areas: tuple[str, ...]
    address: int
    size: int
    type: str
    word_order: str
    byte_order: str
    item: str
    scale: str
    unit: str
    access: str
    notes: tuple[str, ...]
    meaning: str
    keys: Mapping[str, object] = MappingProxyType({})

    @property
    def order(self) -> str:
        """The orders that are not high first, in words."""
        named = (("words", self.word_order), ("bytes", self.byte_order))
        return ", ".join(f"low {what} first" for what, order in named if order)


def rows_of(file: MapFile) -> list[ShownRow]:
    """Return everything that lies at an address of a map, by its areas and by address."""
    said: _Said = {row.part: row for row in file.rows}
    order = list(AREAS.values())
    return sorted(
        _rows(file.register_map, said),
        key=lambda row: ([order.index(area) for area in row.areas], row.address, row.size),
    )


def decimal_text(number: Fraction) -> str:
    """Return a number as a decimal fraction, or as a fraction where it has no end as a decimal."""
    numerator, denominator = number.numerator, number.denominator
    places = 0
    while 10**places % denominator:
        places += 1
        if places > 30:
            return f"{numerator}/{denominator}"
    digits = str(abs(numerator) * 10**places // denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    return f"{'-' * (numerator < 0)}{whole}{'.' * bool(part)}{part}"


def areas_of(area: Area) -> tuple[str, ...]:
    """Return the words of an area or of several, as map files have them."""
    return tuple(word for one, word in AREAS.items() if one in area)


def _rows(m: RegisterMap, said: _Said) -> Iterator[ShownRow]:
    yield from (_register(one, said.get(one)) for one in m.registers)
    yield from (_constant(one, said.get(one)) for one in m.fixed)
    yield from (_span(span, "zeros", "read") for span in m.zeros)
    yield from (_span(span, "scratch: takes writes without effect", "write") for span in m.scratch)
    both = areas_of(Area.REGISTERS)
    for rows in m.row_lists:
        meaning = f"the newest {rows.rows} rows of {rows.table.name}, {rows.row_registers} each"
        yield _plain(both, rows.extent, meaning, "read")
    for window in m.row_windows:
        rows_of = "rows of older builds" if window.older_rows else "rows"
        meaning = f"cursor window of {window.table.name}: {window.rows} {rows_of} a read"
        yield _plain(both, window.extent, meaning, "write")
    if m.windows is not None:
        for extent in m.windows.extents:
            yield _plain(both, extent, "window for sealed messages", "write")
    if m.tariff is not None:
        yield _plain(both, m.tariff.extent, "window of the tariff: both sets", "write")
    yield from _plain_writes(m)


def _plain_writes(m: RegisterMap) -> Iterator[ShownRow]:
    """Yield what plain writes may do where a meter allows them (`unsafe_writes`)."""
    if m.credit is not None:
        counted = f"purchase count ({m.credit.count.type.value}) and amount"
        meaning = f"plain credit, only with unsafe_writes: {counted}, in one request"
        yield _plain(areas_of(Area.HOLDING), m.credit.extent, meaning, "write")
    if m.control is not None:
        words = ", ".join(f"{number}: {word}" for number, word in m.control.values.items())
        meaning = f"force control, only with unsafe_writes: {words}"
        yield _plain(areas_of(m.control.area), m.control.extent, meaning, "write")


def _plain(areas: tuple[str, ...], extent: range, meaning: str, access: str) -> ShownRow:
    size = len(extent)
    return ShownRow(areas, extent.start, size, "", "", "", "", "", "", access, (), meaning)


def _span(span: Span, meaning: str, access: str) -> ShownRow:
    return _plain(areas_of(span.area), span.extent, meaning, access)


def _constant(constant: Constant, said: MapRow | None) -> ShownRow:
    data = constant.data
    shown = data.hex(" ", 2)
    text = data.rstrip(b"\0")
    is_text = len(text) >= _SHORTEST_TEXT or len(data) > 2 * _SHORTEST_TEXT
    if text and is_text and text.isascii() and text.decode("ascii").isprintable():
        shown = repr(text.decode("ascii"))
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[:_LONGEST_TEXT]} ..."
    if constant.unit_layout is not None:
        shown = "unit number of the meter"
    meaning = f"constant {shown}" + (f": {said.note}" if said is not None and said.note else "")
    return _plain(areas_of(constant.area), constant.extent, meaning, "read")


def _register(register: Register, said: MapRow | None) -> ShownRow:
    own = (said.note,) if said is not None and said.note else ()
    layout, kind = register.layout, register.item.kind
    return ShownRow(
        areas_of(register.area),
        register.address,
        register.width,
        layout.type.value,
        _unless_high_first(layout.word_order),
        _unless_high_first(layout.byte_order),
        register.item.name,
        *_number(register),
        "write" if register.writable else "read",
        (*_coding(kind), *_notes(register, layout), *own),
        register.item.meaning,
        dict(_keys(register)),
    )


def _keys(register: Register) -> Iterator[tuple[str, object]]:
    """Yield the keys of a register beside its address, type, orders, scale, unit and access."""
    layout = register.layout
    number = NAN.value if isinstance(layout.off, NotANumber) else layout.off
    if isinstance(register.item.kind, Optional) and number is not None:
        yield "off", number
    if register.absent:
        yield "absent", number
    if register.magnitude:
        yield "magnitude", True
    if register.sign_of is not None:
        yield "sign_of", register.sign_of.name
    if layout.values:
        yield "values", dict(layout.values)
    if layout.bit:
        yield "bit", layout.bit
    if layout.wraps:
        yield "wraps", True


def _unless_high_first(order: Order) -> str:
    return "" if order is Order.HIGH_FIRST else order.value


def _number(register: Register) -> tuple[str, str]:
    """Return the value of the number 1, and its unit."""
    kind = register.item.kind
    inner = kind.inner if isinstance(kind, Optional) else kind
    if not isinstance(inner, Fixed | Moment) or register.layout.type is ValueType.BOOL:
        return "", ""
    unit = "ms" if isinstance(inner, Moment) else register.item.unit
    return decimal_text(register.layout.scale), unit


def _coding(kind: Kind) -> Iterator[str]:
    """Yield how a number that is no quantity is read."""
    match kind:
        case Moment():
            yield "since 1970 UTC; 0: never"
        case Date():
            yield "days since 1970-01-01; 0: off"
        case Hex():
            yield f"identifier of {kind.digits} hexadecimal digits"
        case Digits():
            yield f"{kind.count} decimal digits"
        case Windows():
            yield "minutes of two windows"
        case Flags():
            yield "bits"
        case _:
            yield from ("code",) if codes(kind) else ()


def _notes(register: Register, layout: Layout) -> Iterator[str]:
    if layout.bit:
        yield f"bit {layout.bit}"
    if layout.values:
        yield " ".join(f"{word}={number}" for word, number in layout.values.items())
    if isinstance(register.item.kind, Optional) and layout.off is not None:
        yield f"off {_off(layout)}"
    if register.absent:
        yield f"absent {_off(layout)}"
    if register.magnitude:
        yield "without sign"
    if register.sign_of is not None:
        yield f"sign of {register.sign_of.name}"
    if layout.wraps:
        yield "wraps"


def _off(layout: Layout) -> str:
    """Return the number for "off" and for absence."""
    if isinstance(layout.off, NotANumber):
        return NAN.value
    return "all ones" if layout.off == layout.all_ones else str(layout.off)
