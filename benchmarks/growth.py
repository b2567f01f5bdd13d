"""What further meters cost: start, memory and CPU time of a process, and the cost of one request.

A request, a command to one meter and a deadline shall cost at most 1.2 times on a rack of ten
thousand meters what they cost on a rack of ten.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.figures import Figure, Reach, beside, in_turn
from benchmarks.processes import Child, program
from benchmarks.rack_process import UNITS, new_meter
from firmware_sim.metrology.load import Load
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.modbus.server import ModbusTcpServer
from firmware_sim.servers.seam import WireStations
from protocols.control import Sense
from protocols.data_model.words import Tamper
from protocols.modbus import tcp
from protocols.modbus.pdu import read_request
from protocols.quantities import MINUTE

COUNTS = (1, 50, 200, 2_000)
LOADS = ("0kW", "household")
START_REACH = Reach(1, "s")
"""Longer than a process with one meter."""
MEMORY_REACH = Reach(12, "KiB")
COST_REACH = Reach(1.2)
SMALL, LARGE = 10, 10_000
ROUNDS = 5
TIMES = 2_000


def measure(quick: bool) -> Iterator[Figure]:
    """Start processes with ever more meters; then measure requests on a small and a large rack."""
    counts = COUNTS[:3] if quick else COUNTS
    with tempfile.TemporaryDirectory() as folder:
        for load in LOADS:
            yield from _processes(Path(folder), load, counts, 2 if quick else 5)
    yield from _costs(1_000 if quick else LARGE, TIMES // 4 if quick else TIMES)


def _processes(folder: Path, load: str, counts: tuple[int, ...], seconds: int) -> Iterator[Figure]:
    singles: dict[bool, _Process] = {}
    for count in counts:
        by_hand = count > UNITS
        if by_hand not in singles:
            singles[by_hand] = _process(_command(folder, 1, load, by_hand), seconds)
        single = singles[by_hand]
        name = f"{count:,} meters, load {load}" if count > 1 else f"1 meter, load {load}"
        one = single if count == 1 else _process(_command(folder, count, load, by_hand), seconds)
        if count == 1:
            yield beside(f"{name}: ready after", "s", [one.ready_s], None, "")
            yield beside(f"{name}: memory", "MiB", [one.rss_kib / 1024], None, "")
        else:
            each_kib = (one.rss_kib - single.rss_kib) / (count - 1)
            longer_s = one.ready_s - single.ready_s
            yield beside(f"{name}: ready later than one", "s", [longer_s], None, "", START_REACH)
            yield beside(f"{name}: each further one", "KiB", [each_kib], None, "", MEMORY_REACH)
        yield beside(f"{name}: CPU at speed 1", "ms/s", [one.cpu_ms], None, "")


class _Process(NamedTuple):
    """What one process took: start, memory when ready, CPU time a second."""

    ready_s: float
    rss_kib: float
    cpu_ms: float | None


def _process(command: list[str], seconds: int) -> _Process:
    began = time.monotonic()
    with Child(command) as child:
        ready_s = time.monotonic() - began
        rss_kib = _rss_kib(child.pid)
        before = child.cpu_us()
        time.sleep(seconds)
        after = child.cpu_us()
    known = before is not None and after is not None
    return _Process(ready_s, rss_kib, (after - before) / 1000 / seconds if known else None)


def _command(folder: Path, count: int, load: str, by_hand: bool) -> list[str]:
    if by_hand:
        return [sys.executable, "-m", "benchmarks.rack_process", str(count), load]
    command = [program("meter-sim"), "run", "--json", "--modbus-tcp", "127.0.0.1:0"]
    for number in range(1, count + 1):
        file = folder / f"{number}.toml"
        file.write_text(f'serial_number = "{number:012d}"\nunit = {number}\n')
        command += ["--config", str(file)]
    return [*command, "--load", load]


def _rss_kib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


# ---- one request


class _Bench:
    """A rack and four measured operations; each method returns the time of one, us."""

    def __init__(self, count: int) -> None:
        self.rack = Rack([new_meter(number, "0kW", 0) for number in range(count)], 1000)
        self.time_us = 0
        self._operator = Operator(self.rack, _no_load, lambda: self.time_us)
        self._server = ModbusTcpServer(WireStations(self.rack.stations[:UNITS]))
        self._present = False

    def request(self, times: int) -> float:
        """A read that the cache does not know: each time another address."""
        frames = [tcp.encode(1, 5, read_request(3, number % 100, 20)) for number in range(times)]
        return _each(times, lambda n: self._server.receive(frames[n], self.time_us))

    def change(self, times: int) -> float:
        """A request that changes one meter."""
        station = self.rack.stations[4]
        return _each(times, lambda n: station.hand_over(Sense(Tamper.COVER, not n % 2)))

    def command(self, times: int) -> float:
        """A command of the operator to one meter."""
        serial_number = self.rack.stations[4].serial_number
        return _each(
            times,
            lambda n: self._operator.execute(Sense(Tamper.COVER, not n % 2), serial_number),
        )

    def deadline(self, times: int) -> float:
        """A deadline that is due, of any meter."""
        self.time_us += 16 * MINUTE * 1000 * (1 + times // len(self.rack.stations))
        began, served = time.perf_counter(), 0
        while served < times:
            self.rack.run(self.time_us, 1)
            served += 1
        return (time.perf_counter() - began) / times * 1e6


def _no_load(text: str, _: object) -> Load:
    raise AssertionError(text)


def _each(times: int, work: Callable[[int], object]) -> float:
    began = time.perf_counter()
    for number in range(times):
        work(number)
    return (time.perf_counter() - began) / times * 1e6


def _costs(large: int, times: int) -> Iterator[Figure]:
    small_bench, large_bench = _Bench(SMALL), _Bench(large)
    for what in ("request", "change", "command", "deadline"):
        found: dict[int, list[float]] = {SMALL: [], large: []}
        for turn in range(ROUNDS):
            for bench in in_turn((small_bench, large_bench), turn):
                found[len(bench.rack.stations)].append(getattr(bench, what)(times))
        yield beside(
            f"A {what}, median of {ROUNDS}, on a rack of {large:,}",
            "us",
            [median(found[large])],
            [median(found[SMALL])],
            f"of {SMALL}",
            COST_REACH,
        )


if __name__ == "__main__":
    for figure in measure("--quick" in sys.argv):
        print(json.dumps([figure.what, figure.ours, figure.peer, figure.ratio, figure.met]))
