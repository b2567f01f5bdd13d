"""Writes without a seal: settings that a register map marks writable, and scratch. Read back.

What a word would write is checked against the item's kind and the range of its registers before
anything is sent. Each write is sent once and read back, whatever the meter answered: its answer may
be lost, and an exception is no proof that nothing was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from meterctl.drivers import PlainWriter
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    RefusedError,
    StillWorkingError,
    UnknownOutcomeError,
    UsageError,
)
from protocols.data_model.items import BY_NAME, Item
from protocols.data_model.kinds import Optional
from protocols.errors import NotFiniteError, ProtocolError, QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.pdu import MAX_WRITE_BITS, MAX_WRITE_REGISTERS
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register
from protocols.modbus.value_layout import NAN
from protocols.suggestions import did_you_mean

READS = 3
"""Times that a write is read back, with a rest between, until it is seen."""
_LARGEST = {Area.HOLDING: 0xFFFF, Area.COIL: 1}
_MOST = {Area.HOLDING: MAX_WRITE_REGISTERS, Area.COIL: MAX_WRITE_BITS}
_NAMES = {Area.HOLDING: "register", Area.COIL: "coil"}


@dataclass(frozen=True, slots=True)
class PlainWrite:
    """What one request writes: numbers from an address of one area on, and their name.

    `item` is the setting that they are, None for scratch.
    """

    name: str
    area: Area
    address: int
    numbers: tuple[int, ...]
    item: Item | None
    unpack: Callable[[Sequence[int]], Any]

    @property
    def value(self) -> Any:
        """The value that is written, in the item's kind; of scratch the numbers."""
        return self.unpack(self.numbers)

    def text(self, value: Any) -> str:
        """Return such a value for people."""
        if value is NAN:
            return "-"
        if self.item is not None:
            return "-" if _is_absent(self.item, value) else self.item.kind.text(value)
        return ",".join(
            f"{number:04X}" if self.area is Area.HOLDING else str(number) for number in value
        )

    def json(self, value: Any) -> str:
        """Return such a value as JSON."""
        if self.item is not None:
            return "null" if value is None else self.item.kind.json(value)
        return str(list(value))


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was made, and the meter's values before and after.

    `note` tells of an exception that the meter answered nevertheless.
    """

    write: PlainWrite
    before: Any
    after: Any
    note: str = ""


def plain_writes(
    register_map: RegisterMap,
    settings: Sequence[str] = (),
    registers: Sequence[str] = (),
    coils: Sequence[str] = (),
) -> list[PlainWrite]:
    """Return the writes of the words of a command: settings, then scratch; each in its order.

    Args:
        settings: ITEM=VALUE words.
        registers: ADDRESS=VALUE[,VALUE…] words of scratch registers.
        coils: the same of scratch coils.

    Raises:
        UsageError: every word that names no writable item or is not within scratch, or has a value
            that its kind or its registers do not hold, or goes where another goes; a line each.
    """
    made = [
        *(partial(_setting, register_map, word) for word in settings),
        *(partial(_scratch, register_map, Area.HOLDING, word) for word in registers),
        *(partial(_scratch, register_map, Area.COIL, word) for word in coils),
    ]
    writes: list[PlainWrite] = []
    told: list[str] = []
    for make in made:
        try:
            write = make()
            _check_place(write, writes)
            writes.append(write)
        except QuantityError as error:
            told.append(str(error))
    if told:
        raise UsageError("\n".join([*told[:-1], f"{told[-1]}; nothing was sent"]))
    return writes


def write_each(
    writer: PlainWriter, writes: Sequence[PlainWrite], before: Sequence[Any]
) -> list[Written]:
    """Write one after another, each sent once and read back; the first that fails ends it.

    The `fields` of an error have the names that were written, and of those that were not sent.

    Raises:
        RefusedError: another value was read back.
        UnknownOutcomeError: the meter works on it still, or did not confirm the write and could
            not be read, or the value that was read may be the one before the write.
        MeterctlError: a write was confirmed and could not be read back.
    """
    done: list[Written] = []
    for write, old in zip(writes, before, strict=True):
        try:
            done.append(_write(writer, write, old))
        except MeterctlError as error:
            text = "; ".join([str(error), *_of_others(done, writes)])
            raise type(error)(
                text, outcome=error.outcome, fields=fields_of(done, writes[len(done) + 1 :])
            ) from error
    return done


def fields_of(done: Sequence[Written], unsent: Sequence[PlainWrite]) -> dict[str, list[str]]:
    """Return the names that were written and read back, and of those that were not sent."""
    return {
        "written": [each.write.name for each in done],
        "not_sent": [write.name for write in unsent],
    }


def read_all(writer: PlainWriter, writes: Sequence[PlainWrite]) -> list[Any]:
    """Return the meter's present values where writes would go."""
    return [
        _value(write, writer.read_numbers(write.area, write.address, len(write.numbers)))
        for write in writes
    ]


