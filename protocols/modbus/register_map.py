"""A register map as a value: where the items and tables of the data model lie on Modbus.

Server, driver and docs take a map as an argument; `native_map.py` holds the one that meters have by
default. Four areas have addresses of their own: coils, discrete inputs, holding registers and input
registers; what is placed in several areas lies at the same address in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.errors import QuantityError
from protocols.modbus.areas import ADDRESSES, Area
from protocols.modbus.pdu import MAX_READ_REGISTERS, Function
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_parts import (
    Constant,
    Placed,
    Register,
    RowList,
    RowWindow,
    Section,
    Span,
)
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.tariff_window import TariffWindow

SERVER_ID, RUNNING = 0x50, 0xFF
"""The first two bytes of a report of the server identifier."""
_PRODUCT_CODE, _PRODUCT_NAME = 1, 4
"""Objects of the identification."""


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """A map of the data model.

    `mark` is the constant by which a host recognises a device with this map. `zeros` are spans
    whose unused addresses read 0; any other unused address is refused with exception 02. `scratch`
    spans take writes without effect. Row lists and windows are read as holding and as input
    registers; without `windows` no sealed message passes, without `tariff` the parts of the tariff
    cannot be read. `identification` holds the objects of function 43/14. A read of more than
    `largest_read` registers is refused with exception 03, windows apart, which have sizes of their
    own; a function that is not one of `functions` is refused with 01. With `whole_values` a read
    that cuts a value or a constant is refused with exception 02, and in areas that count `in_pairs`
    one of an odd address or length. A meter whose map has `any_unit` answers every unit on TCP
    while it is alone.
    `asks_phase_energies`: a meter with this map keeps the counters that are kept on request.

    `credit` and `control` take plain writes, where the meter allows them; registers may be read at
    the same addresses.

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
    tariff: TariffWindow | None = None
    identification: Mapping[int, bytes] = field(default_factory=dict)
    functions: frozenset[Function] = frozenset(Function)
    largest_read: int = MAX_READ_REGISTERS
    whole_values: bool = False
    any_unit: bool = False
    server_id: bytes = b""
    asks_phase_energies: bool = False
    credit: PlainCredit | None = None
    control: ForceControl | None = None

    def __post_init__(self) -> None:
        for register in self.registers:
            if register.problem is not None:
                raise QuantityError(f"map {self.name}, {register.item.name}: {register.problem}")
        for name, problem in self._plain_problems():
            raise QuantityError(f"map {self.name}, {name}: {problem}")
        for name, count in self._read_at_once():
            if count > self.largest_read:
                raise QuantityError(
                    f"map {self.name}, {name}: {count} registers are read at once, "
                    f"the largest read has {self.largest_read}"
                )
        for area in (Area.COIL, Area.DISCRETE, Area.HOLDING, Area.INPUT):
            self._refuse_overlaps(list(self._placed(area)))
            self._refuse_overlaps(list(self._written(area)))

    def _refuse_overlaps(self, placed: list[tuple[str, range]]) -> None:
        """Raise QuantityError for an address that there is not, and for one that is used twice."""
        placed.sort(key=lambda part: part[1].start)
        for name, extent in placed:
            for address in (extent.start, extent.stop - 1):
                if not 0 <= address < ADDRESSES:
                    raise QuantityError(f"map {self.name}, {name}: no address {address}")
        for (one, first), (other, second) in pairwise(placed):
            if first.stop > second.start:
                raise QuantityError(f"map {self.name}: {one} and {other} overlap at {second.start}")

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

    def in_pairs(self, area: Area) -> bool:
        """Return whether reads of an area begin at even addresses and have even lengths.

        They do under `whole_values` where all values, constants and scratch registers of the area
        have even addresses and even widths, as on meters that have 32-bit values alone: what reads
        0 between them counts in pairs too.
        """
        if not (self.whole_values and area & Area.REGISTERS):
            return False
        parts: tuple[Placed, ...] = (*self.registers, *self.fixed)
        values = [part.extent for part in parts if area in part.area]
        scratch = [span.extent for span in self.scratch if area in span.area]
        odd = any(one.start % 2 or len(one) % 2 for one in (*values, *scratch))
        return bool(values) and not odd

    @property
    def best_registers(self) -> Mapping[Item, tuple[Register, ...]]:
        """Registers of each item that are finest; a host may read any of them.

        One bit of a set is not the item.
        """
        best: dict[Item, tuple[Register, ...]] = {}
        for register in self.registers:
            if not register.area & Area.REGISTERS or register.layout.bit:
                continue
            found = best.get(register.item, ())
            step = register.layout.resolution
            if not found or step < found[0].layout.resolution:
                best[register.item] = (register,)
            elif step == found[0].layout.resolution:
                best[register.item] = (*found, register)
        return best

    def server_data(self, serial_number: str) -> bytes:
        """Return the data of function 17: `server_id` or, where the map has none, identifier,
        running, product and serial number.
        """
        if self.server_id:
            return self.server_id
        known = self.identification
        product = known.get(_PRODUCT_NAME, known.get(_PRODUCT_CODE, b""))
        return bytes((SERVER_ID, RUNNING)) + product + b" " * bool(product) + serial_number.encode()

    def row_list(self, table: Table) -> RowList | None:
        """Return the row list of a table."""
        return next((rows for rows in self.row_lists if rows.table == table), None)

    def row_windows_of(self, table: Table) -> tuple[RowWindow, ...]:
        """Return the cursor windows of a table, the one with whole rows first."""
        found = [window for window in self.row_windows if window.table == table]
        return tuple(sorted(found, key=lambda window: window.older_rows))

    def row_window(self, table: Table) -> RowWindow | None:
        """Return the cursor window of a table, that with whole rows where there are several."""
        return next(iter(self.row_windows_of(table)), None)

    def _read_at_once(self) -> Iterator[tuple[str, int]]:
        """Yield each part that must fit one read, with its number of registers."""
        for register in self.registers:
            if register.area & Area.REGISTERS:
                yield register.item.name, register.width
        for rows in self.row_lists:
            yield f"the list of {rows.table.name}", rows.row_registers

    def _plain_problems(self) -> Iterator[tuple[str, str]]:
        """Yield name and problem of each part that takes plain writes and cannot."""
        if self.credit is not None and self.credit.problem is not None:
            yield "the plain credit", self.credit.problem
        control = self.control
        if control is None:
            return
        if control.area not in (Area.HOLDING, Area.COIL):
            yield "the force control", "holding registers, or a coil, order the switch"
        bits = control.size if control.area is Area.COIL else 16 * control.size
        if not control.values or not all(0 <= number < 1 << bits for number in control.values):
            yield "the force control", f"its values are numbers from 0 to {(1 << bits) - 1}"

    def _written(self, area: Area) -> Iterator[tuple[str, range]]:
        """Yield the name and the addresses of each part that is written; no two may overlap."""
        for register in self.registers:
            if register.writable and area in register.area & (Area.HOLDING | Area.COIL):
                yield register.item.name, register.extent
        for span in self.scratch:
            if area in span.area:
                yield "a scratch span", span.extent
        if area is Area.HOLDING:
            if self.credit is not None:
                yield "the plain credit", self.credit.extent
            yield from self._windows()
        if self.control is not None and area in self.control.area:
            yield "the force control", self.control.extent

    def _windows(self) -> Iterator[tuple[str, range]]:
        """Yield the name and the addresses of each window."""
        for window in self.row_windows:
            yield f"the window of {window.table.name}", window.extent
        for extent in self.windows.extents if self.windows is not None else ():
            yield "a window for sealed messages", extent
        if self.tariff is not None:
            yield "the window of the tariff", self.tariff.extent

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
            yield from self._windows()


def unbroken(extents: Iterable[range]) -> tuple[range, ...]:
    """Return extents in order, those that touch or overlap as one."""
    runs: list[range] = []
    for extent in sorted(extents, key=lambda one: one.start):
        if runs and extent.start <= runs[-1].stop:
            runs[-1] = range(runs[-1].start, max(runs[-1].stop, extent.stop))
        else:
            runs.append(extent)
    return tuple(runs)
