"""Runs the two programs as a user does."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
TIMEOUT_S = 60


def meterctl(
    *words: str,
    cwd: Path,
    check: int | None = 0,
    columns: int | None = None,
    largest_file: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run meterctl in a folder with a journal of its own.

    Args:
        check: the wanted exit code, None for any.
        columns: the width of its screen; none without it.
        largest_file: a size of a file, bytes, at which its disk is full for the program.
    """
    environment = os.environ | {"XDG_STATE_HOME": str(cwd / "xdg")}
    environment.pop("METERCTL_PORT", None)
    if columns is not None:
        environment["COLUMNS"] = str(columns)
    done = subprocess.run(
        [BIN / "meterctl", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
        preexec_fn=None if largest_file is None else _limiting(largest_file),
    )
    assert check is None or done.returncode == check, (
        f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    assert "Traceback" not in done.stderr
    return done


def _limiting(size: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def meterctl_json(*words: str, cwd: Path) -> list[dict[str, Any]]:
    """Run meterctl with --json; return its objects."""
    return [json.loads(line) for line in meterctl(*words, "--json", cwd=cwd).stdout.splitlines()]


def meter_sim(*words: str, cwd: Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run a meter-sim command that ends by itself."""
    done = subprocess.run(
        [BIN / "meter-sim", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert check is None or done.returncode == check, (
        f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def running(*words: str, cwd: Path, kill: bool = False) -> Iterator[dict[str, Any]]:
    """Run `meter-sim run … --json` for the block; yield its ready line.

    With `kill` it ends by SIGKILL.
    """
    process = subprocess.Popen(
        [BIN / "meter-sim", "run", *words, "--json"],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=TIMEOUT_S)[1]
        yield json.loads(line)
    finally:
        if kill:
            process.kill()
        else:
            process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in errors, errors
        assert kill or process.returncode == 0, errors


def signalled_at_import(program: str, number: int, imported: str, *words: str) -> list[str]:
    """Return a command that runs a program; a signal reaches it while it imports a module.

    `program` is the module that has its `main`, such as `meterctl.cli`.
    """
    code = (
        "import os, sys\n"
        "class Signalling:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {imported!r}:\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Signalling())\n"
        f"sys.argv = {['program', *words]!r}\n"
        f"from {program} import main\n"
        "main()\n"
    )
    return [str(BIN / "python"), "-c", code]
