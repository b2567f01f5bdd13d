"""Measured processes: start, wait for the ready line, read the CPU time, end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from benchmarks.figures import BenchmarkError

READY_WITHIN_S = 20.0
END_WITHIN_S = 5.0


def program(name: str) -> str:
    """Return the path of an installed program of this environment."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise BenchmarkError(f"{path} is absent: install the project into this environment")
    return str(path)


class Child:
    """A server process.

    The constructor waits for its first line on stdout, the ready line; leaving the context ends it.
    `variables` are added to the environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        pass_fds: Sequence[int] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=tuple(pass_fds),
            env=None if variables is None else {**os.environ, **variables},
        )
        try:
            self.ready = self._first_line()
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def cpu_us(self) -> float | None:
        """Return the CPU time of all its threads so far, us; None where the system lacks it."""
        return cpu_us(self._process.pid)

    def end(self) -> None:
        """End the process: orderly, by force after a time-out."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None
        file, line, deadline = self._process.stdout.fileno(), b"", time.monotonic() + READY_WITHIN_S
        with selectors.DefaultSelector() as selector:
            selector.register(file, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise BenchmarkError(f"{self.name}: not ready within {READY_WITHIN_S:.0f} s")
                data = os.read(file, 65_536)
                if not data:
                    self._errors.seek(0)
                    raise BenchmarkError(
                        f"{self.name}: {self._errors.read().decode().strip()[-300:]}"
                    )
                line += data
        return line


def cpu_us(pid: int) -> float | None:
    """Return the CPU time of a process, us: from schedstat (1 ns), stat (10 ms), or None."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")
    return None


@contextlib.contextmanager
def meter_sim(*arguments: str) -> Iterator[tuple[Child, dict[str, Any]]]:
    """Run `meter-sim run --json` with some arguments; yield the process and its ready line."""
    with Child([program("meter-sim"), "run", "--json", *arguments]) as child:
        yield child, json.loads(child.ready)


def run_json(command: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """Run a command to its end and return the JSON object that it prints."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{command[0]}: no end within {timeout_s:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(
            f"{command[0]}: exit {error.returncode}: {error.stderr.decode()[-300:]}"
        ) from error
    result: dict[str, Any] = json.loads(done.stdout)
    return result
