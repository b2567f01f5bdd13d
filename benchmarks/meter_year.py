"""A year of virtual time on one three-phase meter with all features of tariff and agreement."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.figures import BenchmarkError, Figure, Reach, beside
from firmware_sim.assembly import build
from firmware_sim.description.loads import read_load
from firmware_sim.meter import Meter
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.settings import Settings
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.data_model.words import MeterType
from protocols.quantities import CENT, DAY, KWH, LEDGER

REACH = Reach(0.5, "s")
SPINS = 5_000_000
STORED_DAYS = 30
_WORKING_DAY = ((0, 1), (6 * 60, 2), (9 * 60, 3), (17 * 60, 2), (22 * 60, 1))
_WEEKEND = ((0, 1), (8 * 60, 2), (12 * 60, 3), (14 * 60, 2), (21 * 60, 1))


class MemoryNvram:
    """A byte device in memory, without the faults of the simulated one."""

    def __init__(self) -> None:
        self._data = bytearray()

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at `offset`."""
        return bytes(self._data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Write."""
        if len(self._data) < offset:
            self._data.extend(bytes(offset - len(self._data)))
        self._data[offset : offset + len(data)] = data

    def flush(self) -> None:
        """No effect: every write is complete at once."""


def full_meter(load: Load) -> MeterDescription:
    """Return a three-phase meter with time of use, steps, standing charge and thresholds.

    Its credit and overdraft keep it connected.
    """
    return MeterDescription(
        meter_type=MeterType.THREE_PHASE,
        credit=2_200 * LEDGER,
        settings=Settings(
            low_credit_threshold_1=200 * LEDGER,
            low_credit_threshold_2=None,
            overdraft_limit=2_000 * LEDGER,
            standing_charge=35 * CENT,
            power_limit_mw=12 * KWH,
            utc_offset_minutes=60,
        ),
        tariff=Tariff(
            Seasons(((1, 1, 1),), (0, 0, 0, 0, 0, 2, 2)),
            DayTables((_WORKING_DAY, _WEEKEND)),
            Prices((3_100, 5_283, 7_950)),
            Steps((200 * KWH, 300 * KWH), (0, 500, 3_000)),
        ),
        load=load,
    )


def spin_s() -> float:
    """Return the time of a fixed loop of integer additions in Python on this machine, s."""
    began = time.perf_counter()
    total = 0
    for number in range(SPINS):
        total += number & 0xFF
    return time.perf_counter() - began


def measure(quick: bool) -> Iterator[Figure]:
    """Advance a new meter by 365 days in one step, with a calibration of the machine each time."""
    load = read_load("household", 3, DEFAULT_START)
    spins, without, stored = [], [], []
    for _ in range(3 if quick else 7):
        spins.append(spin_s())
        without.append(_year_s(load))
        stored.append(_stored_s(load))
    peer = f"spin of {SPINS:,} additions"
    yield beside(
        "One meter, full features, a year of 15-minute load", "s", without, spins, peer, REACH
    )
    yield beside(
        f"The same for {STORED_DAYS} days, deadline by deadline, with a storage in memory",
        "s",
        stored,
        spins,
        peer,
    )


def _year_s(load: Load) -> float:
    meter = build(full_meter(load))
    began = time.perf_counter()
    meter.advance(365 * DAY)
    return _took(meter, began)


def _stored_s(load: Load) -> float:
    """Return the time of a run as by a host: deadline by deadline, with every save."""
    meter = build(full_meter(load), MemoryNvram())
    end = STORED_DAYS * DAY
    began = time.perf_counter()
    while meter.state.elapsed_ms < end:
        due = meter.next_deadline()
        meter.advance(end if due is None else min(due, end))
    return _took(meter, began)


def _took(meter: Meter, began: float) -> float:
    took = time.perf_counter() - began
    if not meter.switch.closed:
        raise BenchmarkError("the meter did not stay connected: it did less than was asked for")
    return took
