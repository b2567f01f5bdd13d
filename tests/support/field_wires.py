"""The wires of a technician's tests: a serial line, TCP, a USB adapter; a line that lies.

A meter of these tests is a `PrepaidMeter`: a real virtual port and a real TCP port, its time moved
by the test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

from firmware_sim import PrepaidMeter
from tests.support.programs import meterctl

Kind = Literal["rtu", "tcp", "usb"]
KINDS: tuple[Kind, ...] = ("rtu", "tcp", "usb")
NARROW = 40
"""Columns of the narrowest terminal."""


def field_port(meter: PrepaidMeter, kind: Kind) -> str:
    """Return the value of --port for a meter over one of `KINDS`.

    The adapter of "usb" hands bytes over in packets of 62, every 16 ms, and returns to the host
    what the host sends, as a 2-wire RS-485 adapter does.
    """
    if kind == "tcp":
        host, port = meter.tcp
        return f"tcp://{host}:{port}"
    if kind == "usb":
        meter.inject("packets")
        meter.inject("echo")
    return str(meter.port)


def lie(meter: PrepaidMeter, probability: float = 0.1) -> None:
    """Let the wires of a meter flip and lose bytes, and lose, delay and repeat replies.

    What they do is drawn from the seed of the meter.
    """
    for fault in ("flip", "drop", "reply_lost", "reply_twice"):
        meter.inject(fault, probability=probability)
    meter.inject("reply_late", value="150ms", probability=probability)


def on_a_screen(
    *words: str, cwd: Path, columns: int = NARROW, largest_file: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run meterctl for a screen of some columns, without a terminal; any exit code.

    Args:
        largest_file: a size of a file, bytes, at which its disk is full for the program.
    """
    return meterctl(*words, cwd=cwd, check=None, columns=columns, largest_file=largest_file)


def too_wide(text: str, columns: int = NARROW) -> list[str]:
    """Return the lines that do not fit a screen; Chinese characters take two columns."""
    from rich.cells import cell_len

    return [line for line in text.splitlines() if cell_len(line) > columns]
