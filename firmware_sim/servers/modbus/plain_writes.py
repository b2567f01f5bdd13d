"""Plain writes of a register map: a request of a wire becomes a `Plain` submission (METER.md 7).

    credit     its registers whole, in one request of function 16
    control    its registers or its coil whole
    settings   registers or coils of writable settings, whole; those of one request are one change

A request that also writes another address is refused with exception 02; one that writes a part of a
value, or more than one of the three, with 03. A meter without `unsafe_writes` takes none of them,
and none is executed by broadcast.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from firmware_sim.acceptance.plain import LAST_COUNT, plain_credit, plain_limits, plain_switch
from firmware_sim.meter import Meter
from firmware_sim.rack.stations import Station
from firmware_sim.requests import Plain
from firmware_sim.settings import attribute
from protocols.data_model.items import CUMULATIVE_PURCHASED, PURCHASE_COUNT
from protocols.data_model.kinds import Flags
from protocols.errors import (
    DeviceFailureError,
    IllegalAddressError,
    IllegalValueError,
    MalformedMessageError,
)
from protocols.modbus import value_packing
from protocols.modbus.areas import Area
from protocols.modbus.pdu import Function
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register
from protocols.quantities import CENT, MONEY_LIMIT
from protocols.sealed_message import Outcome, SwitchAction

Target = PlainCredit | ForceControl | Register
"""What takes a plain write: its addresses, and how they are read."""
_Part = bytes | int
"""The registers of a target, or its coils with the first in bit 0."""
_ADDRESS_AND_COUNT = Struct(">HH")
_ONE = (Function.WRITE_SINGLE_COIL, Function.WRITE_SINGLE_REGISTER)
_COILS = (Function.WRITE_SINGLE_COIL, Function.WRITE_MULTIPLE_COILS)
_SEVERAL = (Function.WRITE_MULTIPLE_COILS, Function.WRITE_MULTIPLE_REGISTERS)


class PlainWrites:
    """The plain writes that a map offers."""

    __slots__ = ("_coils", "_holding")

    def __init__(self, register_map: RegisterMap) -> None:
        self._holding = _targets(register_map, Area.HOLDING)
        self._coils = _targets(register_map, Area.COIL)

    def write_registers(self, station: Station, address: int, data: bytes) -> bool:
        """Execute a write of holding registers; False where none of them takes a plain write.

        Raises:
            ModbusError: it was refused, and nothing is changed.
        """
        if not self._holding or not station.meter.takes_plain_writes:
            return False
        found = _found(self._holding, range(address, address + len(data) // 2))
        if found:
            parts: list[_Part] = [_part(data, address, target) for target in found]
            _deliver(station, _submission(found, parts, station.meter))
        return bool(found)

    def write_coils(self, station: Station, address: int, count: int, bits: int) -> bool:
        """Execute a write of coils, the first in bit 0, as `write_registers`."""
        if not self._coils or not station.meter.takes_plain_writes:
            return False
        found = _found(self._coils, range(address, address + count))
        if found:
            parts: list[_Part] = [_bits_of(bits, address, target) for target in found]
            _deliver(station, _submission(found, parts, station.meter))
        return bool(found)

    def concern(self, pdu: bytes) -> bool:
        """Return whether a request writes an address of a plain write."""
        function = pdu[0]
        if function not in (*_ONE, *_SEVERAL) or len(pdu) < 1 + _ADDRESS_AND_COUNT.size:
            return False
        address, count = _ADDRESS_AND_COUNT.unpack_from(pdu, 1)
        written = range(address, address + (1 if function in _ONE else count))
        targets = self._coils if function in _COILS else self._holding
        return any(_touches(target.extent, written) for target in targets)


def _targets(register_map: RegisterMap, area: Area) -> tuple[Target, ...]:
    targets: list[Target] = [
        one for one in register_map.registers if one.writable and area in one.area
    ]
    if register_map.credit is not None and area is Area.HOLDING:
        targets.append(register_map.credit)
    if register_map.control is not None and area in register_map.control.area:
        targets.append(register_map.control)
    return tuple(sorted(targets, key=lambda target: target.extent.start))


def _touches(extent: range, written: range) -> bool:
    return extent.start < written.stop and written.start < extent.stop


def _found(targets: tuple[Target, ...], written: range) -> list[Target]:
    """Return the targets that a request writes, whole and nothing else; none where it writes none.

    Raises:
        IllegalAddressError: it writes another address too.
        IllegalValueError: it writes a part of a target.
    """
    found = [target for target in targets if _touches(target.extent, written)]
    if not found:
        return found
    covered = sum(
        min(one.extent.stop, written.stop) - max(one.extent.start, written.start) for one in found
    )
    if covered != len(written):
        raise IllegalAddressError
    if found[0].extent.start != written.start or found[-1].extent.stop != written.stop:
        raise IllegalValueError
    return found


def _part(data: bytes, address: int, target: Target) -> bytes:
    """Return the bytes of a target's registers."""
    extent = target.extent
    return data[2 * (extent.start - address) : 2 * (extent.stop - address)]


