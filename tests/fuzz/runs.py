"""Runs of targets on inputs: counts, a time limit for each input, one crash for each place."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.fuzz.corpus import HangError, crash_name
from tests.fuzz.targets import TARGETS

HANG_S = 5
"""Time limit of one input; the slowest takes a fraction of a second."""


class Tally:
    """Executions by target, and the first input for each distinct failure."""

    def __init__(self) -> None:
        self.executions = dict.fromkeys(TARGETS, 0)
        self.crashes: dict[tuple[str, str], bytes] = {}

    def run(self, name: str, data: bytes) -> None:
        """Run a target on an input; keep the input of a new failure."""
        self.executions[name] += 1
        try:
            with limited():
                TARGETS[name](data)
        except Exception as error:
            self.crashes.setdefault((name, crash_name(error)), data)

    def write(self, path: Path) -> None:
        """Write the tally to a file."""
        crashes = [[*key, data.hex()] for key, data in self.crashes.items()]
        path.write_text(json.dumps({"executions": self.executions, "crashes": crashes}))

    def add(self, other: Tally) -> None:
        """Add the counts and the crashes of another tally."""
        for name, count in other.executions.items():
            self.executions[name] += count
        self.crashes = other.crashes | self.crashes

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Return the tally in a file."""
        tally, table = cls(), json.loads(path.read_text())
        tally.executions |= table["executions"]
        tally.crashes = {(name, how): bytes.fromhex(data) for name, how, data in table["crashes"]}
        return tally


@contextmanager
def limited() -> Iterator[None]:
    """Raise HangError in a block that takes too long; afterwards restart a timer set before."""
    before, began = signal.signal(signal.SIGALRM, _hang), time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.1))


def _hang(_: int, __: FrameType | None) -> None:
    raise HangError(f"no end after {HANG_S} s")
