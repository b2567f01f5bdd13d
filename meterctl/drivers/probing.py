"""The interface by which a scan finds devices, the same for every protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meterctl.drivers import Trace
from meterctl.transports import LineTiming, MonotonicClock, Transport


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device is, as far as it is known.

    `map` is a name as --map takes it, `also_fits` are further ones, the best first. `is_cut`: it
    was too slow to be asked for all of it.
    """

    map: str | None = None
    also_fits: tuple[str, ...] = ()
    serial_number: str | None = None
    vendor: str | None = None
    is_cut: bool = False


class Prober(Protocol):
    """Asks the addresses of one wire, one after another. Reads only; nothing is broadcast.

    Every call raises NoAnswerError where the wire broke.
    """

    @property
    def late(self) -> Mapping[int, int]:
        """Addresses whose replies came after their time-out: how long after the request, ms."""
        ...

    @property
    def unasked(self) -> int:
        """Whole frames of others that nothing sent here explains."""
        ...

    @property
    def noise(self) -> int:
        """Received bytes that belong to no frame."""
        ...

    @property
    def silent_ms(self) -> int:
        """The longest time that an address without a device takes, by what was seen so far."""
        ...

    def probe(self, address: int, least_timeout_ms: int = 0) -> int | None:
        """Ask once; return the time until the answer, ms. A refusal is an answer; None is silence.

        Raises:
            CorruptAnswerError: bytes came that cannot be the answer.
        """
        ...

    def linger(self) -> None:
        """Wait a little for late replies, where the last address asked was silent.

        Where late replies were seen, it is half as long again as the latest of them took.
        """
        ...

    def identify(self, address: int) -> Identity:
        """Return what the device at an address is that answered."""
        ...


@dataclass(frozen=True, slots=True)
class ProberKind:
    """How the devices of a protocol are found.

    `addresses` are all that a device can have, `alone` those of a host that is a device itself.
    `silent_ms` returns the longest time of an address without a device, by the timing of the line
    and the time-out in ms; `linger_ms` that of `Prober.linger`, by the time-out. The
    arguments of `open` are those of `DriverKind.open`, without a unit.
    """

    addresses: Sequence[int]
    alone: Sequence[int]
    silent_ms: Callable[[LineTiming, int], int]
    linger_ms: Callable[[int], int]
    open: Callable[[Transport, int, MonotonicClock, Trace | None], Prober]
