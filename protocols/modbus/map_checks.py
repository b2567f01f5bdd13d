"""What is wrong with the parts of a map file together, and what may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from protocols.data_model import items
from protocols.data_model.identity import IDENTITY
from protocols.data_model.items import Item, Windows
from protocols.data_model.kinds import Choice, Fixed, Flags, Hex, Moment, Optional
from protocols.modbus.areas import ADDRESSES, Area
from protocols.modbus.map_mistakes import Findings
from protocols.modbus.map_units import is_coarse, unit_of
from protocols.modbus.pdu import Function
from protocols.modbus.register_parts import Register
from protocols.modbus.value_layout import Layout, ValueType, decimals_of
from protocols.quantities import format_fixed

AREAS = {
    Area.COIL: "coils",
    Area.DISCRETE: "discrete inputs",
    Area.HOLDING: "holding registers",
    Area.INPUT: "input registers",
}
_READ_BY = {
    Area.COIL: Function.READ_COILS,
    Area.DISCRETE: Function.READ_DISCRETE_INPUTS,
    Area.HOLDING: Function.READ_HOLDING_REGISTERS,
    Area.INPUT: Function.READ_INPUT_REGISTERS,
}
_WRITTEN_BY = {
    Area.COIL: (Function.WRITE_SINGLE_COIL, Function.WRITE_MULTIPLE_COILS),
    Area.HOLDING: (Function.WRITE_SINGLE_REGISTER, Function.WRITE_MULTIPLE_REGISTERS),
}
_PHASE_POWER, _POWER = 25, 75
"""Highest power of a phase and of a meter in kW that a register ought to hold: 100 A at 230 V."""
_HIGHEST: dict[str, int] = {
    "V": 450,
    "A": 100,
    "Hz": 65,
    "deg": 180,
    "kWh": 999_999,
    "kvarh": 999_999,
}
"""Highest values by unit that a register ought to hold."""
_NEGATIVE = frozenset(
    (
        items.ACTIVE_POWER,
        *items.ACTIVE_POWERS,
        *items.CURRENTS,
        items.AVAILABLE_CREDIT,
        items.AVAILABLE_CREDIT_EXACT,
        items.UTC_OFFSET,
    )
)
_LAST_INSTANT = 0xFFFF_FFFF * 1000
"""The last instant that a register ought to hold: seconds in 32 bits, in 2106, as ms."""


class Part(NamedTuple):
    """Addresses of a map: what may be read there, and what may be written.

    Parts that are read do not overlap, and those that are written do not; one that `shares` lies
    over others.
    """

    place: str
    name: str
    area: Area
    extent: range
    is_read: bool = True
    is_written: bool = False
    shares: bool = False


def check_parts(parts: list[Part], findings: Findings) -> None:
    """Keep addresses that there are not, and addresses that are used twice."""
    for part in parts:
        if part.extent.stop > ADDRESSES:
            findings.mistake(f"{part.place}.address", f"{part.name} ends after address 0xffff")
    for area in AREAS:
        here = [part for part in parts if area in part.area]
        _check_overlaps([part for part in here if not part.shares], findings)
        written = [part for part in here if part.is_written and area in _WRITTEN_BY]
        _check_overlaps(written, findings)
    _check_windows(parts, findings)


def _check_overlaps(parts: list[Part], findings: Findings) -> None:
    """Keep each part that begins before another one ended; the later line has the mistake."""
    reached: Part | None = None
    for part in sorted(parts, key=lambda one: (one.extent.start, findings.line(one.place))):
        if reached is not None and part.extent.start < reached.extent.stop:
            first, second = sorted((reached, part), key=lambda one: findings.line(one.place))
            findings.mistake(
                f"{second.place}.address",
                f"{second.name} and {first.name} of line {findings.line(first.place)} overlap "
                f"at {part.extent.start:#06x}",
            )
        if reached is None or part.extent.stop > reached.extent.stop:
            reached = part


def _check_windows(parts: list[Part], findings: Findings) -> None:
    """Keep zeros that would hide a window for sealed messages."""
    windows = [part for part in parts if part.place == "requests.windows"]
    for part in parts:
        if part.name == "zeros" and part.area & Area.REGISTERS:
            for window in windows:
                if (
                    part.extent.start < window.extent.stop
                    and window.extent.start < part.extent.stop
                ):
                    told = f"zeros lie over the windows at {window.extent.start:#06x}"
                    findings.mistake(f"{part.place}.address", told)
                    break


def check_requests(
    parts: Iterable[Part], functions: frozenset[Function], findings: Findings
) -> None:
    """Keep functions that a part needs and the map lacks, and scratch that nothing writes."""
    told: set[str] = set()
    for part in parts:
        if part.is_written and not part.area & (Area.HOLDING | Area.COIL):
            findings.mistake(f"{part.place}.area", f"{part.name} lies where nothing is written")
        for lack in _lacking(part, functions):
            if lack not in told:
                told.add(lack)
                line = findings.line(part.place)
                findings.mistake("requests.functions", f"{lack}; line {line} has {part.name}")


def _lacking(part: Part, functions: frozenset[Function]) -> Iterable[str]:
    """Yield what the functions lack for one part."""
    for area, name in AREAS.items():
        reading = _READ_BY[area]
        if part.is_read and area in part.area and reading not in functions:
            # what lies in both areas of registers may be read in one of them
            if part.area is Area.REGISTERS and functions & {_READ_BY[a] for a in Area.REGISTERS}:
                continue
            yield f"{int(reading)} is missing, which reads {name}"
    if part.name in ("the credit", "a window for sealed messages"):
        if Function.WRITE_MULTIPLE_REGISTERS not in functions:
            yield f"{int(Function.WRITE_MULTIPLE_REGISTERS)} is missing, which writes {part.name}"
    elif part.is_written:
        for area, writing in _WRITTEN_BY.items():
            if area in part.area and not functions & set(writing):
                either = " or ".join(str(int(one)) for one in writing)
                yield f"{either} is missing, which writes {AREAS[area]}"


def check_sealed_items(registers: Iterable[Register], findings: Findings) -> None:
    """Warn of items without which no message is sealed for the windows of a map."""
    held = {register.item for register in registers}
    missing = [item.name for item in IDENTITY if item not in held]
    if missing:
        findings.warning(
            "requests.windows",
            f"a host seals nothing without {', '.join(missing)}, which the map does not have",
        )


def check_register(register: Register, place: str, largest: int, findings: Findings) -> None:
    """Keep a value that no read returns or that its type cannot hold; warn of what may be wrong."""
    item, layout = register.item, register.layout
    if register.area & Area.REGISTERS and register.width > largest:
        findings.mistake(
            place, f"{item.name} has {register.width} registers, and the largest read {largest}"
        )
    least = _least_bits(item, layout)
    room = layout.size if layout.type is ValueType.BITS else 16 * layout.width
    if layout.type is not ValueType.BOOL and not layout.is_float and room < least:
        findings.mistake(
            place, f"{item.name} needs {least} bits, and {layout.type.value} has {room}"
        )
    elif not layout.is_float:
        _warn_of_range(register, place, findings)
    for number in layout.shared_numbers:
        words = [word for word, each in layout.values.items() if each == number]
        told = f"{number} stands for {' and '.join(words)}: readers cannot tell them apart"
        findings.warning(f"{place}.values", told)
    if layout.width in (2, 4) and register.area & Area.REGISTERS and register.address % 2:
        findings.warning(
            f"{place}.address",
            f"{item.name}, a value of {layout.width} registers, is at the odd address "
            f"{register.address:#06x}",
        )


def _least_bits(item: Item, layout: Layout) -> int:
    """Return the bits without which values of an item are never right; 0 where that is unknown."""
    match item.kind:
        case Flags():
            return len(item.kind.words)
        case Choice():
            return 0 if layout.values else (len(item.kind.words) - 1).bit_length()
        case Hex():
            return 4 * item.kind.digits
        case Windows():
            return 64
        case Moment():
            up, down = layout.ratio(0)
            return (_LAST_INSTANT * abs(up) // down).bit_length()
        case _:
            return 0


def _warn_of_range(register: Register, place: str, findings: Findings) -> None:
    """Warn of numbers that the item may have and the type has not."""
    item, layout = register.item, register.layout
    kind = item.kind.inner if isinstance(item.kind, Optional) else item.kind
    if not isinstance(kind, Fixed) or layout.type in (ValueType.BITS, ValueType.BOOL):
        return
    up, down = layout.ratio(decimals_of(item.kind))
    ends = sorted(number * down // up for number in layout.bounds)
    wanted = _highest(item, kind)
    unit = f" {unit_of(item)}".removesuffix(f" {items.MONEY_UNIT}").rstrip()
    own = "1" if item.name.startswith("power_factor") else unit.strip()
    if is_coarse(layout.scale, own):
        step = format_fixed(int(layout.scale * 1000), 3, 0)
        told = (
            f"{item.name} has steps of {step}{unit}, more than usual values: is the scale a gain?"
        )
        findings.warning(place, told)
    if wanted is not None and ends[1] < wanted and not layout.wraps:
        end = format_fixed(ends[1], kind.decimals, min(kind.decimals, 3))
        after = "then it begins again at 0" if kind.wraps else "then it stays there"
        findings.warning(place, f"{item.name} goes up to {end}{unit} only; {after}")
    if item in _NEGATIVE and ends[0] >= 0 and not register.magnitude:
        findings.warning(
            place,
            f"{item.name} is 0 where it is negative: {layout.type.value} has no sign; "
            "magnitude = true shows the number without its sign",
        )


def _highest(item: Item, kind: Fixed) -> int | None:
    """Return the highest value that a register ought to hold; None where that is unknown."""
    if kind.high is not None:
        return kind.high
    unit = unit_of(item)
    if unit in ("kW", "kvar", "kVA"):
        highest: int | None = _PHASE_POWER if "_l" in item.name else _POWER
    else:
        highest = _HIGHEST.get(unit)
    one: int = 10**kind.decimals
    return None if highest is None else highest * one
