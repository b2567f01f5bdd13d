"""Scenarios on the command line: met and failed expectations, invalid files, live runs."""

from __future__ import annotations

import json
import os
import time
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firmware_sim.programs.scenarios import check_file
from tests.support.programs import meter_sim

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.toml"))
GOOD = 'name = "n"\n[meter]\ncredit = "1.00"\nload = "2kW"\ntrip_mode = "direct"\n'


def test_there_are_at_least_ten_stories() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_story_goes_as_told(path: Path) -> None:
    checked = check_file(str(path))
    assert [result for result in checked.results if not result.held] == []
    assert checked.results


def test_what_does_not_hold_is_exit_3_and_in_the_xml(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nat = "+1h"\nexpect = { supply_state = "connected", available_credit = '
        '"> 0" }\n'
        '[[step]]\nevents = ["supply_disconnected", "supply_connected"]\n'
        '[[step]]\nat = "+1h"\ndo = "topup 5.00"\nrefused = "exceeds_max_credit"\n'
    )
    done = meter_sim(
        "scenario", "check", "s.toml", "--junit", "out.xml", "--json", cwd=tmp_path, check=3
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["step"], row["held"], row["found"]) for row in rows] == [
        (1, False, "disconnected"),
        (1, False, "0.00"),
        (3, False, "accepted"),
        (2, True, None),
    ]
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    took = [Decimal(case.get("time", "-1")) for case in suite]
    assert min(took) >= 0 < sum(took) == Decimal(suite.get("time", "-1")), "seconds of wall time"
    assert "FAILED" in meter_sim("scenario", "check", "s.toml", cwd=tmp_path, check=3).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3 3", "TOML"),
        (GOOD, "proves nothing"),
        (GOOD + '[[step]]\nat = "+1h"\nexpect = { no_such = 1 }\n', "no_such"),
        (GOOD + '[[step]]\nat = "1h"\nexpect = { supply_state = "x" }\n', "\\+2h30m"),
        (GOOD + '[[step]]\nat = "+1h"\ndo = "fly"\n', "fly"),
        (GOOD + '[[step]]\nat = "+1h"\ndo = "advance 3h"\n', "time passes by itself"),
        (GOOD + '[[step]]\nevents = ["no_such"]\n', "no_such"),
        (GOOD + '[[step]]\nexpect = { supply_state = "connected" }\n', "either at"),
        (GOOD + '[[fault]]\nname = "flop"\n[[step]]\nevents = ["restart"]\n', "flop"),
        ('name = "n"\n[meter]\ncredit = "abc"\n[[step]]\nevents = ["restart"]\n', "credit"),
    ],
)
def test_a_scenario_that_cannot_be_is_exit_2(tmp_path: Path, text: str, said: str) -> None:
    import re

    (tmp_path / "s.toml").write_text(text)
    done = meter_sim("scenario", "check", "s.toml", cwd=tmp_path, check=2)
    assert re.search(said, done.stderr)


def test_all_mistakes_of_steps_and_meter_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'name = "n"\n[meter]\ncredit = "2x"\n[[step]]\nat = "+1h"\ndo = "toup 5.00"\n'
        '[[step]]\nat = "+2h"\nexpect = { clok = "x", available_credit = "< x" }\n'
    )
    done = meter_sim("scenario", "check", "s.toml", cwd=tmp_path, check=2)
    for told in (
        "line 3: meter.credit",
        "line 6: step.1.do: there is no command or order 'toup'; did you mean topup",
        "line 9: step.2.expect: 'clok'",
        "available_credit = '< x'",
    ):
        assert told in done.stderr


def test_a_window_that_is_missed_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nwithin = ["+10m", "+30m"]\nexpect = { supply_state = "disconnected" }\n'
    )
    done = meter_sim("scenario", "check", "s.toml", "--json", cwd=tmp_path, check=3)
    assert json.loads(done.stdout)["found"] == "supply_state connected"


