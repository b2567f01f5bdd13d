"""Faults of replies that any protocol can have: lost requests, lost, late and repeated replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from firmware_sim.faults.in_force import ActiveFault
from firmware_sim.servers.outbox import Outbox

Reply = TypeVar("Reply")
_US_PER_MS = 1000


class TimedReply(NamedTuple, Generic[Reply]):
    """A reply as it leaves: its delay and the pause between two bytes, us."""

    reply: Reply
    delay_us: int = 0
    gap_us: int = 0


def replies(
    applied: Mapping[str, ActiveFault], answer: Callable[[], Reply | None]
) -> tuple[TimedReply[Reply], ...]:
    """Return the replies that are sent for a request: none, one or two.

    Args:
        applied: the faults that apply to this request, by name.
        answer: executes the request; None where there is no reply.
    """
    reply = None if "request_lost" in applied else answer()
    if reply is None or "reply_lost" in applied:
        return ()
    timed = TimedReply(
        reply,
        applied["reply_late"].amount * _US_PER_MS if "reply_late" in applied else 0,
        applied["byte_by_byte"].amount * _US_PER_MS if "byte_by_byte" in applied else 0,
    )
    return (timed, timed) if "reply_twice" in applied else (timed,)


class Sender:
    """Frames on their way out: at once where nothing holds them, else in order when due."""

    def __init__(self) -> None:
        self._outbox = Outbox()

    def send(self, frame: bytes, at_us: int, delay_us: int = 0, gap_us: int = 0) -> bytes:
        """Return a frame that is due now; hold one that is not, byte by byte with a pause."""
        if not (delay_us or gap_us or self._outbox):
            return frame
        pieces = [frame[i : i + 1] for i in range(len(frame))] if gap_us else [frame]
        for index, piece in enumerate(pieces):
            self._outbox.put(at_us + delay_us + index * gap_us, piece)
        return b""

    @property
    def holds(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._outbox)

    def due(self, at_us: int) -> bytes:
        """Return the bytes that are due by now."""
        return b"".join([data for _, data in self._outbox.take(at_us)])

    def next(self) -> int | None:
        """Return when anything is due next."""
        return self._outbox.next()
