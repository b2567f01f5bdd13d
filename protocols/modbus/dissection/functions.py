"""The data of each function of the Modbus Application Protocol V1.1b3, field by field.

Lengths and counts are taken as they stand in the bytes: a frame that lies about them is shown as
far as it goes, and the rest as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from struct import unpack_from
from typing import NamedTuple

from protocols.errors import MODBUS_EXCEPTIONS
from protocols.faults import Way
from protocols.modbus.areas import ADDRESSES, Area
from protocols.modbus.dissection.function_names import (
    DIAGNOSTICS,
    IDENTIFICATION_CODES,
    OBJECTS,
    function_name,
)
from protocols.modbus.dissection.placed import Asked, MapView
from protocols.modbus.dissection.registers import (
    read_bit_values,
    read_register_values,
    tell_names,
)
from protocols.modbus.dissection.sheet import CutShortError, Sheet
from protocols.modbus.dissection.values import place, text_or_hex
from protocols.modbus.pdu import EXCEPTION_FLAG, request_length

_AREAS = {
    1: Area.COIL,
    2: Area.DISCRETE,
    3: Area.HOLDING,
    4: Area.INPUT,
    5: Area.COIL,
    6: Area.HOLDING,
    15: Area.COIL,
    16: Area.HOLDING,
    22: Area.HOLDING,
    23: Area.HOLDING,
    24: Area.HOLDING,
}
_IDENTIFICATION = 14


class Known(NamedTuple):
    """What is known beside the bytes of a PDU.

    Args:
        view: the register map.
        request: the PDU of the request that a reply belongs to.
        address: where the values of a reply begin whose request is not known.
    """

    view: MapView
    request: bytes | None = None
    address: int | None = None


def read_pdu(sheet: Sheet, way: Way | None, known: Known) -> None:
    """Read a PDU to its end; one whose way is not known is read as a request."""
    function = sheet.number(1, "function", _function_text)
    sheet.decoded["function"] = str(function & ~EXCEPTION_FLAG)
    sheet.decoded["function_name"] = json.dumps(function_name(function))
    sheet.told.append(function_name(function))
    if function & EXCEPTION_FLAG:
        read: Callable[[Sheet, int, Known], None] = _exception
    elif way is Way.REPLY:
        read = _REPLIES.get(function, _unknown)
    else:
        read = _REQUESTS.get(function, _unknown)
    try:
        read(sheet, function, known)
    except CutShortError:
        sheet.rest("data", "cut short")
    sheet.rest("data", "more than the function has")


def _function_text(value: int) -> str:
    is_exception = bool(value & EXCEPTION_FLAG)
    text = f"{value & ~EXCEPTION_FLAG}: {function_name(value)}"
    return f"{text}, refused" if is_exception else text


def asked_of(request: bytes) -> Asked | None:
    """Return the addresses whose values the reply to a request shows; None where it shows none."""
    if not request or request_length(request) != len(request) or request[0] not in (1, 2, 3, 4, 23):
        return None
    address, count = unpack_from(">HH", request, 1)
    return _asked(_AREAS[request[0]], address, count)


def _asked(area: Area, address: int, count: int) -> Asked:
    return Asked(area, address, min(count, ADDRESSES - address))


def _exception(sheet: Sheet, _: int, __: Known) -> None:
    def text(value: int) -> str:
        return f"{value:02X}H: {MODBUS_EXCEPTIONS.get(value, 'unknown')}"

    code = sheet.number(1, "exception", text, "exception")
    name = MODBUS_EXCEPTIONS.get(code, "unknown")
    sheet.decoded["exception_name"] = json.dumps(name)
    sheet.told = [f"{sheet.told[0]}: exception {code:02X} ({name})"]


def _unknown(sheet: Sheet, _: int, __: Known) -> None:
    if sheet.left:
        sheet.hexadecimal(sheet.left, "data", "data", "of a function that is not in V1.1b3")


def _nothing(_: Sheet, __: int, ___: Known) -> None:
    """Read a request without data."""


def _address(sheet: Sheet, function: int, name: str = "address", key: str = "address") -> int:
    area = _AREAS[function]
    return sheet.number(2, name, lambda value: place(area, value), key)


def _extent(sheet: Sheet, function: int, known: Known, before: str = "") -> Asked:
    """Read an address and a quantity."""
    key = f"{before}_" if before else ""
    area = _AREAS[function]
    address = _address(sheet, function, f"{before} address".strip(), f"{key}address")
    what = "bits" if area & Area.BITS else "registers"

    def text(quantity: int) -> str:
        names = ", ".join(known.view.names(_asked(area, address, quantity)))
        return f"{quantity} {what}{': ' if names else ''}{names}"

    quantity = sheet.number(2, f"{before} quantity".strip(), text, f"{key}quantity")
    return _asked(area, address, quantity)


def _read_request(sheet: Sheet, function: int, known: Known) -> None:
    tell_names(sheet, known.view, _extent(sheet, function, known))


def _read_reply(sheet: Sheet, function: int, known: Known) -> None:
    sheet.number(1, "byte count", "", "byte_count")
    asked = None if known.request is None else asked_of(known.request)
    is_bits = bool(_AREAS[function] & Area.BITS)
    if asked is None and known.address is not None:
        count = 8 * sheet.left if is_bits else sheet.left // 2
        asked = _asked(_AREAS[function], known.address, count)
    if asked is None:
        sheet.decoded["address"] = "null"
        sheet.told.append("of an address that the reply does not name")
    else:
        sheet.decoded["address"] = str(asked.address)
    if is_bits:
        read_bit_values(sheet, known.view, asked, sheet.left)
    else:
        read_register_values(sheet, known.view, asked, sheet.left)


def _write_coil(sheet: Sheet, function: int, known: Known) -> None:
    address = _address(sheet, function)
    words = {0xFF00: "on", 0: "off"}
    value = sheet.number(2, "value", lambda value: f"{value:04X}H: {words.get(value, 'unknown')}")
    sheet.decoded["value"] = {0xFF00: "true", 0: "false"}.get(value, str(value))
    names = known.view.names(Asked(Area.COIL, address, 1))
    sheet.told.append(f"{' '.join(names) or f'coil {address}'} {words.get(value, value)}")


def _write_register(sheet: Sheet, function: int, known: Known) -> None:
    address = _address(sheet, function)
    read_register_values(sheet, known.view, Asked(Area.HOLDING, address, 1), 2, written=True)


def _write_coils(sheet: Sheet, function: int, known: Known) -> None:
    asked = _extent(sheet, function, known)
    size = sheet.number(1, "byte count", "", "byte_count")
    read_bit_values(sheet, known.view, asked, min(size, sheet.left), written=True)


def _write_registers(sheet: Sheet, function: int, known: Known) -> None:
    asked = _extent(sheet, function, known)
    size = sheet.number(1, "byte count", "", "byte_count")
    read_register_values(sheet, known.view, asked, min(size, sheet.left), written=True)


def _written(sheet: Sheet, function: int, known: Known) -> None:
    tell_names(sheet, known.view, _extent(sheet, function, known))


def _mask_write(sheet: Sheet, function: int, known: Known) -> None:
    address = _address(sheet, function)
    sheet.number(2, "and mask", lambda value: f"{value:016b}", "and_mask")
    sheet.number(2, "or mask", lambda value: f"{value:016b}", "or_mask")
    tell_names(sheet, known.view, Asked(Area.HOLDING, address, 1))


def _exchange(sheet: Sheet, function: int, known: Known) -> None:
    shown = _extent(sheet, function, known, "read")
    written = _extent(sheet, function, known, "write")
    size = sheet.number(1, "byte count", "", "byte_count")
    tell_names(sheet, known.view, shown)
    sheet.told.append("after writing")
    read_register_values(sheet, known.view, written, min(size, sheet.left), written=True)


def _diagnostics(sheet: Sheet, _: int, __: Known) -> None:
    def text(value: int) -> str:
        return f"{value}: {DIAGNOSTICS.get(value, 'unknown')}"

    sub = sheet.number(2, "sub-function", text, "sub_function")
    sheet.told.append(DIAGNOSTICS.get(sub, f"sub-function {sub}"))
    if sheet.left == 2:
        sheet.number(2, "data", lambda value: f"{value} ({value:04X}H)", "data")
    elif sheet.left:
        sheet.hexadecimal(sheet.left, "data", "data")


def _exception_status(sheet: Sheet, _: int, __: Known) -> None:
    sheet.number(1, "status", lambda value: f"{value:08b}", "status")


def _event_counter(sheet: Sheet, _: int, __: Known) -> None:
    sheet.number(2, "status", lambda value: "busy" if value == 0xFFFF else "ready", "status")
    sheet.number(2, "event count", "", "event_count")


def _event_log(sheet: Sheet, function: int, known: Known) -> None:
    sheet.number(1, "byte count", "", "byte_count")
    _event_counter(sheet, function, known)
    sheet.number(2, "message count", "", "message_count")
    if sheet.left:
        sheet.hexadecimal(sheet.left, "events", "events", "the newest first")


def _server_id(sheet: Sheet, _: int, __: Known) -> None:
    size = sheet.number(1, "byte count", "", "byte_count")
    data = sheet.take(min(size, sheet.left), "report", lambda data: text_or_hex(data).text)
    sheet.decoded["report"] = json.dumps(data.hex(" "))
    sheet.decoded["report_text"] = json.dumps(
        "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    )


def _read_files(sheet: Sheet, _: int, __: Known) -> None:
    size = sheet.number(1, "byte count", "", "byte_count")
    for _ in range(size // 7):
        _file_head(sheet)


def _file_head(sheet: Sheet) -> int:
    sheet.number(1, "reference type")
    sheet.number(2, "file")
    sheet.number(2, "record")
    return sheet.number(2, "length", "registers")


def _file_data(sheet: Sheet, _: int, __: Known) -> None:
    sheet.number(1, "byte count", "", "byte_count")
    while sheet.left:
        size = sheet.number(1, "length", "bytes with the reference type")
        sheet.number(1, "reference type")
        sheet.take(min(max(size - 1, 0), sheet.left), "record data", "")


def _write_files(sheet: Sheet, _: int, __: Known) -> None:
    sheet.number(1, "byte count", "", "byte_count")
    while sheet.left:
        sheet.take(min(2 * _file_head(sheet), sheet.left), "record data", "")


def _fifo_request(sheet: Sheet, function: int, _: Known) -> None:
    _address(sheet, function, "FIFO address")


def _fifo_reply(sheet: Sheet, _: int, known: Known) -> None:
    sheet.number(2, "byte count", "", "byte_count")
    sheet.number(2, "FIFO count", "", "fifo_count")
    read_register_values(sheet, known.view, None, sheet.left)


def _interface_kind(sheet: Sheet) -> bool:
    """Read the type of function 43; return whether it is the identification of a device."""

    def text(value: int) -> str:
        names = {_IDENTIFICATION: "read device identification", 13: "CANopen general reference"}
        return f"{value}: {names.get(value, 'unknown')}"

    return sheet.number(1, "MEI type", text, "mei_type") == _IDENTIFICATION


def _identification_code(sheet: Sheet) -> None:
    def text(value: int) -> str:
        return f"{value}: {IDENTIFICATION_CODES.get(value, 'unknown')}"

    sheet.number(1, "read code", text, "read_code")


def _identification_request(sheet: Sheet, _: int, __: Known) -> None:
    if _interface_kind(sheet):
        sheet.told = ["read device identification"]
        _identification_code(sheet)
        sheet.number(1, "object", _object_text, "object")
    else:
        sheet.rest("data", "")


def _object_text(value: int) -> str:
    return f"{value}: {OBJECTS.get(value, 'of the vendor')}"


def _identification_reply(sheet: Sheet, _: int, __: Known) -> None:
    if not _interface_kind(sheet):
        sheet.rest("data", "")
        return
    sheet.told = ["device identification"]
    _identification_code(sheet)
    sheet.number(1, "conformity level", lambda value: f"{value:02X}H", "conformity_level")
    sheet.number(1, "more follows", lambda value: {0: "no", 255: "yes"}.get(value, str(value)))
    sheet.number(1, "next object", "", "next_object")
    count = sheet.number(1, "objects", "")
    found: dict[str, str] = {}
    try:
        for _ in range(count):
            number = sheet.number(1, "object", _object_text)
            size = sheet.number(1, "length", "bytes")
            data = sheet.take(
                min(size, sheet.left), "object value", lambda data: text_or_hex(data).text
            )
            found[str(number)] = text_or_hex(data).json
            sheet.told.append(text_or_hex(data).text)
    finally:
        objects = ", ".join(f'"{number}": {value}' for number, value in found.items())
        sheet.decoded["objects"] = f"{{{objects}}}"


_Read = Callable[[Sheet, int, Known], None]
_REQUESTS: Mapping[int, _Read] = {
    **dict.fromkeys((1, 2, 3, 4), _read_request),
    **dict.fromkeys((7, 11, 12, 17), _nothing),
    5: _write_coil,
    6: _write_register,
    8: _diagnostics,
    15: _write_coils,
    16: _write_registers,
    20: _read_files,
    21: _write_files,
    22: _mask_write,
    23: _exchange,
    24: _fifo_request,
    43: _identification_request,
}
_REPLIES: Mapping[int, _Read] = {
    **dict.fromkeys((1, 2, 3, 4, 23), _read_reply),
    **dict.fromkeys((15, 16), _written),
    5: _write_coil,
    6: _write_register,
    7: _exception_status,
    8: _diagnostics,
    11: _event_counter,
    12: _event_log,
    17: _server_id,
    20: _file_data,
    21: _write_files,
    22: _mask_write,
    24: _fifo_reply,
    43: _identification_reply,
}
