"""Whether a PDU can be a request or a reply, by its form. Pure.

Some are both: a write of one register is confirmed by the same bytes. Which it is then follows from
what was sent before (`pairing.py`).
"""

from __future__ import annotations

from struct import unpack_from

from protocols.faults import Way
from protocols.modbus.pdu import (
    EXCEPTION_FLAG,
    INCOMPLETE,
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    UNKNOWN,
    reply_length,
    request_length,
)

_READ_FIFO = 24


def lengths(pdu: bytes) -> tuple[int, int]:
    """Return the lengths of the request and of the reply that begin here, as `pdu.py` does.

    A function with the exception flag is never a request; a reply of function 24 has a count of two
    bytes.
    """
    if pdu and pdu[0] & EXCEPTION_FLAG:
        return 2, 2
    if pdu and pdu[0] == _READ_FIFO:
        count = 3 + int(unpack_from(">H", pdu, 1)[0]) if len(pdu) >= 3 else INCOMPLETE
        return request_length(pdu), count
    return request_length(pdu), reply_length(pdu)


def is_listed(pdu: bytes) -> bool:
    """Return whether the length of a function is known, be it refused or not."""
    if not pdu:
        return False
    function = bytes((pdu[0] & ~EXCEPTION_FLAG,))
    return any(length != UNKNOWN for length in lengths(function))


def possible_ways(pdu: bytes) -> frozenset[Way]:
    """Return what a whole PDU can be: by its length, and by its counts where these decide.

    Empty for a function that is not listed, and for a length that its function does not have.
    """
    return likely_ways(pdu) or _ways_of_length(pdu)


def likely_ways(pdu: bytes) -> frozenset[Way]:
    """Return what a whole PDU can be by its length and its counts."""
    return frozenset(way for way in _ways_of_length(pdu) if _is_likely(pdu, way))


def _ways_of_length(pdu: bytes) -> frozenset[Way]:
    if not pdu:
        return frozenset()
    if pdu[0] & EXCEPTION_FLAG:
        return frozenset((Way.REPLY,)) if len(pdu) == 2 else frozenset()
    as_request, as_reply = lengths(pdu)
    ways = ((Way.REQUEST, as_request), (Way.REPLY, as_reply))
    return frozenset(way for way, length in ways if length == len(pdu))


def _is_likely(pdu: bytes, way: Way) -> bool:
    """Return whether the counts of a PDU are those of a request or a reply."""
    function = pdu[0]
    if function & EXCEPTION_FLAG:
        return is_listed(pdu)
    if way is Way.REPLY:
        if function in (1, 2):
            return len(pdu) > 2
        return function not in (3, 4, 23) or (len(pdu) > 2 and pdu[1] % 2 == 0)
    if function in (1, 2, 3, 4):
        address, count = unpack_from(">HH", pdu, 1)
        most = MAX_READ_BITS if function < 3 else MAX_READ_REGISTERS
        return bool(1 <= count <= most and address + count <= 0x10000)
    if function == 15:
        return int(unpack_from(">H", pdu, 3)[0]) + 7 >> 3 == pdu[5]
    if function == 16:
        return 2 * int(unpack_from(">H", pdu, 3)[0]) == pdu[5]
    return True
