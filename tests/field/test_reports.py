"""profile, freezes and usage on the wires of a technician: three lines, and what goes wrong."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import meterctl_json

COMMANDS = ("profile", "freezes", "usage")


@pytest.mark.parametrize("kind", KINDS)
def test_the_reports_are_read_over_every_wire(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    meter.load("1kW")
    meter.advance("27h")
    port = field_port(meter, kind)
    profile, freezes, usage = (
        meterctl_json("--port", port, command, cwd=tmp_path) for command in COMMANDS
    )
    assert [row["import_kwh"] for row in profile] == [0.25] * (27 * 4)
    assert [row["energy_import_kwh"] for row in freezes] == [24.0]
    assert [row.get("import_kwh") for row in usage] == [24.0, 3.0, None]


def test_a_meter_that_does_not_answer_is_told_with_exit_code_4(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    meter.power("cut")
    done = on_a_screen(
        "--port", field_port(meter, "rtu"), "--timeout", "20ms", "usage", cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "no answer" in done.stderr


def test_a_line_that_lies_loses_and_doubles_no_record(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path
) -> None:
    meter = meter_factory(seed=5)
    meter.load("1kW")
    meter.advance("30h")
    lie(meter, 0.05)
    done = on_a_screen("--port", field_port(meter, "rtu"), "--timeout", "200ms", "profile",
                       "--json", cwd=tmp_path)  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode == 0:
        assert [row["number"] for row in rows] == list(range(1, 121))
        assert {row["import_kwh"] for row in rows} == {0.25}
    else:
        assert done.returncode in (4, 5), done.stderr
        assert all("number" not in row for row in rows), "no part of a profile is shown as a whole"


def test_a_foreign_map_has_no_reports_and_nothing_is_sent(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    done = on_a_screen("--port", field_port(meter, "tcp"), "--map", "sdm630", "profile",
                       "--trace", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "meterctl: map sdm630 has no load profile; nothing was sent\n"


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="no matplotlib")
def test_a_full_disk_for_the_plot_is_told_after_the_rows_and_leaves_the_file(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    meter.advance("2h")
    words = ("--port", field_port(meter, "tcp"), "profile", "--plot", "load.svg")
    assert on_a_screen(*words, cwd=tmp_path).returncode == 0
    kept = (tmp_path / "load.svg").read_text()
    meter.advance("1h")
    done = on_a_screen(*words, cwd=tmp_path, largest_file=4096)
    assert done.returncode == 2
    assert "load.svg" in done.stderr
    assert (tmp_path / "load.svg").read_text() == kept
    assert not too_wide(done.stdout)
    assert "hours_without_records" in done.stdout
