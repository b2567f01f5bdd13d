"""The seams of a wire (DESIGN.md 4): what a server is, and what it needs of the meters behind it.

`at` is line time in microseconds: monotonic, running whatever the meter's speed. It decides
silence, delays and pacing and nothing about the meter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from firmware_sim.faults import Faults
from firmware_sim.meter import Meter


class Server(Protocol):
    """One per connection or line, for many units: bytes in, bytes out; it never blocks and never
    raises on bytes.
    """

    def receive(self, data: bytes, at: int) -> bytes:
        """Take bytes; return what is due now, in one write."""
        ...

    def wake(self, at: int) -> bytes:
        """Return what has become due by `at`."""
        ...

    def next_wake(self) -> int | None:
        """Return when to call `wake`, None where nothing is due."""
        ...

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first, None where it is too short."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the stream can no longer be followed and the connection must end."""
        ...


class Station(Protocol):
    """A meter under its unit number, brought to the present before it is given out; `images` are
    the wires' own.
    """

    meter: Meter
    unit: int
    images: dict[str, object]


class Stations(Protocol):
    """The meters that a wire reaches, and the faults that are to happen."""

    faults: Faults

    def power_lost(self, station: Station, at: int) -> None:
        """Let a meter start anew whose power went in the middle of a write."""
        ...

    def find(self, unit: int, at: int) -> Station | None:
        """Return the station of a unit, its meter at the instant of line time `at`; None where
        there is none.
        """
        ...

    def everyone(self, at: int) -> Iterable[Station]:
        """Return every station, for a broadcast."""
        ...

    def alone(self, at: int) -> Station | None:
        """Return the only station there is, None where there are several."""
        ...
