"""A wire of a command that goes on without it: it is waited for in short pieces, without an end."""

from __future__ import annotations

from math import inf

from meterctl.transports import Notice, Transport
from meterctl.transports.wires import open_transport

LONGEST_MS = 1_000
"""Longest wait of one try for a wire that went away."""


class ShortWaits:
    """A transport whose `prepare` takes no longer than a try on a silent meter."""

    def __init__(self, wire: Transport, try_ms: int) -> None:
        self._wire, self._longest_ms = wire, min(try_ms, LONGEST_MS)
        self.name, self.framed = wire.name, wire.framed
        self.character_us = wire.character_us
        self.silence_ms, self.pause_ms = wire.silence_ms, wire.pause_ms

    def prepare(self, timeout_ms: int) -> None:
        """Open a wire again that went away; raises NoAnswerError soon without it."""
        self._wire.prepare(min(timeout_ms, self._longest_ms))

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all bytes."""
        self._wire.send(data, timeout_ms)

    def receive(self, timeout_ms: int) -> bytes:
        """Wait for at least one byte; b"" is silence."""
        return self._wire.receive(timeout_ms)

    def close(self) -> None:
        """Close the wire."""
        self._wire.close()


def open_patiently(port: str, notice: Notice, try_ms: int) -> Transport:
    """Open the wire of a port; it may go away as often and as long as it will.

    Args:
        port: that of --port.
        notice: is told when it goes away, and when it is back.
        try_ms: the time-out of one try.

    Raises:
        UsageError, NoAnswerError: it cannot be opened now.
    """
    return ShortWaits(open_transport(port, notice, inf), try_ms)
