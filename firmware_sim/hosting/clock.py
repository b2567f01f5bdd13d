"""Line time: the only clock that a host reads."""

from __future__ import annotations

import time


def line_time() -> int:
    """Return the line time, us: monotonic, of no particular origin."""
    return time.monotonic_ns() // 1000
