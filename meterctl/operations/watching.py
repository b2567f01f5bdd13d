"""Watch meters: readings at a pace, silences, new events, and other meters in their place.

Pure of ports and clocks: the time is an argument, and `pause` waits. A failure of one meter ends
nothing; its reader is opened again for the next try, so that the meter that answers then has to
show again what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from meterctl.errors import MeterctlError
from meterctl.operations.meter_watch import MeterWatch
from meterctl.operations.observations import Failure, Observation
from protocols.quantities import SECOND

SILENT_MS = 10 * SECOND
"""Of several meters one that does not answer is tried only so often: a try costs its time-outs."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A round of readings each `every_ms`; `count` rounds, or those of `for_ms`; None has no end.

    A round that takes longer than its time is followed by the one that is due next: none is made
    up for, so that a slow line is not taken wholly.
    """

    every_ms: int
    count: int | None = None
    for_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HostTime:
    """The host's time: its clock in ms since 1970 UTC, monotonic ms, and a wait of so many ms."""

    now_ms: Callable[[], int]
    ticks: Callable[[], int]
    pause: Callable[[int], None]


def watch(meters: Sequence[MeterWatch], pace: Pace, time: HostTime) -> Iterator[Observation]:
    """Yield what is seen of the meters, round by round, until the pace ends."""
    began, rounds = time.ticks(), 0
    due = dict.fromkeys(meters, began)
    while True:
        for meter in meters:
            if time.ticks() >= due[meter]:
                has_failed = yield from _observe(meter, time)
                waits_ms = SILENT_MS if len(meters) > 1 else pace.every_ms
                due[meter] = time.ticks() + (waits_ms if has_failed else 0)
        rounds += 1
        now = time.ticks()
        left = None if pace.for_ms is None else began + pace.for_ms - now
        if rounds == pace.count or (left is not None and left <= 0):
            return
        wait = pace.every_ms - (now - began) % pace.every_ms
        if len(meters) == 1:
            wait = max(wait, due[meters[0]] - now)
        time.pause(wait if left is None else min(wait, left))
        if left is not None and left <= wait:
            return


def _observe(meter: MeterWatch, time: HostTime) -> Generator[Observation, None, bool]:
    """Yield what one reading of a meter gives; return whether it failed."""
    began_ms = time.now_ms()
    try:
        yield from meter.observe(time.now_ms, time.ticks)
    except MeterctlError as error:
        yield Failure(meter.unit, time.now_ms(), meter.silent_since(began_ms), error)
        return True
    return False
