"""Which register maps fit a device, by what it answers where each map puts its values.

A map fits where the device has a voltage and a frequency of a public supply at its addresses. The
values beside these, and what is constant, put the maps that fit in order. A value of 0 is none: a
phase that is not wired, or an address that nothing uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from meterctl.drivers.register_blocks import ReadableMap, value_of
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.errors import ProtocolError
from protocols.modbus.areas import Area
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant

Read = Callable[[Area, int, int], bytes | None]
"""Reads registers: area, address, count; None where the device does not have them."""

SUNSPEC = b"SunS"
_MODELS = 68
"""Registers of the mark and the common model, before the model of the meter."""
_NOT_IMPLEMENTED = (b"\x80\x00", b"\xff\xff")
_VOLTAGE = range(200_000, 260_001)
_LINE_VOLTAGE = range(346_000, 450_001)
_FREQUENCY = range(45_000, 65_001)
_POWER_FACTOR = range(-10_000, 10_001)
_PLAUSIBLE: dict[Item, range] = {
    items.FREQUENCY: _FREQUENCY,
    **dict.fromkeys((*items.VOLTAGES, items.VOLTAGE_MEAN), _VOLTAGE),
    **dict.fromkeys((*items.LINE_VOLTAGES, items.LINE_VOLTAGE_MEAN), _LINE_VOLTAGE),
    **dict.fromkeys((items.POWER_FACTOR, *items.POWER_FACTORS), _POWER_FACTOR),
}
"""Items and the values that a meter on a public supply can show, in the unit of their kind."""
_NEEDED = (items.VOLTAGES[0], items.FREQUENCY)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A map under the name that --map takes."""

    name: str
    register_map: RegisterMap
    readable: ReadableMap = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "readable", ReadableMap(self.register_map))


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a map fits: values that are plausible or not, constants that are there less others.

    What the device refuses, or shows as no value, is implausible.
    """

    candidate: Candidate
    plausible: int
    implausible: int
    constants: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Return the key that puts the best first."""
        return self.implausible, -self.plausible, -self.constants


def fits(candidates: Sequence[Candidate], read: Read) -> list[Fit]:
    """Return the maps that fit a device, the best first."""
    found = [fit for one in candidates if (fit := _fit(one, read)) is not None]
    return sorted(found, key=lambda fit: fit.order)


def has_mark(candidate: Candidate, read: Read) -> bool:
    """Return whether a device has the mark of a map; False where the map has none."""
    mark = candidate.register_map.mark
    area = None if mark is None else candidate.readable.area_of(mark)
    if mark is None or area is None:
        return False
    return read(area, mark.address, len(mark.extent)) == mark.data


def shown(candidate: Candidate, item: Item, read: Read) -> Any:
    """Return the value of an item under a map; None where it has none, or shows no right one."""
    return _values(candidate, (item,), read).get(item)


def _fit(candidate: Candidate, read: Read) -> Fit | None:
    if not all(map(candidate.readable.holds, _NEEDED)):
        return None
    needed = _values(candidate, _NEEDED, read)
    if not all(_is_plausible(item, needed.get(item)) for item in _NEEDED):
        return None
    found = {**_values(candidate, _PLAUSIBLE, read), **needed}
    shown_values = [
        (item, found.get(item)) for item in _PLAUSIBLE if candidate.readable.holds(item)
    ]
    plausible = sum(_is_plausible(item, value) for item, value in shown_values if value)
    absent = sum(value == 0 for _, value in shown_values)
    constants = list(_constants(candidate, read))
    if not _has_sunspec_model(constants):
        return None
    there = sum(data == one.data for one, data in constants)
    implausible = len(shown_values) - plausible - absent
    return Fit(candidate, plausible, implausible, 2 * there - len(constants))


def _is_plausible(item: Item, value: int | None) -> bool:
    return value is not None and value in _PLAUSIBLE[item]


def _values(candidate: Candidate, wanted: Sequence[Item] | dict[Item, range], read: Read) -> Any:
    """Return the values of those items that the device has and that are right ones."""
    readable = candidate.readable
    values: dict[Item, Any] = {}
    held = [item for item in wanted if item in readable.best]
    for block in readable.blocks_of(held):
        data = read(block.area, block.address, block.width)
        if data is None:
            continue
        for register in block.registers:
            at = 2 * (register.address - block.address)
            try:
                value = value_of(register, data[at : at + 2 * register.width])
            except ProtocolError:
                continue
            values[register.item] = value
    return values


def _constants(candidate: Candidate, read: Read) -> Iterator[tuple[Constant, bytes | None]]:
    """Yield the constants of a map in registers, with what the device has there."""
    readable, register_map = candidate.readable, candidate.register_map
    placed = sorted(
        (area.value, one.address, area, one)
        for one in register_map.fixed
        if one.unit_layout is None
        and (area := readable.area_of(one)) is not None
        and area & Area.REGISTERS
    )
    block: list[Constant] = []
    where: Area | None = None
    for _, _, area, one in placed:
        if block and not (area is where and _is_near(readable, area, block[0], one)):
            yield from _block(where, block, read)
            block = []
        where = area
        block.append(one)
    yield from _block(where, block, read)


def _is_near(readable: ReadableMap, area: Area, first: Constant, one: Constant) -> bool:
    """Return whether one read takes a constant with another before it."""
    size = one.extent.stop - first.address
    return size <= readable.largest(area) and len(readable.run_of(area, first.address, size)) > 0


def _block(
    area: Area | None, block: Sequence[Constant], read: Read
) -> Iterator[tuple[Constant, bytes | None]]:
    if area is None or not block:
        return
    first = block[0].address
    data = read(area, first, block[-1].extent.stop - first)
    for one in block:
        at = 2 * (one.address - first)
        yield one, None if data is None else data[at : at + len(one.data)]


def _has_sunspec_model(constants: Sequence[tuple[Constant, bytes | None]]) -> bool:
    """Return whether a SunSpec device has the model of a map, with its scale factors.

    With others its numbers would be read wrong. True for a map that is none of SunSpec.
    """
    base = next((one.address for one, _ in constants if one.data == SUNSPEC), None)
    if base is None:
        return True
    return all(
        data == one.data
        for one, data in constants
        if one.address == base
        or (one.address >= base + _MODELS and one.data not in _NOT_IMPLEMENTED)
    )
