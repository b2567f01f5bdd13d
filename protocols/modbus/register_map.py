"""A register map as a value: where the items and tables of the data model lie on Modbus.

Server, driver and docs take a map as an argument; `native_map.py` holds the one that meters have by
default. Four areas have addresses of their own: coils, discrete inputs, holding registers and input
registers; what is placed in several areas lies at the same address in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Flag
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.errors import QuantityError
from protocols.modbus import value_layout
from protocols.modbus.pdu import MAX_READ_REGISTERS, Function
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.value_layout import Layout, ValueType

ADDRESSES = 0x10000
"""Addresses of an area."""
SERVER_ID, RUNNING = 0x50, 0xFF
"""The first two bytes of a report of the server identifier."""
_PRODUCT_CODE, _PRODUCT_NAME = 1, 4
"""Objects of the identification."""


class Area(Flag):
    """An area of addresses, or several."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 4
    INPUT = 8
    REGISTERS = HOLDING | INPUT
    BITS = COIL | DISCRETE


class Placed(Protocol):
    """Anything at fixed addresses of one or several areas."""

    @property
    def area(self) -> Area: ...
    @property
    def extent(self) -> range: ...


class Register(NamedTuple):
    """Where an item lies: areas, first address, layout."""

    area: Area
    address: int
    item: Item
    layout: Layout

    @property
    def width(self) -> int:
        """Number of addresses of the value."""
        return self.layout.width

    @property
    def extent(self) -> range:
        """All addresses of the value."""
        return range(self.address, self.address + self.layout.width)

    def packer(self) -> Callable[[Any], bytes]:
        """Return the function that encodes a value into its registers."""
        return value_layout.packer(self.item.kind, self.layout)

    def unpack(self, data: bytes) -> Any:
        """Return the value of the registers in the item's kind; raises MalformedMessageError."""
        return value_layout.unpack(self.item, self.layout, data)


class Section(NamedTuple):
    """Registers that belong together under a title of the docs."""

    title: str
    registers: tuple[Register, ...]


class Span(NamedTuple):
    """Consecutive addresses."""

    area: Area
    address: int
    size: int

    @property
    def extent(self) -> range:
        """All addresses of the span."""
        return range(self.address, self.address + self.size)


