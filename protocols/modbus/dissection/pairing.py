"""Requests and their replies on one line or connection: which is which, and which belong together.

On a serial line the newest request that a reply fits is its own; a reply to one before it is late.
On TCP the transaction number decides. A broadcast has no reply.

A frame that can be both, by its form, is a reply if it comes right behind a request that it fits.
The same bytes later are another try of that request, or a slow reply: which is not known.
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
SLOW_REPLY_US = 500_000
"""Later than this, bytes that are like the request before them may be another try of it."""


class OpenRequest(NamedTuple):
    """A request without a reply so far; `number` is that of its frame.

    `is_certain` is False of a frame that may be a reply itself.
    """

    number: int
    transaction: int | None
    unit: int
    pdu: bytes
    ended_us: int | None
    is_certain: bool = True


class Matched(NamedTuple):
    """The request of a reply, and whether a newer one was sent before it came."""

    request: OpenRequest
    is_late: bool


class Conversation:
    """The requests that wait for their replies."""

    def __init__(self) -> None:
        self._open: list[OpenRequest] = []
        self._forgotten = 0
        """Requests without a reply that are kept no longer."""
        self._has_order = False
        """Whether a frame before decides who sends next."""
        self._last = 0
        """The number of the frame before."""

    @property
    def waiting(self) -> list[int]:
        """The numbers of the requests that may still get their reply, the oldest first."""
        return [request.number for request in self._open if request.is_certain]

    @property
    def unanswered(self) -> int:
        """How many requests had no reply so far."""
        return self._forgotten + len(self.waiting)

    def way_of(
        self,
        transaction: int | None,
        unit: int,
        pdu: bytes,
        possible: Collection[Way],
        at_us: int | None,
    ) -> Way | None:
        """Return whether a frame is a request or a reply; None where nothing decides.

        Args:
            possible: what it can be by its form.
            at_us: when it came, us; None where that is not known.
        """
        if len(possible) == 1:
            return next(iter(possible))
        right_before = [one for one in self._open[-1:] if one.number == self._last]
        asked = right_before if transaction is None else self._open
        for one in asked:
            if _fits(one, transaction, unit, pdu):
                return None if transaction is None and _is_slow(one, at_us) else Way.REPLY
        return Way.REQUEST if possible and self._has_order else None

    def request(self, request: OpenRequest) -> None:
        """Add a request."""
        self._has_order = True
        self._last = request.number
        if request.unit == BROADCAST and request.transaction is None:
            return
        self._open.append(request)
        self._forget_oldest()

    def undecided(self, request: OpenRequest) -> None:
        """Add a frame that may be a request: the next one like it is then its reply."""
        self._last = request.number
        self._open.append(request._replace(is_certain=False))
        self._forget_oldest()

    def reply(self, number: int, transaction: int | None, unit: int, pdu: bytes) -> Matched | None:
        """Return the request of a reply, which waits no longer; None where there is none.

        Args:
            number: that of the reply's frame.
        """
        self._has_order = True
        self._last = number
        for place in range(len(self._open) - 1, -1, -1):
            if _fits(self._open[place], transaction, unit, pdu):
                is_late = transaction is None and place < len(self._open) - 1
                return Matched(self._open.pop(place), is_late)
        return None

    def _forget_oldest(self) -> None:
        if len(self._open) > MAX_OPEN:
            self._forgotten += self._open.pop(0).is_certain


def _is_slow(request: OpenRequest, at_us: int | None) -> bool:
    """Return whether a frame comes too late to be the reply for certain."""
    if at_us is None or request.ended_us is None:
        return False
    return at_us - request.ended_us > SLOW_REPLY_US


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
