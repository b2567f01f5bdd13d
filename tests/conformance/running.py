"""A `meter-sim run` process, from its ready line to its orderly end."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(sys.executable).parent
START_S = 20
END_S = 10


@dataclass(frozen=True, slots=True)
class Running:
    """Running meters: the process, its folder and the addresses of its wires."""

    process: subprocess.Popen[bytes]
    folder: Path
    tcp: tuple[str, int]
    pty: Path

    def errors(self) -> str:
        """Return the stderr of the program so far."""
        return (self.folder / "stderr").read_text()

    def assert_well(self) -> None:
        """Assert that the program runs and printed no traceback."""
        assert self.process.poll() is None, (
            f"meter-sim ended with {self.process.returncode}: {self.errors()}"
        )
        assert "Traceback" not in self.errors(), self.errors()

    def control(self, *words: str) -> str:
        """Run `meter-sim control` with the given words; return its output."""
        command: list[str | Path] = [
            PROGRAMS / "meter-sim",
            "control",
            self.folder / "control",
            *words,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_S)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running(folder: Path, *options: str | Path) -> Iterator[Running]:
    """Run meters at speed 0 on one virtual serial port and one TCP port."""
    pty = folder / "meter.tty"
    wires: list[str | Path] = [
        "--modbus-rtu",
        pty,
        "--modbus-tcp",
        "127.0.0.1:0",
        "--control",
        folder / "control",
    ]
    command: list[str | Path] = [
        PROGRAMS / "meter-sim",
        "run",
        *options,
        *wires,
        "--speed",
        "0",
        "--json",
    ]
    with (
        open(folder / "stderr", "wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=folder) as process,
    ):
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], START_S)[0], "no ready line"
            line = process.stdout.readline()
            assert line, (folder / "stderr").read_text()
            ready = json.loads(line)
            assert ready["event"] == "ready"
            host, port = ready["modbus_tcp"][0].rsplit(":", 1)
            meters = Running(process, folder, (host, int(port)), Path(ready["modbus_rtu"][0]))
            yield meters
            meters.assert_well()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=END_S)
            assert process.returncode == 0, meters.errors()
            assert not pty.is_symlink()
        finally:
            if process.poll() is None:
                process.kill()
