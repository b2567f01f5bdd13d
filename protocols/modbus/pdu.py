"""Requests and replies of the Modbus Application Protocol V1.1b3: lengths, limits, exceptions.

A PDU is a function code and its data; the maximum is 253 bytes (section 4.1).
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct, pack, unpack_from

from protocols.errors import FrameError

MAX_PDU = 253
MAX_READ_REGISTERS = 125
MAX_WRITE_REGISTERS = 123
MAX_READ_WRITE_REGISTERS = 121
MAX_READ_BITS = 2000
MAX_WRITE_BITS = 1968
EXCEPTION_FLAG = 0x80


class Function(IntEnum):
    """The function codes in use."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_SINGLE_COIL = 5
    WRITE_SINGLE_REGISTER = 6
    DIAGNOSTICS = 8
    WRITE_MULTIPLE_COILS = 15
    WRITE_MULTIPLE_REGISTERS = 16
    REPORT_SERVER_ID = 17
    MASK_WRITE_REGISTER = 22
    READ_WRITE_MULTIPLE_REGISTERS = 23
    ENCAPSULATED_INTERFACE = 43


READ_DEVICE_IDENTIFICATION = 14
"""The MEI type of function 43 (section 6.21)."""

_FIXED_REQUEST = {
    1: 5,
    2: 5,
    3: 5,
    4: 5,
    5: 5,
    6: 5,
    7: 1,
    8: 5,
    11: 1,
    12: 1,
    17: 1,
    22: 7,
    24: 3,
    43: 4,
}
_COUNTED_REQUEST = {15: 5, 16: 5, 20: 1, 21: 1, 23: 9}
"""Function -> offset of its byte count in the PDU."""
_FIXED_REPLY = {5: 5, 6: 5, 7: 2, 8: 5, 11: 5, 15: 5, 16: 5, 22: 7}
COUNTED_REPLY = {1: 1, 2: 1, 3: 1, 4: 1, 12: 1, 17: 1, 20: 1, 21: 1, 23: 1}
"""Function -> offset of the byte count in its reply."""

INCOMPLETE = -1
UNKNOWN = -2


def request_length(pdu: bytes | memoryview) -> int:
    """Return the length of the request that begins here.

    INCOMPLETE while more bytes are needed for it, UNKNOWN for a function not listed.
    """
    return _length(pdu, _FIXED_REQUEST, _COUNTED_REQUEST)


def reply_length(pdu: bytes | memoryview) -> int:
    """Return the length of the reply that begins here.

    INCOMPLETE while more bytes are needed for it, UNKNOWN for a function not listed.
    """
    if not pdu:
        return INCOMPLETE
    if pdu[0] & EXCEPTION_FLAG:
        return 2
    if pdu[0] == Function.ENCAPSULATED_INTERFACE:
        return _identification_length(pdu)
    return _length(pdu, _FIXED_REPLY, COUNTED_REPLY)


def _length(pdu: bytes | memoryview, fixed: dict[int, int], counted: dict[int, int]) -> int:
    if not pdu:
        return INCOMPLETE
    function = pdu[0]
    if function in fixed:
        return fixed[function]
    if function not in counted:
        return UNKNOWN
    at = counted[function]
    return at + 1 + pdu[at] if len(pdu) > at else INCOMPLETE


def _identification_length(pdu: bytes | memoryview) -> int:
    """Return the length of a 43/14 reply: seven bytes, then objects of id, length and value."""
    if len(pdu) < 7:
        return INCOMPLETE
    at = 7
    for _ in range(pdu[6]):
        if len(pdu) < at + 2:
            return INCOMPLETE
        at += 2 + pdu[at + 1]
    return at


_READ = Struct(">BHH")


def read_request(function: int, address: int, count: int) -> bytes:
    """Return a read request."""
    return _READ.pack(function, address, count)


def exception_reply(function: int, code: int) -> bytes:
    """Return an exception reply (section 7)."""
    return bytes((function | EXCEPTION_FLAG, code))


def check_reply(request: bytes, reply: bytes) -> None:
    """Raise FrameError unless function, length and echo of `reply` fit `request`."""
    if not reply or reply[0] & 0x7F != request[0]:
        raise FrameError(
            f"a reply to function {request[0]} came with function {reply[0] if reply else None}"
        )
    if reply[0] & EXCEPTION_FLAG:
        if len(reply) != 2:
            raise FrameError("an exception reply has two bytes")
        return
    wanted = expected_reply(request)
    if wanted is not None and len(reply) != wanted:
        raise FrameError(f"the reply has {len(reply)} bytes, {wanted} were asked for")
    if request[0] in (1, 2, 3, 4, 23) and reply[1] != len(reply) - 2:
        raise FrameError("the reply's byte count is not that of its data")
    echoed = {5: 5, 6: 5, 8: 5, 15: 5, 16: 5}.get(request[0])
    if echoed and reply[:echoed] != request[:echoed]:
        raise FrameError("the reply confirms another write than was asked for")


def expected_reply(request: bytes) -> int | None:
    """Return the length of the reply PDU to a request; None for a function whose replies vary."""
    if request[0] in (1, 2):
        return 2 + (int(unpack_from(">H", request, 3)[0]) + 7) // 8
    if request[0] in (3, 4, 23):
        return 2 + 2 * int(unpack_from(">H", request, 3)[0])
    return _FIXED_REPLY.get(request[0])


def write_request(address: int, data: bytes) -> bytes:
    """Return a request of function 16 for whole registers."""
    return (
        pack(">BHHB", Function.WRITE_MULTIPLE_REGISTERS, address, len(data) // 2, len(data)) + data
    )
