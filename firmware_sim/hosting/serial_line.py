"""Serial lines of a host: virtual ports and real ones. A port that went away is waited for."""

from __future__ import annotations

import asyncio
import os
import termios
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.ports import PortSpec
from firmware_sim.hosting.real_port import RealPort, is_device
from firmware_sim.hosting.virtual_port import RESTORE_SPEED_AFTER_S, VirtualPort
from firmware_sim.hosting.wires import Wire, WireHost
from firmware_sim.servers.line import Line

READ_SIZE = 1_024
"""Bytes of a serial line at once: four frames, so that endless noise leaves other wires a turn."""
RETURN_S = 0.5
"""Between two tries to open a port that went away."""
PRESENT_S = 1.0
"""Between two looks whether a device is there: uvloop tells of no hang-up."""
WATCH_OPENINGS_AFTER_S = 0.05
"""Openings are followed from then on: to begin costs 3 ms, which the start does not wait for."""
_PORT_ERRORS = (OSError, termios.error)


class SerialLine(Wire):
    """One serial line.

    Args:
        make_line: makes the line in front of a new server, also after a port was away.
    """

    is_virtual: bool

    def __init__(self, host: WireHost, spec: PortSpec, make_line: Callable[[], Line]) -> None:
        super().__init__(host, make_line())
        self.path = spec.given
        self._spec, self._make_line = spec, make_line
        self._returning: asyncio.TimerHandle | None = None
        self._is_away = False
        self._failures: set[str] = set()
        """Texts printed since the port went away; empty after a planned hang-up."""
        self._open()

    @abstractmethod
    def _open(self) -> None:
        """Open the port and read it; raises HostingError."""

    @abstractmethod
    def _close(self) -> None:
        """Close the port."""

    @abstractmethod
    def _take(self) -> bool | None:
        """Take the bytes of one read; return whether there were any, None for changed settings."""

    def take_waiting(self) -> bool:
        """Take the bytes that wait to be read; return whether there were any."""
        while (taken := self._take()) is None:
            pass
        return taken

    @abstractmethod
    def _may_return(self) -> bool:
        """Return whether the port can be there again."""

    def hang_up(self) -> None:
        """Remove the port, as when an adapter is pulled, until it returns."""
        due = self._line.returns_at_us
        assert due is not None
        self._leave(max(0, due - line_time()) / 1e6)

    def _go_away(self, error: Exception) -> None:
        """Tell that the port went away by itself, and wait for it."""
        reason = os.strerror(error.args[0]) if error.args else "it hung up"
        self._tell(f"it went away ({reason}); waiting for it")
        self._leave(RETURN_S)

    def _leave(self, seconds: float) -> None:
        self.stop_timer()
        self._close()
        self._is_away = True
        self._line = self._make_line()
        self._return_after(seconds)

    def _return_after(self, seconds: float) -> None:
        self._returning = self._host.loop.call_later(seconds, self._return)

    def _return(self) -> None:
        self._returning = None
        if not self._may_return():
            self._return_after(RETURN_S)
            return
        try:
            self._open()
        except HostingError as error:
            self._tell(str(error).removeprefix(f"port {self.path}: "))
            self._return_after(RETURN_S)
            return
        self._is_away = False
        if self._failures:
            self._tell("it is back")
            self._failures.clear()

    def _tell(self, text: str) -> None:
        """Tell about the port on stderr, each text once until it is back."""
        if text not in self._failures:
            self._failures.add(text)
            self._host.say(f"port {self.path}: {text}")

    def end(self) -> None:
        self.stop_timer()
        if self._returning is not None:
            self._returning.cancel()
        if not self._is_away:
            self._close()


class VirtualLine(SerialLine):
    """A serial line on a virtual port.

    Args:
        link: the place for its link, without links in it.
    """

    is_virtual = True

    def __init__(
        self, host: WireHost, spec: PortSpec, link: Path, make_line: Callable[[], Line]
    ) -> None:
        self._link = link
        self._restoring: asyncio.TimerHandle | None = None
        self._beginning: asyncio.TimerHandle | None = None
        self._openings: int | None = None
        super().__init__(host, spec, make_line)

    def _open(self) -> None:
        loop = self._host.loop
        self._port = VirtualPort(self._link, self.path)
        loop.add_reader(self._port.master, self._take)
        self._beginning = loop.call_later(WATCH_OPENINGS_AFTER_S, self._watch_openings)

    def _close(self) -> None:
        loop = self._host.loop
        for timer in (self._restoring, self._beginning):
            if timer is not None:
                timer.cancel()
        self._restoring = None
        loop.remove_reader(self._port.master)
        if self._openings is not None:
            loop.remove_reader(self._openings)
            self._openings = None
        self._port.close()

    def _may_return(self) -> bool:
        return True

    def _take(self) -> bool | None:
        try:
            data, changed = self._port.read(READ_SIZE)
            if data and (self._restoring is not None or not self._port.tells_changes):
                self._restore_speed()  # a host that sends has read its settings back
        except BlockingIOError:
            return False
        except _PORT_ERRORS as error:
            self._go_away(error)
            return False
        if data:
            self.take(data)
            return True
        if changed and self._restoring is None:
            # A timer that runs is not begun again: a host that tries again would never get in.
            self._restoring = self._host.loop.call_later(RESTORE_SPEED_AFTER_S, self._restore_speed)
        return None if self._port.tells_changes else False

    def _restore_speed(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()  # a timer of the last opening would run into the next
            self._restoring = None
        self._port.restore_speed()

    def _watch_openings(self) -> None:
        try:
            self._openings = self._port.watch_openings()
        except _PORT_ERRORS as error:
            self._go_away(error)
            return
        if self._openings is not None:
            self._host.loop.add_reader(self._openings, self._follow_openings)

    def _follow_openings(self) -> None:
        try:
            self._port.follow_openings()
        except _PORT_ERRORS as error:
            self._go_away(error)

    def send(self, out: bytes) -> None:
        # A host that does not read fills the port: bytes that do not fit are lost, as on a wire.
        if self._is_away:
            return
        try:
            self._port.write(out)
        except _PORT_ERRORS as error:
            self._go_away(error)


class RealLine(SerialLine):
    """A serial line on a real port."""

    is_virtual = False

    def _open(self) -> None:
        self._port = RealPort(self._spec)
        self._host.loop.add_reader(self._port.file, self._take)
        self._plan_look()

    def _close(self) -> None:
        self._looking.cancel()
        self._host.loop.remove_reader(self._port.file)
        self._port.close()

    def _may_return(self) -> bool:
        return is_device(self._spec)

    def _plan_look(self) -> None:
        self._looking = self._host.loop.call_later(PRESENT_S, self._look)

    def _look(self) -> None:
        try:
            self._port.require_present()
        except OSError as error:
            self._go_away(error)
            return
        self._plan_look()

    def _take(self) -> bool:
        try:
            data = os.read(self._port.file, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._go_away(error)
            return False
        if not data:
            self._go_away(OSError())
            return False
        self.take(data)
        return True

    def send(self, out: bytes) -> None:
        # Bytes that do not fit into the port's buffer are lost.
        if self._is_away:
            return
        try:
            os.write(self._port.file, out)
        except BlockingIOError:
            pass
        except OSError as error:
            self._go_away(error)
