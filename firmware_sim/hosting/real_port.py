"""Real serial ports, through pyserial."""

from __future__ import annotations

import errno
import os
import stat
import termios
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.ports import PortSpec
from firmware_sim.hosting.virtual_port import EXTPROC

if TYPE_CHECKING:
    import serial

_PTY_SLAVES = range(136, 144)
"""Linux: major device numbers of the slave ends of ptys."""
_PROCESSES, _TTY_NR = Path("/proc"), 4
"""The processes, and the place of a field in their `stat` after the name."""
_FLAGS = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC


class RealPort:
    """An open serial port, reserved for this process.

    Raises:
        HostingError: it cannot be opened or set; another program has it.
    """

    def __init__(self, spec: PortSpec) -> None:
        try:
            device = os.stat(spec.path).st_rdev
            is_pty = os.major(device) in _PTY_SLAVES
            if is_pty:
                _require_serial_line(spec, device)
            self._port = _opened(spec, is_pty)
            _tell_no_bytes_from_hang_up(self._port.fileno())
        except (OSError, ValueError, termios.error) as error:
            raise HostingError(f"port {spec.given}: {_reason(error)}") from error
        self.file = self._port.fileno()

    def require_present(self) -> None:
        """Raise OSError where the device went away; no event of a loop is needed to tell."""
        try:
            termios.tcgetattr(self.file)
        except termios.error as error:
            raise OSError(*error.args) from error

    def close(self) -> None:
        """Close it."""
        self._port.close()


def _tell_no_bytes_from_hang_up(file: int) -> None:
    """Let a read raise BlockingIOError where no bytes wait: pyserial's setting returns none."""
    attributes = termios.tcgetattr(file)
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(file, termios.TCSANOW, attributes)


def is_device(spec: PortSpec) -> bool:
    """Return whether the path leads to a device now."""
    try:
        return stat.S_ISCHR(os.stat(spec.path).st_mode)
    except OSError:
        return False


def _require_serial_line(spec: PortSpec, device: int) -> None:
    """Raise HostingError for a pty that is no serial line.

    The numbers of ptys are used again: a link that a killed program left, or a port that went
    away, may be the terminal of a shell by now.
    """
    if _is_virtual_port(spec):
        raise HostingError(f"port {spec.given}: another meter-sim serves it; nothing was touched")
    if _is_session_terminal(device):
        raise HostingError(f"port {spec.given}: it is a shell's terminal; nothing was touched")


def _is_virtual_port(spec: PortSpec) -> bool:
    """Return whether a pty is the virtual port of a running meter-sim: only they have EXTPROC."""
    file = os.open(spec.path, _FLAGS)
    try:
        return bool(termios.tcgetattr(file)[3] & EXTPROC)
    finally:
        os.close(file)


def _is_session_terminal(device: int) -> bool:
    """Return whether a process has a device as its controlling terminal (proc_pid_stat(5))."""
    for path in _PROCESSES.glob("[0-9]*/stat"):
        try:
            number = int(path.read_bytes().rpartition(b")")[2].split()[_TTY_NR])
        except OSError:
            continue  # it has ended
        minor = number & 0xFF | number >> 12 & 0xFFF00
        if (number >> 8 & 0xFFF, minor) == (os.major(device), os.minor(device)):
            return True
    return False


def _opened(spec: PortSpec, is_pty: bool) -> serial.Serial:
    import serial

    def opened(baud: int) -> serial.Serial:
        return serial.Serial(
            str(spec.path),
            baud,
            spec.bits,
            spec.parity,
            spec.stop,
            timeout=0,
            exclusive=True,
        )

    try:
        return opened(spec.baud)
    except termios.error as error:
        if not is_pty or error.args[0] != errno.EINVAL:
            raise
    # A pty has no parity: the C library refuses what changes nothing (facts/modbus.md 7).
    serial.Serial(str(spec.path), 50, exclusive=True).close()
    return opened(spec.baud)


def _reason(error: BaseException) -> str:
    """Return why a port failed; pyserial's own texts repeat the port and the error number."""
    for one in (error, error.__context__):
        number = one.args[0] if one is not None and one.args else None
        if number == errno.EAGAIN:
            return "another program has reserved it"
        if isinstance(number, int):
            return os.strerror(number)
    return str(error)
