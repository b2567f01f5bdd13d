"""Commands of meterctl, each run in a process of its own that may be killed at a point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SERVING = "tests.desk.kill.serving"


class KillPoint(StrEnum):
    """Where a command is killed (UTILITY 9)."""

    TAKEN = "taken"
    """The money is taken, committed; nothing else is begun."""
    SENDING = "sending"
    PREPARED = "prepared"
    """The journal has the entry; its message is not sent yet."""
    SENT = "sent"
    """Its message is sent; no answer was read."""
    SETTLED = "settled"
    """The journal has what became of it; the books do not."""
    POSTED = "posted"
    ANSWER = "answer"
    """All is done; the command has not said so."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `code` is -9 where it was killed."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The last object that it printed with --json."""
        told: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return told


class Commands:
    """The process, as the tests speak to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        *words: str,
        environment: Mapping[str, str],
        point: KillPoint | None = None,
    ) -> Ended:
        """Run `meterctl WORDS` in a child; it dies at the point, if one is given."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"words": words, "environment": dict(environment), "point": point}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process of the commands has ended"
        return Ended(**json.loads(line))


@contextmanager
def commands() -> Iterator[Commands]:
    """Run the process for the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", SERVING],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Commands(process)
    finally:
        process.communicate()


def kill_this() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)