def _bits_of(bits: int, address: int, target: Target) -> int:
    """Return the coils of a target, the first in bit 0."""
    return bits >> target.extent.start - address & (1 << len(target.extent)) - 1


def _submission(found: list[Target], parts: list[_Part], meter: Meter) -> Plain:
    """Return what a request asks; raises IllegalValueError where it is none of the three."""
    registers = [target for target in found if isinstance(target, Register)]
    target, part = found[0], parts[0]
    try:
        if len(registers) == len(found):
            return _settings(registers, parts, meter)
        if len(found) > 1:
            raise IllegalValueError
        if isinstance(target, ForceControl):
            number = int.from_bytes(part, "big") if isinstance(part, bytes) else part
            if number not in target.values:
                raise IllegalValueError
            return plain_switch(SwitchAction[target.values[number].upper()])
        assert isinstance(target, PlainCredit)
        assert isinstance(part, bytes)
        return _credit(target, part, meter)
    except MalformedMessageError as error:
        raise IllegalValueError from error


def _credit(credit: PlainCredit, data: bytes, meter: Meter) -> Plain:
    split = 2 * credit.count.width
    written = value_packing.unpack(PURCHASE_COUNT, credit.count, data[:split])
    amount = value_packing.unpack(CUMULATIVE_PURCHASED, credit.amount, data[split:])
    if written is None or amount is None:
        raise IllegalValueError
    cents, below = divmod(amount, CENT)
    count = _unwrapped(credit, written, meter.state.account.purchases + 1)
    if below or not 0 < amount <= MONEY_LIMIT or not 0 < count <= LAST_COUNT:
        raise IllegalValueError
    return plain_credit(count, cents)


def _unwrapped(credit: PlainCredit, written: int, following: int) -> int:
    """Return the count that is meant: of a layout that wraps the highest one up to the next."""
    if not credit.count.wraps:
        return written
    turn = credit.count.bounds[1] + 1
    count = following - (following - written) % turn
    return count if count > 0 else written


def _settings(registers: list[Register], parts: list[_Part], meter: Meter) -> Plain:
    """Return one change of settings; the same setting twice must have the same value.

    A number that is finer than the setting is refused, not cut.
    """
    values: dict[int, int | None] = {}
    for register, part in zip(registers, parts, strict=True):
        item, kind = register.item, register.item.kind
        value: Any = register.unpack(part) if isinstance(part, bytes) else register.of_bits(part)
        if register.layout.bit:
            assert isinstance(kind, Flags)
            held = values.get(item.setting, getattr(meter.state.settings, attribute(item)))
            value |= held & ~(1 << kind.words.index(register.layout.bit))
        elif values.get(item.setting, value) != value:
            raise IllegalValueError
        elif isinstance(part, bytes) and register.packer()(value) != part:
            raise IllegalValueError  # finer than the setting
        values[item.setting] = value
    return plain_limits(values)


def _deliver(station: Station, submission: Plain) -> None:
    """Hand a plain write over; without an answer the meter has no power, and the wire is silent.

    Raises:
        IllegalValueError: the meter refused it.
        DeviceFailureError: its storage refused it.
    """
    reply = station.hand_over(submission)
    if reply is None or reply.answer is None or reply.answer.outcome.applied:
        return
    if reply.answer.outcome is Outcome.STORAGE_FAULT:
        raise DeviceFailureError
    raise IllegalValueError
