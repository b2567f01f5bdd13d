"""The seams of a wire (DESIGN.md 4): the server, and the stations that it reaches.

`at_us` is line time in microseconds: monotonic, whatever the meters' speed. It decides silence,
delays and pacing, and nothing about a meter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from firmware_sim.faults.in_force import Faults
from firmware_sim.rack.stations import Station

PTY_SILENCE_US = 20_000
"""A pty has no wire timing: a frame that a host writes in two parts must not be cut."""


class Group(Enum):
    """Addresses that are not one meter's."""

    ALL = "all"
    """A broadcast."""
    ONLY = "only"
    """The meter of a wire that has one; no station where there are several."""


Address = int | str | Group
"""A unit number, the 12 digits of a serial number, or a group."""


class Stations(Protocol):
    """The stations that one wire reaches."""

    def select(self, address: Address, at_us: int) -> Sequence[Station]:
        """Return the stations of an address, each brought to line time `at_us`; often none."""
        ...


@dataclass(frozen=True, slots=True)
class WireOptions:
    """How a wire is served.

    `silence_us` ends a frame on a serial line; `silent_unknown_units` leaves requests to units
    that are not here unanswered where the protocol would answer. `real` is a serial line that is
    not a virtual port, `baud` its speed, and `delay_us` its pause between a reply of the server and
    the first byte on the wire.
    """

    silence_us: int = PTY_SILENCE_US
    silent_unknown_units: bool = False
    faults: Faults = field(default_factory=Faults)
    real: bool = False
    baud: int = 9600
    delay_us: int = 0


class Server(Protocol):
    """The meters' end of one connection or line: bytes in, bytes out.

    It never blocks and never raises on bytes.
    """

    def receive(self, data: bytes, at_us: int) -> bytes:
        """Take bytes; return what is due now, in one write."""
        ...

    def wake(self, at_us: int) -> bytes:
        """Return what has become due by `at_us`."""
        ...

    def next_wake(self) -> int | None:
        """Return the line time at which to call `wake`, None where nothing is due."""
        ...

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first, None where it is too short."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the stream can no longer be followed and the connection must end."""
        ...


class WireStations:
    """All stations of a rack, or some, by their unit numbers and serial numbers."""

    def __init__(self, stations: Sequence[Station]) -> None:
        self._stations = stations
        self._by_address: dict[Address, tuple[Station]] = {}
        for station in stations:
            self._by_address[station.unit] = self._by_address[station.serial_number] = (station,)

    def select(self, address: Address, at_us: int) -> Sequence[Station]:
        """Return the stations of an address, each brought to line time `at_us`."""
        found = self._by_address.get(address)
        if found is not None:
            found[0].present(at_us)
            return found
        stations = self._group(address)
        for station in stations:
            station.present(at_us)
        return stations

    def _group(self, address: Address) -> Sequence[Station]:
        if address is Group.ALL or (address is Group.ONLY and len(self._stations) == 1):
            return self._stations
        return ()
