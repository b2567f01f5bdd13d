"""meterctl ports: what it prints in each form."""

from __future__ import annotations

import json

import pytest

from meterctl.cli.csv_lines import BYTE_ORDER_MARK
from meterctl.transports.local_ports import LocalPort
from tests.unit.meterctl.cli.conftest import Run

FREE = LocalPort(
    "/dev/ttyUSB0", "/dev/serial/by-id/usb-1", "RS485", "FTDI", "R", "A1", "ftdi_sio", None, None
)
HELD = LocalPort(
    "/dev/ttyUSB1", None, None, None, None, None, None, "minicom (9)", "minicom (9) has it open"
)
KEYS = [
    "port",
    "stable_name",
    "description",
    "vendor",
    "product",
    "serial_number",
    "driver",
    "held_by",
    "usable",
    "problem",
]


def show(monkeypatch: pytest.MonkeyPatch, *ports: LocalPort) -> None:
    """Let the machine have some ports."""
    monkeypatch.setattr("meterctl.transports.local_ports.local_ports", lambda *_: list(ports))


def test_each_port_is_an_object(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, FREE, HELD)
    free, held = map(json.loads, run("ports", "ports", json=True).out.splitlines())
    assert list(free) == KEYS
    assert (free["usable"], free["problem"], free["vendor"]) == (True, None, "FTDI")
    assert (held["usable"], held["held_by"]) == (False, "minicom (9)")


def test_the_same_as_comma_separated_values(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, HELD)
    heading, row = run("ports", "ports", "--csv").out.splitlines()
    assert heading == ",".join(KEYS)
    assert row == "/dev/ttyUSB1,,,,,,,minicom (9),false,minicom (9) has it open"
    assert run("ports", "ports", "--csv-excel").out.startswith(BYTE_ORDER_MARK + heading + "\r\n")


@pytest.mark.parametrize("form", ["people", "json"])
def test_a_machine_without_ports_says_so_on_stderr(
    run: Run, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    show(monkeypatch)
    printed = run("ports", "ports", json=form == "json")
    assert printed.out == ""
    assert printed.err.count("this machine has no serial port") == 1


def test_forty_columns_are_enough(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(monkeypatch, FREE, HELD)
    assert max(map(len, run("ports", "ports").out.splitlines())) <= 40
