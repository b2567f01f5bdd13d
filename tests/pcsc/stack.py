"""The PC/SC stack of a test: its own pcscd with vsmartcard's virtual reader.

pcscd's socket has one path on a machine and the virtual reader has two fixed ports, so one test
uses them at a time, within `alone`. A lock for longer would block: a pytest-xdist worker keeps its
last test until the others have none left, so a lock that outlives a test blocks them all.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = Path("/run/pcscd")
SOCKET = FOLDER / "pcscd.comm"
PID_FILE = FOLDER / "pcscd.pid"
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
"""Names of the two slots of the virtual reader."""
LOCK = Path(tempfile.gettempdir()) / "prepaid-meter-pcsc.lock"
START_S, END_S = 10, 5


def daemon() -> str | None:
    """Return the path of pcscd, which may be outside a user's PATH."""
    return shutil.which("pcscd", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


def lacking() -> list[str]:
    """Return the names of the parts that this machine lacks; empty if the tests can run."""
    named = []
    if daemon() is None:
        named.append("pcscd")
    if not DRIVER.exists():
        named.append(f"{DRIVER.name} (package vsmartcard-vpcd)")
    try:
        with warnings.catch_warnings():
            # The wrapper's generator warns at the first import.
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module("smartcard.System")
    except ImportError:
        named.append("pyscard (extra `card`)")
    if not os.access(FOLDER if FOLDER.exists() else FOLDER.parent, os.W_OK):
        named.append(f"the right to write {FOLDER} (root has it)")
    return named


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other test of this machine uses the stack, and lock it for the block."""
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def foreign() -> str | None:
    """Return the name of a pcscd of another owner, None if there is none; call it in `alone`."""
    with suppress(OSError, ValueError):
        pid = int(PID_FILE.read_text())
        if Path(f"/proc/{pid}/comm").read_text().strip() == "pcscd":
            return f"pcscd {pid}"
    with (
        socket.socket(socket.AF_UNIX) as probe,
        suppress(FileNotFoundError, ConnectionRefusedError),
    ):
        probe.connect(str(SOCKET))
        return f"the program that answers on {SOCKET}"
    return None


class Pcscd:
    """A pcscd in the foreground, and all lines of its log."""

    def __init__(self, folder: Path) -> None:
        self._log, self._ended = folder / "pcscd.log", False
        FOLDER.mkdir(exist_ok=True)
        for stale in (SOCKET, PID_FILE):
            stale.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _command(), stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )

    def wait_until_ready(self) -> None:
        """Wait until both slots exist."""
        from smartcard.pcsc.PCSCExceptions import BaseSCardException
        from smartcard.System import readers

        deadline, found = time.monotonic() + START_S, ()
        while found != READERS:
            assert self._process.poll() is None, (
                f"pcscd ended with {self._process.returncode}:\n{self.log()}"
            )
            assert time.monotonic() < deadline, (
                f"of its readers pcscd has only {found}:\n{self.log()}"
            )
            time.sleep(0.01)
            with suppress(BaseSCardException):
                found = tuple(map(str, readers()))

    def log(self) -> str:
        """Return its log, with all commands and responses."""
        return self._log.read_text(errors="replace")

    def commands(self) -> list[bytes]:
        """Return the APDUs that it has sent to cards."""
        lines = (line.partition("APDU: ")[2] for line in self.log().splitlines())
        return [bytes.fromhex(line) for line in lines if line]

    def assert_well(self) -> None:
        """Check that it ran until it was ended, and that no command hangs its driver."""
        code = self._process.poll()
        assert self._ended or code is None, f"pcscd ended with {code}:\n{self.log()[-4000:]}"
        assert all(len(command) >= 4 for command in self.commands())

    def end(self) -> None:
        """End it by its pid and remove its files; a second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stale in (SOCKET, PID_FILE):
            stale.unlink(missing_ok=True)


def _command() -> list[str]:
    """Return its command line; with setpriv it ends with its parent, even a killed one."""
    program = daemon()
    assert program is not None
    usage = subprocess.run(
        [program, "--help"], capture_output=True, text=True, check=False, timeout=START_S
    )
    polkit = ["--disable-polkit"] if "--disable-polkit" in usage.stdout + usage.stderr else []
    goes_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    return [*goes_with_us, program, "-f", "-i", "--apdu", *polkit]
