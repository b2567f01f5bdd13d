"""A process with many meters: `python -m benchmarks.rack_process COUNT LOAD`, or COUNT --lived.

`meter-sim run` serves at most 247 meters, one a unit number. This process serves more: the same
meters, rack and host, of which the wire reaches the first 247. It prints one JSON line when it is
ready and serves until SIGTERM; with --lived it builds meters with full records and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.figures import BenchmarkError
from firmware_sim.assembly import build
from firmware_sim.description.loads import load_for, read_load
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.host import Host
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.records.ring import DAILY_RING, EVENT_RING, PROFILE_RING
from firmware_sim.wire_kinds import MODBUS_TCP
from protocols.control import Sense
from protocols.data_model.tariff import DayTables, Prices, Tariff
from protocols.data_model.words import Tamper
from protocols.quantities import DAY

UNITS = 247
EVENTS, FREEZES, PROFILE_DAYS = 100, 31, 1
_SWITCHING = Tariff(
    day_tables=DayTables((((0, 1), (7 * 60, 2), (21 * 60, 1)),)), prices=Prices((3_100, 5_283))
)


def lived_meter(number: int) -> Meter:
    """Return a meter with 100 events, 31 freezes and one day of profile."""
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


def new_meter(number: int, load: str, start_ms: int) -> tuple[int, Meter]:
    """Return a new meter under its unit number."""
    description = MeterDescription(
        f"{number:012d}",
        number % UNITS + 1,
        load=read_load(load, 1, start_ms),
        start=start_ms,
    )
    return description.unit, build(description)


def rss_kib() -> float:
    """Return the resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def main() -> int:
    """Build, print the ready line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("load", nargs="?", default="0kW")
    parser.add_argument("--lived", action="store_true")
    given = parser.parse_args()
    if given.lived:
        rack = Rack([(n % UNITS + 1, lived_meter(n)) for n in range(given.count)], 1000)
        print(json.dumps({"meters": len(rack.stations), "rss_kib": rss_kib()}), flush=True)
        return 0
    start_ms = int(time.time()) * 1000
    meters = [new_meter(number, given.load, start_ms) for number in range(given.count)]
    loop = asyncio.new_event_loop()
    rack = Rack(meters, 1000)
    host = Host(rack, Operator(rack, load_for, line_time), loop)
    host.add_wires({MODBUS_TCP: ("127.0.0.1:0",)})
    ready = {"meters": len(rack.stations), "rss_kib": rss_kib()}
    host.serve(lambda: print(json.dumps(ready), flush=True))
    host.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
