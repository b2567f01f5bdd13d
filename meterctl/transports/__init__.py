"""The host's end of a wire: synchronous bytes, nothing of any protocol."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """A wire that is open. `receive` waits for at least one byte; b"" is silence."""

    name: str
    framed: bool

    def send(self, data: bytes) -> None: ...
    def receive(self, timeout_ms: int) -> bytes: ...
    def discard_input(self) -> None: ...
    def close(self) -> None: ...


class MonotonicClock(Protocol):
    """What time a driver may know: monotonic milliseconds, for its own time-outs."""

    def __call__(self) -> int: ...
