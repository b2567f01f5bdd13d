"""What a register map is made of: values, constants, spans, lists and windows at addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from protocols.data_model.items import Item
from protocols.data_model.kinds import Fixed
from protocols.data_model.tables import Table
from protocols.modbus import value_packing
from protocols.modbus.areas import Area
from protocols.modbus.value_layout import Layout, ValueType


class Placed(Protocol):
    """Anything at fixed addresses of one or several areas."""

    @property
    def area(self) -> Area: ...
    @property
    def extent(self) -> range: ...


class Register(NamedTuple):
    """Where an item lies: areas, first address, layout.

    Plain writes may set one that is `writable`, where the meter allows them. One with `absent`
    shows the layout's "off" while the meter lacks the phase. `magnitude` shows the value without
    its sign; `sign_of` with the sign of another item.
    """

    area: Area
    address: int
    item: Item
    layout: Layout
    writable: bool = False
    absent: bool = False
    magnitude: bool = False
    sign_of: Item | None = None

    @property
    def width(self) -> int:
        """Number of addresses of the value."""
        return self.layout.width

    @property
    def extent(self) -> range:
        """All addresses of the value."""
        return range(self.address, self.address + self.layout.width)

    @property
    def may_lack(self) -> bool:
        """Whether some meter with this map lacks the phase and shows the number of absence."""
        return self.absent and self.item.phases > 1

    @property
    def problem(self) -> str | None:
        """Why the value cannot lie in these areas under this layout, None where it can."""
        in_bits = bool(self.area & Area.BITS)
        if not self.area or (in_bits and self.area & Area.REGISTERS):
            return "it lies in registers, or in coils and discrete inputs"
        if self.layout.type is not ValueType.BOOL and in_bits != (
            self.layout.type is ValueType.BITS
        ):
            return "coils and discrete inputs hold bits, and nothing else does"
        return (
            self.layout.problem(self.item.kind) or self._absence_problem() or self._access_problem()
        )

    def _absence_problem(self) -> str | None:
        if self.area & Area.BITS and self.layout.off is not None:
            return 'bits have no number for "off" or for what is absent'
        if self.absent and self.layout.off is None:
            return "what is absent needs a number"
        return None

    def _access_problem(self) -> str | None:
        if self.writable and not self.item.setting:
            return "only a setting is writable"
        if self.writable and not self.area & (Area.HOLDING | Area.COIL):
            return "holding registers and coils are writable"
        if self.writable and self.layout.shared_numbers:
            number = self.layout.shared_numbers[0]
            return f"{number} stands for several words, and a write of it for none"
        others = (self.item,) if self.sign_of is None else (self.item, self.sign_of)
        if self.magnitude or self.sign_of is not None:
            if not all(isinstance(item.kind, Fixed) for item in others):
                return "only numbers have a sign"
            if self.magnitude and self.sign_of is not None:
                return "the sign is left out or that of another item"
            if self.sign_of is not None and not self.layout.signed:
                return f"a sign needs a signed type, not {self.layout.type.value}"
        return None

    def packer(self) -> Callable[[Any], bytes]:
        """Return the function that encodes a value into its registers."""
        return value_packing.packer(self.item.kind, self.layout)

    def bits(self) -> Callable[[Any], int]:
        """Return the function from a value to its coils or discrete inputs, the first in bit 0."""
        return value_packing.bits_of(self.item.kind, self.layout)

    def unpack(self, data: bytes) -> Any:
        """Return the value of the registers in the item's kind; raises MalformedMessageError."""
        return value_packing.unpack(self.item, self.layout, data)

    def of_bits(self, bits: int) -> Any:
        """Return the value of coils or discrete inputs; raises MalformedMessageError."""
        return value_packing.of_bits(self.item, self.layout, bits)


class Section(NamedTuple):
    """Registers that belong together under a title of the docs."""

    title: str
    registers: tuple[Register, ...]


class Span(NamedTuple):
    """Consecutive addresses; of scratch `initial` is what they hold before they are written.

    It is whole registers of bytes, or coils with the first in bit 0; what is left out is 0.
    """

    area: Area
    address: int
    size: int
    initial: bytes = b""

    @property
    def extent(self) -> range:
        """All addresses of the span."""
        return range(self.address, self.address + self.size)


class Constant(NamedTuple):
    """What never changes: whole registers of bytes, or `size` bits with the first in bit 0.

    With `unit_layout` it is the unit number of the meter in that layout; `data` is that of unit 1.
    """

    area: Area
    address: int
    data: bytes
    size: int = 0
    unit_layout: Layout | None = None

    @property
    def extent(self) -> range:
        """All addresses of the constant."""
        width = self.size if self.area & Area.BITS else len(self.data) // 2
        return range(self.address, self.address + width)


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
    belongs to the session. With `older_rows` its rows are those of older builds, without the
    columns that were added since.
    """

    address: int
    table: Table
    rows: int
    older_rows: bool = False

    @property
    def row_size(self) -> int:
        """Bytes of one row."""
        return self.table.older_row_size if self.older_rows else self.table.row_size

    @property
    def read_address(self) -> int:
        """First register of the read part."""
        return self.address + 2

    @property
    def read_registers(self) -> int:
        """Number of registers of the read part."""
        return 3 + self.rows * self.row_size // 2

    @property
    def extent(self) -> range:
        """All registers of the window."""
        return range(self.address, self.read_address + self.read_registers)
