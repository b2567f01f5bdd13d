"""The state of a session (a TCP connection or serial line): cursors, message parts, last answer.

Two masters never read each other's answers, nor move each other's cursors (DESIGN.md 5.4).
"""

from __future__ import annotations

from struct import Struct, error
from typing import assert_never

from firmware_sim.rack.stations import Station
from firmware_sim.requests import AskReceipt, AskStatus, Sealed
from firmware_sim.servers.modbus.rings import rows_of
from firmware_sim.servers.modbus.tariffs import shown_tariff
from protocols.data_model.tariff import TariffSet
from protocols.errors import DeviceFailureError, IllegalAddressError, IllegalValueError
from protocols.keys import MessageClass
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import RowWindow
from protocols.modbus.sealed_windows import (
    ANSWER_REGISTERS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    RECEIPT_QUESTION,
    RECEIPT_REGISTERS,
    STATUS_QUESTION,
    STATUS_REGISTERS,
    SealedWindow,
)
from protocols.modbus.tariff_window import TARIFF_QUESTION, TariffPart, TariffWindow
from protocols.sealed_message import MAX_MESSAGE, Receipt
from protocols.sealed_status import StatusQuestion

_CURSOR = Struct(">I")
_ROWS_HEAD = Struct(">IH")
_CLASSES = (MessageClass.CREDIT, MessageClass.COMMAND)
_LAST_VERSION = 255
_NOTHING = bytes(2 * ANSWER_REGISTERS)
_TariffQuestion = tuple[TariffSet, int]
"""Which set, and the offset of the first byte wanted."""
_BEGIN_OF_CURRENT: _TariffQuestion = (TariffSet.CURRENT, 0)


