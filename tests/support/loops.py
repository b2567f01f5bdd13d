"""An event loop whose turns a test takes by hand, and the parts of it that a host uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast


class Timer:
    """A planned call."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self.seconds, self.call, self.cancelled = seconds, call, False

    def cancel(self) -> None:
        """Take the call back."""
        self.cancelled = True


class SteppedLoop:
    """Calls wait for `turn`, timers for `expire`, readers for `read`."""

    def __init__(self) -> None:
        self._soon: list[Callable[[], None]] = []
        self._timers: list[Timer] = []
        self.readers: dict[object, Callable[[], None]] = {}

    @property
    def as_loop(self) -> asyncio.AbstractEventLoop:
        """This loop, typed as the whole that it is a part of."""
        return cast(asyncio.AbstractEventLoop, self)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future, which no test waits for."""
        return asyncio.Future(loop=self.as_loop)

    def get_debug(self) -> bool:
        """Return whether the loop is debugged, as a future asks."""
        return False

    def call_soon(self, call: Callable[..., None], *arguments: Any) -> None:
        """Plan a call for the next turn."""
        self._soon.append(lambda: call(*arguments))

    def call_later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Timer:
        """Plan a call for later."""
        timer = Timer(seconds, lambda: call(*arguments))
        self._timers.append(timer)
        return timer

    def add_reader(self, file: object, call: Callable[..., None], *arguments: Any) -> None:
        """Call when a file can be read."""
        self.readers[file] = lambda: call(*arguments)

    def remove_reader(self, file: object) -> None:
        """Take the call of a file back."""
        del self.readers[file]

    @property
    def idle(self) -> bool:
        """Whether the next turn has nothing to do."""
        return not self._soon

    @property
    def waits_s(self) -> list[float]:
        """The times of the planned timers."""
        return [timer.seconds for timer in self._timers if not timer.cancelled]

    def turn(self) -> None:
        """Do the planned calls; those that they plan are for the turn after."""
        calls, self._soon = self._soon, []
        for call in calls:
            call()

    def expire(self) -> None:
        """Do the calls of all planned timers."""
        timers, self._timers = self._timers, []
        for timer in timers:
            if not timer.cancelled:
                timer.call()
