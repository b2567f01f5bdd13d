"""A TCP connection to a meter or gateway; one that the other side closed is opened again."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

from meterctl.errors import NoAnswerError, UsageError
from meterctl.transports import PATIENCE_S

CONNECT_TIMEOUT_S = 3.0
RETRY_S = 0.05
"""Pause between two attempts to reach a meter whose connection ended."""
DEFAULT_PORT = 502
DISCARDED_READS = 64
"""A side that had sent more than these reads hold, unasked, is left for a new connection."""


class TcpTransport:
    """A connection to tcp://HOST:PORT.

    Raises:
        UsageError: no address, or no connection can be made.
        NoAnswerError: no connection within 3 s.
    """

    framed = True
    character_us = silence_ms = pause_ms = 0

    def __init__(self, port: str, patience_s: float = PATIENCE_S) -> None:
        self.name = port
        self._address = address_of(port)
        self._patience_s = self._whole_patience_s = patience_s
        self._socket: socket.socket | None = None
        self._has_answered = False
        """Whether anything came back on this connection."""
        try:
            self._connect(CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise NoAnswerError(f"{port}: no connection; nothing was sent") from error
        except OSError as error:
            raise UsageError(f"{port}: {error.strerror or error}; nothing was sent") from error
        except UnicodeError as error:
            raise UsageError(f"port {port}: not a host name; nothing was sent") from error

    def _connect(self, timeout_s: float) -> None:
        self._socket = socket.create_connection(self._address, timeout_s)
        self._has_answered = False
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def prepare(self, timeout_ms: int) -> None:
        """Connect again where the other side closed; discard what was received before."""
        if self._socket is not None and self._is_open(self._socket):
            return
        self.close()
        began = time.monotonic()
        deadline = began + min(timeout_ms / 1000, CONNECT_TIMEOUT_S, self._patience_s)
        while True:
            try:
                self._connect(max(deadline - time.monotonic(), 0.001))
            except OSError as error:
                if time.monotonic() + RETRY_S >= deadline:
                    self._patience_s -= time.monotonic() - began
                    reason = error.strerror or error
                    raise NoAnswerError(
                        f"the connection ended and cannot be made again: {reason}"
                    ) from error
                time.sleep(RETRY_S)
            else:
                self._patience_s = self._whole_patience_s
                return

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all bytes."""
        connection = self._connected()
        try:
            connection.settimeout(max(timeout_ms, 1) / 1000)
            connection.sendall(data)
        except TimeoutError as error:
            self.close()
            raise NoAnswerError(
                f"the other side takes no bytes: none within {timeout_ms} ms"
            ) from error
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error

    def receive(self, timeout_ms: int) -> bytes:
        """Return the received bytes; b"" after `timeout_ms` of silence."""
        connection = self._connected()
        connection.settimeout(max(timeout_ms, 1) / 1000)
        try:
            data = connection.recv(65_536)
        except TimeoutError:
            return b""
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error
        if not data:
            raise self._broken("the other side closed the connection")
        self._has_answered = True
        return data

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise NoAnswerError("there is no connection")
        return self._socket

    def _broken(self, reason: str) -> NoAnswerError:
        """Close a connection that broke; return the error that names the reason."""
        self.close()
        if not self._has_answered:
            reason += " before any answer; it may have as many connections as it can serve"
        return NoAnswerError(reason)

    def _is_open(self, connection: socket.socket) -> bool:
        """Discard what was received before; return whether the connection is open still."""
        connection.setblocking(False)
        try:
            for _ in range(DISCARDED_READS):
                if not connection.recv(65_536):
                    break
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def address_of(port: str) -> tuple[str, int]:
    """Return host and port of tcp://HOST:PORT; raises UsageError."""
    try:
        parts = urlsplit(port)
        host, number = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"port {port}: {error}; write tcp://HOST:PORT") from error
    is_plain = parts.path in ("", "/") and not (parts.query or parts.username is not None)
    if (
        not host
        or not is_plain
        or number == 0
        or parts.netloc.endswith(":")
        or port.split() != [port]
    ):
        raise UsageError(f"port {port}: write tcp://HOST:PORT")
    return host, number or DEFAULT_PORT
