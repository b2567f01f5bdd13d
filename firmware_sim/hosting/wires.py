"""A wire on an event loop: a line in front of a server, and the timer of later bytes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter import MeterStoppedError
from firmware_sim.servers.line import Line
from protocols.errors import QuantityError

FATAL = (MeterStoppedError, QuantityError, HostingError)
"""Errors that end a host: a storage that failed, or a scenario that cannot continue."""
Tap = Callable[[str, bytes], None]
"""Sees the bytes of a wire: "->" to the meter, "<-" from it."""


class WireHost(Protocol):
    """The part of a host that a wire uses."""

    loop: asyncio.AbstractEventLoop
    tap: Tap | None
    say: Callable[[str], None]
    """Prints a text for a person on stderr."""

    def fail(self, error: Exception) -> None:
        """End because of an error."""
        ...


class Wire(ABC):
    """One connection or serial line."""

    def __init__(self, host: WireHost, line: Line) -> None:
        self._host, self._line = host, line
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        """Receive bytes from the other side and send replies: the hot path of the host."""
        host, line = self._host, self._line
        is_direct = self._timer is None and host.tap is None and line.idle
        if host.tap is not None:
            host.tap("->", data)
        try:
            out = (line.server if is_direct else line).receive(data, line_time())
        except FATAL as error:
            host.fail(error)
            return
        if not is_direct or line.server.closed or line.server.next_wake() is not None:
            self._go_on(out)
        elif out:
            self.send(out)

    def take_waiting(self) -> bool:
        """Take the bytes that wait to be read; return whether there were any.

        Called before the line learns that time has passed: bytes that came while this process was
        busy are no silence, and timers run before readers.
        """
        return False

    def _wake(self) -> None:
        if self.take_waiting() or self._timer is None:
            return  # the line learned the time with them, or the wire was closed
        self._timer = None
        try:
            out = self._line.wake(line_time())
        except FATAL as error:
            self._host.fail(error)
            return
        self._go_on(out)

    def _go_on(self, out: bytes) -> None:
        """Send bytes, set the timer of later bytes, and end a line that is closed."""
        if out:
            if self._host.tap is not None:
                self._host.tap("<-", out)
            self.send(out)
        due = self._line.next_wake()
        self.stop_timer()
        if due is not None:
            wait_s = max(0, due - line_time()) / 1e6
            self._timer = self._host.loop.call_later(wait_s, self._wake)
        if self._line.closed:
            self.hang_up()

    @abstractmethod
    def send(self, out: bytes) -> None:
        """Send bytes to the other side."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the connection, or remove the port."""

    @abstractmethod
    def end(self) -> None:
        """Close the wire with the process."""

    def stop_timer(self) -> None:
        """Cancel the timer of later bytes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
