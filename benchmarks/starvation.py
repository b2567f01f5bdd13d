"""Waits of others while connections flood the TCP server; the peer is pymodbus's server.

A read over RTU, a control command, and requests of a TCP master that waits for each reply.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.compiler import HERE
from benchmarks.figures import Figure, Reach, beside
from benchmarks.modbus_tcp import ADDRESS, COUNT, PYMODBUS
from benchmarks.processes import Child, meter_sim
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import Function, read_request

FLOODS = (1, 10, 50)
WITHIN_S = 10.0
"""A wait that is given up; it counts as so long."""
PAUSE_S = 0.005
OTHER_WIRES_REACH, MASTER_REACH = Reach(1_000, "ms"), Reach(500, "ms")
_READ = read_request(Function.READ_HOLDING_REGISTERS, ADDRESS, COUNT)
_STATE = b'{"words": ["state"]}\n'


@dataclass
class Waits:
    """The waits of one flood, ms."""

    rtu: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    master: list[float] = field(default_factory=list)


def measure(quick: bool) -> Iterator[Figure]:
    """Flood both servers, one after the other, with each number of connections."""
    seconds = 2.0 if quick else 5.0
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        port, control = folder / "meter.tty", folder / "control"
        wires = ("--modbus-tcp", "127.0.0.1:0", "--modbus-rtu", str(port))
        _, ready = running.enter_context(
            meter_sim(*wires, "--control", str(control), "--load", "2kW", "--credit", "90000.00")
        )
        ours = int(ready["modbus_tcp"][0].rpartition(":")[2])
        peer = running.enter_context(
            Child([sys.executable, str(HERE / "peers" / "pymodbus_tcp.py")])
        )
        for count in FLOODS:
            waits = _flooded(ours, count, seconds, (port, control))
            theirs = _flooded(int(peer.ready), count, seconds, None)
            yield from _figures(count, waits, theirs)


def _figures(count: int, waits: Waits, theirs: Waits) -> Iterator[Figure]:
    what = f"{count} flooding TCP connection{'s' if count > 1 else ''}: "
    reach = OTHER_WIRES_REACH
    yield beside(what + "read over RTU, longest", "ms", [max(waits.rtu)], None, "", reach)
    yield beside(what + "control command, longest", "ms", [max(waits.control)], None, "", reach)
    yield beside(
        what + "another TCP master, p99",
        "ms",
        [_p99(waits.master)],
        [_p99(theirs.master)],
        PYMODBUS,
        MASTER_REACH,
    )


def _p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


def _flooded(port: int, count: int, seconds: float, others: tuple[Path, Path] | None) -> Waits:
    """Return the waits on a server while it is flooded.

    Args:
        others: the serial port and the control socket of the server, where it has them.
    """
    waits = Waits()
    flood = [sys.executable, "-m", "benchmarks.flood_client", "127.0.0.1", str(port), str(count)]
    with (
        Child(flood),
        socket.create_connection(("127.0.0.1", port), WITHIN_S) as master,
    ):
        master.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        master.settimeout(WITHIN_S)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            waits.master.append(_wait_ms(lambda: _ask_tcp(master)))
            if waits.master[-1] >= WITHIN_S * 1000:
                break  # its late reply would be taken for the next one
            if others is not None:
                waits.rtu.append(_wait_ms(lambda: _ask_rtu(others[0])))
                waits.control.append(_wait_ms(lambda: _ask_control(others[1])))
            time.sleep(PAUSE_S)
    return waits


def _wait_ms(ask: Callable[[], bool]) -> float:
    began = time.monotonic()
    answered = False
    with contextlib.suppress(OSError):
        answered = ask()
    return (time.monotonic() - began if answered else WITHIN_S) * 1000


def _ask_tcp(wire: socket.socket) -> bool:
    wire.sendall(tcp.encode(1, 1, _READ))
    return len(wire.recv(1_000)) == tcp.HEADER_SIZE + 2 + 2 * COUNT


def _ask_rtu(path: Path) -> bool:
    file = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(file, rtu.encode(1, _READ))
        reply = b""
        while len(reply) < 5 + 2 * COUNT and select.select([file], [], [], WITHIN_S)[0]:
            reply += os.read(file, 1_000)
    finally:
        os.close(file)
    return len(reply) == 5 + 2 * COUNT


def _ask_control(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(WITHIN_S)
        wire.connect(str(path))
        wire.sendall(_STATE)
        return wire.recv(1 << 16).startswith(b'{"ok": true')
