"""Which registers of a map are read for some items, and in which requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.data_model.items import Item
from protocols.modbus.register_map import Area, Register, RegisterMap

GAP = 16
"""Largest gap between two items that one request reads across, in registers."""


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
        self._largest = register_map.largest_read
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

    def _blocks(self, registers: Sequence[Register]) -> list[Block]:
        """Group registers that fit one request."""
        blocks: list[Block] = []
        for register in sorted(registers, key=lambda one: (_area(one).value, one.address)):
            area = _area(register)
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
            and block.width <= self._largest
            and any(
                run.start <= block.address and last.extent.stop <= run.stop
                for run in self._runs[block.area]
            )
        )


def _area(register: Register) -> Area:
    """Return the area in which a register is read."""
    return Area.HOLDING if Area.HOLDING in register.area else Area.INPUT