class SessionWindows:
    """The windows of one session onto one meter, where the meter's map has them."""

    __slots__ = (
        "_answer",
        "_cursors",
        "_map",
        "_message",
        "_question",
        "_status_question",
        "_tariff_question",
    )

    def __init__(self, register_map: RegisterMap) -> None:
        self._map = register_map
        self._cursors: dict[int, int] = {}
        """The cursor of each row window, by its address."""
        self._message = bytearray()
        self._answer = _NOTHING
        self._question: tuple[MessageClass, int] | None = None
        self._status_question: StatusQuestion | None = None
        self._tariff_question = _BEGIN_OF_CURRENT

    def read(self, station: Station, address: int, count: int) -> bytes:
        """Return registers of a window; raises IllegalAddressError where there is none."""
        for window in self._map.row_windows:
            if address in window.extent:
                cursor = _CURSOR.pack(self._cursors.get(window.address, 0))
                return _cut(cursor + self._rows(station, window), address - window.address, count)
        tariff = self._map.tariff
        if tariff is not None and address in tariff.extent:
            question = TARIFF_QUESTION.pack(*self._tariff_question)
            return _cut(question + self._tariff(station), address - tariff.address, count)
        if self._map.windows is not None:
            for which, extent in self._map.windows.readable.items():
                if address in extent:
                    return _cut(self._shown(station, which), address - extent.start, count)
        raise IllegalAddressError

    def shows(self, address: int) -> bool:
        """Return whether a register of a window can be read at an address."""
        sealed = self._map.windows
        extents = [window.extent for window in self._map.row_windows]
        extents += sealed.readable.values() if sealed is not None else ()
        extents += (self._map.tariff.extent,) if self._map.tariff is not None else ()
        return any(address in extent for extent in extents)

    def check_write(self, address: int, data: bytes) -> None:
        """Raise ModbusError unless a window takes this write; nothing is changed."""
        match self._written_at(address):
            case SealedWindow.MESSAGE:
                self._check_part(data)
            case SealedWindow.RECEIPT:
                size = RECEIPT_QUESTION.size
                if len(data) != size or RECEIPT_QUESTION.unpack(data)[0] >= len(_CLASSES):
                    raise IllegalValueError
            case SealedWindow.STATUS:
                size = STATUS_QUESTION.size
                if len(data) != size or STATUS_QUESTION.unpack(data)[2] > _LAST_VERSION:
                    raise IllegalValueError
            case RowWindow():
                if len(data) != _CURSOR.size:
                    raise IllegalValueError
            case TariffWindow():
                size = TARIFF_QUESTION.size
                if len(data) != size or TARIFF_QUESTION.unpack(data)[0] >= len(TariffSet):
                    raise IllegalValueError
            case SealedWindow.ANSWER | None:
                raise IllegalAddressError
            case never:
                assert_never(never)

    def write(self, station: Station, address: int, data: bytes) -> None:
        """Write a cursor, a question or a message part; the last part delivers the message."""
        self.check_write(address, data)
        match self._written_at(address):
            case SealedWindow.MESSAGE:
                self._take_part(station, data)
            case SealedWindow.RECEIPT:
                which, sequence = RECEIPT_QUESTION.unpack(data)
                self._question = (_CLASSES[which], sequence)
            case SealedWindow.STATUS:
                self._status_question = StatusQuestion(*STATUS_QUESTION.unpack(data))
            case RowWindow():
                (self._cursors[address],) = _CURSOR.unpack(data)
            case TariffWindow():
                which, offset = TARIFF_QUESTION.unpack(data)
                self._tariff_question = TariffSet(which), offset
            case SealedWindow.ANSWER | None:
                raise AssertionError("a write that was checked")
            case never:
                assert_never(never)

    def _written_at(self, address: int) -> SealedWindow | RowWindow | TariffWindow | None:
        """Return the window that takes a write at an address."""
        tariff = self._map.tariff
        if tariff is not None and tariff.address == address:
            return tariff
        sealed = self._map.windows
        found = sealed.written_at(address) if sealed is not None else None
        if found is not None:
            return found
        return next((one for one in self._map.row_windows if one.address == address), None)

    def _shown(self, station: Station, which: SealedWindow) -> bytes:
        """Return the registers that a window for sealed messages shows."""
        match which:
            case SealedWindow.RECEIPT:
                return self._receipt(station)
            case SealedWindow.STATUS:
                return self._status(station)
            case SealedWindow.ANSWER:
                return self._answer
            case SealedWindow.MESSAGE:
                raise IllegalAddressError

    def _rows(self, station: Station, window: RowWindow) -> bytes:
        held = rows_of(station.meter, window.table)
        cursor = self._cursors.get(window.address, 0)
        first = max(held.first, cursor or held.last - window.rows + 1)
        rows = [
            row[: window.row_size]
            for number in range(first, first + window.rows)
            if (row := held.get(number)) is not None
        ]
        body = _ROWS_HEAD.pack(first, len(rows)) + b"".join(rows)
        return body.ljust(2 * window.read_registers, b"\0")

    def _tariff(self, station: Station) -> bytes:
        which, offset = self._tariff_question
        try:
            encoding = shown_tariff(station.meter, which).encode()
        except (error, ValueError) as fault:  # a state of an older build may hold such a value
            raise DeviceFailureError from fault
        return TariffPart.of(encoding, which, offset).encode()

    def _receipt(self, station: Station) -> bytes:
        receipt = b""
        if self._question:
            reply = station.hand_over(AskReceipt(*self._question))
            receipt = reply.receipt if reply else b""
        return (len(receipt).to_bytes(2, "big") + receipt).ljust(2 * RECEIPT_REGISTERS, b"\0")

    def _status(self, station: Station) -> bytes:
        status = b""
        if self._status_question:
            reply = station.hand_over(AskStatus(self._status_question))
            status = reply.status if reply else b""
        return (len(status).to_bytes(2, "big") + status).ljust(2 * STATUS_REGISTERS, b"\0")

    def _check_part(self, data: bytes) -> None:
        if len(data) < MESSAGE_HEAD.size:
            raise IllegalValueError
        total, offset, size, commit = MESSAGE_HEAD.unpack_from(data)
        fits = size <= MESSAGE_PART and len(data) == MESSAGE_HEAD.size + size + size % 2
        follows = offset <= len(self._message)  # the same part again replaces itself
        whole = not commit or offset + size == total
        if not (
            fits and follows and whole and commit <= 1 and offset + size <= total <= MAX_MESSAGE
        ):
            raise IllegalValueError

    def _take_part(self, station: Station, data: bytes) -> None:
        _, offset, size, commit = MESSAGE_HEAD.unpack_from(data)
        del self._message[offset:]
        self._message += data[MESSAGE_HEAD.size : MESSAGE_HEAD.size + size]
        self._answer = _NOTHING
        if not commit:
            return
        message = bytes(self._message)
        self._message.clear()
        reply = station.hand_over(Sealed(message))
        if reply is not None and reply.answer is not None:
            body = (1).to_bytes(2, "big") + reply.answer.encode()
            body += len(reply.receipt).to_bytes(2, "big") + reply.receipt.ljust(
                Receipt.SIZE + Receipt.SIZE % 2, b"\0"
            )
            self._answer = body


def _cut(registers: bytes, offset: int, count: int) -> bytes:
    if 2 * (offset + count) > len(registers):
        raise IllegalAddressError
    return registers[2 * offset : 2 * (offset + count)]
