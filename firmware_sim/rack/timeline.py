"""Rack time as a function of line time: pure, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.control import SPEED_SCALE

_US_PER_MS = 1000


@dataclass(slots=True)
class Timeline:
    """Rack time in ms as a function of line time in us: it runs at a speed from where it was set.

    `speed` is in thousandths; 0 stops rack time.
    """

    speed: int = SPEED_SCALE
    line_origin_us: int = 0
    rack_origin_ms: int = 0

    def instant(self, at_us: int) -> int:
        """Return the rack time at a line time, ms."""
        passed_us = max(0, at_us - self.line_origin_us)
        return self.rack_origin_ms + passed_us * self.speed // (_US_PER_MS * SPEED_SCALE)

    def line_time(self, instant_ms: int) -> int | None:
        """Return the first line time at which a rack time is reached, us; None at speed 0."""
        if self.speed == 0:
            return None
        ahead_ms = instant_ms - self.rack_origin_ms
        return self.line_origin_us - (-ahead_ms * _US_PER_MS * SPEED_SCALE // self.speed)

    def set(self, at_us: int, instant_ms: int, speed: int) -> None:
        """Continue from a pair of line time and rack time, at a speed."""
        self.line_origin_us, self.rack_origin_ms, self.speed = at_us, instant_ms, speed
