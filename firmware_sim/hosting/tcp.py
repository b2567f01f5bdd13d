"""TCP connections of a host."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from time import monotonic_ns
from typing import cast

from firmware_sim.hosting.listener import Listener, is_exhausted
from firmware_sim.hosting.notices import ConnectionEvent, ConnectionNotices
from firmware_sim.hosting.turns import PIECE, Turns
from firmware_sim.hosting.wires import Wire, WireHost
from firmware_sim.servers.line import Line

MAX_CONNECTIONS = 1024
"""Each holds a buffer and a session. One more takes the place of the one unused for longest."""
UNUSED_NS = 1_000_000_000
"""A connection is unused from 1 s after the last bytes that it received."""
MAX_UNSENT = 1 << 20
"""Bytes of replies that a client does not read; then its connection ends."""
SHORT = 96
"""Received bytes that are executed at once: eight read requests. More wait for their turn."""
RECEIVE_BUFFER = 1 << 16
"""Receive buffer of a socket, bytes: limits the requests of one client that wait."""
KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""A master that lost its power is found after 90 s."""


class TcpConnection(Wire, asyncio.Protocol):
    """One connection."""

    def __init__(self, host: WireHost, line: Line, connections: TcpConnections) -> None:
        super().__init__(host, line)
        self._connections = connections
        self._turns = connections.turns
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._unread, self._at = b"", 0
        self.heard_ns = monotonic_ns()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self._transport.set_write_buffer_limits(high=MAX_UNSENT)
        if self._ended:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.heard_ns = monotonic_ns()
        if len(data) > SHORT:
            self._turns.take(self, data)
        else:
            self.take(data)

    def wait(self, data: bytes) -> None:
        """Keep bytes and read no more until they were executed."""
        assert self._transport is not None
        self._unread, self._at = data, 0
        self._transport.pause_reading()

    def take_piece(self) -> bool:
        """Execute the next piece of the kept bytes; return whether bytes are left."""
        assert self._transport is not None
        if not self._transport.is_closing():
            piece = self._unread[self._at : self._at + PIECE]
            self._at += PIECE
            self.take(piece)
            if self._at < len(self._unread) and not self._transport.is_closing():
                return True
        self._unread = b""
        self._transport.resume_reading()
        return False

    @property
    def in_work(self) -> bool:
        """Whether requests or replies of it wait in this process."""
        return bool(self._unread) or self._timer is not None

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
        self._connections.forget(self)

    def end(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.abort()


class TcpConnections:
    """All TCP connections of a host."""

    def __init__(self, host: WireHost, notices: ConnectionNotices) -> None:
        self.turns = Turns(host.loop)
        self._host, self._notices = host, notices
        self._open: set[TcpConnection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []

    def listen(self, sockets: list[socket.socket], make_line: Callable[[], Line]) -> None:
        """Take the connections of listening sockets; each has a line of its own."""

        def take(accepted: socket.socket) -> None:
            self._take(accepted, make_line)

        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._listeners.append(Listener(self._host.loop, sockets, take, self.make_room))

    def make_room(self) -> bool:
        """End the connection unused for longest; return whether there was one.

        A notice on stderr names it, or that no descriptor is left.
        """
        if self._end_unused():
            return True
        self._notices.add(ConnectionEvent.NO_DESCRIPTOR)
        return False

    def forget(self, connection: TcpConnection) -> None:
        """Count a connection no more."""
        self._open.discard(connection)

    def end(self) -> None:
        """Close all sockets."""
        for listener in self._listeners:
            listener.end()
        for connection in list(self._open):
            connection.end()

    def _take(self, accepted: socket.socket, make_line: Callable[[], Line]) -> None:
        if len(self._open) >= MAX_CONNECTIONS and not self._end_unused():
            self._notices.add(ConnectionEvent.REFUSED)
            accepted.close()
            return
        try:
            _keep_alive(accepted)
            connection = TcpConnection(self._host, make_line(), self)
        except OSError as error:  # a client that has gone, or a module that cannot be opened
            if is_exhausted(error):
                self._notices.add(ConnectionEvent.NO_DESCRIPTOR)
            accepted.close()
            return
        self._open.add(connection)
        opening = self._host.loop.create_task(self._connect(connection, accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _connect(self, connection: TcpConnection, accepted: socket.socket) -> None:
        try:
            await self._host.loop.connect_accepted_socket(lambda: connection, accepted)
        except BaseException as error:
            self.forget(connection)
            accepted.close()
            if not isinstance(error, OSError):
                raise

    def _end_unused(self) -> bool:
        since = monotonic_ns() - UNUSED_NS
        unused = [one for one in self._open if one.heard_ns <= since and not one.in_work]
        if not unused:
            return False
        oldest = min(unused, key=lambda one: one.heard_ns)
        self.forget(oldest)
        oldest.end()
        self._notices.add(ConnectionEvent.CLOSED)
        return True


def _keep_alive(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE:
        with contextlib.suppress(AttributeError):  # not on every system
            accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
