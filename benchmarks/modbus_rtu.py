"""Modbus RTU on a virtual port: one closed loop, on our server and on a libmodbus server in C.

Both servers have the master of a pty and the client opens its slave; there is no relay in between.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compiler import AbsentError, libmodbus_server, load_client
from benchmarks.figures import BenchmarkError, Figure, Reach, beside, in_turn
from benchmarks.load_client import Question
from benchmarks.modbus_tcp import CLIENT_WITHIN_S, CREDIT
from benchmarks.processes import Child, meter_sim, run_json

REACH = Reach(1, at_least=True)


@dataclass(frozen=True, slots=True)
class Line:
    """A server on a serial line, the path of the client's port, and the requests to it."""

    child: Child
    path: str
    question: Question = CREDIT


def measure(quick: bool) -> Iterator[Figure]:
    """Measure both lines alternately, round by round."""
    rounds, requests = (5, 2_000) if quick else (25, 4_000)
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        client, note = load_client(folder)
        path = folder / "meter.tty"
        sim = meter_sim(
            "--modbus-rtu", str(path), "--speed", "0", "--load", "2kW", "--credit", "90000.00"
        )
        ours, _ = running.enter_context(sim)
        lines = [Line(ours, str(path))]
        try:
            lines.append(_libmodbus(libmodbus_server("rtu", folder), running))
        except AbsentError as error:
            note = str(error)
        rates, cpu = loaded(client, lines, rounds, requests)
        several = len(lines) > 1
        what = "Modbus RTU on a virtual port"
        yield beside(
            what, "requests/s", rates[0], rates[1] if several else None, "libmodbus", REACH, note
        )
        what += ": server CPU per request"
        yield beside(what, "us", cpu[0], cpu[1] if several else None, "libmodbus", None, note)


def loaded(
    client: list[str], lines: list[Line], rounds: int, requests: int
) -> tuple[list[list[float | None]], list[list[float | None]]]:
    """Load the lines alternately; return requests/s and CPU per request of each, by round."""
    for line in lines:
        _run(client, line, 500)
    rates: list[list[float | None]] = [[] for _ in lines]
    cpu: list[list[float | None]] = [[] for _ in lines]
    for turn in range(rounds):
        for index, line in in_turn(list(enumerate(lines)), turn):
            before = line.child.cpu_us()
            result = _run(client, line, requests)
            after = line.child.cpu_us()
            rates[index].append(result["replies"] / result["seconds"])
            cpu[index].append(
                (after - before) / requests if before is not None and after is not None else None
            )
    return rates, cpu


def _libmodbus(program: Path, running: contextlib.ExitStack) -> Line:
    master, slave = os.openpty()
    running.callback(os.close, master)
    running.callback(os.close, slave)
    tty.setraw(slave)
    child = running.enter_context(Child([str(program), str(master)], (master,)))
    return Line(child, os.ttyname(slave))


def _run(client: list[str], line: Line, requests: int) -> dict[str, Any]:
    command = [*client, "rtu", line.path, str(requests), *map(str, line.question)]
    result = run_json(command, CLIENT_WITHIN_S)
    if result["replies"] != requests:
        raise BenchmarkError(f"{line.child.name} on a pty: {result}")
    return result
