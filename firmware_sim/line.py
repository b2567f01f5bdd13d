"""A line is a server around a server: it delays what comes out, and is where bytes on a wire will be made to suffer."""

from __future__ import annotations

from collections import deque

from firmware_sim.servers.seam import Server


class Line:
    """Gives a server's replies `response_delay_us` after they were made, in order; without a delay it adds nothing."""

    def __init__(self, inner: Server, response_delay_us: int = 0) -> None:
        self._inner = inner
        self._delay = response_delay_us
        self._held: deque[tuple[int, bytes]] = deque()

    @property
    def closed(self) -> bool:
        """Whether the server has given up, and everything it said has been given out."""
        return self._inner.closed and not self._held

    def receive(self, data: bytes, at: int) -> bytes:
        """Hand bytes in; return what is due now."""
        return self._release(self._inner.receive(data, at), at)

    def wake(self, at: int) -> bytes:
        """Return what has become due."""
        return self._release(self._inner.wake(at), at)

    def next_wake(self) -> int | None:
        """Return when anything is due next."""
        inner = self._inner.next_wake()
        if not self._held:
            return inner
        return self._held[0][0] if inner is None else min(inner, self._held[0][0])

    def _release(self, made: bytes, at: int) -> bytes:
        if not self._delay:
            return made
        if made:
            self._held.append((at + self._delay, made))
        out = b""
        while self._held and self._held[0][0] <= at:
            out += self._held.popleft()[1]
        return out
