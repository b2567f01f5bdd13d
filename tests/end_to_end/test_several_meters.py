"""Several meters of one process: counted up, controlled together, told once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hosting.control_socket import Answer, ask
from tests.support.programs import meter_sim, running

WORDS = ("--count", "3", "--serial-number", "000000000098", "--unit", "7", "--speed", "0")
SERIALS = ["000000000098", "000000000099", "000000000100"]


def control(folder: Path, *words: str, meter: str | None = None) -> list[Answer]:
    """Return the answers to a command to running meters."""
    return list(ask(folder / "c.sock", list(words), meter))


def shown(answers: list[Answer]) -> list[dict[str, Any]]:
    return [json.loads(answer.result) for answer in answers]


def test_counted_meters_are_controlled_together_and_one_by_one(tmp_path: Path) -> None:
    with running(*WORDS, "--control", "c.sock", "--state", "nv", cwd=tmp_path) as ready:
        assert ready["meters"] == [
            {"serial_number": serial, "unit": unit} for unit, serial in enumerate(SERIALS, 7)
        ]
        for words in (["load", "2kW"], ["advance", "1h"], ["state"], ["fault", "magnet", "on"]):
            rows = shown(control(tmp_path, *words))
            assert [(row["serial_number"], row["unit"]) for row in rows] == [
                (serial, unit) for unit, serial in enumerate(SERIALS, 7)
            ]
        (row,) = shown(control(tmp_path, "state", meter="8"))
        assert (row["serial_number"], row["energy_import_kwh"]) == (SERIALS[1], 2.0)
        assert shown(control(tmp_path, "speed", "0")) == [{}]
        (unknown,) = control(tmp_path, "state", meter="10")
        assert (unknown.error, unknown.exit_code) == ("no meter of unit 10 here", 2)
        control(tmp_path, "fault", "storage_full", "on", "--unit", "8")
        done = meter_sim("control", "c.sock", "advance", "1h", cwd=tmp_path, check=3)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["serial_number"] for row in rows] == SERIALS
        assert [row.get("exit") for row in rows] == [None, 3, None]
        assert "disk full" in rows[1]["error"]
        assert done.stderr.startswith(f"meter-sim control: meter {SERIALS[1]}: time moved on")
        control(tmp_path, "fault", "off")
    assert sorted(path.name for path in (tmp_path / "nv").iterdir()) == [
        f"{serial}.nv" for serial in SERIALS
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--count", "2", "--unit", "247", "--state", "m.toml"), "allowed is 1 to 1"),
        (("--count", "2", "--state", "m.toml"), "several meters need a directory"),
    ],
)
def test_meters_that_cannot_be_counted_are_refused(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "m.toml").write_text("unit = 1\n")
    done = meter_sim("run", "--control", "c.sock", *words, cwd=tmp_path, check=2)
    assert said in done.stderr
    assert (tmp_path / "m.toml").read_text() == "unit = 1\n"
