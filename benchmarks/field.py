"""A full scan of a serial line beside mbpoll's, and what a watch puts on the line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, beside
from benchmarks.processes import meter_sim, program

METERS = {3: "native", 40: "sdm630", 200: "sdm120"}
TIMEOUT_MS = 200
"""Wait for a unit: that of a scan, and given to mbpoll, which waits 1 s by default."""
BAUD = 9600
BITS = 10
"""Of a character on an 8N1 line."""
READINGS = 10
WITHIN_S = 600.0
FORECAST = re.compile(r"takes at most (?:(\d+) min )?(\d+) s")
FRAME = re.compile(r"^(->|<-) ([0-9a-f ]+)$", re.MULTILINE)


def measure(quick: bool) -> Iterator[Figure]:
    """Scan a line of three meters, then watch one of them."""
    last = 60 if quick else 247
    with tempfile.TemporaryDirectory() as folder:
        port = str(Path(folder) / "line.tty")
        described = [word for unit in METERS for word in ("--config", _meter(folder, unit))]
        with meter_sim(*described, "--modbus-rtu", port, "--speed", "0"):
            yield from _scan(port, last, folder)
            yield from _watch(port, folder)


def _meter(folder: str, unit: int) -> str:
    path = Path(folder) / f"{unit}.toml"
    path.write_text(f'serial_number = "{unit:012d}"\nunit = {unit}\nmap = "{METERS[unit]}"\n')
    return str(path)


def _scan(port: str, last: int, folder: str) -> Iterator[Figure]:
    present = [unit for unit in METERS if unit <= last]
    words = ["--port", port, "scan", "--units", f"1-{last}", "--timeout", f"{TIMEOUT_MS}ms"]
    took, done = _timed([program("meterctl"), *words, "--json"], folder)
    if done.stdout.count('"unit"') != len(present):
        raise BenchmarkError(f"scan: {done.stdout}{done.stderr}")
    said = FORECAST.search(done.stderr)
    forecast = 60 * int(said[1] or 0) + int(said[2]) if said else 0
    peers: list[float] | None = None
    note = "mbpoll -a 1:N, one register a unit; it identifies no meter"
    if shutil.which("mbpoll"):
        asked = ["-m", "rtu", "-a", f"1:{last}", "-b", str(BAUD), "-P", "none"]
        asked += ["-o", str(TIMEOUT_MS / 1000), "-r", "1", "-c", "1", "-t", "4", "-1", port]
        peers = [_timed(["mbpoll", *asked], folder)[0]]
    else:
        note = "mbpoll is not installed"
    what = f"scan of {last} units on a virtual port, 3 meters (it said {forecast} s before)"
    yield beside(what, "s", [took], peers, "mbpoll", note=note)


def _watch(port: str, folder: str) -> Iterator[Figure]:
    words = ["--port", port, "--unit", "3", "--trace", "watch", "--every", "1s"]
    one, several = (
        _bytes(_timed([program("meterctl"), *words, "--count", str(count)], folder)[1].stderr)
        for count in (1, READINGS + 1)
    )
    requests, sent = ((b - a) / READINGS for a, b in zip(one, several, strict=True))
    share = 100 * sent * BITS / BAUD
    yield beside("watch --every 1s: requests", "1/s", [requests], None, "")
    yield beside("watch --every 1s: bytes, both ways", "1/s", [sent], None, "")
    yield beside(f"watch --every 1s: share of a line of {BAUD} baud", "%", [share], None, "")


def _bytes(trace: str) -> tuple[int, int]:
    """Return the requests and the bytes of a trace."""
    frames = FRAME.findall(trace)
    sent = sum(len(bytes.fromhex(frame)) for _, frame in frames)
    return sum(way == "->" for way, _ in frames), sent


def _timed(command: Sequence[str], folder: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    began = time.perf_counter()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        env={**os.environ, "XDG_STATE_HOME": folder},
        check=False,
    )
    return time.perf_counter() - began, done
