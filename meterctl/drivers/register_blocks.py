"""Which registers of a map are read for some items, and in which requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.data_model.items import Item
from protocols.modbus.areas import Area
from protocols.modbus.register_map import Constant, Register, RegisterMap

GAP = 16
"""Largest gap between two items that one request reads across, in registers."""
ROOM = 16
"""Most registers that a read is made longer by."""


@dataclass(frozen=True, slots=True)
class Block:
    """Registers of one area that one request reads, in the order of their addresses."""

    area: Area
    registers: tuple[Register, ...]

    @property
    def address(self) -> int:
        """First register of the request."""
        return self.registers[0].address

    @property
    def width(self) -> int:
        """Number of registers of the request."""
        return self.registers[-1].extent.stop - self.address


class ReadableMap:
    """The items of a map that a host can read as registers."""

    def __init__(self, register_map: RegisterMap) -> None:
        self.best = register_map.best_registers
        self.largest = register_map.largest_read
        self._runs = {area: register_map.runs(area) for area in (Area.HOLDING, Area.INPUT)}

    def blocks_of(self, items: Iterable[Item]) -> list[Block]:
        """Choose registers for each item, and group those that fit one request.

        An item with several places is read where it needs no request of its own. Every item must be
        in `best`.
        """
        choices = [self.best[item] for item in set(items)]
        chosen = [registers[0] for registers in choices if len(registers) == 1]
        for registers in choices:
            if len(registers) > 1:
                chosen.append(
                    min(
                        registers,
                        key=lambda one: (len(self._blocks([*chosen, one])), one.address),
                    )
                )
        return self._blocks(chosen)

    def run_of(self, area: Area, address: int, count: int) -> range:
        """Return the unbroken run around some registers; the registers where there is none."""
        for run in self._runs[area]:
            if run.start <= address and address + count <= run.stop:
                return run
        return range(address, address + count)

    def _blocks(self, registers: Sequence[Register]) -> list[Block]:
        """Group registers that fit one request."""
        blocks: list[Block] = []
        for register in sorted(registers, key=lambda one: (reading_area(one).value, one.address)):
            area = reading_area(register)
            if blocks and blocks[-1].area is area:
                longer = Block(area, (*blocks[-1].registers, register))
                if self._fits(longer):
                    blocks[-1] = longer
                    continue
            blocks.append(Block(area, (register,)))
        return blocks

    def _fits(self, block: Block) -> bool:
        """Return whether one request may read a block to whose end a register was added."""
        before, last = block.registers[-2:]
        return (
            last.address - before.extent.stop <= GAP
            and block.width <= self.largest
            and any(
                run.start <= block.address and last.extent.stop <= run.stop
                for run in self._runs[block.area]
            )
        )


def reading_area(part: Register | Constant) -> Area:
    """Return the area in which registers are read that lie in several."""
    return Area.HOLDING if Area.HOLDING in part.area else Area.INPUT


class OwnLengths:
    """Gives each block that a session reads a length of its own, so that no reply fits another.

    A block is read with some registers more, upwards or downwards, where the map has them. Lengths
    begin at `shift`, which differs from session to session: a reply to the one before fits seldom.
    """

    def __init__(self, readable: ReadableMap, shift: int) -> None:
        self._readable, self._shift = readable, shift
        self._owner: dict[int, tuple[Area, int]] = {}
        self._given: dict[tuple[Area, int, int], tuple[int, int]] = {}

    def widened(self, area: Area, address: int, count: int) -> tuple[int, int]:
        """Return address and count of a read that covers some registers.

        They are as given where the map has no room.
        """
        asked = (area, address, count)
        if asked not in self._given:
            self._given[asked] = self._choose(*asked)
        return self._given[asked]

    def _choose(self, area: Area, address: int, count: int) -> tuple[int, int]:
        run = self._readable.run_of(area, address, count)
        room = min(len(run), self._readable.largest, count + ROOM) - count
        for step in range(room + 1):
            size = count + (step + self._shift) % (room + 1)
            if self._owner.setdefault(size, (area, address)) == (area, address):
                return min(address, run.stop - size), size
        return address, count
