"""The host's end of a wire: synchronous bytes, independent of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

PATIENCE_S = 12.0
"""How long a wire that went away is waited for, all attempts of a command together; of a command
with a shorter time-out than 1 s, that many time-outs."""
Notice = Callable[[str], None]
"""Takes one line for a person: a port went away, or is back."""


@dataclass(frozen=True, slots=True)
class LineTiming:
    """The times of a wire: see `Transport`."""

    character_us: int = 0
    silence_ms: int = 0
    pause_ms: int = 0


class Transport(Protocol):
    """An open wire.

    `character_us` is the transmission time of one character, 0 where the wire has no speed of its
    own; `silence_ms` is the silence between two frames, `pause_ms` a further one before a request.
    Every call ends within its time-out and raises NoAnswerError where the wire broke.
    """

    name: str
    framed: bool
    character_us: int
    silence_ms: int
    pause_ms: int

    def prepare(self, timeout_ms: int) -> None:
        """Open a wire again that went away; a framed one also discards what was received."""
        ...

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all bytes."""
        ...

    def receive(self, timeout_ms: int) -> bytes:
        """Wait for at least one byte; b"" is silence."""
        ...

    def close(self) -> None:
        """Close the wire; nothing that was not sent waits for it."""
        ...


class MonotonicClock(Protocol):
    """A driver's clock: monotonic milliseconds, for its own time-outs."""

    def __call__(self) -> int: ...
