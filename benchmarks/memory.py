"""Memory of an idle meter on a rack, and CPU time of a process with one idle meter."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from benchmarks.figures import Figure, Reach, beside
from benchmarks.processes import meter_sim, run_json
from benchmarks.rack_process import EVENTS, FREEZES, PROFILE_DAYS

METER_REACH = Reach(10, "KiB")
CPU_REACH = Reach(1, "ms/s")
"""An event loop may wake a few times a second; a meter that polled would exceed this."""
FEW, MANY = 1_000, 10_000
BUILT_WITHIN_S = 900.0


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the resident memory of two racks of meters with records; measure an idle process."""
    few, many = (100, 600) if quick else (FEW, MANY)
    each = (_rss_kib(many) - _rss_kib(few)) / (many - few)
    records = f"{EVENTS} events, {FREEZES} freezes, {PROFILE_DAYS} day of profile"
    what = f"Idle meter, RSS of {many:,} less {few:,}: {records}"
    yield beside(what, "KiB", [each], None, "", METER_REACH)
    seconds = 2 if quick else 5
    yield beside(
        "Idle `meter-sim run` at speed 1: CPU", "ms/s", [_idle_ms(seconds)], None, "", CPU_REACH
    )


def _rss_kib(count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.rack_process", str(count), "--lived"]
    rss_kib: float = run_json(command, BUILT_WITHIN_S)["rss_kib"]
    return rss_kib


def _idle_ms(seconds: int) -> float | None:
    with meter_sim("--modbus-tcp", "127.0.0.1:0") as (child, _):
        time.sleep(1)
        before = child.cpu_us()
        time.sleep(seconds)
        after = child.cpu_us()
    return (after - before) / 1000 / seconds if before is not None and after is not None else None
