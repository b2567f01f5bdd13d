"""Start times: `meter-sim run` until it is ready, and a whole `meterctl read`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.figures import BenchmarkError, Figure, Reach, beside
from benchmarks.processes import meter_sim, program

READY_REACH, READ_REACH = Reach(0.5, "s"), Reach(0.4, "s")
END_WITHIN_S = 20.0
PEER = "python -c pass"


def measure(quick: bool) -> Iterator[Figure]:
    """Start each alternately with a bare Python."""
    rounds = 3 if quick else 9
    bare, ready, read = [], [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        meter_sim("--modbus-tcp", "127.0.0.1:0") as (_, line),
    ):
        environment = {**os.environ, "XDG_STATE_HOME": folder}
        port = f"tcp://{line['modbus_tcp'][0]}"
        command = [program("meterctl"), "--port", port, "read", "available_credit", "--json"]
        for _ in range(rounds):
            bare.append(_run_s([sys.executable, "-c", "pass"], environment))
            ready.append(_ready_s())
            read.append(_run_s(command, environment, b"available_credit"))
    yield beside("`meter-sim run --json`: spawn to ready line", "s", ready, bare, PEER, READY_REACH)
    yield beside(
        "`meterctl read available_credit --json`: whole process", "s", read, bare, PEER, READ_REACH
    )


def _ready_s() -> float:
    began = time.perf_counter()
    with meter_sim("--modbus-tcp", "127.0.0.1:0"):
        return time.perf_counter() - began


def _run_s(command: Sequence[str], environment: Mapping[str, str], wanted: bytes = b"") -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=END_WITHIN_S,
        env=environment,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode or wanted not in done.stdout:
        raise BenchmarkError(f"{command[0]}: exit {done.returncode}: {done.stderr.decode()[-200:]}")
    return took