class Constant(NamedTuple):
    """Registers that never change: whole registers of bytes."""

    area: Area
    address: int
    data: bytes

    @property
    def extent(self) -> range:
        """All addresses of the constant."""
        return range(self.address, self.address + len(self.data) // 2)


class RowList(NamedTuple):
    """The newest rows of a table, newest first, one after another; absent rows read 0."""

    address: int
    table: Table
    rows: int

    @property
    def row_registers(self) -> int:
        """Number of registers of one row."""
        return self.table.row_size // 2

    @property
    def extent(self) -> range:
        """All registers of the list."""
        return range(self.address, self.address + self.rows * self.row_registers)


class RowWindow(NamedTuple):
    """A cursor window: write the number of the first row (u32, 0 = the newest rows), read the rows.

        address      cursor, u32
        address + 2  number of the first row, u32 · row count, u16 · the rows, oldest first

    Made for function 23, which writes the cursor and reads the rows in one exchange. The cursor
    belongs to the session.
    """

    address: int
    table: Table
    rows: int

    @property
    def read_address(self) -> int:
        """First register of the read part."""
        return self.address + 2

    @property
    def read_registers(self) -> int:
        """Number of registers of the read part."""
        return 3 + self.rows * self.table.row_size // 2

    @property
    def extent(self) -> range:
        """All registers of the window."""
        return range(self.address, self.read_address + self.read_registers)


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """A map of the data model.

    `mark` is the constant by which a host recognises a device with this map. `zeros` are spans
    whose unused addresses read 0; any other unused address is refused with exception 02. `scratch`
    spans take writes without effect. Row lists and windows are read as holding and as input
    registers; without `windows` no sealed message passes. `identification` holds the objects of
    function 43/14. A read of more than `largest_read` registers is refused with exception 03,
    windows apart, which have sizes of their own; a function that is not one of `functions` is
    refused with 01.

    Equal maps are equal values. A map that contradicts itself is refused when it is made.

    Raises:
        QuantityError: an address out of range or used twice, a value that its layout cannot hold,
            a value or a row that one read cannot return.
    """

    name: str
    sections: tuple[Section, ...]
    mark: Constant | None = None
    constants: tuple[Constant, ...] = ()
    zeros: tuple[Span, ...] = ()
    scratch: tuple[Span, ...] = ()
    row_lists: tuple[RowList, ...] = ()
    row_windows: tuple[RowWindow, ...] = ()
    windows: SealedWindows | None = None
    identification: Mapping[int, bytes] = field(default_factory=dict)
    functions: frozenset[Function] = frozenset(Function)
    largest_read: int = MAX_READ_REGISTERS

    def __post_init__(self) -> None:
        for register in self.registers:
            problem = _problem(register)
            if problem is not None:
                raise QuantityError(f"map {self.name}, {register.item.name}: {problem}")
        for name, count in self._read_at_once():
            if count > self.largest_read:
                raise QuantityError(
                    f"map {self.name}, {name}: {count} registers are read at once, "
                    f"the largest read has {self.largest_read}"
                )
        for area in (Area.COIL, Area.DISCRETE, Area.HOLDING, Area.INPUT):
            placed = sorted(self._placed(area), key=lambda part: part[1].start)
            for name, extent in placed:
                for address in (extent.start, extent.stop - 1):
                    if not 0 <= address < ADDRESSES:
                        raise QuantityError(f"map {self.name}, {name}: no address {address}")
            for (one, first), (other, second) in pairwise(placed):
                if first.stop > second.start:
                    raise QuantityError(
                        f"map {self.name}: {one} and {other} overlap at {second.start}"
                    )

    def __hash__(self) -> int:
        return hash(self.name)  # cheap: the compiled plans of servers are found by the map

    @property
    def registers(self) -> tuple[Register, ...]:
        """All registers, in the order of the sections."""
        return tuple(register for section in self.sections for register in section.registers)

    @property
    def fixed(self) -> tuple[Constant, ...]:
        """All constants, the mark included."""
        return self.constants if self.mark is None else (self.mark, *self.constants)

    def runs(self, area: Area) -> tuple[range, ...]:
        """Return the unbroken runs of one area that hold items, constants and zeros, in order.

        A read may begin and end anywhere within one.
        """
        parts: tuple[Placed, ...] = (*self.registers, *self.fixed, *self.zeros)
        return unbroken(part.extent for part in parts if area in part.area)

    @property
    def best_registers(self) -> Mapping[Item, tuple[Register, ...]]:
        """Registers of each item that have the most decimals; a host may read any of them."""
        best: dict[Item, tuple[Register, ...]] = {}
        for register in self.registers:
            if not register.area & Area.REGISTERS:
                continue
            found = best.get(register.item, ())
            if not found or register.layout.decimals > found[0].layout.decimals:
                best[register.item] = (register,)
            elif register.layout.decimals == found[0].layout.decimals:
                best[register.item] = (*found, register)
        return best

    def server_data(self, serial_number: str) -> bytes:
        """Return the data of function 17: identifier, running, product and serial number."""
        known = self.identification
        product = known.get(_PRODUCT_NAME, known.get(_PRODUCT_CODE, b""))
        return bytes((SERVER_ID, RUNNING)) + product + b" " * bool(product) + serial_number.encode()

    def row_list(self, table: Table) -> RowList | None:
        """Return the row list of a table."""
        return next((rows for rows in self.row_lists if rows.table == table), None)

    def row_window(self, table: Table) -> RowWindow | None:
        """Return the cursor window of a table."""
        return next((window for window in self.row_windows if window.table == table), None)

    def _read_at_once(self) -> Iterator[tuple[str, int]]:
        """Yield each part that must fit one read, with its number of registers."""
        for register in self.registers:
            if register.area & Area.REGISTERS:
                yield register.item.name, register.width
        for rows in self.row_lists:
            yield f"the list of {rows.table.name}", rows.row_registers

    def _placed(self, area: Area) -> Iterator[tuple[str, range]]:
        """Yield the name and the addresses of each part of an area; no two may overlap."""
        for register in self.registers:
            if area in register.area:
                yield register.item.name, register.extent
        for constant in self.fixed:
            if area in constant.area:
                yield "a constant", constant.extent
        for span in self.scratch:
            if area in span.area:
                yield "a scratch span", span.extent
        if area in Area.REGISTERS:
            for rows in self.row_lists:
                yield f"the list of {rows.table.name}", rows.extent
            for window in self.row_windows:
                yield f"the window of {window.table.name}", window.extent
            for extent in self.windows.extents if self.windows is not None else ():
                yield "a window for sealed messages", extent


def unbroken(extents: Iterable[range]) -> tuple[range, ...]:
    """Return extents in order, those that touch or overlap as one."""
    runs: list[range] = []
    for extent in sorted(extents, key=lambda one: one.start):
        if runs and extent.start <= runs[-1].stop:
            runs[-1] = range(runs[-1].start, max(runs[-1].stop, extent.stop))
        else:
            runs.append(extent)
    return tuple(runs)


def _problem(register: Register) -> str | None:
    """Return why a value cannot lie in the areas of a register, None where it can."""
    if not register.area or (register.area & Area.BITS and register.area & Area.REGISTERS):
        return "it lies in registers, or in coils and discrete inputs"
    if (register.layout.type is ValueType.BITS) != bool(register.area & Area.BITS):
        return "coils and discrete inputs hold bits, and nothing else does"
    return register.layout.problem(register.item.kind)
