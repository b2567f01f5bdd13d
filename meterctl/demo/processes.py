"""The process of the demo's meter: `meter-sim`, with a virtual serial port and a control socket."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meterctl.errors import MeterctlError, UsageError

Control = Callable[..., str]
"""Sends the words of a control command to the meter, and returns the reply."""


@contextmanager
def running_meter(folder: Path, description: str) -> Iterator[Control]:
    """Run `meter-sim` on the port `meter.tty` of a folder; yields its control.

    Args:
        description: the meter's description in TOML.

    Raises:
        UsageError: meter-sim is not installed, or did not start.
    """
    (folder / "meter.toml").write_text(description)
    socket = str(folder / "meter.sock")

    def control(*words: str) -> str:
        done = subprocess.run(
            [_program(), "control", socket, *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MeterctlError(f"demo: meter-sim control {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    with running_simulator(folder, _options(folder, socket)):
        yield control


@contextmanager
def running_simulator(folder: Path, options: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Run `meter-sim run` until the end of the block; yields its ready line.

    Args:
        folder: where its log is written.
        options: of `meter-sim run`.

    Raises:
        UsageError: meter-sim is not installed, or did not start.
    """
    path = folder / "meter.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [_program(), "run", *options, "--json"], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        if not ready:
            raise UsageError(f"demo: the meter did not start: {path.read_text().strip()}")
        yield json.loads(ready)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _program() -> str:
    """Return the path of meter-sim: beside this Python, or on the path."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("meter-sim", path=beside) or shutil.which("meter-sim")
    if program is None:
        raise UsageError("demo: meter-sim is not installed together with meterctl")
    return program


def _options(folder: Path, socket: str) -> tuple[str, ...]:
    """Return the options of `meter-sim run`: a meter that stands still until its speed is set."""
    return (
        *("--config", str(folder / "meter.toml")),
        *("--modbus-rtu", str(folder / "meter.tty")),
        *("--control", socket),
        *("--speed", "0"),
    )
