"""Requests and their replies on one line or connection: which is which, and which belong together.

On a serial line the newest request that a reply fits is its own; a reply to one before it is late.
On TCP the transaction number decides. A broadcast has no reply.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from protocols.errors import FrameError
from protocols.faults import Way
from protocols.modbus.pdu import check_reply, request_length
from protocols.modbus.rtu import BROADCAST

MAX_OPEN = 32
"""Requests that are kept for a late reply: those of TCP that were sent one behind the other."""


class OpenRequest(NamedTuple):
    """A request without a reply so far; `number` counts the frames from 1."""

    number: int
    transaction: int | None
    unit: int
    pdu: bytes
    ended_us: int | None


class Matched(NamedTuple):
    """The request of a reply, and whether a newer one was sent before it came."""

    request: OpenRequest
    is_late: bool


class Conversation:
    """The requests that wait for their replies."""

    def __init__(self) -> None:
        self._open: list[OpenRequest] = []
        self._unanswered: list[int] = []
        self._has_order = False
        """Whether a frame before decides who sends next."""

    @property
    def unanswered(self) -> list[int]:
        """The numbers of the requests that had no reply so far."""
        return [*self._unanswered, *(request.number for request in self._open)]

    def way_of(
        self, transaction: int | None, unit: int, pdu: bytes, possible: Collection[Way]
    ) -> Way | None:
        """Return whether a frame is a request or a reply; None where nothing decides.

        Args:
            possible: what it can be by its form.
        """
        if len(possible) == 1:
            return next(iter(possible))
        newest = self._open[-1:]
        if transaction is not None:
            newest = [one for one in self._open if one.transaction == transaction]
        if any(_fits(one, transaction, unit, pdu) for one in newest):
            return Way.REPLY
        return Way.REQUEST if possible and self._has_order else None

    def request(self, request: OpenRequest) -> None:
        """Add a request."""
        self._has_order = True
        if request.unit == BROADCAST and request.transaction is None:
            return
        self._open.append(request)
        if len(self._open) > MAX_OPEN:
            self._unanswered.append(self._open.pop(0).number)

    def undecided(self, request: OpenRequest) -> None:
        """Add a frame that may be a request: the next one like it is then its reply."""
        self._open.append(request)

    def reply(self, transaction: int | None, unit: int, pdu: bytes) -> Matched | None:
        """Return the request of a reply, which waits no longer; None where there is none."""
        self._has_order = True
        for place in range(len(self._open) - 1, -1, -1):
            if _fits(self._open[place], transaction, unit, pdu):
                is_late = transaction is None and place < len(self._open) - 1
                return Matched(self._open.pop(place), is_late)
        return None


def _fits(request: OpenRequest, transaction: int | None, unit: int, pdu: bytes) -> bool:
    """Return whether a reply can be that of a request."""
    if (request.transaction, request.unit) != (transaction, unit):
        return False
    if request_length(request.pdu) != len(request.pdu):
        return bool(pdu) and pdu[0] & 0x7F == request.pdu[0]
    try:
        check_reply(request.pdu, pdu)
    except FrameError:
        return False
    return True
