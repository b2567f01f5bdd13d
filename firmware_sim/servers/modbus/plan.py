"""A register map compiled for banks: once a map, shared by all meters that have it.

The image of a meter holds only blocks of 32 registers in which the map has items or constants;
blocks of equal areas stand in it once. A block is rebuilt by its steps. Scratch registers, which
are written, stand beside the image.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, Getter
from firmware_sim.servers.modbus.plain_writes import PlainWrites
from protocols.data_model.words import MeterType
from protocols.errors import IllegalAddressError
from protocols.modbus.areas import Area
from protocols.modbus.register_map import RegisterMap, unbroken
from protocols.modbus.register_parts import Constant, Placed, Register, RowList
from protocols.modbus.value_packing import Encoder, encoder

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
    stands in the image: the segment is scratch, or all its registers read 0.
    """

    begin: int
    end: int
    run_end: int
    shift: int | None


_NO_SEGMENT = Segment(-1, -1, -1, None)


class RegisterView:
    """The part of an image that is read as one area of registers."""

    __slots__ = ("begins", "in_pairs", "inside", "row_lists", "scratch", "segments")

    def __init__(
        self,
        segments: tuple[Segment, ...],
        scratch: tuple[tuple[range, int], ...],
        row_lists: tuple[RowList, ...],
        inside: frozenset[int],
        in_pairs: bool,
    ) -> None:
        """Show segments, scratch registers with their byte offset in the bank, and row lists.

        No read begins `inside` a value or a constant, or ends before such an address. Where they
        count `in_pairs` none has an odd address or an odd length.
        """
        self.segments = (_NO_SEGMENT, *segments)
        """In order, after one that holds no register."""
        self.begins = [segment.begin for segment in self.segments]
        self.scratch, self.row_lists = scratch, row_lists
        self.inside, self.in_pairs = inside, in_pairs

    def segment(self, address: int) -> Segment:
        """Return the last segment that begins at an address or before it."""
        return self.segments[bisect_right(self.begins, address) - 1]

    def holds(self, address: int, end: int) -> bool:
        """Return whether the map holds all registers from `address` to before `end`."""
        return end <= self.segment(address).run_end

    def cuts(self, address: int, end: int) -> bool:
        """Return whether a read from `address` to before `end` cuts what the map reads whole."""
        if self.in_pairs and (address % 2 or end % 2):
            return True
        return address in self.inside or end in self.inside

    def written(self, address: int, end: int) -> bool:
        """Return whether some registers from `address` to before `end` are scratch."""
        return any(extent.start < end and address < extent.stop for extent, _ in self.scratch)


class BitField(NamedTuple):
    """Consecutive coils or discrete inputs: a value or, without `get`, scratch coils."""

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
        "coils_initial",
        "discrete",
        "functions",
        "holding",
        "input",
        "largest_read",
        "plain",
        "register_map",
        "scratch_initial",
        "unit_numbers",
    )

    def __init__(self, register_map: RegisterMap) -> None:
        self.register_map = register_map
        self.plain = PlainWrites(register_map)
        self.largest_read = register_map.largest_read
        self.functions = frozenset(map(int, register_map.functions))
        self.scratch_initial = b"".join(
            span.initial.ljust(2 * span.size, b"\0")
            for span in register_map.scratch
            if span.area & Area.REGISTERS
        )
        """Scratch registers before they are written."""
        self.coils_initial = _initial_coils(register_map)
        """Scratch coils before they are written, the first in bit 0."""
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
        self.unit_numbers = tuple(image.unit_numbers)
        """Where the image has the unit number of the meter, in bytes, and its encoder."""


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
        self.unit_numbers: list[tuple[int, Encoder]] = []

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
            if constant.unit_layout is not None:
                self.unit_numbers.append((at, encoder(constant.unit_layout)))
        scratch = self._scratch(area)
        written = [extent for extent, _ in scratch]
        runs = unbroken([*self._map.runs(area), *written])
        segments = [segment for run in runs for segment in _segments(run, shifts, written)]
        inside = [address for part in parts for address in part.extent[1:]]
        return RegisterView(
            tuple(segments),
            scratch,
            self._map.row_lists,
            frozenset(inside if self._map.whole_values else ()),
            self._map.in_pairs(area),
        )

    def _add(self, register: Register, shifts: dict[int, int]) -> None:
        extent = register.extent
        shift = shifts[extent.start // BLOCK]
        begin = 2 * (extent.start + BLOCK * shift)
        step = (begin, begin + 2 * len(extent), _reading(register), register.packer())
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


def _segments(run: range, shifts: dict[int, int], written: list[range]) -> Iterator[Segment]:
    """Cut a run of readable addresses at scratch, and where blocks do not stand together."""
    begin = run.start
    for extent in sorted(written, key=lambda one: one.start):
        if extent.start in run:
            yield from _held_segments(range(begin, extent.start), run.stop, shifts)
            yield Segment(extent.start, extent.stop, run.stop, None)
            begin = extent.stop
    yield from _held_segments(range(begin, run.stop), run.stop, shifts)


def _held_segments(part: range, run_end: int, shifts: dict[int, int]) -> Iterator[Segment]:
    """Cut registers that are no scratch where their blocks do not stand together in the image."""
    begin = part.start
    for block in _blocks(part) if part else ():
        end = min(part.stop, (block + 1) * BLOCK)
        if end == part.stop or shifts.get(block) != shifts.get(block + 1):
            yield Segment(begin, end, run_end, shifts.get(block))
            begin = end


def _reading(register: Register) -> Getter:
    """Return the function that reads the value of a register from a meter."""
    get = GETTERS[register.item]
    if register.magnitude:
        get = _magnitude(get)
    if register.sign_of is not None:
        get = _signed(get, GETTERS[register.sign_of])
    if register.may_lack:
        get = _present(get, register.item.phases)
    return get


def _magnitude(get: Getter) -> Getter:
    return lambda meter: abs(get(meter))


def _signed(get: Getter, sign: Getter) -> Getter:
    return lambda meter: -abs(get(meter)) if sign(meter) < 0 else abs(get(meter))


def _present(get: Getter, phases: int) -> Getter:
    """Return a getter whose value is None of a meter with fewer phases."""
    lacking = frozenset(int(each) for each in MeterType if each.phases < phases)
    return lambda meter: None if meter.state.identity.meter_type in lacking else get(meter)


def _bits(register_map: RegisterMap, area: Area) -> BitView:
    fields, runs, offset = [], list(register_map.runs(area)), 0
    for register in register_map.registers:
        if area in register.area:
            extent = register.extent
            fields.append(BitField(extent.start, extent.stop, _bit_reading(register), 0))
    for constant in register_map.fixed:
        if area in constant.area:
            extent = constant.extent
            fields.append(BitField(extent.start, extent.stop, _unchanging(constant), 0))
    for span in register_map.scratch:
        if area in span.area:
            fields.append(BitField(span.extent.start, span.extent.stop, None, offset))
            runs.append(span.extent)
        if span.area & Area.BITS:
            offset += span.size
    return BitView(unbroken(runs), tuple(fields))


def _bit_reading(register: Register) -> Getter:
    get, bits = _reading(register), register.bits()
    return get if bits is int else lambda meter: bits(get(meter))


def _unchanging(constant: Constant) -> Getter:
    held = int.from_bytes(constant.data, "little")
    return lambda _: held


def _initial_coils(register_map: RegisterMap) -> int:
    held = offset = 0
    for span in register_map.scratch:
        if span.area & Area.BITS:
            held |= (int.from_bytes(span.initial, "little") & (1 << span.size) - 1) << offset
            offset += span.size
    return held
