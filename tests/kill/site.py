"""A meter and its hosts as processes, with a state file, two journals, a serial port and TCP."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.storage.store import load
from meterctl.drivers.modbus import ModbusDriver
from meterctl.transports.wires import monotonic_ms, open_transport
from protocols.data_model.items import Item
from protocols.data_model.tables import PURCHASES, Purchase
from protocols.quantities import CENT, LEDGER_DECIMALS, parse_fixed

PROGRAMS = Path(sys.executable).parent
TIMEOUT_S = 60
"""The limit for every program on a busy machine; beyond it the program hangs."""
OPENING = "20.00"
_STILL = ("--credit", OPENING, "--load", "0kW", "--speed", "0")
OPEN_STATES = ("prepared", "on_card", "unknown")


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended program: its exit code and its output."""

    code: int
    out: str
    err: str

    def rows(self) -> list[dict[str, Any]]:
        """Return its JSON lines; numbers with decimals are whole ledger units."""
        return [json.loads(line, parse_float=ledger) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """An entry of the journal, read without the host's code. `amount` in ledger units."""

    sequence: int
    kind: str
    amount: int
    state: str

    @property
    def is_open(self) -> bool:
        """Whether the outcome of the entry is still unknown."""
        return self.state in OPEN_STATES


def ledger(text: str) -> int:
    """Return ledger units from a number with decimals."""
    return parse_fixed(text, LEDGER_DECIMALS)


class Site:
    """A folder with a meter on its wires; leaving the block ends every process it started."""

    def __init__(
        self, folder: Path, delay_ms: int = 0, timeout_ms: int = 1000, *, faulty: bool = False
    ) -> None:
        self.folder = folder
        self.state = folder / "meter.nv"
        self.journals = (folder / "journal.sqlite", folder / "another.sqlite")
        self.journal = self.journals[0]
        """The journal of the following meterctl commands."""
        self.link, self.log = folder / "meter.tty", folder / "meter.log"
        self.tcp = ""
        self._delay_ms, self._timeout_ms, self._faulty = delay_ms, timeout_ms, faulty
        self._meter: subprocess.Popen[str] | None = None
        self._others: list[subprocess.Popen[str]] = []
        self._terminal: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for process in (*self._others, *([self._meter] if self._meter else [])):
            if process.poll() is None:
                process.kill()
            process.communicate()
        self._hold_terminal(None)

    # ---- the meter

    @property
    def meter(self) -> subprocess.Popen[str]:
        """The meter's last started process."""
        assert self._meter is not None
        return self._meter

    def start_meter(self, *options: str | Path) -> None:
        """Start the meter, new or from its state file, and wait until it is ready.

        It has no load, and its time stands still.
        """
        wires = [
            "--modbus-rtu",
            f"{self.link}?delay_ms={self._delay_ms}",
            "--modbus-tcp",
            "127.0.0.1:0",
        ]
        with self.log.open("ab") as log:
            self._meter = subprocess.Popen(
                [
                    PROGRAMS / "meter-sim",
                    "run",
                    *wires,
                    "--state",
                    self.state,
                    *_STILL,
                    "--json",
                    *options,
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._meter.stdout is not None
        assert select.select([self._meter.stdout], [], [], TIMEOUT_S)[0], "meter-sim says nothing"
        line = self._meter.stdout.readline()
        assert line, f"meter-sim ended with {self._meter.wait(TIMEOUT_S)}: {self.log.read_text()}"
        self.tcp = f"tcp://{json.loads(line)['modbus_tcp'][0]}"
        self._hold_terminal(os.open(self.link, os.O_RDWR | os.O_NOCTTY))

    def start_meter_in_vain(self, file_size: int | None = None) -> Ended:
        """Run a meter that must not start; no file of it may grow beyond `file_size`."""
        wire = ("--modbus-rtu", self.link)
        return end(
            self._run(
                "meter-sim", "run", *wire, "--state", self.state, *_STILL, file_size=file_size
            )
        )

    def kill_meter(self) -> None:
        """End the meter by SIGKILL."""
        self.meter.kill()
        self.meter.communicate(timeout=TIMEOUT_S)

    def stop_meter(self) -> None:
        """End the meter by SIGTERM and check its exit code."""
        self.meter.terminate()
        self.meter.communicate(timeout=TIMEOUT_S)
        assert self.meter.returncode == 0, self.log.read_text()

    def _hold_terminal(self, terminal: int | None) -> None:
        """Keep the far end open, so that the kernel does not reuse its number.

        The link of a killed meter still names it.
        """
        if self._terminal is not None:
            os.close(self._terminal)
        self._terminal = terminal

    def stored_sequence(self) -> int:
        """Return the last sequence of the credit class in the meter's state file."""
        loaded = load(SimulatedNvram(self.state.read_bytes()))
        assert loaded is not None
        return loaded.state.security.credit_sequence

    # ---- the host

    def start_host(
        self, *words: str, port: str | None = None, file_size: int | None = None
    ) -> subprocess.Popen[str]:
        """Start a command of meterctl on the serial line, or on another port."""
        common: list[str | Path] = ["--port", port or self.link, "--journal", self.journal]
        return self._run(
            "meterctl", *common, "--timeout", f"{self._timeout_ms}ms", *words, file_size=file_size
        )

    def host(self, *words: str, port: str | None = None, file_size: int | None = None) -> Ended:
        """Run a command of meterctl to its end."""
        return end(self.start_host(*words, port=port, file_size=file_size))

    def _run(
        self, program: str, *words: str | Path, file_size: int | None
    ) -> subprocess.Popen[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("METERCTL_")
        }
        if file_size is not None:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a truncated cache would outlive the test
        process = subprocess.Popen(
            [PROGRAMS / program, *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=None if file_size is None else lambda: limit_files(file_size),  # noqa: PLW1509 - no threads here
        )
        self._others = [other for other in self._others if other.poll() is None] + [process]
        return process

    @property
    def clean_port(self) -> str:
        """A port that shows true values: TCP, or serial, with a CRC, where the lines are faulty."""
        return str(self.link) if self._faulty else self.tcp

    def purchases(self) -> list[Purchase]:
        """Return the meter's purchase records, newest first, as meterctl's driver reads them."""
        with self._driver() as driver:
            rows, _ = driver.rows(PURCHASES)
            return rows[::-1]

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items, as meterctl's driver reads them."""
        with self._driver() as driver:
            return driver.read(items)

    @contextmanager
    def _driver(self) -> Iterator[ModbusDriver]:
        transport = open_transport(self.clean_port)
        try:
            yield ModbusDriver(transport, 1, self._timeout_ms, monotonic_ms)
        finally:
            transport.close()

    def wait_for_commits(self, process: subprocess.Popen[str], count: int) -> bool:
        """Wait until the journal has `count` commits; False if the process ends before."""
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            ended = process.poll() is not None
            if self.commits() >= count:
                return True
            if ended:
                return False
            time.sleep(0.0005)
        raise AssertionError(f"{process.args!r} neither writes its journal nor ends")

    def wait_for_entry(self, process: subprocess.Popen[str], known: int, before: int) -> int:
        """Wait until the journal has more than `known` entries; return the commits since `before`.

        It is 0 if the process ends first. A queried status is written before the entry, so the
        entries are read after each commit.
        """
        commits = before
        while self.wait_for_commits(process, commits + 1):
            entries, commits = self._entries_and_commits()
            if entries > known:
                return commits - before
        return 0

    def wait_until_applied(self, process: subprocess.Popen[str]) -> None:
        """Wait until the meter has stored the next top-up; a slow answer is still to come."""
        known, until = self.stored_sequence(), time.monotonic() + TIMEOUT_S
        while self.stored_sequence() == known:
            assert process.poll() is None, end(process)
            assert time.monotonic() < until, "the top-up never arrives"
            time.sleep(0.002)

    def commits(self) -> int:
        """Return the number of commits of the journal; takes no lock.

        SQLite counts them in the file's header (bytes 24 to 27) and ends each by removing the
        rollback journal: while there is one, the last may not stand yet.
        """
        if not self.journal.exists():
            return 0
        is_begun = Path(f"{self.journal}-journal").exists()
        return max(self._counter() - is_begun, 0)

    def _counter(self) -> int:
        with self.journal.open("rb") as file:
            return int.from_bytes(file.read(28)[24:], "big")

    def _entries_and_commits(self) -> tuple[int, int]:
        """Return both as of one instant: while the rows are read no commit can end."""
        database = sqlite3.connect(
            f"{self.journal.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S, isolation_level=None
        )
        with closing(database):
            database.execute("BEGIN")
            entries = database.execute("SELECT COUNT(*) FROM entries").fetchone()[0]
            return entries, self._counter()

    def all_entries(self) -> list[JournalRow]:
        """Return the entries of all journals."""
        return [
            row
            for path in self.journals
            if path.exists()
            for row in _read(f"{path.as_uri()}?mode=ro")
        ]

    def entries(self, *, writer_is_dead: bool = False) -> list[JournalRow]:
        """Return the journal, oldest entry first.

        The next process that opens the file rolls back the unfinished write of a killed writer:
        `writer_is_dead` reads a copy, so that meterctl does the rollback.
        """
        if not self.journal.exists():
            return []
        if not writer_is_dead:
            return _read(f"{self.journal.as_uri()}?mode=ro")
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:
            for path in self.folder.glob(f"{self.journal.name}*"):
                shutil.copy(path, copy)
            return _read((Path(copy) / self.journal.name).as_uri())


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a program; raises if it hangs."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    return Ended(process.returncode, out, err)


def limit_files(size: int, process: int = 0) -> None:
    """Limit the file size of a process, or of this one: the kernel refuses as on a full disk."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@cache
def knows_faults() -> bool:
    """Return whether meter-sim can make its lines faulty."""
    words: Sequence[str | Path] = [PROGRAMS / "meter-sim", "run", "--help"]
    wide = os.environ | {"COLUMNS": "200"}
    return (
        "--faults"
        in subprocess.run(words, env=wide, capture_output=True, text=True, check=True).stdout
    )


def _read(uri: str) -> list[JournalRow]:
    database = sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S)
    try:
        if not database.execute(
            "SELECT COUNT(*) FROM sqlite_master WHERE name = 'entries'"
        ).fetchone()[0]:
            return []
        rows = database.execute(
            "SELECT sequence, kind, amount, state FROM entries ORDER BY id"
        ).fetchall()
    finally:
        database.close()
    return [
        JournalRow(sequence, kind, amount * CENT, state) for sequence, kind, amount, state in rows
    ]
