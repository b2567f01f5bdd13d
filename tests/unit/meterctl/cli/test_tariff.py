"""The commands of a tariff: what each prints, for people, as JSON, CSV and TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meterctl.cli.csv_lines import BYTE_ORDER_MARK
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import RefusedError, UnknownOutcomeError, UsageError
from meterctl.operations.tariff.file import parse_tariff_file
from protocols.data_model.tariff import Prices, Tariff
from tests.support.field_wires import too_wide
from tests.support.meters import event_names
from tests.support.setup import Setup
from tests.unit.meterctl.cli.conftest import Run

TWO = 'prices = ["0.7000", "0.3000"]\n'
NIGHT = 'day_tables = [{ entries = ["08:00 1", "20:00 2"] }]\n'
RICH = """activation = { steps = "2026-07-01T00:00:00" }
prices = ["0.7000", "0.3000"]
step_limits_kwh = ["100", "250.5"]
step_additions = ["0", "0.0500", "0.1000"]
day_tables = [{ entries = ["08:00 1", "20:10 2"] }]
holidays = [{ date = "2030-01-01", day_table = 1 }, { date = "2030-02-01" }]
[weekdays]
sunday = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of every part."""
    made = tmp_path / "t.toml"
    made.write_text(RICH)
    return made


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# ---- check


def test_a_file_is_shown_in_words_without_a_meter(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = run("tariff", "tariff", "check", str(file))
        assert not too_wide(shown.out, int(columns))
        assert "2026-07-01T00:00:00" in shown.out
        assert "local time" in shown.out
    assert "222222221111111111112222" in shown.out.replace("*", "2")
    assert "│ 2030-02-01 │ of the day │" in shown.out


def test_a_file_of_more_than_a_mebibyte_is_no_tariff(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "t.toml", TWO + "#" * (1 << 20))
    with pytest.raises(UsageError, match=r"t\.toml: it is larger than 1 MiB"):
        run("tariff", "tariff", "check", str(file))


def test_the_object_of_a_file_has_its_keys_and_its_warnings(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "t.toml", 'prices = ["0.5",\n"0.005"]\n')
    printed = run("tariff", "tariff", "check", str(file), json=True)
    shown = json.loads(printed.out)
    assert (shown["file"], shown["parts"]) == (str(file), ["prices"])
    assert (shown["prices"], shown["activation"]) == ([0.5, 0.005], {"prices": None})
    assert [(row["line"], row["text"][:9]) for row in shown["warnings"]] == [(1, "prices.1:")]
    assert printed.err.startswith(f"tariff {file}: line 1: warning: prices.1: 0.5000 is 100 times")


def test_every_mistake_of_a_file_is_a_line_and_a_row(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "t.toml", 'prices = [-1]\nbilling_day = "3100"\n')
    with pytest.raises(UsageError) as caught:
        run("tariff", "tariff", "check", str(file))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"tariff {file}", "line 1"],
        [f"tariff {file}", "line 2"],
    ]
    assert [row[:6] for row in caught.value.fields["mistakes"]] == ["line 1", "line 2"]


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: No such file"):
        run("tariff", "tariff", "check", str(tmp_path / "none.toml"))


# ---- show


def test_both_sets_are_one_object(run: Run, file: Path) -> None:
    run("tariff", "tariff", "set", str(file))
    shown = json.loads(run("tariff", "tariff", "show", json=True).out)
    assert shown["account_unit"] == "CNY"
    current, pending = shown["current"], shown["pending"]
    assert (current["prices"], current["step_limits_kwh"]) == ([0.7, 0.3], [])
    assert current["day_tables"] == [{"entries": ["08:00 1", "20:10 2"]}]
    assert current["weekdays"]["sunday"] == 1
    assert pending["activation"] == {"steps": "2026-07-01T00:00:00.000Z"}
    assert (pending["step_limits_kwh"], pending["step_period"]) == ([100, 250.5], "month")
    assert "prices" not in pending


def test_both_sets_are_tables_that_fit_the_screen(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tariff", "tariff", "set", str(file))
    for columns in ("80", "40", "24"):
        monkeypatch.setenv("COLUMNS", columns)
        out = run("tariff", "tariff", "show").out
        assert columns == "24" or not too_wide(out, int(columns))
        assert "Pending steps" in out
        assert "CNY per kWh" in out
        assert "2026-07-01T00:00:00Z" in out


def test_csv_has_a_row_for_each_value_of_both_sets(run: Run, file: Path) -> None:
    run("tariff", "tariff", "set", str(file))
    rows = run("tariff", "tariff", "show", "--csv").out.splitlines()
    assert rows[:2] == ["set,part,activation,name,value", "current,prices,,price_1,0.7000"]
    assert "current,seasons,,holiday_2030-02-01,0" in rows
    assert "pending,steps,2026-07-01T00:00:00.000Z,step_limit_2_kwh,250.500000" in rows


def test_csv_for_a_spreadsheet_has_the_same_rows_and_one_form_is_given(run: Run) -> None:
    printed = run("tariff", "tariff", "show", "--csv-excel").out
    assert printed.startswith(f"{BYTE_ORDER_MARK}set,part,activation,name,value\r\n")
    plain = run("tariff", "tariff", "show", "--csv").out
    assert printed.count("\r\n") == plain.count("\n")
    with pytest.raises(UsageError, match="give one of --json, --csv and --csv-excel"):
        run("tariff", "tariff", "show", "--csv", json=True)


def test_the_toml_of_the_current_set_is_a_file_that_changes_nothing(
    run: Run, file: Path, setup: Setup
) -> None:
    run("tariff", "tariff", "set", str(file))
    text = run("tariff", "tariff", "show", "--toml").out
    assert Tariff(**parse_tariff_file(text).parts) == setup.meter.state.tariff  # type: ignore[arg-type]
    written(file, text)
    takes_away = run("tariff", "tariff", "set", str(file)).out
    assert "│ the current values stay; replaces the pending steps of 2026-07" in takes_away
    assert "its tariff is so already" in run("tariff", "tariff", "set", str(file)).err
    with pytest.raises(UsageError, match="give one of --toml"):
        run("tariff", "tariff", "show", "--toml", "--csv")


def test_a_map_without_the_parts_shows_the_items_that_it_has(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModbusDriver, "has_tariff", lambda _: False)
    shown = json.loads(run("tariff", "tariff", "show", json=True).out)
    assert shown["current"]["prices"] == [0.5283, 0, 0, 0]
    assert (shown["current"]["billing_day"], shown["pending"]) == ("0100", None)
    assert "price_1" in run("tariff", "tariff", "show").out
    rows = run("tariff", "tariff", "show", "--csv").out.splitlines()
    assert rows[1] == "current,,,price_1,0.5283"
    with pytest.raises(UsageError, match="shows only a part of its tariff"):
        run("tariff", "tariff", "show", "--toml")
    monkeypatch.setattr(ModbusDriver, "holds", lambda *_: False)
    with pytest.raises(UsageError, match="shows nothing of a tariff"):
        run("tariff", "tariff", "show")


def test_a_meter_of_an_older_build_shows_its_items(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(*_: object) -> object:
        raise RefusedError("its build is older")

    monkeypatch.setattr(ModbusDriver, "tariff", older)
    printed = run("tariff", "tariff", "show", json=True)
    assert json.loads(printed.out)["pending"] is None
    assert "its build is older" in printed.err


# ---- set


def test_what_changes_is_shown_and_what_was_read_back(run: Run, file: Path, setup: Setup) -> None:
    out = run("tariff", "tariff", "set", str(file)).out
    assert "│ price_1 │  0.5283 │ 0.7000 │" in out
    assert "│ prices     │ in force" in out
    assert "│ steps      │ waits for 2026-07-01T00:00:00Z │" in out
    assert setup.meter.state.tariff.prices == Prices((7000, 3000))


def test_the_object_of_a_set_ends_with_its_result(run: Run, file: Path) -> None:
    printed = run("tariff", "tariff", "set", str(file), json=True)
    shown = json.loads(printed.out)
    assert (shown["result"], shown["outcome"], shown["exit_code"]) == ("done", "accepted", 0)
    parts = {row["part"]: row for row in shown["parts"]}
    assert parts["prices"] == {
        "part": "prices",
        "activation": None,
        "replaces": None,
        "sent": True,
        "read_back": "current",
    }
    assert parts["steps"]["activation"] == "2026-07-01T00:00:00.000Z"
    assert parts["steps"]["read_back"] == "pending"
    assert shown["changes"][0] == {
        "part": "prices",
        "name": "price_1",
        "current": 0.5283,
        "pending": None,
        "new": 0.7,
    }
    assert "price_1" in printed.err  # what changes, for the person who is asked


def test_a_part_that_changes_nothing_later_is_not_sent_and_told(
    run: Run, setup: Setup, tmp_path: Path
) -> None:
    whole = run("tariff", "tariff", "show", "--toml").out
    path = tmp_path / "whole.toml"
    path.write_text(whole.replace("0.5283", "0.6000"))
    words = ("set", str(path), "--activate", "2026-07-01")
    assert "no change: not sent" in run("tariff", "tariff", *words, dry_run=True).out
    shown = json.loads(run("tariff", "tariff", *words, json=True).out)
    stands = {row["part"]: (row["sent"], row["read_back"]) for row in shown["parts"]}
    assert stands.pop("prices") == (True, "pending")
    assert set(stands.values()) == {(False, None)}
    assert len(stands) == 3
    assert len(setup.meter.state.pending) == 1
    shown = json.loads(run("tariff", "tariff", *words, json=True).out)
    assert {row["sent"] for row in shown["parts"]} == {False}


def test_a_tariff_that_is_so_already_is_not_sent(run: Run, file: Path, setup: Setup) -> None:
    run("tariff", "tariff", "set", str(file))
    printed = run("tariff", "tariff", "set", str(file), json=True)
    shown = json.loads(printed.out)
    assert (shown["result"], shown["outcome"], shown["changes"]) == ("done", None, [])
    assert shown["message"] == "meter 000000000042: its tariff is so already; nothing was sent"
    assert event_names(setup.meter).count("tariff_set") == 1


def test_a_dry_run_shows_what_would_change_and_sends_nothing(
    run: Run, file: Path, setup: Setup
) -> None:
    printed = run("tariff", "tariff", "set", str(file), json=True, dry_run=True)
    shown = json.loads(printed.out)
    assert shown["result"] == "planned"
    assert shown["message"].startswith("meter 000000000042: set prices, day_tables, seasons at on")
    assert {row["read_back"] for row in shown["parts"]} == {None}
    assert "│ price_1 │" in run("tariff", "tariff", "set", str(file), dry_run=True).out
    assert "tariff_set" not in event_names(setup.meter)


def test_activate_goes_over_the_file(run: Run, file: Path, setup: Setup) -> None:
    run("tariff", "tariff", "set", str(file), "--activate", "now")
    assert not setup.meter.state.pending
    run("tariff", "tariff", "set", str(written(file, TWO.replace("7", "8"))),
        "--activate", "2026-03-01T08:00+08:00")  # fmt: skip
    assert [part.activation_ms for part in setup.meter.state.pending] == [1_772_323_200_000]
    with pytest.raises(UsageError, match=r"--activate soon: .*or now; nothing was sent"):
        run("tariff", "tariff", "set", str(file), "--activate", "soon")


def test_a_moment_that_is_past_is_told(run: Run, file: Path) -> None:
    printed = run("tariff", "tariff", "set", str(file), "--activate", "2020-01-01")
    assert (
        "the activation of prices, steps, day_tables, seasons is past on its clock" in printed.err
    )


def test_a_clock_that_is_not_valid_is_told(run: Run, file: Path, setup: Setup) -> None:
    setup.meter.state.clock.valid = False
    setup.meter.revision += 1
    printed = run("tariff", "tariff", "set", str(file), "--activate", "2020-01-01")
    assert "warning: its clock is not valid: no part activates at its moment" in printed.err
    assert "│ waits for 2020-01-01T00:00:00Z │" in printed.out


def test_a_pending_part_that_is_replaced_is_named(run: Run, file: Path) -> None:
    run("tariff", "tariff", "set", str(file))
    text = 'step_period = "year"\n'
    printed = run("tariff", "tariff", "set", str(written(file, text)), dry_run=True)
    assert "replaces the pending steps of 2026-07-01T00:00:00Z" in printed.err
    assert "│ step_limit_1_kwh │       - │ 100.000000 │    - │" in printed.out


def test_a_rate_that_nothing_uses_afterwards_is_told(run: Run, tmp_path: Path) -> None:
    printed = run("tariff", "tariff", "set", str(written(tmp_path / "t.toml", TWO)))
    assert "meter 000000000042: warning: rate 2 is in no day table" in printed.err


def test_parts_that_do_not_agree_with_the_meters_are_refused_unsent(
    run: Run, tmp_path: Path, setup: Setup
) -> None:
    with pytest.raises(RefusedError, match="have rate 2, and the meter has 1 price; nothing was"):
        run("tariff", "tariff", "set", str(written(tmp_path / "t.toml", NIGHT)))
    assert "tariff_set" not in event_names(setup.meter)


def test_without_a_yes_nothing_is_sent(run: Run, file: Path, monkeypatch: Any) -> None:
    def no(*_: object, **__: object) -> bool:
        raise UsageError("not confirmed; nothing was sent")

    monkeypatch.setattr("meterctl.cli.options.Options.confirm", no)
    with pytest.raises(UsageError, match="not confirmed"):
        run("tariff", "tariff", "set", str(file))


def test_an_interrupt_after_it_was_sent_is_an_unknown_outcome(
    run: Run, file: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meterctl.operations.command.deliver", interrupted)
    with pytest.raises(UnknownOutcomeError, match="tariff show shows both sets"):
        run("tariff", "tariff", "set", str(file))


def test_an_accepted_tariff_that_is_not_read_back_is_told_and_done(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meterctl.cli.tariff.set_tariff", lambda *_: [])
    printed = run("tariff", "tariff", "set", str(file), json=True)
    shown = json.loads(printed.out)
    assert (shown["result"], shown["message"][:24]) == ("done", "the meter accepted it; i")
    assert "did not answer when it was to be read back" in printed.err
