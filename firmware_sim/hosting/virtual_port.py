"""Virtual serial ports: ptys with a link."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import struct
import sys
import termios
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.port_lock import lock_port
from firmware_sim.hosting.ports import is_terminal

if TYPE_CHECKING:
    from firmware_sim.hosting.openings import Openings

_PACKET_DATA = b"\0"
_PACKET_SETTINGS = 64
EXTPROC = 0o200000
"""Linux reports changed settings to a master in packet mode only while the slave has EXTPROC."""
_TIOCGEXCL = 0x80045440
"""Linux: tell whether a program reserved a terminal by TIOCEXCL."""
_CLOSED = -1
"""In place of a descriptor."""
_LOOKS = 10
"""Limit: hosts that come and go faster than they are looked for."""
RESTORE_SPEED_AFTER_S = 0.01
"""A host reads its settings back after setting them; until then they must not change."""


class VirtualPort:
    """A pty whose slave end is linked at a path. Takes any speed and emulates none.

    The slave is held open: without it the loop would spin on hang-ups between two hosts. Its speed
    is set back to 50 baud whenever a host changed it, so that every opening by a host changes a
    setting; the C library refuses an opening whose requested parity changes nothing
    (facts/modbus.md 7).

    `tells_changes` says whether `read` tells of changed settings, as on Linux.

    Args:
        link: the path, without links in it.
        name: its name in error texts.
    """

    def __init__(self, link: Path, name: str | None = None) -> None:
        self.link, self._name = link, name or str(link)
        self._lock = lock_port(link, name)
        self._openings: Openings | None = None
        self._is_open = True
        try:
            self._require_free()
            self.master, self._slave = os.openpty()
        except OSError as error:
            self._lock.release()
            raise self._unusable(error) from error
        except HostingError:
            self._lock.release()
            raise
        self.tells_changes = sys.platform == "linux"
        try:
            self._terminal = os.ttyname(self._slave)
            self._set_up()
            self._make_link()
        except OSError as error:
            self.close(unlink=False)
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> HostingError:
        return HostingError(f"port {self._name}: {error.strerror}; nothing was changed")

    def _set_up(self) -> None:
        tty.setraw(self._slave, termios.TCSANOW)
        if self.tells_changes:
            fcntl.ioctl(self.master, termios.TIOCPKT, struct.pack("i", 1))
        self._set_speed()
        os.set_blocking(self.master, False)

    def _require_free(self) -> None:
        """Raise HostingError where the path holds anything but a link that may be replaced.

        That is a link to a terminal that has ended, or one that a killed meter-sim left.
        """
        link = self.link
        try:
            mode = os.lstat(link).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISLNK(mode):
            raise HostingError(
                f"port {self._name}: a file or directory is there; nothing was touched"
            )
        is_ended = is_terminal(os.path.realpath(link)) and not link.exists()
        if not is_ended and not self._lock.has_recorded(link):
            raise HostingError(
                f"port {self._name}: it is a link to {os.readlink(link)}; nothing was touched"
            )

    def _make_link(self) -> None:
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self._terminal)
        self._lock.record(self.link)

    def read(self, size: int) -> tuple[bytes, bool]:
        """Return the bytes of a host, and whether it changed the settings of the port.

        After a change the caller runs `restore_speed`.
        """
        data = os.read(self.master, size)
        if not self.tells_changes:
            return data, False
        if data[:1] == _PACKET_DATA:
            return data[1:], False
        # a change by restore_speed is reported as well
        return b"", bool(data and data[0] & _PACKET_SETTINGS) and self._speed_changed()

    def write(self, data: bytes) -> None:
        """Send bytes to the host; they are lost where none has the port open, or none reads."""
        if self._openings is not None:
            if self._openings.is_pending:
                self.follow_openings()
            if not self._is_open and not self._look():
                return
        try:  # noqa: SIM105 - suppress costs as much as the parsing of an exchange
            os.write(self.master, data)
        except BlockingIOError:
            pass

    # ---- hosts that come and go

    def watch_openings(self) -> int | None:
        """Begin to follow openings by hosts; return the descriptor that tells of them.

        While it is readable the caller runs `follow_openings`. None where the system cannot tell.
        """
        if not self.tells_changes:
            return None
        try:
            from firmware_sim.hosting.openings import Openings  # costs 3 ms of a start

            self._openings = Openings(self._terminal)
        except OSError:
            return None
        if not self._look():
            self._discard()
        return self._openings.file

    def follow_openings(self) -> None:
        """Discard replies that a host did not read before it closed the port.

        A real port receives nothing while no program has it open; the next host would take the old
        reply for its own.
        """
        assert self._openings is not None
        was_closed, was_opened_again = self._openings.take()
        if not was_closed:
            self._is_open = True
            return
        if not self._look() or was_opened_again:
            self._discard()
        if not self._is_open:
            self.restore_speed()

    def _look(self) -> bool:
        """Return whether a host has the port open: without the own slave the pty hung up if not.

        An opening that falls into it is missed; `write` looks again before it drops a reply.
        """
        assert self._openings is not None
        is_reserved = self._is_reserved()
        if is_reserved:
            fcntl.ioctl(self._slave, termios.TIOCNXCL)  # or the slave cannot be opened again
        for _ in range(_LOOKS):
            self._is_open = self._reopen()
            was_closed, _ = self._openings.take()
            if not was_closed:
                break
        if is_reserved and self._is_open:
            fcntl.ioctl(self._slave, termios.TIOCEXCL)
        return self._is_open

    def _reopen(self) -> bool:
        """Open the slave again; return whether a host had it open meanwhile.

        Not for writing, so that its next closing is not told as one by a host.
        """
        os.close(self._slave)
        self._slave = _CLOSED
        hung_up = select.poll()
        hung_up.register(self.master, 0)
        is_open = not hung_up.poll(0)
        self._slave = os.open(self._terminal, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        return is_open

    def _is_reserved(self) -> bool:
        try:
            return any(fcntl.ioctl(self._slave, _TIOCGEXCL, bytes(4)))
        except OSError:
            return False

    def _discard(self) -> None:
        """Discard replies that no host read: in the master's output and in the slave's input."""
        termios.tcflush(self.master, termios.TCOFLUSH)
        termios.tcflush(self._slave, termios.TCIFLUSH)

    # ---- speed

    def restore_speed(self) -> None:
        """Reset the speed that a host has set."""
        if self._speed_changed():
            self._set_speed()

    def _speed_changed(self) -> bool:
        attributes = termios.tcgetattr(self._slave)
        return attributes[4] != termios.B50 or bool(
            self.tells_changes and not attributes[3] & EXTPROC
        )

    def _set_speed(self) -> None:
        attributes = termios.tcgetattr(self._slave)
        attributes[4] = attributes[5] = termios.B50
        if self.tells_changes:
            attributes[3] |= EXTPROC
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)

    def close(self, unlink: bool = True) -> None:
        """Close the port, and remove its link where it still leads to it."""
        if unlink:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == self._terminal:
                    self.link.unlink()
        if self._openings is not None:
            self._openings.close()
            self._openings = None
        os.close(self.master)
        if self._slave != _CLOSED:
            os.close(self._slave)
        self._lock.release()
