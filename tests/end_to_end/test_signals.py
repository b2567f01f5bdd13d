"""Signals end every command of meter-sim in good order: nothing left behind, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_sim.hosting.control_socket import Answer, ask
from tests.support.programs import BIN, TIMEOUT_S, signalled_at_import

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
WIRES = ("--modbus-rtu", "m.tty", "--modbus-tcp", "127.0.0.1:0", "--control", "c.sock")
SCENARIO = """
name = "s"
[[step]]
at = "+5d"
expect = { supply_state = "disconnected" }
"""
IGNORING = """
import os, signal, sys
signal.signal(getattr(signal, sys.argv[1]), signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def started(
    folder: Path, *words: str, ignored: signal.Signals | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start meter-sim, perhaps with a signal ignored; end it by force at the end of the block."""
    command = [str(BIN / "meter-sim"), *words]
    if ignored is not None:
        command = [sys.executable, "-c", IGNORING, ignored.name, *command]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> int:
    """Return the exit code of a process that ends without a traceback."""
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in said, said
    assert "internal fault" not in said, said
    return process.returncode


def ready(process: subprocess.Popen[str]) -> None:
    """Wait for the ready line."""
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()


def left(folder: Path) -> list[str]:
    """Return the names in a folder but the state file and the input."""
    return sorted({*os.listdir(folder)} - {"m.nv", "s.toml"})


def control(folder: Path, *words: str) -> Answer:
    """Return the answer of a running meter to a command."""
    (answer,) = ask(folder / "c.sock", list(words), None)
    return answer


def test_a_hang_up_ends_a_running_meter_which_saves_and_removes_its_links(tmp_path: Path) -> None:
    with started(tmp_path, "run", *WIRES, "--state", "m.nv", "--speed", "0") as process:
        ready(process)
        control(tmp_path, "advance", "7s")
        process.send_signal(HUP)
        assert ended(process) == 0
    assert left(tmp_path) == []
    with started(tmp_path, "run", *WIRES, "--state", "m.nv", "--speed", "0") as process:
        ready(process)
        assert '"elapsed_ms": 7000' in control(tmp_path, "state").result


def test_a_second_signal_does_not_change_the_exit_code(tmp_path: Path) -> None:
    with started(tmp_path, "run", *WIRES) as process:
        ready(process)
        for number in (TERM, HUP, INT) * 10:
            process.send_signal(number)
            time.sleep(0.002)
        assert ended(process) == 0
    assert left(tmp_path) == []


def test_a_hang_up_that_is_ignored_at_the_begin_stays_ignored(tmp_path: Path) -> None:
    with started(tmp_path, "run", *WIRES, ignored=HUP) as process:
        ready(process)
        process.send_signal(HUP)
        assert control(tmp_path, "state").error is None
        process.send_signal(TERM)
        assert ended(process) == 0


def test_an_interrupt_that_is_ignored_at_the_begin_ends_a_running_meter(tmp_path: Path) -> None:
    with started(tmp_path, "run", *WIRES, ignored=INT) as process:
        ready(process)
        process.send_signal(INT)
        assert ended(process) == 0
    assert left(tmp_path) == []


def test_a_scenario_that_a_hang_up_ends_did_not_hold(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    with started(tmp_path, "scenario", "run", "s.toml", *WIRES) as process:
        ready(process)
        process.send_signal(HUP)
        assert ended(process) == 3
    assert left(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (HUP, -HUP)])
def test_commands_that_serve_nothing_end_at_once(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with started(tmp_path, "simulate", "--for", "9000d", "--load", "household") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert ended(process) == code


@pytest.mark.parametrize(
    "imported",
    ["protocols.replacements", "firmware_sim.cli.program", "typer", "firmware_sim.hosting.tcp"],
)
@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_signal_while_the_program_starts_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, imported: str
) -> None:
    done = subprocess.run(
        signalled_at_import("firmware_sim.cli", number, imported, "run", *WIRES),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode in (0, 130, -number)
    assert "Traceback" not in done.stderr
    assert left(tmp_path) == []