def _write(writer: PlainWriter, write: PlainWrite, old: Any) -> Written:
    """Write once and read it back; what is read is what was written."""
    failed = _failure(writer, write)
    try:
        found, is_certain = _read_back(writer, write, READS if _may_follow(failed) else 1)
    except MeterctlError as error:
        if failed is not None:
            raise UnknownOutcomeError(
                f"{write.name}: it may have been written or not: {_reason(failed)}; "
                f"reading back: {error}"
            ) from error
        raise type(error)(
            f"{write.name}: the meter confirmed the write; reading back: {error}"
        ) from error
    is_refused = isinstance(failed, RefusedError)
    if found == write.value and not (is_refused and found == old):
        note = f"{write.name}: {_reason(failed)}; {write.text(found)} is read back"
        return Written(write, old, found, note if is_refused else "")
    raise _mismatch(write, failed, found, is_certain or found != old, found == old)


def _failure(writer: PlainWriter, write: PlainWrite) -> MeterctlError | None:
    """Send a write once; return what was wrong with its answer."""
    try:
        writer.write_once(write.area, write.address, write.numbers)
    except (NoAnswerError, CorruptAnswerError, RefusedError) as error:
        return error
    return None


def _may_follow(failed: MeterctlError | None) -> bool:
    """Return whether a write may take effect after its answer; an exception ends it."""
    return not isinstance(failed, RefusedError)


def _read_back(writer: PlainWriter, write: PlainWrite, reads: int) -> tuple[Any, bool]:
    """Return the value that stands, and whether it is one after the write for certain."""
    for left in range(reads, 0, -1):
        back = writer.read_back(write.area, write.address, len(write.numbers))
        found = _value(write, back.numbers)
        if found == write.value or left == 1:
            break
        writer.rest()
    return found, back.is_certain


def _mismatch(
    write: PlainWrite, failed: MeterctlError | None, found: Any, is_certain: bool, is_old: bool
) -> MeterctlError:
    """Return the error of a write after which another value is read."""
    value = write.text(found)
    if isinstance(failed, StillWorkingError):
        return UnknownOutcomeError(
            f"{write.name}: it may be written yet: {_reason(failed)}; {value} is read back"
        )
    if not is_certain:
        how = "it was confirmed" if failed is None else _reason(failed)
        return UnknownOutcomeError(
            f"{write.name}: it may have been written or not: {how}; {value} is read back, which "
            f"may be a late reply to the read before it: try a longer --timeout"
        )
    if isinstance(failed, RefusedError):
        said = f"it was not changed: {value}" if is_old else value
        return RefusedError(f"{write.name}: {_reason(failed)}; {said} is read back")
    how = "confirmed" if failed is None else f"not answered ({failed})"
    return RefusedError(
        f"{write.name}: the write of {write.text(write.value)} was {how}, and {value} is read back"
    )


def _value(write: PlainWrite, numbers: Sequence[int]) -> Any:
    """Return the meter's value; NAN where its float is no finite number."""
    try:
        return write.unpack(numbers)
    except NotFiniteError:
        return NAN
    except ProtocolError as error:
        raise CorruptAnswerError(str(error)) from error


def _reason(failed: MeterctlError | None) -> str:
    return str(failed).removesuffix("; nothing was changed")


def _of_others(done: Sequence[Written], writes: Sequence[PlainWrite]) -> list[str]:
    """Return what became of the other writes of a command of which one failed."""
    told = [f"{each.write.name} was written" for each in done]
    return told + [f"{write.name} was not sent" for write in writes[len(done) + 1 :]]


def _is_absent(item: Item, value: Any) -> bool:
    return value is None and not isinstance(item.kind, Optional)


# ---- words


