"""Memory of an idle meter, and CPU time of a process with one idle meter."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.figures import BenchmarkError, Figure, Reach, beside
from benchmarks.processes import meter_sim
from firmware_sim.assembly import MeterDescription, build
from firmware_sim.meter import Meter
from firmware_sim.records.ring import DAILY_RING, EVENT_RING, PROFILE_RING
from firmware_sim.requests import Sense
from firmware_sim.servers.modbus.bank import Bank
from protocols.data_model.tariff import DayTables, Prices, Tariff
from protocols.data_model.words import Tamper
from protocols.modbus.native_map import MAP_END
from protocols.quantities import DAY

METER_REACH = Reach(10, "KiB")
CPU_REACH = Reach(1, "ms/s")
"""An event loop may wake a few times a second; a meter that polled would exceed this."""
EVENTS, FREEZES, PROFILE_DAYS = 100, 31, 1
_SWITCHING = Tariff(
    day_tables=DayTables((((0, 1), (7 * 60, 2), (21 * 60, 1)),)), prices=Prices((3_100, 5_283))
)


def measure(quick: bool) -> Iterator[Figure]:
    """Build meters with full records and measure their memory; then measure an idle process."""
    count = 50 if quick else 200
    _lived_meter(0)  # objects shared by all meters are made before the measurement
    gc.collect()
    tracemalloc.start()
    try:
        began = _traced()
        meters = [_lived_meter(number) for number in range(count)]
        each = (_traced() - began) / count / 1024
        banks = [Bank(meter) for meter in meters]
        for bank in banks:
            bank.read(0, MAP_END)
        imaged = (_traced() - began) / count / 1024
    finally:
        tracemalloc.stop()
    records = f"{EVENTS} events, {FREEZES} freezes, {PROFILE_DAYS} day of profile"
    yield beside(f"Idle meter of {count}: {records}", "KiB", [each], None, "", METER_REACH)
    yield beside("The same once Modbus has read all its registers", "KiB", [imaged], None, "")
    seconds = 2 if quick else 5
    yield beside(
        "Idle `meter-sim run` at speed 1: CPU", "ms/s", [_idle_ms(seconds)], None, "", CPU_REACH
    )


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _lived_meter(number: int) -> Meter:
    meter = build(MeterDescription(f"{number:012d}", tariff=_SWITCHING, profile_days=PROFILE_DAYS))
    meter.advance(FREEZES * DAY)
    present = False
    while meter.rings[EVENT_RING].last < EVENTS:
        present = not present
        meter.handle(Sense(Tamper.COVER, present))
    held = [
        ring.last - ring.first + 1
        for ring in (meter.rings[i] for i in (EVENT_RING, DAILY_RING, PROFILE_RING))
    ]
    if held != [EVENTS, FREEZES, PROFILE_DAYS * 96]:
        raise BenchmarkError(f"a meter holds {held} events, freezes and profile records")
    return meter


def _idle_ms(seconds: int) -> float | None:
    with meter_sim("--modbus-tcp", "127.0.0.1:0") as (child, _):
        time.sleep(1)
        before = child.cpu_us()
        time.sleep(seconds)
        after = child.cpu_us()
    return (after - before) / 1000 / seconds if before is not None and after is not None else None
