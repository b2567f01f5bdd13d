"""What the time is for the gateway, and how it passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meterctl.transports.wires import monotonic_ms, pause_ms, wall_milliseconds


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the time is, and how it passes.

    `now_ms` is the desk's clock, ms since 1970 UTC: of a simulated database its own. `ticks` is
    monotonic ms and `pause` waits that many ms, both of the machine.
    """

    now_ms: Callable[[], int] = wall_milliseconds
    ticks: Callable[[], int] = monotonic_ms
    pause: Callable[[int], None] = pause_ms


REAL_TIME = Clocks()
