"""Sealed messages that pass in several requests, put together."""

from __future__ import annotations

from struct import unpack_from

from protocols.modbus.pdu import Function, request_length
from protocols.modbus.sealed_windows import MESSAGE_HEAD, SealedWindows
from protocols.sealed_message import MAX_MESSAGE

_DATA = {
    Function.WRITE_MULTIPLE_REGISTERS: (1, 6),
    Function.READ_WRITE_MULTIPLE_REGISTERS: (5, 10),
}
"""Function -> where a PDU holds the write address, and the data."""


class LongMessages:
    """The parts of messages that were seen so far, of each unit."""

    def __init__(self, windows: SealedWindows | None) -> None:
        self._address = None if windows is None else windows.message
        self._parts: dict[int, bytes] = {}

    def take(self, unit: int, request: bytes) -> bytes | None:
        """Take a request; return the message that it completes, if it came in several parts."""
        data = self._written(request)
        if data is None or len(data) < MESSAGE_HEAD.size:
            return None
        total, offset, size, commit = MESSAGE_HEAD.unpack_from(data)
        before = self._parts.get(unit, b"")[:offset]
        if len(before) < offset or offset + size > min(total, MAX_MESSAGE):
            self._parts.pop(unit, None)
            return None
        whole = before + data[MESSAGE_HEAD.size : MESSAGE_HEAD.size + size]
        self._parts[unit] = whole
        is_long = offset > 0 and commit == 1 and len(whole) == total
        return whole if is_long else None

    def _written(self, request: bytes) -> bytes | None:
        """Return what a request writes into the window for messages."""
        if not request or request[0] not in _DATA or request_length(request) != len(request):
            return None
        address_at, data_at = _DATA[Function(request[0])]
        if unpack_from(">H", request, address_at)[0] != self._address:
            return None
        return request[data_at:]
