"""The SDM630's map beside the native one: the same five values, on TCP and on a virtual port.

Voltages and two currents: floats there, whole numbers here; both in ten input registers.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compiler import load_client
from benchmarks.figures import Figure, Reach, beside
from benchmarks.load_client import Question
from benchmarks.modbus_rtu import Line, loaded
from benchmarks.modbus_tcp import Bench, Case, Server, cpu_figure, rate_figure
from benchmarks.processes import Child, meter_sim

NATIVE, SDM630 = "native map", "map sdm630"
OPTIONS = {NATIVE: (), SDM630: ("--map", "sdm630")}
QUESTIONS = {NATIVE: Question(4, 144, 10), SDM630: Question(4, 0, 10)}
SPEEDS = ("0", "1")
"""At 0 the registers stay as they are; at 1 they change from request to request."""
CPU_REACH = Reach(1.1)
RATE_REACH = Reach(0.9, at_least=True)


def measure(quick: bool) -> Iterator[Figure]:
    """Measure both maps alternately, round by round."""
    for speed in SPEEDS:
        with contextlib.ExitStack() as running:
            yield from _measure(running, speed, quick)


def _measure(running: contextlib.ExitStack, speed: str, quick: bool) -> Iterator[Figure]:
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    client, note = load_client(folder)
    servers, lines = {}, []
    for name in OPTIONS:
        path = folder / f"{len(lines)}.tty"
        child, port = _meter(running, name, speed, path)
        servers[name] = Server(child, port, QUESTIONS[name])
        lines.append(Line(child, str(path), QUESTIONS[name]))
    rounds, scale = (3, 1) if quick else (11, 2)
    bench = Bench(client, servers, dict.fromkeys(OPTIONS, note))
    bench.rounds(Case(16, 1, 1_600), 1)
    where = f"with {SDM630} at speed {speed}"
    measured = bench.rounds(Case(16, 1, 16_000 * scale), rounds)
    what = f"Modbus TCP {where}, 16 connections: server CPU per request"
    yield cpu_figure(bench, measured, what, SDM630, NATIVE, CPU_REACH)
    measured = bench.rounds(Case(64, 1, 16_000 * scale), rounds)
    what = f"Modbus TCP {where}, 64 connections"
    yield rate_figure(bench, measured, what, SDM630, NATIVE, RATE_REACH)
    rates, cpu = loaded(client, lines, *((5, 2_000) if quick else (25, 4_000)))
    what = f"Modbus RTU {where} on a virtual port"
    yield beside(what, "requests/s", rates[1], rates[0], NATIVE, RATE_REACH, note)
    what += ": server CPU per request"
    yield beside(what, "us", cpu[1], cpu[0], NATIVE, CPU_REACH, note)


def _meter(running: contextlib.ExitStack, name: str, speed: str, path: Path) -> tuple[Child, int]:
    """Start a meter with a map, and return it with its TCP port."""
    wires = ("--modbus-tcp", "127.0.0.1:0", "--modbus-rtu", str(path))
    meter = ("--load", "2kW", "--credit", "90000.00", "--speed", speed)
    child, ready = running.enter_context(meter_sim(*wires, *meter, *OPTIONS[name]))
    return child, int(ready["modbus_tcp"][0].rpartition(":")[2])
