"""A line between a wire and its server: it delays replies and applies the faults of the line.

A transmission is the bytes of one call. Faults that change bytes apply before faults that change
times.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.faults.in_force import ActiveFault, Faults
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

    `response_delay_us` is the pause of a meter before it answers; `returns_at_us` is the line time
    at which a port that hung up is back.
    """

    def __init__(
        self, server: Server, response_delay_us: int = 0, faults: Faults | None = None
    ) -> None:
        self.server = server
        self._delay = response_delay_us
        self._faults = faults or Faults()
        self._coming, self._going = Outbox(), Outbox()
        self.returns_at_us: int | None = None

    @property
    def idle(self) -> bool:
        """Whether the line adds nothing now: bytes may go to its server and back directly."""
        return not (self._delay or self._faults.line or self._coming or self._going)

    @property
    def closed(self) -> bool:
        """Whether it hung up, or its server has given up and all its replies were sent."""
        return self.returns_at_us is not None or (self.server.closed and not self._going)

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first."""
        return self.server.unit_of(data)

    def receive(self, data: bytes, at_us: int) -> bytes:
        """Take bytes; return the bytes that are due now."""
        if self.idle:
            return self.server.receive(data, at_us)
        if self.returns_at_us is not None:
            return b""
        for delay, piece in self._suffer(data, Way.REQUEST, at_us):
            self._coming.put(at_us + delay, piece)
        return self.wake(at_us)

    def wake(self, at_us: int) -> bytes:
        """Return the bytes that have become due."""
        if self.idle:
            return self.server.wake(at_us)
        for due, piece in self._coming.take(at_us):
            self._send(self.server.receive(piece, due), at_us)
        self._send(self.server.wake(at_us), at_us)
        return b"".join([data for _, data in self._going.take(at_us)])

    def next_wake(self) -> int | None:
        """Return when anything is due next."""
        inner = self.server.next_wake()
        if not (self._coming or self._going):
            return inner
        dues = (inner, self._coming.next(), self._going.next())
        return min([due for due in dues if due is not None])

    def _send(self, made: bytes, at_us: int) -> None:
        if not made or self.returns_at_us is not None:
            return
        for delay, piece in self._suffer(made, Way.REPLY, at_us):
            self._going.put(at_us + self._delay + delay, piece)

    def _suffer(self, data: bytes, way: Way, at_us: int) -> Timed:
        """Apply the faults of the line to a transmission; return its pieces."""
        struck = {
            fault.rule.name: fault
            for fault in self._faults.on_line(way, self.server.unit_of(data), at_us)
        }
        if "hang_up" in struck:
            self.returns_at_us = at_us + struck["hang_up"].amount * 1000
            self._coming.clear()
            self._going.clear()
            return []
        if "echo" in struck and way is Way.REQUEST:
            self._going.put(at_us, data)
        return suffer(data, struck)


def suffer(data: bytes, struck: Mapping[str, ActiveFault]) -> Timed:
    """Apply faults to a transmission; return its pieces with their delays."""
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
    index = fault.below(len(data))
    match fault.rule.name:
        case "drop":
            return data[:index] + data[index + 1 :]
        case "duplicate":
            return data[: index + 1] + data[index:]
        case "insert":
            return data[:index] + bytes((fault.below(256),)) + data[index:]
        case "flip":
            return data[:index] + bytes((data[index] ^ 1 << fault.below(8),)) + data[index + 1 :]
        case "truncate":
            return data[:index]
        case _:  # noise
            return bytes(fault.below(256) for _ in range(fault.amount)) + data
