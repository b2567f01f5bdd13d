"""A serial port, real or virtual, opened by pyserial; one that goes away is waited for.

Settings: PATH?baud=9600&parity=E (protocols/port_settings.py). A pyserial URL keeps the options of
its own handler beside them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from meterctl.errors import NoAnswerError, UsageError
from meterctl.transports import PATIENCE_S, LineTiming, Notice
from protocols.errors import QuantityError
from protocols.port_settings import KEYS, PortSettings, bits_a_character, parse_settings
from protocols.port_settings import parse_port as parse_path

Result = TypeVar("Result")

BAUD = 9600
RETURN_CHECK_S = 0.05
"""Pause between two attempts to open a port that went away."""
READ_SIZE = 4096
WRITE_TIMEOUT_S = 3.0
"""Of ports that are no file: pyserial sets the port again with another one."""
POLL_S = 0.05
"""Time-out of one read of such a port, likewise."""


def _port_faults() -> tuple[type[Exception], ...]:
    """Return the exceptions of a port that vanishes: termios.error is no OSError."""
    try:
        import termios
    except ImportError:
        return (OSError,)
    return (OSError, termios.error)


_LOCKED = (errno.EAGAIN, errno.EBUSY)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_PORT_FAULTS = _port_faults()
_OPEN_FAULTS: tuple[type[Exception], ...] = (*_PORT_FAULTS, ValueError, TypeError)


class _Bytes(Protocol):
    """The bytes of an open port; every call raises OSError where the port is gone."""

    def write(self, data: bytes, timeout_s: float) -> int: ...
    def read(self, timeout_s: float) -> bytes: ...
    def close(self) -> None: ...


class _FileBytes:
    """A port that is a file.

    Its settings are never touched once it is open: pyserial applies all of them with every new
    time-out, and a pseudo-terminal refuses a parity that it has dropped (facts/modbus.md 7).
    """

    def __init__(self, port: Any) -> None:
        self._port, self._file = port, port.fileno()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._file, select.POLLIN)
        self._writable.register(self._file, select.POLLOUT)

    def write(self, data: bytes, timeout_s: float) -> int:
        if not self._writable.poll(1000 * timeout_s):
            return 0
        with contextlib.suppress(BlockingIOError):
            return os.write(self._file, data)
        return 0

    def read(self, timeout_s: float) -> bytes:
        if not self._readable.poll(1000 * timeout_s):
            return b""
        try:
            data = os.read(self._file, READ_SIZE)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError("it hung up")
        return data

    def close(self) -> None:
        # a port that takes no bytes would hold its closing for those that were not sent
        with contextlib.suppress(*_PORT_FAULTS):
            self._port.reset_output_buffer()
        with contextlib.suppress(*_PORT_FAULTS):
            self._port.close()


class _UrlBytes:
    """A port of a pyserial URL that is no file of this machine."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def write(self, data: bytes, timeout_s: float) -> int:
        return int(self._port.write(data) or len(data))

    def read(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while True:
            first: bytes = self._port.read(1)
            if first:
                waiting = self._port.in_waiting
                return first + (self._port.read(waiting) if waiting else b"")
            if time.monotonic() >= deadline:
                return b""

    def close(self) -> None:
        with contextlib.suppress(*_PORT_FAULTS):
            self._port.close()


class SerialTransport:
    """A serial port. `notice` is told when it goes away and when it is back.

    Raises:
        UsageError: settings that are not allowed, or a port that cannot be opened.
    """

    framed = False

    def __init__(self, port: str, notice: Notice, patience_s: float = PATIENCE_S) -> None:
        self.name, self._notice = port, notice
        self._patience_s = self._whole_patience_s = patience_s
        self._path, self._settings = _path_and_settings(port)
        timing = _timing(self._settings)
        self.character_us, self.silence_ms = timing.character_us, timing.silence_ms
        self.pause_ms = timing.pause_ms
        try:
            self._bytes: _Bytes | None = self._open()
        except _OPEN_FAULTS as error:  # serial.SerialException is an OSError
            reason = _opening_problem(error, self._path)
            raise UsageError(f"port {port}: {reason}; nothing was sent") from error

    def _open(self) -> _Bytes:
        import serial

        settings = self._settings
        if _is_pseudo_terminal(self._path):
            settings = PortSettings(settings.baud)  # it carries neither parity nor bits
        given: dict[str, Any] = {
            "baudrate": self._settings.baud or BAUD,
            "parity": settings.parity or "N",
            "stopbits": settings.stop or 1,
            "bytesize": settings.bits or 8,
        }
        if "://" in self._path:
            url = {"timeout": POLL_S, "write_timeout": WRITE_TIMEOUT_S}
            port = serial.serial_for_url(self._path, **given, **url)
        else:
            port = self._device(self._path, **given, timeout=0, exclusive=True)
        return _FileBytes(port) if _is_file(port) else _UrlBytes(port)

    def _device(self, path: str, **given: Any) -> Any:
        """Return the open port of pyserial."""
        import serial

        return serial.Serial(path, **given)

    def prepare(self, timeout_ms: int) -> None:
        """Wait for a port that went away, and open it."""
        if self._bytes is None:
            self._bytes = self._return(timeout_ms)

    def _return(self, timeout_ms: int) -> _Bytes:
        began = time.monotonic()
        deadline = began + min(timeout_ms / 1000, self._patience_s)
        while True:
            try:
                opened = self._open()
            except _OPEN_FAULTS as error:
                if time.monotonic() + RETURN_CHECK_S >= deadline:
                    self._patience_s -= time.monotonic() - began
                    reason = _opening_problem(error, self._path)
                    raise NoAnswerError(f"the port went away and is not back: {reason}") from error
                time.sleep(RETURN_CHECK_S)
            else:
                self._patience_s = self._whole_patience_s
                self._notice(f"port {self.name}: it is back")
                return opened

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all bytes, within the time-out and the time that the line needs for them."""
        port = self._here()
        deadline = time.monotonic() + (timeout_ms + self.character_us * len(data) / 1000) / 1000
        sent = 0
        while sent < len(data):
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswerError(
                    f"the port takes no bytes: {sent} of {len(data)} within {timeout_ms} ms; "
                    f"its output is full or stopped"
                )
            sent += self._guarded(partial(port.write, data[sent:], left))

    def receive(self, timeout_ms: int) -> bytes:
        """Return the received bytes; b"" after `timeout_ms` of silence."""
        port = self._here()
        return self._guarded(partial(port.read, max(timeout_ms, 0) / 1000))

    def close(self) -> None:
        """Close the port; bytes that it did not take are discarded."""
        if self._bytes is not None:
            self._bytes.close()
            self._bytes = None

    def _here(self) -> _Bytes:
        if self._bytes is None:
            raise NoAnswerError("the port went away")
        return self._bytes

    def _guarded(self, work: Callable[[], Result]) -> Result:
        """Run a call on the port; a port that fails is closed, and named."""
        try:
            return work()
        except _PORT_FAULTS as error:
            self.close()
            reason = _reason(error)
            self._notice(f"port {self.name}: it went away ({reason}); waiting for it")
            raise NoAnswerError(f"the port went away: {reason}") from error


def timing_of(port: str) -> LineTiming:
    """Return the times of a serial line by the settings of its port, which is not opened.

    Raises:
        UsageError: settings that are not allowed.
    """
    return _timing(_path_and_settings(port)[1])


def _timing(settings: PortSettings) -> LineTiming:
    baud = settings.baud or BAUD
    character_us = 1_000_000 * bits_a_character(settings) // baud
    silence_ms = settings.silence_ms or _silence_ms(character_us, baud)
    return LineTiming(character_us, silence_ms, settings.delay_ms or 0)


def _path_and_settings(port: str) -> tuple[str, PortSettings]:
    """Return the path or URL for pyserial, and the settings; raises UsageError."""
    try:
        if "://" not in port:
            return parse_path(port)
        url, _, query = port.partition("?")
        parts = [part for part in query.split("&") if part]
        ours = [part for part in parts if part.partition("=")[0] in KEYS]
        rest = [part for part in parts if part not in ours]
        where = urlsplit(url)
        if where.scheme in ("rfc2217", "socket") and not (where.hostname and where.port):
            raise QuantityError(f"port {port}: write {where.scheme}://HOST:PORT")
        settings = parse_settings(port, "&".join(ours)) if ours else PortSettings()
        return "?".join([url, "&".join(rest)]) if rest else url, settings
    except QuantityError as error:
        raise UsageError(f"{error}; nothing was sent") from error
    except ValueError as error:
        raise UsageError(f"port {port}: {error}; nothing was sent") from error


def _silence_ms(character_us: int, baud: int) -> int:
    """Return the silence between two frames, ms (Serial Line V1.02, section 2.5.1.1)."""
    return 2 if baud > 19_200 else -(-3_500 * character_us // 1_000_000)


def _is_pseudo_terminal(path: str) -> bool:
    return "://" not in path and os.path.realpath(path).startswith("/dev/pts/")


def _is_file(port: Any) -> bool:
    """Return whether a port can be waited for as a file."""
    if sys.platform == "win32":
        return False
    try:
        port.fileno()
    except (AttributeError, OSError):
        return False
    return "://" not in str(port.portstr or "")


def _opening_problem(error: Exception, path: str) -> str:
    """Return why a port cannot be opened, and what the user can do about it."""
    reason = _reason(error)
    number = _number(error)
    if "://" in path or sys.platform == "win32":
        return reason
    if number in _FORBIDDEN:
        from meterctl.transports.port_access import permission_advice  # not on the way of success

        return "; ".join(filter(None, [reason, permission_advice(path)]))
    if number in _LOCKED:
        from meterctl.transports.port_holders import Machine, holders  # as above

        device = os.path.realpath(path)
        users = [str(one) for one in holders(Machine(), {device})[device] if not one.made_it]
        return f"{reason}: {', '.join(users)}" if users else reason
    return reason


def _number(error: Exception) -> int | None:
    """Return the errno of a fault of a port."""
    number = getattr(error, "errno", None)
    if number is None and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return number


def _reason(error: Exception) -> str:
    """Return why a port fails, without the port's name, which pyserial repeats."""
    number = _number(error)
    if number in _LOCKED:
        return "another program has it open for itself"
    if number:
        return os.strerror(number)
    text = str(error)
    if found := re.search(r"\[Errno (\d+)\]", text):
        return os.strerror(int(found[1]))
    return "the other side refuses its settings" if "dict_values" in text else text