def test_a_scenario_is_played_live_on_wires(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nat = "+2h"\ndo = "topup 9.00"\n[[step]]\nat = "+2h1ms"\nexpect = { '
        'supply_state = "connected" }\n'
    )
    began = time.monotonic()
    words = [
        "scenario",
        "run",
        "s.toml",
        "--modbus-rtu",
        "m.tty",
        "--modbus-tcp",
        "127.0.0.1:0",
        "--speed",
        "10000",
    ]
    done = meter_sim(*words, "--json", cwd=tmp_path)
    assert json.loads(done.stdout.splitlines()[0])["event"] == "ready"
    assert json.loads(done.stdout.splitlines()[1])["held"]
    assert time.monotonic() - began >= 0.7
    assert not os.path.lexists(tmp_path / "m.tty")
    meter_sim("scenario", "run", "s.toml", "--speed", "0", cwd=tmp_path, check=2)


def test_a_storage_fault_in_a_step_makes_the_meter_start_again(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        'name = "n"\n[meter]\ncredit = "1.00"\n'
        '[[step]]\nat = "+1h"\ndo = ["fault torn_write on --count 1", "cover open", '
        '"fault magnet on --for 1h"]\n'
        '[[step]]\nat = "+2h"\nexpect = { available_credit = "1.00", status = "has cover_open" }\n'
        '[[step]]\nat = "+2h"\ndo = ["fault torn_write on --count 1", "topup 5.00"]\n'
        '[[step]]\nat = "+3h"\nexpect = { available_credit = "1.00" }\n'
        '[[step]]\nat = "+3h"\ndo = "topup 5.00"\n'
        '[[step]]\nat = "+3h"\nexpect = { available_credit = "6.00" }\n'
        '[[step]]\nevents = ["restart", "magnet_detected", "restart", "magnet_removed", '
        '"credit_accepted"]\n'
    )
    wrong = [(v.step, v.wanted, v.found) for v in check_file(str(path)).results if not v.held]
    assert [step for step, _, _ in wrong] == [1, 2, 3]


@pytest.mark.parametrize(
    "condition",
    [
        'supply_state = "!= conected"',
        'supply_state = "<= connected"',
        'status = "has magnet"',
        'available_credit = "off"',
        'available_credit = "<< 0"',
        'low_credit_warning = "maybe"',
        'supply_causes = "<= none"',
    ],
)
def test_a_condition_that_could_never_fail_or_never_hold_is_refused(
    tmp_path: Path, condition: str
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD + f'[[step]]\nat = "+1h"\nexpect = {{ {condition} }}\n')
    done = meter_sim("scenario", "check", "s.toml", cwd=tmp_path, check=2)
    assert "allowed" in done.stderr or "number" in done.stderr


def test_live_steps_fall_on_their_millisecond_too(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nat = "+5m"\nexpect = { elapsed_ms = 300000 }\n'
    )
    meter_sim("scenario", "run", "s.toml", "--modbus-rtu", "m.tty", "--speed", "1000", cwd=tmp_path)


def test_a_live_play_that_is_interrupted_did_not_hold(tmp_path: Path) -> None:
    import signal
    import subprocess

    from tests.support.programs import BIN

    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nat = "+5d"\nexpect = { supply_state = "disconnected" }\n'
    )
    words = [BIN / "meter-sim", "scenario", "run", "s.toml", "--modbus-rtu", "m.tty", "--json"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert json.loads(out)["found"] == "not reached"


def test_what_a_failing_storage_leaves_undone_did_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        GOOD + '[[fault]]\nname = "flush_fails"\n[[step]]\nat = "+1h"\ndo = "topup 5.00"\n'
        '[[step]]\nat = "+2h"\nexpect = { available_credit = "> 0" }\n'
    )
    assert [result.held for result in check_file(str(path)).results if result.step == 2] == [False]


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(
        GOOD + '[[step]]\nat = "+1m"\nexpect = { supply_state = "connected" }\n'
    )
    (tmp_path / "bad.toml").write_text("=")
    done = meter_sim(
        "scenario", "check", "bad.toml", "good.toml", "--junit", "x.xml", cwd=tmp_path, check=2
    )
    assert "held" in done.stdout
    suites = ElementTree.parse(tmp_path / "x.xml").getroot()
    assert [(suite.get("errors"), suite.get("failures")) for suite in suites] == [
        ("1", "0"),
        ("0", "0"),
    ]


def test_a_fault_that_no_meter_can_have_is_exit_2(tmp_path: Path) -> None:
    for rule in (
        'name = "busy"\nunit = 9',
        'name = "flush_fails"',
        'name = "lost_phase"\nvalue = 2',
    ):
        (tmp_path / "plan.toml").write_text(f"[[fault]]\n{rule}\n")
        assert meter_sim(
            "run", "--modbus-rtu", "m.tty", "--faults", "plan.toml", cwd=tmp_path, check=2
        ).stderr
    (tmp_path / "s.toml").write_text(
        GOOD + '[[step]]\nat = "+1h"\ndo = "fault magnet on --unit 9"\n'
        '[[step]]\nevents = ["restart"]\n'
    )
    meter_sim("scenario", "check", "s.toml", cwd=tmp_path, check=2)


FAILS = '[[fault]]\nname = "flush_fails"\n'


@pytest.mark.parametrize(
    "steps",
    [
        FAILS + '[[step]]\nat = "+30d"\nexpect = { supply_state = "connected" }\n',
        FAILS + '[[step]]\nwithin = ["+20d", "+25d"]\nexpect = { supply_state = "connected" }\n',
        '[[step]]\nat = "+1h"\ndo = "fault flush_fails on"\n[[step]]\nat = "+2h"\n'
        'do = "topup 5.00"\n[[step]]\nat = "+3h"\nexpect = { supply_state = "connected" }\n',
        '[[step]]\nat = "+1h"\ndo = ["fault flush_fails on", "cover open"]\n[[step]]\n'
        'at = "+3h"\nexpect = { supply_state = "connected" }\n',
    ],
)
def test_no_expectation_is_checked_on_a_meter_that_stopped(tmp_path: Path, steps: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text('name = "n"\n[meter]\ncredit = "20.00"\nload = "1kW"\n' + steps)
    (result,) = check_file(str(path)).results
    assert (result.held, result.found) == (False, "not reached")


def test_a_live_scenario_ends_where_its_meter_stopped_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'name = "n"\n[meter]\ncredit = "20.00"\nload = "1kW"\n[[step]]\nat = "+1h"\n'
        'do = "fault flush_fails on"\n[[step]]\nat = "+2h"\ndo = "cover open"\n'
        '[[step]]\nat = "+3h"\nexpect = { supply_state = "connected" }\n'
    )
    done = meter_sim(
        "scenario", "run", "s.toml", "--speed", "20000", "--json", cwd=tmp_path, check=3
    )
    assert done.stderr == ""
    assert json.loads(done.stdout.splitlines()[-1])["found"] == "not reached"
