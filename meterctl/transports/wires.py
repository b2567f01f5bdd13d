"""Opens a port: a device path, tcp://host:port, or a pyserial URL (rfc2217://, socket://, ...)."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from meterctl.errors import NoAnswerError, UsageError
from meterctl.transports import Transport

CONNECT_TIMEOUT_S = 3.0


def monotonic_ms() -> int:
    """Return monotonic ms, for time-outs."""
    return time.monotonic_ns() // 1_000_000


def wall_seconds() -> int:
    """Return the host's clock, s since 1970 UTC: only to date messages and journal entries."""
    return int(time.time())


def pause_ms(milliseconds: int) -> None:
    """Wait, for another process or before a sale is sealed again."""
    time.sleep(milliseconds / 1000)


def open_transport(port: str) -> Transport:
    """Open the wire of --port; raises UsageError or NoAnswerError."""
    return TcpTransport(port) if port.startswith("tcp://") else SerialTransport(port)


def is_desk(port: str) -> bool:
    """Return whether a port ends on this machine: a pty, or a host of loopback addresses only.

    The published development key is allowed there. A name that does not resolve is not local.
    """
    try:
        parts = urlsplit(port)
    except ValueError:
        return False
    if parts.scheme in ("tcp", "socket", "rfc2217"):
        return _is_loopback(parts.hostname or "")
    return os.path.realpath(port.partition("?")[0]).startswith("/dev/pts/")


def _is_loopback(host: str) -> bool:
    """Return whether every address that a host name resolves to is a loopback address."""
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(address[0])) for *_, address in found]
    except (OSError, ValueError):  # ValueError: a name that cannot be encoded
        return False
    return bool(addresses) and all(address.is_loopback for address in addresses)


class TcpTransport:
    """A TCP connection."""

    framed = True

    def __init__(self, port: str) -> None:
        self.name = port
        parts = urlsplit(port)
        try:
            address = (parts.hostname or "", parts.port or 502)
        except ValueError as error:
            raise UsageError(f"port {port}: {error}") from error
        if not parts.hostname:
            raise UsageError(f"port {port}: write tcp://HOST:PORT")
        try:
            self._socket = socket.create_connection(address, CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise NoAnswerError(f"{port}: no connection; nothing was sent") from error
        except OSError as error:
            raise UsageError(f"{port}: {error.strerror or error}; nothing was sent") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send all bytes; raises NoAnswerError if the connection broke."""
        try:
            self._socket.settimeout(CONNECT_TIMEOUT_S)
            self._socket.sendall(data)
        except OSError as error:
            raise NoAnswerError(f"{self.name}: {error}") from error

    def receive(self, timeout_ms: int) -> bytes:
        """Return the received bytes; b"" after `timeout_ms` of silence."""
        self._socket.settimeout(max(timeout_ms, 1) / 1000)
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return b""
        except OSError as error:
            raise NoAnswerError(f"{self.name}: {error}") from error
        if not data:
            raise NoAnswerError(f"{self.name}: the other side closed the connection")
        return data

    def discard_input(self) -> None:
        """Discard bytes that were received before."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(65_536):
                pass
        except OSError:
            return

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def _port_faults() -> tuple[type[Exception], ...]:
    """Return the exceptions of a port that vanishes: termios.error is no OSError."""
    try:
        import termios
    except ImportError:
        return (OSError,)
    return (OSError, termios.error)


_PORT_FAULTS = _port_faults()
_OPEN_FAULTS: tuple[type[Exception], ...] = (*_PORT_FAULTS, ValueError)


class SerialTransport:
    """A serial port, real or virtual, by pyserial. Settings: PATH?baud=9600&parity=E."""

    framed = False

    def __init__(self, port: str) -> None:
        import serial

        self.name = port
        path, query = port, {}
        if "://" not in port and "?" in port:
            path, _, text = port.partition("?")
            query = {key: values[-1] for key, values in parse_qs(text).items()}
        try:
            exclusive: dict[str, Any] = {} if "://" in path else {"exclusive": True}
            self._port = serial.serial_for_url(
                path,
                baudrate=int(query.get("baud", 9600)),
                parity=query.get("parity", "N"),
                timeout=0.0,
                **exclusive,
            )
        except _OPEN_FAULTS as error:  # serial.SerialException is an OSError
            raise UsageError(f"port {port}: {error}; nothing was sent") from error

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        try:
            self._port.write(data)
            self._port.flush()
        except _PORT_FAULTS as error:
            raise NoAnswerError(f"{self.name}: {error}") from error

    def receive(self, timeout_ms: int) -> bytes:
        """Return the received bytes; b"" after `timeout_ms` of silence."""
        try:
            self._port.timeout = max(timeout_ms, 1) / 1000
            first: bytes = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            return first + (self._port.read(waiting) if waiting else b"")
        except _PORT_FAULTS as error:
            raise NoAnswerError(f"{self.name}: {error}") from error

    def discard_input(self) -> None:
        """Discard bytes that were received before."""
        try:
            self._port.reset_input_buffer()
        except _PORT_FAULTS as error:
            raise NoAnswerError(f"{self.name}: {error}") from error

    def close(self) -> None:
        """Close the port."""
        self._port.close()
