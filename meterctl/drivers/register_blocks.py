"""Which registers and bits of a map are read for some items, and in which requests. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from protocols.data_model.items import Item
from protocols.data_model.kinds import Flags
from protocols.modbus.areas import Area
from protocols.modbus.pdu import MAX_READ_BITS, Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Placed, Register

GAP = 16
"""Largest gap between two items that one request reads across, in registers."""
ROOM = 16
"""Most registers that a read is made longer by."""
NOWHERE = -1
"""In place of an address: a length that is given to no read any more."""
_FUNCTIONS = {
    Area.HOLDING: Function.READ_HOLDING_REGISTERS,
    Area.INPUT: Function.READ_INPUT_REGISTERS,
    Area.COIL: Function.READ_COILS,
    Area.DISCRETE: Function.READ_DISCRETE_INPUTS,
}
"""Areas and the functions that read them; what lies in several is read in the first."""


@dataclass(frozen=True, slots=True)
class Block:
    """Registers, or bits, of one area that one request reads, in the order of their addresses."""

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
    """The items of a map that a host can read.

    `best` are those in registers, each with the places of which any may be read. `in_bits` are the
    others, in coils, discrete inputs or single bits of a set: all places of one make its value.
    """

    def __init__(self, register_map: RegisterMap) -> None:
        self._functions = register_map.functions
        self.best = {
            item: readable
            for item, places in register_map.best_registers.items()
            if (readable := tuple(place for place in places if self.area_of(place)))
        }
        self.in_bits: dict[Item, tuple[Register, ...]] = {}
        for place in register_map.registers:
            in_bits = place.area & Area.BITS or place.layout.bit
            if in_bits and place.item not in self.best and self.area_of(place):
                found = self.in_bits.get(place.item, ())
                if not found or place.layout.bit:
                    self.in_bits[place.item] = (*found, place)
        self._most = {
            area: MAX_READ_BITS if area & Area.BITS else register_map.largest_read
            for area in _FUNCTIONS
        }
        self._runs = {area: register_map.runs(area) for area in _FUNCTIONS}
        parts: tuple[Placed, ...] = (*register_map.registers, *register_map.fixed)
        self._whole: dict[Area, list[range]] = {
            area: sorted(
                (one.extent for one in parts if area in one.area), key=lambda one: one.start
            )
            for area in _FUNCTIONS
            if not _is_bank(register_map)
        }
        """The values of each area, in order, of a device that may refuse to cut one."""

    def has_all_words(self, item: Item) -> bool:
        """Return whether an item is read whole: not as bits of a set that lack some of its words.

        Where they do and none of them is set, it is not known whether the set is empty.
        """
        placed = {place.layout.bit for place in self.in_bits.get(item, ())}
        return not any(placed) or not isinstance(item.kind, Flags) or placed == {*item.kind.words}

    def holds(self, item: Item) -> bool:
        """Return whether an item can be read."""
        return item in self.best or item in self.in_bits

    def area_of(self, part: Placed) -> Area | None:
        """Return the area in which a part is read, None where the map has no function for it."""
        for area, function in _FUNCTIONS.items():
            if area in part.area and function in self._functions:
                return area
        return None

    def largest(self, area: Area) -> int:
        """Return how much of an area one request reads."""
        return self._most[area]

    def blocks_of(self, items: Iterable[Item], gap: int = GAP) -> list[Block]:
        """Choose registers for each item, and group those that fit one request.

        An item with several places is read where it needs no request of its own. Every item must be
        held. At most `gap` registers between two that are wanted are read too.
        """
        wanted = set(items)
        choices = [self.best[item] for item in wanted if item in self.best]
        chosen = [registers[0] for registers in choices if len(registers) == 1]
        for item in wanted - self.best.keys():
            chosen += self.in_bits[item]
        for registers in choices:
            if len(registers) > 1:
                chosen.append(
                    min(
                        registers,
                        key=lambda one: (len(self._blocks([*chosen, one], gap)), one.address),
                    )
                )
        return self._blocks(chosen, gap)

    def cuts_a_value(self, area: Area, address: int, count: int) -> bool:
        """Return whether a read begins or ends within a value, which devices may refuse.

        A gap beside values counts as values of two registers, as such devices do.
        """
        values = self._whole.get(area)
        if not values:
            return False
        return any(_is_inside(values, edge) for edge in (address, address + count))

    def run_of(self, area: Area, address: int, count: int) -> range:
        """Return the unbroken run around some registers; the registers where there is none."""
        for run in self._runs[area]:
            if run.start <= address and address + count <= run.stop:
                return run
        return range(address, address + count)

    def _blocks(self, registers: Sequence[Register], gap: int) -> list[Block]:
        """Group registers that fit one request."""
        blocks: list[Block] = []
        placed = [(area, one) for one in registers if (area := self.area_of(one))]
        for area, register in sorted(placed, key=lambda one: (one[0].value, one[1].address)):
            if blocks and blocks[-1].area is area:
                longer = Block(area, (*blocks[-1].registers, register))
                if self._fits(longer, gap):
                    blocks[-1] = longer
                    continue
            blocks.append(Block(area, (register,)))
        return blocks

    def _fits(self, block: Block, gap: int) -> bool:
        """Return whether one request may read a block to whose end a register was added."""
        before, last = block.registers[-2:]
        return (
            last.address - before.extent.stop <= gap
            and block.width <= self.largest(block.area)
            and any(
                run.start <= block.address and last.extent.stop <= run.stop
                for run in self._runs[block.area]
            )
        )


def value_of(register: Register, data: bytes) -> Any:
    """Return the value of the registers of a place, or of its bits, a byte each.

    It has no sign where the place shows that of another item.

    Raises:
        MalformedMessageError: no value of the item.
    """
    if register.area & Area.BITS:
        value = register.of_bits(sum(bit << place for place, bit in enumerate(data)))
    else:
        value = register.unpack(data)
    return abs(value) if value and register.sign_of is not None else value


def write_function(functions: Collection[Function], area: Area, count: int) -> Function | None:
    """Return the function of a device that writes so many registers or coils, None without one."""
    if area is Area.COIL:
        single, several = Function.WRITE_SINGLE_COIL, Function.WRITE_MULTIPLE_COILS
        order = (single, several) if count == 1 else (several,)
    else:
        single, several = Function.WRITE_SINGLE_REGISTER, Function.WRITE_MULTIPLE_REGISTERS
        order = (several, single) if count == 1 else (several,)
    return next((function for function in order if function in functions), None)


def _is_inside(values: Sequence[range], address: int) -> bool:
    """Return whether an address lies inside a value, or inside a pair of registers of a gap.

    Pairs are counted from the value before the gap, or back from the first value.
    """
    before = bisect_right(values, address, key=lambda one: one.start) - 1
    if before < 0:
        return (values[0].start - address) % 2 != 0
    value = values[before]
    if address < value.stop:
        return address != value.start
    return (address - value.stop) % 2 != 0


def _is_bank(register_map: RegisterMap) -> bool:
    """Return whether a device with a map answers reads that begin or end anywhere.

    Of devices that are not ours it is not known, whatever they do with gaps.
    """
    return register_map.windows is not None and not register_map.whole_values


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

    def keep(self, area: Area, address: int, count: int) -> None:
        """Widen a read no more: the device has refused it."""
        self._given[area, address, count] = address, count

    def renewed(self, area: Area, address: int, count: int, taken: int = 0) -> bool:
        """Give a read a length that no read before had; return False where the map has no room.

        Args:
            taken: a length that was used beside these, 0 for none.
        """
        for size in {taken, *self._owner}:
            if size == taken or self._owner[size] == (area, address):
                self._owner[size] = area, NOWHERE
        _, size = self._given[area, address, count] = self._choose(area, address, count)
        return self._owner.get(size) == (area, address)

    def _choose(self, area: Area, address: int, count: int) -> tuple[int, int]:
        readable = self._readable
        run = readable.run_of(area, address, count)
        room = min(len(run), readable.largest(area), count + ROOM) - count
        for step in range(room + 1):
            size = count + (step + self._shift) % (room + 1)
            lowest = max(run.start, address + count - size)
            places = range(min(address, run.stop - size), lowest - 1, -1)
            first = next(
                (one for one in places if not readable.cuts_a_value(area, one, size)), None
            )
            if first is None:
                continue
            if self._owner.setdefault(size, (area, address)) == (area, address):
                return first, size
        return address, count
