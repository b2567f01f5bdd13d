"""Events of a running meter on its streams, whatever becomes of who reads them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from firmware_sim.hosting.control_socket import ask
from tests.support.programs import BIN, TIMEOUT_S

RUN = (BIN / "meter-sim", "run", "--control", "c.sock", "--speed", "0")
METER = (
    *("--start", "2026-01-01T12:00:00Z", "--state", "m.nv"),
    *("--credit", "20.00", "--price", "0.5000", "--load", "2kW", "--overdraft-limit", "5"),
    *("--low-credit-threshold-1", "10", "--low-credit-threshold-2", "5"),
)
SWITCHING = """
[tariff]
prices = ["0.0001", "0.0002"]
[[tariff.day_tables]]
entries = ["00:00 1", "03:00 2", "06:00 1", "09:00 2", "12:00 1", "15:00 2", "18:00 1", "21:00 2"]
"""
"""Eight events a day."""


@contextmanager
def started(
    folder: Path, *words: str, prefix: tuple[str, ...] = (), **streams: Any
) -> Iterator[None]:
    """Run a meter at speed 0 until its control socket listens; stop it in order after the block."""
    with subprocess.Popen([*prefix, *RUN, *words], cwd=folder, **streams) as process:
        try:
            end = time.monotonic() + TIMEOUT_S
            while not (folder / "c.sock").exists() and time.monotonic() < end:
                time.sleep(0.02)
            yield
            control(folder, "stop")
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()


def control(folder: Path, *words: str) -> dict[str, Any]:
    """Return the result of a command to the meter."""
    (answer,) = ask(folder / "c.sock", list(words), None)
    assert answer.error is None, answer.error
    shown: dict[str, Any] = json.loads(answer.result)
    return shown


def test_each_event_is_a_line_and_a_restart_tells_the_past_no_more(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as said, (tmp_path / "out").open("wb") as out:
        with started(tmp_path, *METER, stdout=out, stderr=said):
            control(tmp_path, "advance", "16h")
            control(tmp_path, "button")
        with started(tmp_path, *METER, "--json", stdout=out, stderr=said):
            control(tmp_path, "advance", "8h")
        with started(tmp_path, *METER, "--quiet", stdout=out, stderr=said):
            control(tmp_path, "cover", "open")
    told = (tmp_path / "said").read_text()
    events = [line.split() for line in told.splitlines() if line.startswith("2026")]
    assert [(*words[:2], words[-1]) for words in events] == [
        ("2026-01-01T22:00:00.000Z", "low_credit_warning", "threshold=10.00"),
        ("2026-01-02T03:00:00.000Z", "supply_disconnected", "cause=credit_reminder"),
        ("2026-01-02T04:00:00.000Z", "supply_connected", "by=button"),
    ]
    assert "--low-credit-threshold-1, --low-credit-threshold-2, --overdraft-limit" in told
    first, *rows, last = (tmp_path / "out").read_text().splitlines()
    assert first.startswith("ready: ")
    assert last.startswith("ready: ")
    shown = [json.loads(row) for row in rows]
    assert [(row["event"], row.get("number"), row.get("at")) for row in shown] == [
        ("ready", None, None),
        ("restart", 4, "2026-01-02T04:00:00.000Z"),
        ("supply_disconnected", 5, "2026-01-02T09:00:00.000Z"),
    ]
    assert (shown[-1]["cause"], shown[-1]["available_credit"]) == ("credit_reminder", 0.0)


def test_a_pipe_that_is_not_read_keeps_no_command_from_its_answer(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(SWITCHING)
    reading, writing = os.pipe()
    words = ("--config", "m.toml", "--json")
    with (
        os.fdopen(reading) as lines,
        os.fdopen(writing, "wb") as pipe,
        started(tmp_path, *words, stdout=pipe, stderr=subprocess.DEVNULL),
    ):
        control(tmp_path, "advance", "400d")
        recorded = control(tmp_path, "state")["event_number"]
        assert recorded > 3_000
        assert json.loads(lines.readline())["event"] == "ready"
        rows = [json.loads(lines.readline())]
        while len(rows) < 1_000:
            rows.append(json.loads(lines.readline()))
        control(tmp_path, "cover", "open")
        while rows[-1]["event"] != "cover_opened":
            rows.append(json.loads(lines.readline()))
    for before, row in pairwise(rows):
        assert row["number"] == before["number"] + 1 + row.get("dropped", 0)
    assert any("dropped" in row for row in rows)


def test_a_meter_without_streams_serves_and_stops_in_order(tmp_path: Path) -> None:
    closed = ("sh", "-c", 'exec "$0" "$@" >&- 2>/dev/full')
    with started(tmp_path, *METER, prefix=closed):
        control(tmp_path, "advance", "16h")
        assert control(tmp_path, "state")["event_number"] == 2
