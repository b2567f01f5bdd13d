"""Register maps from the command lines: two meters on one wire, each with a map of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.maps import map_text
from tests.support.programs import meter_sim, meterctl, meterctl_json, running


def test_a_map_of_one_unit_is_served_and_read_beside_the_native_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(map_text("mine"))
    given = ("--count", "2", "--map", "mine.toml@2", "--modbus-tcp", "127.0.0.1:0")
    with running(*given, "--control", "c.sock", "--speed", "0", cwd=tmp_path) as ready:
        assert [meter.get("map") for meter in ready["meters"]] == [None, "mine"]
        port = ("--port", f"tcp://{ready['modbus_tcp'][0]}")
        mine = (*port, "--unit", "2", "--map", "mine.toml")
        (values,) = meterctl_json(*mine, "read", cwd=tmp_path)
        assert values == {"available_credit": 20.0, "energy_import_kwh": 0.0}
        refused = meterctl(*mine, "topup", "5.00", "--yes", cwd=tmp_path, check=2)
        assert "map mine has no windows for sealed messages" in refused.stderr
        assert not (tmp_path / "xdg").exists(), "nothing was journalled"
        monkeypatch.setenv("METERCTL_MAP", "mine.toml")
        wrong = meterctl(*port, "--unit", "1", "read", cwd=tmp_path, check=3)
        assert "exception 02" in wrong.stderr, "the map of the other meter"
        state = meter_sim("control", "c.sock", "--meter", "2", "state", cwd=tmp_path).stdout
        assert json.loads(state)["map"] == "mine"


def test_maps_that_cannot_be_used_end_a_run_with_one_sentence_each(tmp_path: Path) -> None:
    given = ("run", "--control", "c.sock", "--map", "gone.toml@1", "--map", "nativ@7")
    ended = meter_sim(*given, cwd=tmp_path, check=2)
    assert [line.removeprefix("meter-sim: ")[:20] for line in ended.stderr.splitlines()] == [
        "map gone.toml: No su",
        "--map nativ@7: no me",
        "--map nativ@7: there",
    ]


def test_a_meter_of_a_program_speaks_the_map_of_its_keyword(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(map_text("mine"))
    with PrepaidMeter(map=path) as meter:
        assert meter.command("state")["map"] == "mine"
        port = f"tcp://{meter.tcp[0]}:{meter.tcp[1]}"
        (values,) = meterctl_json("--port", port, "--map", str(path), "read", cwd=tmp_path)
    assert values == {"available_credit": 20.0, "energy_import_kwh": 0.0}
