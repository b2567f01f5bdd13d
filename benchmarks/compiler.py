"""C programs of the benchmarks: load client and libmodbus servers, compiled at run time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
COMPILE_WITHIN_S = 60.0


class AbsentError(Exception):
    """A requirement of a C program is not on this machine; the text names the package."""


def compile_c(source: Path, folder: Path, options: Sequence[str] = ()) -> Path:
    """Compile a C file and return the program; raises AbsentError."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise AbsentError("no C compiler: apt-get install gcc libc6-dev")
    out = folder / source.stem
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(out), str(source), *options]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMPILE_WITHIN_S, check=False
    )
    if done.returncode:
        if "modbus.h" in done.stderr or "-lmodbus" in done.stderr:
            raise AbsentError("libmodbus absent: apt-get install libmodbus-dev")
        raise AbsentError(f"{source.name} does not compile: {done.stderr.strip()[:200]}")
    return out


def libmodbus_server(kind: str, folder: Path) -> Path:
    """Return the libmodbus server `tcp` or `rtu`; raises AbsentError."""
    return compile_c(HERE / "peers" / f"libmodbus_{kind}.c", folder, _libmodbus_options())


def load_client(folder: Path) -> tuple[list[str], str]:
    """Return the command of the load client, and a note where it is the slower one in Python."""
    try:
        return [str(compile_c(HERE / "load_client.c", folder))], ""
    except AbsentError as error:
        return [sys.executable, str(HERE / "load_client.py")], f"client in Python: {error}"


def _libmodbus_options() -> list[str]:
    found = shutil.which("pkg-config")
    if found:
        command = [found, "--cflags", "--libs", "libmodbus"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMPILE_WITHIN_S, check=False
        )
        if done.returncode == 0:
            return done.stdout.split()
    return ["-I/usr/include/modbus", "-lmodbus"]
