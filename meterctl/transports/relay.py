"""A relay of TCP connections: hosts connect here, and what passes is shown.

Every connection of a host gets one of its own to the meter. What one side sends is handed to the
other as it is; nothing else is sent.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from meterctl.errors import UsageError
from meterctl.transports import Notice
from protocols.decoded_frames import RelayedData, RelayEvent
from protocols.faults import Way

CONNECT_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 5.0
"""A side that takes no bytes for so long ends its connection."""
MAX_CONNECTIONS = 64
"""As many as a meter or gateway may serve; further hosts wait."""
_READ_SIZE = 65_536


@dataclass(eq=False, slots=True)
class _Connection:
    """A host's connection, and the one to the meter for it."""

    number: int
    host: socket.socket
    meter: socket.socket
    ends: tuple[tuple[str, int], tuple[str, int]]

    def told(self, event: RelayEvent, way: Way | None = None, data: bytes = b"") -> RelayedData:
        return RelayedData(self.number, *self.ends, event, way, data)


class TcpRelay:
    """Listens at an address for hosts, and connects each to a meter.

    Args:
        listen: where hosts connect; port 0 takes a free one.
        meter: where the meter is.

    Raises:
        UsageError: it cannot be listened there.
    """

    def __init__(self, listen: tuple[str, int], meter: tuple[str, int], notice: Notice) -> None:
        self._meter, self._notice = meter, notice
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._count = 0
        try:
            family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
            self._server = socket.create_server(listen, family=family)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"--listen {listen[0]}:{listen[1]}: {reason}") from error
        self._selector.register(self._server, selectors.EVENT_READ)
        host, port = self._server.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        """Where hosts connect."""

    def receive(self, timeout_ms: int) -> list[RelayedData]:
        """Hand over what comes within a time; return what passed."""
        found: list[RelayedData] = []
        for key, _ in self._selector.select(max(timeout_ms, 0) / 1000):
            if key.fileobj is self._server:
                found += self._accepted()
            elif key.data[0] in self._connections:
                found += self._handed_over(*key.data)
        return found

    def close(self) -> None:
        """End all connections."""
        for connection in [*self._connections]:
            self._end(connection)
        self._selector.close()
        self._server.close()

    def _accepted(self) -> Iterator[RelayedData]:
        if len(self._connections) >= MAX_CONNECTIONS:
            return
        try:
            host, _ = self._server.accept()
        except OSError:
            return
        ends = host.getpeername()[:2], host.getsockname()[:2]
        try:
            meter = socket.create_connection(self._meter, CONNECT_TIMEOUT_S)
        except OSError as error:
            host.close()
            name = f"{self._meter[0]}:{self._meter[1]}"
            self._notice(f"{name}: no connection ({error.strerror or error}); a host was sent away")
            return
        self._count += 1
        connection = _Connection(self._count, host, meter, ends)
        self._connections.add(connection)
        for side, way in ((host, Way.REQUEST), (meter, Way.REPLY)):
            side.settimeout(SEND_TIMEOUT_S)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(side, selectors.EVENT_READ, (connection, way))
        yield connection.told(RelayEvent.OPENED)

    def _handed_over(self, connection: _Connection, way: Way) -> Iterator[RelayedData]:
        source, target = connection.host, connection.meter
        if way is Way.REPLY:
            source, target = target, source
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(_READ_SIZE)
        if data:
            yield connection.told(RelayEvent.DATA, way, data)
            with contextlib.suppress(OSError):
                target.sendall(data)
                return
        self._end(connection)
        yield connection.told(RelayEvent.ENDED, way)

    def _end(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        for side in (connection.host, connection.meter):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(side)
            side.close()
