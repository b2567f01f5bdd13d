"""Modbus TCP: function 3 of ten registers in a closed loop; peers: pymodbus and libmodbus in C."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compiler import HERE, AbsentError, libmodbus_server, load_client
from benchmarks.figures import BenchmarkError, Figure, Reach, beside, in_turn
from benchmarks.load_client import Question
from benchmarks.processes import Child, meter_sim, run_json

ADDRESS, COUNT = 64, 10
"""Available credit and following registers: a host polls them, and they change while a meter runs.
"""
CREDIT = Question(3, ADDRESS, COUNT)
CLIENT_WITHIN_S = 120.0
STANDING, RUNNING, PYMODBUS, LIBMODBUS = "speed 0", "speed 1", "pymodbus", "libmodbus"
CPU_REACHES = ((LIBMODBUS, Reach(1.1)), (PYMODBUS, Reach(0.25)))
RATE_REACH = Reach(0.9, at_least=True)
PIPELINED_REACH = Reach(2, at_least=True)
NOTHING_LOST = Reach(0, "lost")


@dataclass(frozen=True, slots=True)
class Case:
    """Number of connections, of unanswered requests on each, and of requests in all."""

    connections: int
    in_flight: int
    requests: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a case against one server."""

    rate: float | None
    cpu_us: float | None
    lost: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server, the port on which it listens, and the requests to it."""

    child: Child
    port: int
    question: Question = CREDIT


class Bench:
    """The servers, and the client that loads them alternately."""

    def __init__(
        self, client: list[str], servers: dict[str, Server], notes: dict[str, str]
    ) -> None:
        self._client, self._servers, self.notes = client, servers, notes

    def rounds(self, case: Case, rounds: int) -> dict[str, list[Measured]]:
        """Return the measurements by server."""
        measured: dict[str, list[Measured]] = {name: [] for name in self._servers}
        for turn in range(rounds):
            for name, server in in_turn(list(self._servers.items()), turn):
                measured[name].append(self.run(server, case))
        return measured

    def run(self, server: Server, case: Case) -> Measured:
        """Load a server once and return the measurement."""
        arguments = (server.port, case.connections, case.in_flight, case.requests)
        before = server.child.cpu_us()
        result = run_json(
            [*self._client, "tcp", "127.0.0.1", *map(str, (*arguments, *server.question))],
            CLIENT_WITHIN_S,
        )
        after = server.child.cpu_us()
        replies = result["replies"]
        if result["wrong"]:
            raise BenchmarkError(f"{result['wrong']} wrong replies from {server.child.name}")
        cpu = (
            (after - before) / replies
            if before is not None and after is not None and replies
            else None
        )
        rate = replies / result["seconds"] if result["seconds"] else None
        return Measured(rate, cpu, result["lost"] + result["unsent"])


def measure(quick: bool) -> Iterator[Figure]:
    """Measure all cases, the servers alternately, round by round."""
    rounds, scale = (3, 1) if quick else (11, 2)
    with contextlib.ExitStack() as running:
        bench = _set_up(running)
        measured = bench.rounds(Case(16, 1, 16_000 * scale), rounds)
        for ours in (STANDING, RUNNING):
            what = f"Modbus TCP at {ours}, 16 connections: server CPU per request"
            for peer, reach in CPU_REACHES:
                yield cpu_figure(bench, measured, what, ours, peer, reach)
        measured = bench.rounds(Case(64, 1, 16_000 * scale), rounds)
        for ours in (STANDING, RUNNING):
            yield rate_figure(
                bench,
                measured,
                f"Modbus TCP at {ours}, 64 connections",
                ours,
                LIBMODBUS,
                RATE_REACH,
            )
        yield rate_figure(
            bench, measured, f"Modbus TCP at {STANDING}, 64 connections", STANDING, PYMODBUS, None
        )
        measured = bench.rounds(Case(16, 8, 32_000 * scale), rounds)
        for ours in (STANDING, RUNNING):
            what = f"Modbus TCP at {ours}, 16 connections x 8 in flight"
            yield rate_figure(bench, measured, what, ours, LIBMODBUS, PIPELINED_REACH)
        for peer in (LIBMODBUS, PYMODBUS):
            yield _lost(bench, measured, peer)


def _set_up(running: contextlib.ExitStack) -> Bench:
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    client, note = load_client(folder)
    notes = dict.fromkeys((STANDING, RUNNING, PYMODBUS, LIBMODBUS), note)
    servers = {}
    for name, speed in ((STANDING, "0"), (RUNNING, "1")):
        sim = meter_sim(
            "--modbus-tcp", "127.0.0.1:0", "--speed", speed, "--load", "2kW", "--credit", "90000.00"
        )
        child, ready = running.enter_context(sim)
        servers[name] = Server(child, int(ready["modbus_tcp"][0].rpartition(":")[2]))
    commands = {PYMODBUS: [sys.executable, str(HERE / "peers" / "pymodbus_tcp.py")]}
    try:
        commands[LIBMODBUS] = [str(libmodbus_server("tcp", folder))]
    except AbsentError as error:
        notes[LIBMODBUS] = str(error)
    for name, command in commands.items():
        child = running.enter_context(Child(command))
        servers[name] = Server(child, int(child.ready))
    bench = Bench(client, servers, notes)
    bench.rounds(Case(16, 1, 1_600), 1)
    return bench


def cpu_figure(
    bench: Bench, measured: dict[str, list[Measured]], what: str, ours: str, peer: str, reach: Reach
) -> Figure:
    mine = [one.cpu_us for one in measured[ours]]
    theirs = [one.cpu_us for one in measured[peer]] if peer in measured else None
    return beside(what, "us", mine, theirs, peer, reach, bench.notes[peer])


def rate_figure(
    bench: Bench,
    measured: dict[str, list[Measured]],
    what: str,
    ours: str,
    peer: str,
    reach: Reach | None,
) -> Figure:
    mine = [one.rate for one in measured[ours]]
    theirs = [one.rate for one in measured[peer]] if peer in measured else None
    return beside(what, "requests/s", mine, theirs, peer, reach, bench.notes[peer])


def _lost(bench: Bench, measured: dict[str, list[Measured]], peer: str) -> Figure:
    def lost(*names: str) -> int:
        return sum(one.lost for name in names for one in measured[name])

    theirs = lost(peer) if peer in measured else None
    return Figure(
        "Modbus TCP, 16 connections x 8 in flight: requests lost",
        "in all rounds",
        lost(STANDING, RUNNING),
        theirs,
        peer,
        None,
        NOTHING_LOST.text(),
        NOTHING_LOST.met(lost(STANDING, RUNNING)),
        bench.notes[peer],
    )
