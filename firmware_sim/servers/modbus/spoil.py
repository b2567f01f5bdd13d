"""Faults of replies: what becomes of a request and its reply before the reply is framed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from firmware_sim.faults import ActiveFault, Faults
from protocols.modbus.pdu import EXCEPTION_FLAG, exception_reply

_BUSY = 6
_ADDRESSED = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 23})
_QUANTIFIED = frozenset({1, 2, 3, 4, 15, 16, 23})
_COUNTED = frozenset({1, 2, 3, 4, 23})
_OTHER_UNIT, _OTHER_TRANSACTION = 1, 1


class FaultyReply(NamedTuple):
    """A reply as it leaves: how much later, with what pause between bytes (us), and what its frame
    says wrongly.
    """

    pdu: bytes
    delay_us: int = 0
    gap_us: int = 0
    unit_shift: int = 0
    transaction_shift: int = 0


def spoil(
    faults: Faults, unit: int, request: bytes, at: int, answer: Callable[[], bytes | None]
) -> tuple[FaultyReply, ...]:
    """Execute a request by `answer`, unless a fault prevents it, and return what is sent; often
    nothing or one.
    """
    address = (
        int.from_bytes(request[1:3], "big")
        if request[0] in _ADDRESSED and len(request) >= 3
        else None
    )
    quantity = (
        int.from_bytes(request[3:5], "big")
        if request[0] in _QUANTIFIED and len(request) >= 5
        else None
    )
    struck = faults.on_reply(unit, address, quantity, at)
    if "request_lost" in struck:
        return ()
    if "busy" in struck:
        reply: bytes | None = exception_reply(request[0], _BUSY)
    elif "exception" in struck:
        reply = exception_reply(request[0], struck["exception"].amount)
    else:
        reply = answer()
    if not reply or "reply_lost" in struck:
        return ()
    if "wrong_length" in struck:
        reply = _shorter(reply, struck["wrong_length"])
    spoilt = FaultyReply(
        reply,
        struck["reply_late"].amount * 1000 if "reply_late" in struck else 0,
        struck["byte_by_byte"].amount * 1000 if "byte_by_byte" in struck else 0,
        _OTHER_UNIT if "wrong_unit" in struck else 0,
        _OTHER_TRANSACTION if "wrong_transaction" in struck else 0,
    )
    return (spoilt, spoilt) if "reply_twice" in struck else (spoilt,)


def _shorter(reply: bytes, fault: ActiveFault) -> bytes:
    """Take registers off a reply that counts its bytes, so that its count agrees; off others,
    bytes.
    """
    if reply[0] & EXCEPTION_FLAG:
        return reply
    if reply[0] not in _COUNTED:
        return reply[: max(2, len(reply) - fault.amount)]
    size = max(0, reply[1] - 2 * fault.amount)
    return bytes((reply[0], size)) + reply[2 : 2 + size]
