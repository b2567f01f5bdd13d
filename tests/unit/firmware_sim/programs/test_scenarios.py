"""Scenario files checked: exit codes, the XML of results, files beside a scenario."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firmware_sim.hosting.errors import HostingError
from firmware_sim.programs.scenarios import (
    EXIT_NOT_HELD,
    EXIT_WRONG_FILE,
    check_file,
    check_files,
    make_rack,
    play_live,
    read_scenario,
)
from protocols.errors import QuantityError
from tests.support.maps import map_text

HELD = '[[step]]\nat = "+1h"\nexpect = { available_credit = "< 1" }\n'
FAILED = '[[step]]\nat = "+1h"\nexpect = { available_credit = "> 1" }\n'


def scenario(folder: Path, name: str, steps: str, meter: str = 'load = "2kW"') -> str:
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\n[meter]\ncredit = "1.00"\n{meter}\n{steps}')
    return str(path)


@pytest.mark.parametrize(
    ("steps", "code"), [([HELD], 0), ([HELD, FAILED], EXIT_NOT_HELD), ([""], EXIT_WRONG_FILE)]
)
def test_the_exit_code_is_that_of_the_worst_file(
    steps: list[str], code: int, tmp_path: Path
) -> None:
    files = [scenario(tmp_path, f"s{number}", text) for number, text in enumerate(steps)]
    assert check_files(files, None, as_json=True) == code


def test_the_other_files_are_checked_beside_a_wrong_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / "gone.toml"), scenario(tmp_path, "good", HELD)]
    xml = tmp_path / "out.xml"
    assert check_files(files, xml, as_json=True) == EXIT_WRONG_FILE
    told = capsys.readouterr()
    assert told.out.count('"held": true') == 1
    assert told.err.startswith("meter-sim: scenario ")
    wrong = json.loads(told.out.splitlines()[-1])
    assert (wrong["file"], wrong["held"]) == (files[0], False)
    assert told.err == f"meter-sim: {wrong['error']}\n"
    suites = {suite.get("name"): suite.attrib for suite in ElementTree.parse(xml).getroot()}
    assert (suites[files[0]]["errors"], suites["good"]["failures"]) == ("1", "0")


def test_one_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = scenario(tmp_path, "good", HELD)
    assert check_files([file], None, as_json=False) == 0
    assert capsys.readouterr().out.endswith("\n1 scenario, 1 expectation, 0 failed\n")


@pytest.mark.parametrize(
    ("start", "condition", "holds"),
    [
        ("2026-10-25T02:30", ">= 2026-10-25T02:30", True),
        ("2026-10-25T02:10+01:00", ">= 2026-10-25T02:30", True),
        ("2026-10-25T02:30+01:00", "2026-10-25T02:30", False),
    ],
)
def test_a_repeated_local_time_of_a_condition_is_the_first(
    start: str, condition: str, holds: bool, tmp_path: Path
) -> None:
    meter = f'time_zone = "Europe/Berlin"\nstart = "{start}"'
    steps = f'[[step]]\nat = "+0s"\nexpect = {{ clock = "{condition}" }}\n'
    assert check_file(scenario(tmp_path, "zone", steps, meter)).held is holds


def test_a_skipped_local_time_of_a_condition_is_refused(tmp_path: Path) -> None:
    meter = 'time_zone = "Europe/Berlin"\nstart = "2026-03-29"'
    steps = '[[step]]\nat = "+2h"\nexpect = { clock = ">= 2026-03-29T02:30" }\n'
    with pytest.raises(QuantityError, match=r"^step 1: clock = .* skips this hour; write another"):
        check_file(scenario(tmp_path, "zone", steps, meter))


def test_results_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    file = scenario(tmp_path, "good", HELD)
    with pytest.raises(HostingError, match="the results were not written"):
        check_files([file], tmp_path / "no" / "out.xml", as_json=True)


def test_load_and_tariff_are_found_beside_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "a.csv").write_text("offset,power_w\n0m,2000\n")
    (folder / "t.toml").write_text('prices = ["0.7000"]')
    steps = f'[[step]]\nat = "+30m"\ndo = "load a.csv"\n{HELD}'
    file = scenario(folder, "beside", steps, 'load = "a.csv"\ntariff = "t.toml"')
    assert check_file(file).held


def test_a_map_is_found_beside_the_scenario_and_its_mistakes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(map_text("mine"))
    file = scenario(tmp_path, "mapped", HELD, 'map = "mine.toml"')
    monkeypatch.chdir("/")
    assert make_rack(file, read_scenario(file)).stations[0].register_map.name == "mine"
    (tmp_path / "mine.toml").write_text(map_text("mine").replace('"f32"', '"f33"'))
    with pytest.raises(HostingError, match=r"mapped.toml: line 4: meter.map .*mine.toml: line 10:"):
        check_file(file)


def test_a_wrong_meter_is_refused_by_the_name_of_the_file_and_of_its_keys(tmp_path: Path) -> None:
    file = scenario(tmp_path, "wrong", HELD, "unit = 300\ncredits = 1")
    with pytest.raises(HostingError) as caught:
        check_file(file)
    told = str(caught.value).splitlines()
    first, second = (line.removeprefix(f"{file}: ") for line in told)
    assert first.startswith("line 4: meter.unit = 300: ")
    assert second == "line 5: meter.credits: there is no such key; did you mean credit?"


def test_a_load_that_is_not_for_the_time_of_a_scenario_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("time,power_w\n2027-01-01T00:00:00Z,1\n")
    file = scenario(tmp_path, "later", HELD, 'load = "a.csv"')
    check_file(file)
    assert f"{file}: load {tmp_path / 'a.csv'}: its rows begin at 2027" in capsys.readouterr().err


def test_at_speed_0_a_live_scenario_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostingError, match="never ends"):
        play_live(scenario(tmp_path, "s", HELD), {}, None, 0, as_json=True)
