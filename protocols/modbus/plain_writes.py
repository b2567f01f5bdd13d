"""Where a map takes plain writes of credit and of the switch.

A meter takes them only with `unsafe_writes` (METER.md 7): they carry no proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from protocols.data_model.kinds import COUNT, MONEY
from protocols.modbus.areas import Area
from protocols.modbus.value_layout import Layout, ValueType

ControlAction = Literal["interrupt", "permit", "direct"]
"""A word of SwitchAction (METER.md 5)."""
CONTROL_ACTIONS: tuple[ControlAction, ...] = ("interrupt", "permit", "direct")


@dataclass(frozen=True, slots=True)
class PlainCredit:
    """Holding registers that take a purchase in one request: its count, and right after it money.

        address                  purchase count, the next one of the meter
        address + count.width    amount, in the unit of the account

    One request of function 16 writes all of them. They may be registers of the map that are read.
    """

    address: int
    count: Layout
    amount: Layout

    @property
    def amount_address(self) -> int:
        """First register of the amount."""
        return self.address + self.count.width

    @property
    def extent(self) -> range:
        """All registers of the purchase."""
        return range(self.address, self.amount_address + self.amount.width)

    @property
    def problem(self) -> str | None:
        """Why a purchase cannot be written like this, None where it can."""
        for layout, kind in ((self.count, COUNT), (self.amount, MONEY)):
            is_whole = not layout.is_float and layout.type is not ValueType.BCD
            if not is_whole or layout.problem(kind) is not None:
                return f"count and amount are whole numbers, not {layout.type.value}"
        if self.count.scale != 1:
            return "the purchase count has no scale: every count is written as it is"
        return None


class ForceControl(NamedTuple):
    """Holding registers, or a coil, that take an order to the switch as one number.

    `values` are the numbers that mean something, big-endian over all `size` addresses; one request
    writes all of them. They may be registers of the map that are read.
    """

    area: Area
    address: int
    values: Mapping[int, ControlAction]
    size: int = 1

    @property
    def extent(self) -> range:
        """All addresses of the order."""
        return range(self.address, self.address + self.size)
