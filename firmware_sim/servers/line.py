"""A line between a wire and its server: it delays replies and applies the faults of the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from firmware_sim.faults.in_force import Faults
from firmware_sim.servers.seam import Server
from firmware_sim.servers.transit import Transit
from protocols.faults import Way


class Line:
    """Between a wire and its server. Without a delay and without faults it adds nothing.

    `response_delay_us` is the pause of a meter before it answers; `can_echo` is whether an end may
    hear itself by a fault: on a serial line, not on a connection.
    """

    def __init__(
        self,
        server: Server,
        response_delay_us: int = 0,
        faults: Faults | None = None,
        *,
        can_echo: bool = True,
    ) -> None:
        self.server = server
        self._delay = response_delay_us
        self._faults = faults or Faults()
        self._transit = Transit(self._faults, can_echo=can_echo)
        self._coming, self._going = self._transit.coming, self._transit.going

    @property
    def returns_at_us(self) -> int | None:
        """The line time at which a port that hung up is back."""
        return self._transit.returns_at_us

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
        self._transit.put(data, Way.REQUEST, self.unit_of(data), at_us)
        return self.wake(at_us)

    def wake(self, at_us: int) -> bytes:
        """Return the bytes that have become due."""
        if self.idle:
            return self.server.wake(at_us)
        for due, data in _together(self._coming.take(at_us)):
            self._send(self.server.receive(data, due), at_us)
        self._send(self.server.wake(at_us), at_us)
        return b"".join([data for _, data in self._going.take(at_us)])

    def next_wake(self) -> int | None:
        """Return when anything is due next."""
        inner = self.server.next_wake()
        if not (self._coming or self._going):
            return inner
        dues = (inner, self._transit.next())
        return min([due for due in dues if due is not None])

    def _send(self, made: bytes, at_us: int) -> None:
        if made and self.returns_at_us is None:
            self._transit.put(made, Way.REPLY, self.unit_of(made), at_us, self._delay)


def _together(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Return pieces, those of one time as one: they are read together."""
    for due, same in groupby(pieces, lambda piece: piece[0]):
        yield due, b"".join([data for _, data in same])
