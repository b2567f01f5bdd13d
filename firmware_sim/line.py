"""A line is a server around a server: it delays what comes out, and makes the bytes on the wire
suffer.

A transmission is what one call hands over. Faults that change bytes work before those that change
their times.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.faults import ActiveFault, Faults
from firmware_sim.servers.outbox import Outbox
from firmware_sim.servers.seam import Server
from protocols.faults import Way

BITS_A_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""
_BY_CHANGE = ("drop", "duplicate", "insert", "flip", "truncate", "noise")

Timed = list[tuple[int, bytes]]
"""Pieces of a transmission with their delay, us."""


class Line:
    """Between a wire and its server. Without a delay and without faults it adds nothing.

    `response_delay_us` is the pause of a meter before it answers; `returns_at` says when a port
    that hung up is back.
    """

    def __init__(
        self, inner: Server, response_delay_us: int = 0, faults: Faults | None = None
    ) -> None:
        self._inner = inner
        self._delay = response_delay_us
        self._faults = faults or Faults()
        self._coming, self._going = Outbox(), Outbox()
        self.returns_at: int | None = None

    @property
    def closed(self) -> bool:
        """Whether it hung up, or the server has given up and everything it said has been given
        out.
        """
        return self.returns_at is not None or (self._inner.closed and not self._going)

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first."""
        return self._inner.unit_of(data)

    def receive(self, data: bytes, at: int) -> bytes:
        """Hand bytes in; return what is due now."""
        if not (self._delay or self._faults.line or self._coming or self._going):
            return self._inner.receive(data, at)
        if self.returns_at is not None:
            return b""
        for delay, piece in self._suffer(data, Way.REQUEST, at):
            self._coming.put(at + delay, piece)
        return self.wake(at)

    def wake(self, at: int) -> bytes:
        """Return what has become due."""
        if not (self._delay or self._faults.line or self._coming or self._going):
            return self._inner.wake(at)
        for due, piece in self._coming.take(at):
            self._send(self._inner.receive(piece, due), at)
        self._send(self._inner.wake(at), at)
        return b"".join([data for _, data in self._going.take(at)])

    def next_wake(self) -> int | None:
        """Return when anything is due next."""
        inner = self._inner.next_wake()
        if not (self._coming or self._going):
            return inner
        dues = (inner, self._coming.next(), self._going.next())
        return min([due for due in dues if due is not None])

    def _send(self, made: bytes, at: int) -> None:
        if not made or self.returns_at is not None:
            return
        for delay, piece in self._suffer(made, Way.REPLY, at):
            self._going.put(at + self._delay + delay, piece)

    def _suffer(self, data: bytes, way: Way, at: int) -> Timed:
        """Return what is left of a transmission, in pieces."""
        struck = {
            fault.rule.name: fault
            for fault in self._faults.on_line(way, self._inner.unit_of(data), at)
        }
        if "hang_up" in struck:
            self.returns_at = at + struck["hang_up"].amount * 1000
            self._coming.clear()
            self._going.clear()
            return []
        if "echo" in struck and way is Way.REQUEST:
            self._going.put(at, data)
        return suffer(data, struck)


def suffer(data: bytes, struck: Mapping[str, ActiveFault]) -> Timed:
    """Return what faults leave of a transmission, in pieces with their delay."""
    for name in _BY_CHANGE:
        if name in struck and data:
            data = _change(struck[name], data)
    pieces: Timed = [(0, data)]
    if "delay" in struck and len(data) > 1:
        cut = 1 + struck["delay"].below(len(data) - 1)
        pieces = [(0, data[:cut]), (struck["delay"].amount * 1000, data[cut:])]
    if "pacing" in struck:
        byte_us = BITS_A_BYTE * 1_000_000 // struck["pacing"].amount
        pieces = [
            (start + (index + 1) * byte_us, piece[index : index + 1])
            for start, piece in pieces
            for index in range(len(piece))
        ]
    return pieces


def _change(fault: ActiveFault, data: bytes) -> bytes:
    at = fault.below(len(data))
    match fault.rule.name:
        case "drop":
            return data[:at] + data[at + 1 :]
        case "duplicate":
            return data[: at + 1] + data[at:]
        case "insert":
            return data[:at] + bytes((fault.below(256),)) + data[at:]
        case "flip":
            return data[:at] + bytes((data[at] ^ 1 << fault.below(8),)) + data[at + 1 :]
        case "truncate":
            return data[:at]
        case _:  # noise
            return bytes(fault.below(256) for _ in range(fault.amount)) + data
