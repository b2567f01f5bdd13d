"""Modbus requests on one meter, with their checks in the order 01, 03, 02, 04 (V1.1b3, 6)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error

from firmware_sim.rack.stations import Station
from firmware_sim.servers.modbus.bank import Bank
from firmware_sim.servers.modbus.plan import BitView
from firmware_sim.servers.modbus.windows import SessionWindows
from protocols.errors import (
    IllegalAddressError,
    IllegalFunctionError,
    IllegalValueError,
    ModbusError,
)
from protocols.modbus.pdu import (
    MAX_PDU,
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_READ_WRITE_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    READ_DEVICE_IDENTIFICATION,
    Function,
    exception_reply,
    read_request,
)

_TWO_WORDS = Struct(">HH")
_MULTIPLE = Struct(">HHB")
_READ_WRITE = Struct(">HHHHB")
_THREE_WORDS = Struct(">HHH")
_READ_INPUT = 4
_ON, _OFF = 0xFF00, 0x0000


def execute(station: Station, bank: Bank, windows: SessionWindows, pdu: bytes) -> bytes:
    """Execute a request; return its reply, an exception reply where it is refused."""
    function = _FUNCTIONS.get(pdu[0])
    try:
        if function is None or pdu[0] not in bank.plan.functions:
            raise IllegalFunctionError
        return function(station, bank, windows, pdu)
    except ModbusError as refusal:
        return exception_reply(pdu[0], refusal.code)
    except error:
        return exception_reply(pdu[0], IllegalValueError.code)


def _two_words(pdu: bytes) -> tuple[int, int]:
    if len(pdu) != 5:
        raise IllegalValueError
    first, second = _TWO_WORDS.unpack_from(pdu, 1)
    return first, second


def _read_registers(station: Station, bank: Bank, windows: SessionWindows, pdu: bytes) -> bytes:
    address, count = _two_words(pdu)
    plan = bank.plan
    if not 1 <= count <= plan.largest_read:
        _check_window(windows, address, count)
    found = bank.read(plan.input if pdu[0] == _READ_INPUT else plan.holding, address, count)
    if found is None:
        found = windows.read(station, address, count)
    return bytes((pdu[0], 2 * count)) + found


def _check_window(windows: SessionWindows, address: int, count: int) -> None:
    """Raise IllegalValueError unless a window is read: its read may exceed `largest_read`."""
    if not (1 <= count <= MAX_READ_REGISTERS and windows.shows(address)):
        raise IllegalValueError


def _read_bits(bank: Bank, view: BitView, pdu: bytes) -> bytes:
    address, count = _two_words(pdu)
    if not 1 <= count <= MAX_READ_BITS:
        raise IllegalValueError
    size = (count + 7) // 8
    return bytes((pdu[0], size)) + bank.read_bits(view, address, count).to_bytes(size, "little")


def _read_coils(_: Station, bank: Bank, __: SessionWindows, pdu: bytes) -> bytes:
    return _read_bits(bank, bank.plan.coils, pdu)


def _read_inputs(_: Station, bank: Bank, __: SessionWindows, pdu: bytes) -> bytes:
    return _read_bits(bank, bank.plan.discrete, pdu)


def _write_coil(station: Station, bank: Bank, _: SessionWindows, pdu: bytes) -> bytes:
    address, value = _two_words(pdu)
    if value not in (_ON, _OFF):
        raise IllegalValueError
    if not bank.plan.plain.write_coils(station, address, 1, value == _ON):
        bank.write_coils(address, 1, value == _ON)
    return pdu


def _write_register(station: Station, bank: Bank, _: SessionWindows, pdu: bytes) -> bytes:
    address, _value = _two_words(pdu)
    if not bank.plan.plain.write_registers(station, address, pdu[3:5]):
        bank.write(address, pdu[3:5])
    return pdu


def _diagnostics(_: Station, __: Bank, ___: SessionWindows, pdu: bytes) -> bytes:
    sub_function, _data = _two_words(pdu)
    if sub_function != 0:
        raise IllegalFunctionError
    return pdu


def _write_coils(station: Station, bank: Bank, _: SessionWindows, pdu: bytes) -> bytes:
    address, count, size = _MULTIPLE.unpack_from(pdu, 1)
    if not 1 <= count <= MAX_WRITE_BITS or size != (count + 7) // 8 or len(pdu) != 6 + size:
        raise IllegalValueError
    bits = int.from_bytes(pdu[6:], "little")
    if not bank.plan.plain.write_coils(station, address, count, bits):
        bank.write_coils(address, count, bits)
    return pdu[:5]


def _write_registers(station: Station, bank: Bank, windows: SessionWindows, pdu: bytes) -> bytes:
    address, count, size = _MULTIPLE.unpack_from(pdu, 1)
    if not 1 <= count <= MAX_WRITE_REGISTERS or size != 2 * count or len(pdu) != 6 + size:
        raise IllegalValueError
    if not bank.plan.plain.write_registers(station, address, pdu[6:]):
        _write(station, bank, windows, address, pdu[6:])
    return pdu[:5]


def _mask_write(_: Station, bank: Bank, __: SessionWindows, pdu: bytes) -> bytes:
    """Keep the bits of the and-mask, set the others from the or-mask (section 6.16)."""
    if len(pdu) != 1 + _THREE_WORDS.size:
        raise IllegalValueError
    address, and_mask, or_mask = _THREE_WORDS.unpack_from(pdu, 1)
    found = bank.read(bank.plan.holding, address, 1)
    held = int.from_bytes(found, "big") if found is not None else 0
    masked = held & and_mask | or_mask & ~and_mask
    bank.write(address, masked.to_bytes(2, "big"))
    return pdu


def _read_write(station: Station, bank: Bank, windows: SessionWindows, pdu: bytes) -> bytes:
    """Write first, then read (section 6.17); nothing is written unless both ranges are good."""
    read_address, read_count, address, count, size = _READ_WRITE.unpack_from(pdu, 1)
    if not 1 <= read_count <= bank.plan.largest_read:
        _check_window(windows, read_address, read_count)
    if not 1 <= count <= MAX_READ_WRITE_REGISTERS:
        raise IllegalValueError
    if size != 2 * count or len(pdu) != 10 + size:
        raise IllegalValueError
    request = read_request(Function.READ_HOLDING_REGISTERS, read_address, read_count)
    _read_registers(station, bank, windows, request)
    _write(station, bank, windows, address, pdu[10:])
    return pdu[:1] + _read_registers(station, bank, windows, request)[1:]


def _write(
    station: Station, bank: Bank, windows: SessionWindows, address: int, data: bytes
) -> None:
    try:
        windows.check_write(address, data)
    except IllegalAddressError:
        bank.write(address, data)
    else:
        windows.write(station, address, data)


def _server_id(station: Station, bank: Bank, __: SessionWindows, pdu: bytes) -> bytes:
    if len(pdu) != 1:
        raise IllegalValueError
    data = bank.plan.register_map.server_data(station.serial_number)
    assert 2 + len(data) <= MAX_PDU
    return bytes((pdu[0], len(data))) + data


def _identification(_: Station, bank: Bank, __: SessionWindows, pdu: bytes) -> bytes:
    """Function 43/14: basic and regular objects, as a stream or one by one (section 6.21)."""
    if len(pdu) < 2 or pdu[1] != READ_DEVICE_IDENTIFICATION:
        raise IllegalFunctionError
    if len(pdu) != 4 or pdu[2] not in (1, 2, 3, 4):
        raise IllegalValueError
    code, wanted = pdu[2], pdu[3]
    objects = bank.plan.register_map.identification
    if code == 4:
        if wanted not in objects:
            raise IllegalAddressError
        numbers = [wanted]
    else:
        last = 2 if code == 1 else 6
        numbers = [n for n in objects if n <= last]
        if wanted in numbers:
            numbers = numbers[numbers.index(wanted) :]
    head = bytes((pdu[0], pdu[1], code, 0x82, 0, 0, len(numbers)))
    body = b"".join(bytes((n, len(objects[n]))) + objects[n] for n in numbers)
    assert len(head) + len(body) <= MAX_PDU
    return head + body


_FUNCTIONS: dict[int, Callable[[Station, Bank, SessionWindows, bytes], bytes]] = {
    1: _read_coils,
    2: _read_inputs,
    3: _read_registers,
    4: _read_registers,
    5: _write_coil,
    6: _write_register,
    8: _diagnostics,
    15: _write_coils,
    16: _write_registers,
    17: _server_id,
    22: _mask_write,
    23: _read_write,
    43: _identification,
}
