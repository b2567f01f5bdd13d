"""Adapters between a master and a meter's server in line time: echoes and packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firmware_sim.servers.seam import Server

MOST_TRANSMISSIONS = 1000
"""A meter that answers its own transmissions is stopped after these."""
QUIET_US = 5_000_000
"""A meter that sent nothing for so long sends nothing more: longer than any delay of the tests."""


class EchoingAdapter:
    """A 2-wire adapter at the meter's end: the bytes that the meter sends come back to it.

    Args:
        size: the bytes of a piece that comes back at once; 0 for a whole transmission.
        gap_us: the time before each piece.
    """

    def __init__(self, server: Server, size: int = 0, gap_us: int = 100) -> None:
        self._server, self._size = server, size
        self.gap_us = gap_us
        self.now_us = 1_000_000
        self.echoes = True

    def ask(self, request: bytes) -> list[bytes]:
        """Return the transmissions of the meter until it is quiet."""
        self.now_us += 100
        self._wake_until(self.now_us)
        out, sent = self._server.receive(request, self.now_us), []
        while len(sent) < MOST_TRANSMISSIONS:
            out = out or self._wake_until(self.now_us + QUIET_US)
            if not out:
                break
            sent.append(out)
            out = b"".join(self._return(out)) if self.echoes else b""
        return sent

    def _return(self, data: bytes) -> Iterator[bytes]:
        for piece in cut(data, self._size or len(data)):
            self.now_us += self.gap_us
            yield self._wake_until(self.now_us) + self._server.receive(piece, self.now_us)

    def _wake_until(self, end_us: int) -> bytes:
        """Let time pass until bytes are due, at most until `end_us`."""
        while (due := self._server.next_wake()) is not None and due <= end_us:
            self.now_us = max(self.now_us, due)
            out = self._server.wake(due)
            if out:
                return out
        self.now_us = end_us
        return b""


def cut(data: bytes, size: int) -> list[bytes]:
    """Return data in pieces of a size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def packets(
    data: bytes, baud: int, phase_us: int, size: int = 62, every_us: int = 16_000
) -> Iterable[tuple[int, bytes]]:
    """Return the packets of a USB adapter with their times, us, for bytes sent back to back.

    A packet is handed over when it is full or when the timer of the adapter ends, which it does
    every `every_us`, first after `phase_us`.
    """
    byte_us = 10_000_000 // baud
    found: list[tuple[int, bytes]] = []
    waiting, timer_us = b"", phase_us
    for index, byte in enumerate(data):
        at_us = (index + 1) * byte_us
        while timer_us < at_us:
            if waiting:
                found.append((timer_us, waiting))
            waiting, timer_us = b"", timer_us + every_us
        waiting += bytes((byte,))
        if len(waiting) == size:
            found.append((at_us, waiting))
            waiting = b""
    return [*found, (timer_us, waiting)] if waiting else found
