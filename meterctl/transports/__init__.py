"""The host's end of a wire: synchronous bytes, independent of the protocol."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """An open wire. `receive` waits for at least one byte; b"" is silence."""

    name: str
    framed: bool

    def send(self, data: bytes) -> None: ...
    def receive(self, timeout_ms: int) -> bytes: ...
    def discard_input(self) -> None: ...
    def close(self) -> None: ...


class MonotonicClock(Protocol):
    """A driver's clock: monotonic milliseconds, for its own time-outs."""

    def __call__(self) -> int: ...
