"""Serial ports of the meter's side: virtual ones (ptys with a link), and real ones by pyserial."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import stat
import struct
import sys
import termios
import tty
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from firmware_sim.hosting.errors import HostingError


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
    """Return the port of a PATH; raises HostingError for settings that cannot be."""
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
        raise HostingError(f"port {text}: allowed settings are baud=9600, parity=N|E|O, delay_ms=0 and silence_ms=20")
    return spec


def is_real_port(path: Path) -> bool:
    """Say whether a PATH is a character device of its own; a link into /dev/pts is a virtual port of somebody."""
    try:
        return not path.is_symlink() and stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


_PACKET_DATA = b"\0"
_PACKET_SETTINGS = 64
_EXTPROC = 0o200000
"""Linux tells the master of a pty in packet mode when settings change, while the slave has EXTPROC."""
SETTLE_AFTER_S = 0.01
"""A host reads its settings back after it set them; before that they must stay."""


class VirtualPort:
    """A pty whose slave end is linked at a path. Takes any speed and parity and emulates neither.

    The slave is held open: without it the loop would spin on hang-ups between two hosts. Its speed is set back to 50
    baud whenever a host changed it, so that every host's opening changes something; the C library refuses an opening
    whose wish for parity changes nothing (facts/modbus.md 7).
    """

    def __init__(self, link: Path) -> None:
        self._guard = _claim(link)
        self.link = link
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        self._packets = sys.platform == "linux"
        if self._packets:
            fcntl.ioctl(self.master, termios.TIOCPKT, struct.pack("i", 1))
        self._settle()
        os.set_blocking(self.master, False)
        name = os.ttyname(self._slave)
        draft = link.with_name(f".{link.name}.{os.getpid()}")
        try:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
            draft.symlink_to(name)
            os.replace(draft, link)
        except OSError as error:
            self.close(unlink=False)
            raise HostingError(f"port {link}: {error.strerror}; nothing was changed") from error

    def read(self, size: int) -> tuple[bytes, bool]:
        """Return what a host sent, and whether it changed the port's settings (then `settle` is wanted soon)."""
        data = os.read(self.master, size)
        if not self._packets:
            return data, False
        if data[:1] == _PACKET_DATA:
            return data[1:], False
        return b"", bool(data and data[0] & _PACKET_SETTINGS) and self._unsettled()  # our own settling is told as well

    def settle(self) -> None:
        """Undo the speed that a host has set."""
        if self._unsettled():
            self._settle()

    def _unsettled(self) -> bool:
        attributes = termios.tcgetattr(self._slave)
        return attributes[4] != termios.B50 or bool(self._packets and not attributes[3] & _EXTPROC)

    def _settle(self) -> None:
        attributes = termios.tcgetattr(self._slave)
        attributes[4] = attributes[5] = termios.B50
        if self._packets:
            attributes[3] |= _EXTPROC
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)

    def close(self, unlink: bool = True) -> None:
        """Take the port away, and its link where it is still ours."""
        if unlink:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == os.ttyname(self._slave):
                    self.link.unlink()
        os.close(self.master)
        os.close(self._slave)
        if self._guard is not None:
            self._guard.close()


def _claim(link: Path) -> socket.socket | None:
    """Make sure that nobody else serves this path; a link whose maker is gone may be replaced.

    On Linux the maker holds an abstract socket named after the path: it vanishes with the process, however it ends.
    """
    taken = HostingError(f"port {link}: another meter-sim serves it; nothing was touched")
    if link.is_symlink():
        target = os.readlink(link)
        if not target.startswith(("/dev/pts/", "/dev/tty")) and link.exists():
            raise HostingError(f"port {link}: it is a link to {target}; nothing was touched")
    elif link.exists():
        raise HostingError(f"port {link}: a file or directory is there already; nothing was touched")
    if sys.platform != "linux":
        if link.is_symlink() and link.exists():
            raise taken
        return None
    guard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    name = f"\0meter-sim:{hashlib.sha256(os.path.abspath(link).encode()).hexdigest()}"
    try:
        guard.bind(name)
    except OSError as error:
        guard.close()
        raise taken from error
    return guard
