"""The state of a session (a TCP connection or serial line): cursors, message parts, last answer.

Two masters never read each other's answers, nor move each other's cursors (DESIGN.md 5.4).
"""

from __future__ import annotations

from struct import Struct

from firmware_sim.rack.stations import Station
from firmware_sim.records.ring import BILLING_RING, DAILY_RING, EVENT_RING, PROFILE_RING
from firmware_sim.requests import AskReceipt, AskStatus, Sealed
from protocols.errors import IllegalAddressError, IllegalValueError
from protocols.keys import MessageClass
from protocols.modbus.native_map import (
    ANSWER_ADDRESS,
    ANSWER_REGISTERS,
    MESSAGE_ADDRESS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    RECEIPT_ADDRESS,
    RECEIPT_READ,
    RECEIPT_REGISTERS,
    ROW_WINDOWS,
    STATUS_ADDRESS,
    STATUS_QUESTION,
    STATUS_READ,
    STATUS_REGISTERS,
    RowWindow,
)
from protocols.sealed_message import MAX_MESSAGE, Answer, Receipt
from protocols.sealed_status import StatusQuestion

_CURSOR = Struct(">I")
_ROWS_HEAD = Struct(">IH")
_RECEIPT_QUESTION = Struct(">HI")
_RINGS = {
    "events": EVENT_RING,
    "profile": PROFILE_RING,
    "daily_freezes": DAILY_RING,
    "billing_freezes": BILLING_RING,
}
_CLASSES = (MessageClass.CREDIT, MessageClass.COMMAND)
_LAST_VERSION = 255
_NOTHING = bytes(2 * ANSWER_REGISTERS)


class SessionWindows:
    """The windows of one session onto one meter."""

    __slots__ = ("_answer", "_cursors", "_message", "_question", "_status_question")

    def __init__(self) -> None:
        self._cursors: dict[str, int] = {}
        self._message = bytearray()
        self._answer = _NOTHING
        self._question: tuple[MessageClass, int] | None = None
        self._status_question: StatusQuestion | None = None

    def read(self, station: Station, address: int, count: int) -> bytes:
        """Return registers of a window; raises IllegalAddressError where there is none."""
        for window in ROW_WINDOWS:
            if window.address <= address < window.read_address + window.read_registers:
                cursor = _CURSOR.pack(self._cursors.get(window.name, 0))
                return _cut(cursor + self._rows(station, window), address - window.address, count)
        if RECEIPT_READ <= address < RECEIPT_READ + RECEIPT_REGISTERS:
            return _cut(self._receipt(station), address - RECEIPT_READ, count)
        if STATUS_READ <= address < STATUS_READ + STATUS_REGISTERS:
            return _cut(self._status(station), address - STATUS_READ, count)
        if ANSWER_ADDRESS <= address < ANSWER_ADDRESS + ANSWER_REGISTERS:
            return _cut(self._answer, address - ANSWER_ADDRESS, count)
        raise IllegalAddressError

    def check_write(self, address: int, data: bytes) -> None:
        """Raise ModbusError unless a window takes this write; nothing is changed."""
        if address == MESSAGE_ADDRESS:
            self._check_part(data)
        elif address == RECEIPT_ADDRESS:
            if len(data) != _RECEIPT_QUESTION.size or _RECEIPT_QUESTION.unpack(data)[0] >= len(
                _CLASSES
            ):
                raise IllegalValueError
        elif address == STATUS_ADDRESS:
            if len(data) != STATUS_QUESTION.size or STATUS_QUESTION.unpack(data)[2] > _LAST_VERSION:
                raise IllegalValueError
        elif address in (window.address for window in ROW_WINDOWS):
            if len(data) != _CURSOR.size:
                raise IllegalValueError
        else:
            raise IllegalAddressError

    def write(self, station: Station, address: int, data: bytes) -> None:
        """Write a cursor, a question or a message part; the last part delivers the message."""
        self.check_write(address, data)
        if address == MESSAGE_ADDRESS:
            self._take_part(station, data)
        elif address == RECEIPT_ADDRESS:
            which, sequence = _RECEIPT_QUESTION.unpack(data)
            self._question = (_CLASSES[which], sequence)
        elif address == STATUS_ADDRESS:
            self._status_question = StatusQuestion(*STATUS_QUESTION.unpack(data))
        else:
            name = next(window.name for window in ROW_WINDOWS if window.address == address)
            (self._cursors[name],) = _CURSOR.unpack(data)

    def _rows(self, station: Station, window: RowWindow) -> bytes:
        ring = station.meter.rings[_RINGS[window.name]]
        cursor = self._cursors.get(window.name, 0)
        first = max(ring.first, cursor or ring.last - window.rows + 1)
        rows = [
            row
            for number in range(first, first + window.rows)
            if (row := ring.get(number)) is not None
        ]
        body = _ROWS_HEAD.pack(first, len(rows)) + b"".join(rows)
        return body.ljust(2 * window.read_registers, b"\0")

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


assert Answer.SIZE % 2 == 0, "an answer fills whole registers"
