"""Faults of Modbus replies: exceptions, wrong lengths, units and transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from firmware_sim.faults.in_force import ActiveFault, Faults
from firmware_sim.servers.reply_faults import TimedReply, replies
from protocols.modbus.pdu import EXCEPTION_FLAG, exception_reply

_BUSY = 6
_ADDRESSED = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 22, 23})
_QUANTIFIED = frozenset({1, 2, 3, 4, 15, 16, 23})
_COUNTED = frozenset({1, 2, 3, 4, 23})
_OTHER_UNIT, _OTHER_TRANSACTION = 1, 1


class FramedPdu(NamedTuple):
    """A reply PDU, and by how much its frame names another unit or transaction."""

    pdu: bytes
    unit_shift: int = 0
    transaction_shift: int = 0


def faulty_replies(
    faults: Faults, unit: int, request: bytes, at_us: int, answer: Callable[[], bytes | None]
) -> tuple[TimedReply[FramedPdu], ...]:
    """Execute a request by `answer`, unless a fault prevents it; return the replies to send."""
    if not faults.reply:
        pdu = answer()
        return (TimedReply(FramedPdu(pdu)),) if pdu else ()
    address, quantity = _word(request, 1, _ADDRESSED), _word(request, 3, _QUANTIFIED)
    applied = faults.on_reply(unit, request[0], address, quantity, at_us)

    def reply() -> FramedPdu | None:
        if "busy" in applied:
            pdu: bytes | None = exception_reply(request[0], _BUSY)
        elif "exception" in applied:
            pdu = exception_reply(request[0], applied["exception"].amount)
        else:
            pdu = answer()
        if not pdu:
            return None
        if "wrong_length" in applied:
            pdu = _shorter(pdu, applied["wrong_length"])
        return FramedPdu(
            pdu,
            _OTHER_UNIT if "wrong_unit" in applied else 0,
            _OTHER_TRANSACTION if "wrong_transaction" in applied else 0,
        )

    return replies(applied, reply)


def _word(request: bytes, offset: int, functions: frozenset[int]) -> int | None:
    if request[0] not in functions or len(request) < offset + 2:
        return None
    return int.from_bytes(request[offset : offset + 2], "big")


def _shorter(reply: bytes, fault: ActiveFault) -> bytes:
    """Return a reply without its last registers, with a count that agrees, or without bytes."""
    if reply[0] & EXCEPTION_FLAG:
        return reply
    if reply[0] not in _COUNTED:
        return reply[: max(2, len(reply) - fault.amount)]
    size = max(0, reply[1] - 2 * fault.amount)
    return bytes((reply[0], size)) + reply[2 : 2 + size]