def _check_place(write: PlainWrite, others: Sequence[PlainWrite]) -> None:
    """Check that no other write sets the same item, or goes to the same scratch."""
    for other in others:
        if (write.item, write.name) == (other.item, other.name):
            raise QuantityError(f"{write.name} is given twice")
        if write.item is None and other.item is None and write.area is other.area:
            first, second = sorted((write, other), key=lambda one: one.address)
            if second.address < first.address + len(first.numbers):
                raise QuantityError(
                    f"{second.name} overlaps the {len(first.numbers)} from {first.name} on"
                )


def _setting(register_map: RegisterMap, word: str) -> PlainWrite:
    name, equals, text = word.partition("=")
    writable = {one.item.name: one for one in register_map.registers if one.writable}
    if name not in writable:
        raise QuantityError(_not_writable(register_map, name, list(writable)))
    if not equals:
        raise QuantityError(f"{name} has no value: write {name}=VALUE, with one =")
    register = writable[name]
    item = register.item
    try:
        value = item.kind.parse(text)
    except QuantityError as error:
        raise QuantityError(f"{name}: {error}") from error
    area = Area.HOLDING if Area.HOLDING in register.area else Area.COIL
    write = PlainWrite(
        name, area, register.address, _numbers(register, value), item, _unpacker(register)
    )
    if write.value != value:
        raise QuantityError(
            f"{name}: its {register.layout.type.value} at {register.address:04X} does not hold "
            f"{item.kind.text(value)}, it would be {write.text(write.value)}"
        )
    return write


def _not_writable(register_map: RegisterMap, name: str, writable: Sequence[str]) -> str:
    """Return why an item is not written, and which are or what sets it."""
    listed = f"writable are {', '.join(writable)}" if writable else "it marks none"
    if name not in BY_NAME:
        listed = listed if writable else f"map {register_map.name} marks none writable"
        return f"{name!r} is no item; {did_you_mean(name, writable or BY_NAME, listed)}"
    if BY_NAME[name].setting and register_map.windows is not None:
        listed += f"; `meterctl limits set {name}=VALUE` sets it by a sealed command"
    return f"map {register_map.name} does not mark {name} writable; {listed}"


def _numbers(register: Register, value: Any) -> tuple[int, ...]:
    """Return the numbers of a value: those of registers, or of coils the bits."""
    if register.area & Area.BITS:
        bits = register.bits()(value)
        return tuple(bits >> bit & 1 for bit in range(register.width))
    data = register.packer()(value)
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def _unpacker(register: Register) -> Callable[[Sequence[int]], Any]:
    def unpack(numbers: Sequence[int]) -> Any:
        if register.area & Area.BITS:
            return register.of_bits(sum(bit << place for place, bit in enumerate(numbers)))
        return register.unpack(b"".join(number.to_bytes(2, "big") for number in numbers))

    return unpack


def _scratch(register_map: RegisterMap, area: Area, word: str) -> PlainWrite:
    kind, largest = _NAMES[area], _LARGEST[area]
    left, equals, right = word.partition("=")
    if not equals:
        raise QuantityError(f"{word!r}: write ADDRESS=VALUE, such as 0x2000=0x00ff")
    address = _number(left, 0xFFFF, f"--{kind} {word}: address")
    numbers = tuple(_number(text, largest, f"--{kind} {word}: value") for text in right.split(","))
    spans = [span for span in register_map.scratch if area in span.area]
    if not any(
        span.extent.start <= address and address + len(numbers) <= span.extent.stop
        for span in spans
    ):
        named = ", ".join(f"{s.extent.start:04X} to {s.extent.stop - 1:04X}" for s in spans)
        raise QuantityError(
            f"--{kind} {word}: map {register_map.name} has "
            f"{f'its scratch {kind}s at {named}' if spans else f'no scratch {kind}s'}"
        )
    if len(numbers) > _MOST[area]:
        raise QuantityError(f"--{kind} {word}: one request writes at most {_MOST[area]}")
    return PlainWrite(f"{kind} {address:04X}", area, address, numbers, None, tuple)


def _number(text: str, largest: int, what: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= largest:
        allowed = f"0 to {largest}" + (f" (0x{largest:x})" if largest > 1 else "")
        raise QuantityError(f"{what} {text!r}: allowed is {allowed}, 0x before hexadecimal digits")
    return number
