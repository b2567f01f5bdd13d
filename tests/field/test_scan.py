"""Finding meters over every wire: what each is, and what a technician types next."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.adapters import silent_port, transparent_gateway
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import BIN, meterctl, meterctl_json, running

LINE = ("--serial-number", "000000000011", "--count", "3", "--unit", "3", "--load", "2kW")
UNITS_AND_MAPS = (("3", "native"), ("4", "sdm630"), ("5", "sunspec-201"))
MAPS = ("--map", "native@3", "--map", "sdm630@4", "--map", "sunspec-201@5")


@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_is_found_over_every_wire(meter: PrepaidMeter, tmp_path: Path, kind: Kind) -> None:
    port = field_port(meter, kind)
    (found,) = meterctl_json("--port", port, "scan", "--units", "1,2", cwd=tmp_path)
    assert (found["map"], found["serial_number"]) == ("native", meter.serial_number)
    assert found["address"] == port


def test_three_meters_of_a_line_are_told_apart_and_read_by_the_command_that_is_shown(
    tmp_path: Path,
) -> None:
    with running("--modbus-rtu", "m.tty", *LINE, *MAPS, cwd=tmp_path):
        done = on_a_screen("--port", "m.tty", "scan", "--units", "3-5", cwd=tmp_path)
        assert not too_wide(done.stdout)
        shown = [line.split() for line in done.stdout.splitlines()]
        wanted = [["unit", unit, "map", name] for unit, name in UNITS_AND_MAPS]
        assert [words for words in shown if words[:1] == ["unit"]] == wanted
        assert "000000000013" in done.stdout
        go_on = next(line for line in done.stderr.splitlines() if "sdm630 read" in line)
        words = shlex.split(go_on.partition("meterctl ")[2])
        assert "voltage_l1_v" in meterctl(*words, cwd=tmp_path).stdout


def test_a_host_that_is_a_meter_itself_is_found_and_read_at_unit_255(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    port = field_port(meter, "tcp")
    words = ("--port", port, "--timeout", "100ms", "scan", "--units", "9")
    (found,) = meterctl_json(*words, cwd=tmp_path)
    assert (found["unit"], found["framing"], found["address"]) == (255, "tcp", port)
    (read,) = meterctl_json("--port", port, "--unit", "255", "read", "serial_number", cwd=tmp_path)
    assert read == {"serial_number": meter.serial_number}


def test_a_gateway_that_passes_bytes_is_found_by_its_framing_and_read(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    with transparent_gateway(str(meter.port)) as address:
        words = ("--port", f"tcp://{address}", "--timeout", "100ms")
        (found,) = meterctl_json(*words, "scan", "--units", "1", "--framing", "auto", cwd=tmp_path)
        assert (found["framing"], found["address"]) == ("rtu-over-tcp", f"socket://{address}")
        port = ("--port", found["address"])
        (read,) = meterctl_json(*port, "read", "serial_number", cwd=tmp_path)
    assert read["serial_number"] == found["serial_number"] == meter.serial_number


def test_a_line_that_lies_never_makes_another_meter_of_one(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path
) -> None:
    meter = meter_factory(seed=5)
    lie(meter)
    words = ("--port", field_port(meter, "rtu"), "scan", "--units", "1", "--json")
    done = meterctl(*words, cwd=tmp_path, check=None)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    found = [one for one in objects if "unit" in one]
    assert [one["unit"] for one in found] in ([1], [])
    assert {one["serial_number"] for one in found} <= {meter.serial_number, None}


def test_a_silent_line_is_no_answer(tmp_path: Path) -> None:
    with silent_port() as port:
        words = (
            "--port",
            port,
            "--timeout",
            "10ms",
            "scan",
            "--units",
            "1-9",
        )
        done = meterctl(*words, cwd=tmp_path, check=4)
    assert "no answer from units 1-9 (9600 N)" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_scan_has_printed_what_it_found(
    meter: PrepaidMeter, tmp_path: Path, number: signal.Signals
) -> None:
    words = [BIN / "meterctl", "--port", field_port(meter, "rtu"), "scan", "--json"]
    process = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["serial_number"] == meter.serial_number
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; " in errors
    assert "Traceback" not in errors


def test_a_full_disk_keeps_the_table_of_a_scan_from_being_whole_and_says_so(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    words = ("--port", field_port(meter, "tcp"), "scan", "--units", "1", "--csv")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [BIN / "meterctl", *words],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert "stdout cannot be written" in done.stderr
