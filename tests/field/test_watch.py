"""watch as a process: over every wire, at a terminal, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import BIN, TIMEOUT_S, meterctl

OFTEN = ("--every", "200ms")


@contextmanager
def started(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run meterctl with pipes for the length of a block."""
    process = subprocess.Popen(
        [BIN / "meterctl", *words],
        cwd=cwd,
        env=os.environ | {"XDG_STATE_HOME": str(cwd / "xdg")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_is_watched_over_every_wire_with_its_new_events(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    meter.load("2kW")
    words = ("--port", field_port(meter, kind), "watch", *OFTEN, "--json")
    with started(*words, cwd=tmp_path) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["answer"], first["serial_number"]) == ("done", meter.serial_number)
        assert (first["active_power_kw"], first["available_credit"]) == (2.0, 100.0)
        meter.cover("open")
        while (seen := json.loads(process.stdout.readline()))["record"] != "event":
            assert seen["answer"] == "done"
        assert seen["event"] == "cover_opened"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, errors) == (0, "")
        assert all(one["record"] == "reading" for one in objects(rest))


def test_a_meter_that_does_not_answer_is_exit_4_and_an_object(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    meter.power("cut")
    port = field_port(meter, "rtu")
    words = ("--port", port, "--timeout", "50ms", "watch", "--count", "1", "--json")
    seen = objects(meterctl(*words, cwd=tmp_path, check=4).stdout)
    assert [one.get("answer") for one in seen] == ["no_answer", None]
    assert seen[-1]["exit_code"] == 4


def test_a_wire_that_lies_ends_no_watch_and_changes_no_value(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path
) -> None:
    meter = meter_factory(seed=5)
    words = ("--port", field_port(meter, "rtu"), "--timeout", "100ms", "watch", *OFTEN, "--json")
    with started(*words, cwd=tmp_path) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())]
        lie(meter)
        seen.append(json.loads(process.stdout.readline()))
        meter.heal()
        while seen[-1]["answer"] != "done":
            seen.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
    values = {(one["serial_number"], one["available_credit"]) for one in seen if "epoch" in one}
    assert values == {(meter.serial_number, 100.0)}
    assert {one["record"] for one in seen} == {"reading"}


@pytest.mark.parametrize("kind", ["rtu", "tcp"])
def test_a_port_that_goes_away_is_waited_for_and_another_meter_behind_it_is_named(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path, kind: Kind
) -> None:
    first = meter_factory(modbus_rtu=str(tmp_path / "m.tty"))
    where = {"modbus_rtu": str(first.port), "modbus_tcp": ":".join(map(str, first.tcp))}
    words = ("--port", field_port(first, kind), "--timeout", "100ms", "watch", *OFTEN, "--json")
    with started(*words, cwd=tmp_path) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())]
        first.close()
        while seen[-1]["answer"] == "done":
            seen.append(json.loads(process.stdout.readline()))
        assert seen[-1]["answer"] == "no_answer"
        second = meter_factory(serial_number="000000000077", **where)
        while seen[-1]["record"] != "other_meter":
            seen.append(json.loads(process.stdout.readline()))
        assert seen[-1]["serial_number"] == second.serial_number
        assert seen[-1]["previous_serial_number"] == first.serial_number
        assert json.loads(process.stdout.readline())["serial_number"] == second.serial_number
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


def test_a_disk_that_gets_full_is_exit_2_and_the_readings_are_printed_on_40_columns(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    words = ("--port", field_port(meter, "tcp"), "watch", *OFTEN, "--count", "4", "--csv", "w.csv")
    done = on_a_screen(*words, cwd=tmp_path, largest_file=1500)
    assert done.returncode == 2
    assert not too_wide(done.stdout)
    assert done.stderr.count("the watch goes on without it") == 1
    assert done.stdout.count("supply_state=") == 4
    rows = list(csv.reader((tmp_path / "w.csv").read_text().splitlines()))
    assert 1 < len(rows) < 5
    assert len({len(row) for row in rows}) == 1, "whole rows only"


def test_a_reader_that_has_enough_ends_it_quietly(meter: PrepaidMeter, tmp_path: Path) -> None:
    words = ("--port", field_port(meter, "tcp"), "watch", *OFTEN)
    with started(*words, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr.read() == ""


def test_a_terminal_shows_it_and_is_left_as_it_was(meter: PrepaidMeter, tmp_path: Path) -> None:
    pytest.importorskip("pyte")
    from tests.support.terminals import (
        ALTERNATE_OFF,
        ALTERNATE_ON,
        CURSOR_OFF,
        CURSOR_ON,
        Terminal,
    )

    meter.load("2kW")
    with Terminal("--port", str(meter.port), "watch", *OFTEN, cwd=tmp_path) as terminal:
        terminal.until_shown("days left at the present rate", "Ctrl-C ends")
        assert not terminal.echoes
        meter.cover("open")
        terminal.until_shown("cover_opened")
        terminal.resize(40, 24)
        terminal.until(lambda: len(terminal.rows[0]) == 40)
        terminal.until_shown("days left at the present", "cover_opened", "Ctrl-C ends")
        terminal.signal(signal.SIGTSTP)
        # it leads its session, so that the system does not stop it: it goes on at once
        terminal.until(lambda: terminal.received.count(ALTERNATE_ON) == 2)
        terminal.signal(signal.SIGTERM)
        assert terminal.end() == 0
        after = terminal.received
        for on, off in ((ALTERNATE_ON, ALTERNATE_OFF), (CURSOR_OFF, CURSOR_ON)):
            assert after.count(on) == after.count(off) == 2
            assert after.rindex(off) > after.rindex(on)
        assert b"Traceback" not in after


def test_a_meter_that_goes_away_and_returns_is_told_on_the_terminal(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    pytest.importorskip("pyte")
    from tests.support.terminals import Terminal

    port, words = str(meter.port), ("--timeout", "100ms", "watch", *OFTEN)
    with Terminal("--port", port, *words, cwd=tmp_path, columns=40) as terminal:
        terminal.until_shown("100.00 CNY")
        meter.power("cut")
        terminal.until_shown("no answer since", "the values are of", "100.00 CNY")
        meter.power("return")
        terminal.until_shown("power_restored", "answered", without="no answer")
        terminal.signal(signal.SIGINT)
        assert terminal.end() == 0
