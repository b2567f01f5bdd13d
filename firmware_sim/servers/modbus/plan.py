"""A register map compiled for banks: once a map, shared by all meters that have it.

The image of a meter holds only blocks of 32 registers in which the map has items or constants;
blocks of equal areas stand in it once. A block is rebuilt by its steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS
from protocols.errors import IllegalAddressError
from protocols.modbus.register_map import Area, Placed, Register, RegisterMap, RowList, unbroken

BLOCK = 32
"""Registers of a block."""
PLANS_KEPT = 64
"""Compiled maps kept for meters that are still to come: a line of meters has a few maps."""
Step = tuple[int, int, Callable[[Meter], Any], Callable[[Any], bytes]]
"""Where the bytes of a value begin and end in the image, its reading and its encoder."""


class Segment(NamedTuple):
    """Registers whose blocks stand together in the image.

    `run_end` is the end of the unbroken run of readable addresses that the segment belongs to;
    `shift` is the number of a block in the image less its number by address, None where no block
    stands in the image and all registers read 0.
    """

    begin: int
    end: int
    run_end: int
    shift: int | None


_NO_SEGMENT = Segment(-1, -1, -1, None)


class RegisterView:
    """The part of an image that is read as one area of registers."""

    __slots__ = ("begins", "row_lists", "scratch", "segments")

    def __init__(
        self,
        segments: tuple[Segment, ...],
        scratch: tuple[tuple[range, int], ...],
        row_lists: tuple[RowList, ...],
    ) -> None:
        """Show segments, scratch registers with their byte offset in the bank, and row lists."""
        self.segments = (_NO_SEGMENT, *segments)
        """In order, after one that holds no register."""
        self.begins = [segment.begin for segment in self.segments]
        self.scratch, self.row_lists = scratch, row_lists

    def segment(self, address: int) -> Segment:
        """Return the last segment that begins at an address or before it."""
        return self.segments[bisect_right(self.begins, address) - 1]

    def holds(self, address: int, end: int) -> bool:
        """Return whether the map holds all registers from `address` to before `end`."""
        return end <= self.segment(address).run_end


class BitField(NamedTuple):
    """Consecutive coils or discrete inputs: an item's bits or, without `get`, scratch coils."""

    begin: int
    end: int
    get: Callable[[Meter], Any] | None
    offset: int
    """First bit among the scratch coils of a bank."""


class BitView:
    """The bits of one area, coils or discrete inputs."""

    __slots__ = ("_runs", "fields")

    def __init__(self, runs: tuple[range, ...], fields: tuple[BitField, ...]) -> None:
        self._runs, self.fields = runs, fields

    def check(self, address: int, end: int) -> None:
        """Raise IllegalAddressError unless all addresses exist."""
        for run in self._runs:
            if run.start <= address and end <= run.stop:
                return
        raise IllegalAddressError


class Plan:
    """A compiled map."""

    __slots__ = (
        "blank",
        "blocks",
        "coils",
        "discrete",
        "functions",
        "holding",
        "input",
        "largest_read",
        "register_map",
        "scratch_size",
    )

    def __init__(self, register_map: RegisterMap) -> None:
        self.register_map = register_map
        self.largest_read = register_map.largest_read
        self.functions = frozenset(map(int, register_map.functions))
        self.scratch_size = sum(
            2 * span.size for span in register_map.scratch if span.area & Area.REGISTERS
        )
        image = _Image(register_map)
        self.holding = image.view(Area.HOLDING)
        same = image.content(Area.HOLDING) == image.content(Area.INPUT)
        self.input = self.holding if same else image.view(Area.INPUT)
        self.coils = _bits(register_map, Area.COIL)
        self.discrete = _bits(register_map, Area.DISCRETE)
        self.blocks = tuple(map(tuple, image.blocks))
        """The steps of each block of the image."""
        self.blank = bytes(image.blank)
        """The image before its first block is built: the constants."""


@lru_cache(maxsize=PLANS_KEPT)
def plan_of(register_map: RegisterMap) -> Plan:
    """Return the plan of a map, compiled once."""
    return Plan(register_map)


class _Image:
    """The image while it is planned: blocks, steps and constants of the areas added so far."""

    def __init__(self, register_map: RegisterMap) -> None:
        self._map = register_map
        self.blocks: list[list[Step]] = []
        self.blank = bytearray()

    def content(self, area: Area) -> tuple[object, ...]:
        """Return all that an area of registers shows, to be compared with another area."""
        return tuple(
            [part for part in parts if area in part.area]
            for parts in (
                self._map.registers,
                self._map.fixed,
                self._map.zeros,
                self._map.scratch,
            )
        )

    def view(self, area: Area) -> RegisterView:
        """Add the blocks of an area and return its view."""
        registers = [one for one in self._map.registers if area in one.area]
        constants = [one for one in self._map.fixed if area in one.area]
        parts: tuple[Placed, ...] = (*registers, *constants)
        held = sorted({block for part in parts for block in _blocks(part.extent)})
        shifts = {block: len(self.blocks) + index - block for index, block in enumerate(held)}
        self.blocks += [[] for _ in held]
        self.blank += bytes(2 * BLOCK * len(held))
        for register in registers:
            self._add(register, shifts)
        for constant in constants:
            at = 2 * (constant.address + BLOCK * shifts[constant.address // BLOCK])
            self.blank[at : at + len(constant.data)] = constant.data
        segments = [segment for run in self._map.runs(area) for segment in _segments(run, shifts)]
        return RegisterView(tuple(segments), self._scratch(area), self._map.row_lists)

    def _add(self, register: Register, shifts: dict[int, int]) -> None:
        extent = register.extent
        shift = shifts[extent.start // BLOCK]
        begin = 2 * (extent.start + BLOCK * shift)
        step = (begin, begin + 2 * len(extent), GETTERS[register.item], register.packer())
        for block in _blocks(extent):
            self.blocks[block + shift].append(step)

    def _scratch(self, area: Area) -> tuple[tuple[range, int], ...]:
        spans, offset = [], 0
        for span in self._map.scratch:
            if area in span.area:
                spans.append((span.extent, offset))
            if span.area & Area.REGISTERS:
                offset += 2 * span.size
        return tuple(spans)


def _blocks(extent: range) -> range:
    """Return the numbers by address of the blocks in which registers lie."""
    return range(extent.start // BLOCK, (extent.stop - 1) // BLOCK + 1)


def _segments(run: range, shifts: dict[int, int]) -> Iterator[Segment]:
    """Cut a run of readable addresses where blocks do not stand together in the image."""
    begin = run.start
    for block in _blocks(run):
        end = min(run.stop, (block + 1) * BLOCK)
        if end == run.stop or shifts.get(block) != shifts.get(block + 1):
            yield Segment(begin, end, run.stop, shifts.get(block))
            begin = end


def _bits(register_map: RegisterMap, area: Area) -> BitView:
    fields, runs, offset = [], list(register_map.runs(area)), 0
    for register in register_map.registers:
        if area in register.area:
            extent = register.extent
            fields.append(BitField(extent.start, extent.stop, GETTERS[register.item], 0))
    for span in register_map.scratch:
        if area in span.area:
            fields.append(BitField(span.extent.start, span.extent.stop, None, offset))
            runs.append(span.extent)
        if span.area & Area.BITS:
            offset += span.size
    return BitView(unbroken(runs), tuple(fields))
