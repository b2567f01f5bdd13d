"""meterctl shell over every wire, with a meter that does not answer, and at a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port
from tests.support.programs import BIN, TIMEOUT_S


@pytest.mark.parametrize("kind", KINDS)
def test_a_visit_of_several_commands_over_one_port(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    visit = """\
read serial_number
unit 9
read debt --timeout 50ms
unit 1
read debt
"""
    done = subprocess.run(
        [BIN / "meterctl", "--port", field_port(meter, kind), "shell", "--json"],
        input=visit,
        cwd=tmp_path,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "xdg")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    serial, silent, debt = map(json.loads, done.stdout.splitlines())
    assert serial == {"serial_number": meter.serial_number}
    assert silent["exit_code"] == 4
    assert "line 3: exit code 4 (no_answer)" in done.stderr
    assert debt == {"debt": 0.0}, "the wire goes on"
    assert done.returncode == 0


class Terminal:
    """A terminal on which a program runs."""

    def __init__(self, file: int) -> None:
        self._file = file

    def types(self, keys: str, until: str) -> str:
        """Press keys, and return what is shown until a text is."""
        os.write(self._file, keys.encode())
        shown, end = "", time.monotonic() + TIMEOUT_S
        while until not in shown:
            assert time.monotonic() < end, shown
            if select.select([self._file], [], [], 0.1)[0]:
                try:
                    shown += os.read(self._file, 4096).decode()
                except OSError:
                    break
        return shown


@contextmanager
def at_a_terminal(*words: str, cwd: Path) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    def own_terminal() -> None:
        os.login_tty(slave)

    master, slave = pty.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(cwd / "xdg"), "TERM": "dumb"}
    process = subprocess.Popen(
        [BIN / "meterctl", *words],
        cwd=cwd,
        env=environment,
        preexec_fn=own_terminal,  # noqa: PLW1509 - no threads here
    )
    os.close(slave)
    try:
        yield Terminal(master), process
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
        os.close(master)


def test_a_visit_at_a_terminal(meter: PrepaidMeter, tmp_path: Path) -> None:
    port = field_port(meter, "rtu")
    with at_a_terminal("--port", port, "shell", cwd=tmp_path) as (terminal, process):
        terminal.types("", "unit 1> ")
        shown = terminal.types("read overdraft_l\t --json\n", "}\r\nunit 1> ")
        assert '"overdraft_limit"' in shown
        assert "top up 7.00" in terminal.types("topup 7\n", "[y/N]")
        assert "accepted" in terminal.types("y\n", "unit 1> ")
        terminal.types("unit 9\n", "unit 9> ")
        shown = terminal.types("read debt --timeout 10s\n", "10s")
        time.sleep(0.3)
        shown += terminal.types("\x03", "unit 9> ")
        assert "exit code 130" in shown
        terminal.types("unit 1\n", "unit 1> ")
        assert '"debt"' in terminal.types("read debt --json\n", "}\r\nunit 1> ")
        terminal.types("\x04", "\n")
        assert process.wait(TIMEOUT_S) == 0
    history = tmp_path / "xdg" / "meterctl" / "history"
    lines = history.read_text().splitlines()
    assert "topup 7" in lines
    assert "y" not in lines, "an answer is no command"
    assert history.stat().st_mode & 0o777 == 0o600
