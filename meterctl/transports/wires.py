"""Opens a port: a device path, tcp://host:port, or a pyserial URL (rfc2217://, socket://, ...)."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meterctl.errors import UsageError
from meterctl.transports import PATIENCE_S, Notice, Transport

if TYPE_CHECKING:
    from meterctl.transports.relay import TcpRelay


def monotonic_ms() -> int:
    """Return monotonic ms, for time-outs."""
    return time.monotonic_ns() // 1_000_000


def wall_seconds() -> int:
    """Return the host's clock, s since 1970 UTC: only to date messages and journal entries."""
    return int(time.time())


def wall_milliseconds() -> int:
    """Return the host's clock, ms since 1970 UTC: to compare it with a meter's and to set that."""
    return int(time.time() * 1000)


def pause_ms(milliseconds: int) -> None:
    """Wait, for another process or before a sale is sealed again."""
    time.sleep(milliseconds / 1000)


def _say_nothing(_: str) -> None:
    """Take a notice for which there is no person."""


def open_transport(
    port: str, notice: Notice = _say_nothing, patience_s: float = PATIENCE_S
) -> Transport:
    """Open the wire of --port; raises UsageError or NoAnswerError.

    `patience_s` is how long a wire that went away is waited for in all.
    """
    if port.startswith("tcp://"):
        from meterctl.transports.tcp import TcpTransport

        return TcpTransport(port, patience_s)
    from meterctl.transports.serial_port import SerialTransport

    return SerialTransport(port, notice, patience_s)


def open_listening(port: str, notice: Notice = _say_nothing) -> Transport:
    """Open a serial line to listen to it: nothing is ever sent.

    Raises:
        UsageError: it cannot be opened, or is no serial line.
    """
    from meterctl.transports.listening import ListeningTransport

    if port.startswith("tcp://"):
        raise UsageError(
            f"port {port}: a TCP connection of others cannot be listened to. Give --listen "
            f"HOST:PORT and let the host connect there; or capture it where it passes (tcpdump -w "
            f"FILE.pcap port 502), then meterctl frames decode FILE.pcap. Nothing was sent"
        )
    return ListeningTransport(port, notice)


def open_relay(listen: str, port: str, notice: Notice = _say_nothing) -> TcpRelay:
    """Listen for hosts at HOST:PORT, and connect each to the meter of --port.

    Raises:
        UsageError: it cannot be listened there, or the port is no tcp://HOST:PORT.
    """
    from meterctl.transports.relay import TcpRelay
    from meterctl.transports.tcp import address_of

    if not port.startswith("tcp://"):
        raise UsageError(f"port {port}: only a tcp://HOST:PORT is relayed by --listen")
    host, _, number = listen.rpartition(":")
    if not (host and number.isascii() and number.isdigit() and int(number) < 0x10000):
        raise UsageError(f"--listen {listen}: write HOST:PORT, such as 127.0.0.1:5020")
    return TcpRelay((host.strip("[]"), int(number)), address_of(port), notice)


def wall_microseconds() -> int:
    """Return the host's clock, us since 1970 UTC: to stamp what passes on a line."""
    return time.time_ns() // 1000


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
