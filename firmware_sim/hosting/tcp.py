"""TCP connections of a host."""

from __future__ import annotations

import asyncio
from typing import cast

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.wires import Wire, WireHost
from firmware_sim.servers.line import Line

MAX_CONNECTIONS = 1024
"""Beyond it a connection is closed at once: each holds a buffer and a session."""
MAX_UNSENT = 1 << 20
"""Bytes of replies that a client does not read; then its connection ends."""
BACKLOG = 512


class TcpConnection(Wire, asyncio.Protocol):
    """One connection. `connections` holds all of its host."""

    def __init__(self, host: WireHost, line: Line, connections: set[TcpConnection]) -> None:
        super().__init__(host, line)
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self._transport.set_write_buffer_limits(high=MAX_UNSENT)
        self._connections.add(self)
        if len(self._connections) > MAX_CONNECTIONS:
            self._transport.abort()

    data_received = Wire.take

    def send(self, out: bytes) -> None:
        assert self._transport is not None
        self._transport.write(out)

    def hang_up(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def pause_writing(self) -> None:
        self.end()  # the client does not read its replies

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_timer()
        self._connections.discard(self)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def parse_address(address: str) -> tuple[str, int]:
    """Return (host, port) of HOST:PORT; raises HostingError."""
    name, _, port = address.rpartition(":")
    if not name or not port.isdigit() or int(port) > 65_535:
        raise HostingError(f"address {address!r}: write HOST:PORT, such as 127.0.0.1:5020")
    return name, int(port)
