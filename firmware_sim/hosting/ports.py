"""Serial ports of the meter: virtual ones (ptys with a link), real ones through pyserial."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import sys
import termios
import tty
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.port_lock import lock_port


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A PATH of the command line, with its settings: `/dev/ttyUSB0?baud=9600&parity=E`."""

    given: str
    path: Path
    baud: int
    parity: str
    delay_ms: int
    silence_ms: int | None


_PARITIES = "NEO"


def parse_port(text: str, baud: int = 9600, parity: str = "N") -> PortSpec:
    """Return the port of a PATH; raises HostingError for settings that are not allowed."""
    path, _, query = text.partition("?")
    given = {key: values[-1] for key, values in parse_qs(query).items()}
    try:
        spec = PortSpec(
            path,
            Path(path),
            int(given.pop("baud", baud)),
            given.pop("parity", parity).upper(),
            int(given.pop("delay_ms", 0)),
            int(given.pop("silence_ms")) if "silence_ms" in given else None,
        )
    except ValueError as error:
        raise HostingError(f"port {text}: {error}") from error
    if given or spec.parity not in _PARITIES or spec.baud <= 0 or spec.delay_ms < 0:
        raise HostingError(
            f"port {text}: allowed settings are baud=9600, parity=N|E|O, delay_ms=0 and "
            f"silence_ms=20"
        )
    return spec


def is_real_port(path: Path) -> bool:
    """Return whether a PATH is itself a character device.

    A link into /dev/pts is the virtual port of a process.
    """
    try:
        return not path.is_symlink() and stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


_PACKET_DATA = b"\0"
_PACKET_SETTINGS = 64
_EXTPROC = 0o200000
"""Linux reports changed settings to a master in packet mode only while the slave has EXTPROC."""
RESTORE_SPEED_AFTER_S = 0.01
"""A host reads its settings back after setting them; until then they must not change."""


class VirtualPort:
    """A pty whose slave end is linked at a path. Takes any speed and parity and emulates neither.

    The slave is held open: without it the loop would spin on hang-ups between two hosts. Its speed
    is set back to 50 baud whenever a host changed it, so that every opening by a host changes a
    setting; the C library refuses an opening whose requested parity changes nothing
    (facts/modbus.md 7).
    """

    def __init__(self, link: Path) -> None:
        _require_free(link)
        self.link, self._lock = link, lock_port(link)
        try:
            self.master, self._slave = os.openpty()
        except OSError as error:
            self._lock.release()
            raise HostingError(f"port {link}: {error.strerror}; nothing was changed") from error
        tty.setraw(self._slave, termios.TCSANOW)
        self._packets = sys.platform == "linux"
        if self._packets:
            fcntl.ioctl(self.master, termios.TIOCPKT, struct.pack("i", 1))
        self._set_speed()
        os.set_blocking(self.master, False)
        try:
            self._make_link(os.ttyname(self._slave))
        except HostingError:
            self.close(unlink=False)
            raise

    def _make_link(self, target: str) -> None:
        """Link the path to the slave; the lock is held, so an existing link may be replaced."""
        _require_free(self.link)
        try:
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(target)
        except OSError as error:
            reason = error.strerror
            raise HostingError(f"port {self.link}: {reason}; nothing was changed") from error

    def read(self, size: int) -> tuple[bytes, bool]:
        """Return the bytes of a host, and whether it changed the settings of the port.

        After a change the caller runs `restore_speed`.
        """
        data = os.read(self.master, size)
        if not self._packets:
            return data, False
        if data[:1] == _PACKET_DATA:
            return data[1:], False
        # a change by restore_speed is reported as well
        return b"", bool(data and data[0] & _PACKET_SETTINGS) and self._speed_changed()

    def restore_speed(self) -> None:
        """Reset the speed that a host has set."""
        if self._speed_changed():
            self._set_speed()

    def _speed_changed(self) -> bool:
        attributes = termios.tcgetattr(self._slave)
        return attributes[4] != termios.B50 or bool(self._packets and not attributes[3] & _EXTPROC)

    def _set_speed(self) -> None:
        attributes = termios.tcgetattr(self._slave)
        attributes[4] = attributes[5] = termios.B50
        if self._packets:
            attributes[3] |= _EXTPROC
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)

    def close(self, unlink: bool = True) -> None:
        """Close the port, and remove its link where it still leads to it."""
        if unlink:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == os.ttyname(self._slave):
                    self.link.unlink()
        os.close(self.master)
        os.close(self._slave)
        self._lock.release()


def _require_free(link: Path) -> None:
    """Raise HostingError where a path holds anything but a link that may be replaced.

    A link of this user to a terminal may be: the process that made it has ended, since the caller
    holds the lock of the path. A link of another user may be where its terminal has ended or
    belongs to a third user.
    """
    try:
        status = os.lstat(link)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostingError(f"port {link}: {error.strerror}; nothing was touched") from error
    if not stat.S_ISLNK(status.st_mode):
        raise HostingError(f"port {link}: a file or directory is there; nothing was touched")
    try:
        target, terminal = os.readlink(link), os.stat(link)
    except OSError:
        return  # a dangling link
    if not target.startswith(("/dev/pts/", "/dev/tty")):
        raise HostingError(f"port {link}: it is a link to {target}; nothing was touched")
    if status.st_uid != os.geteuid() and terminal.st_uid == status.st_uid:
        raise HostingError(f"port {link}: another user's meter-sim serves it; nothing was touched")
