"""profile, freezes: rows, gaps and sums in each form; maps without the tables; plots."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.metrology.load import Load
from meterctl.cli.options import Options
from meterctl.errors import UsageError
from meterctl.session import Session
from protocols.data_model.tariff import Prices, Tariff
from protocols.modbus.native_map import NATIVE_MAP
from protocols.quantities import HOUR
from tests.support.days import Days
from tests.support.field_wires import NARROW, too_wide
from tests.support.wire import connect
from tests.unit.meterctl.cli.conftest import Printed, Run

Show = Callable[..., Printed]
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed"
)


def eventful() -> Days:
    """Return a meter with a power cut, and a clock that was set forward, then back."""
    days = Days("2026-03-24T23:00:00Z")
    days.run(30.1)
    days.cut(3)
    days.run(20)
    days.set_clock(50 * HOUR)
    days.run(5)
    days.set_clock(-2 * HOUR)
    days.run(30)
    return days


@pytest.fixture(scope="module")
def days() -> Days:
    return eventful()


@pytest.fixture
def show(days: Days, run: Run, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Run a command on the eventful meter."""
    open_on(days, monkeypatch)
    return lambda *words, **how: run(words[0], *words, **how)


def objects(printed: Printed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.out.splitlines()]


def test_an_interval_has_its_times_with_offsets_its_energy_and_its_marks(show: Show) -> None:
    first, *_ = objects(show("profile", json=True))
    assert first == {
        "number": 1,
        "begin": "2026-03-25T00:00:00.000+01:00",
        "end": "2026-03-25T00:15:00.000+01:00",
        "import_kwh": 0.125,
        "export_kwh": 0.0,
        "mean_kw": 0.5,
        "power_down": False,
        "clock_set": False,
        "supply_open": False,
        "time_repeated": False,
        "saturated": False,
        "gap": None,
    }


def test_a_gap_is_a_row_without_energy(show: Show) -> None:
    rows = objects(show("profile", json=True))
    gaps = [row for row in rows if row["gap"] is not None]
    assert [row["gap"] for row in gaps] == ["power_down", "clock_set"]
    assert {gap[name] for gap in gaps for name in ("number", "import_kwh", "mean_kw")} == {None}
    assert sum(row["time_repeated"] for row in rows if row["gap"] is None) == 9
    assert sum(row["import_kwh"] for row in rows if row["gap"] is None) == pytest.approx(
        (30.1 + 20 + 5 + 30) / 2, abs=0.3
    )


def test_a_span_ends_with_the_interval_that_ends_at_it(show: Show) -> None:
    rows = objects(show("profile", "--from", "2026-03-25", "--to", "2026-03-25T01:00", json=True))
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    (row,) = objects(
        show("profile", "--from", "2026-03-24T23:00Z", "--to", "2026-03-24T23:15Z", json=True)
    )
    assert row["number"] == 1


@pytest.mark.parametrize("command", ["profile", "freezes"])
def test_csv_has_the_values_of_json(show: Show, command: str) -> None:
    records = [json.loads(line, parse_float=str, parse_int=str)
               for line in show(command, json=True).out.splitlines()]  # fmt: skip
    heading, *rows = csv.reader(io.StringIO(show(command, "--csv").out))
    assert heading == list(records[0])
    for row, record in zip(rows, records, strict=True):
        shown = ["" if v is None else str(v).lower() if isinstance(v, bool) else v
                 for v in record.values()]  # fmt: skip
        assert row == shown
    excel = show(command, "--csv-excel").out
    assert excel.startswith("\ufeff")
    assert excel.endswith("\r\n")


def test_people_see_short_times_the_marks_in_words_and_the_sums(show: Show) -> None:
    out = show("profile").out
    assert "2026-03-25 00:00+01:00" in out
    assert "no records: no power" in out
    assert "no records: the clock was set forward" in out
    assert "time_repeated" in out
    assert "hours_without_records" in out
    assert "52.75" in out, "50 h by the clock, and 2.75 h of whole quarter hours without power"


def test_a_freeze_shows_what_was_used_since_the_one_before(show: Show) -> None:
    first, second, third, *_ = objects(show("freezes", json=True))
    assert (first["number"], first["used_kwh"], first["missing_days"]) == (1, None, None)
    assert second["used_kwh"] == second["energy_import_kwh"] - first["energy_import_kwh"]
    assert second["cost_exact"] == pytest.approx(second["used_kwh"] * 0.5283)
    assert third["missing_days"] == 2
    assert "consumption_charged_exact" in first


def test_days_without_a_freeze_are_named(show: Show) -> None:
    rows = objects(show("freezes", json=True))
    assert [row["missing_days"] for row in rows] == [None, 0, 2]
    printed = show("freezes")
    assert "no freeze of 2026-03-28 to 2026-03-29: used_kwh of 2026-03-30 counts" in printed.err
    assert "│ 2026-03-30 │" in printed.out


def test_a_freeze_at_the_very_moment_of_to_is_shown(show: Show) -> None:
    (row,) = objects(show("freezes", "--from", "2026-03-30", "--to", "2026-03-30T00:01", json=True))
    assert row["used_kwh"] is not None, "the freeze before it is not shown, and counts"
    rows = objects(show("freezes", "--to", "2026-03-27", json=True))
    assert [row["at"][:10] for row in rows] == ["2026-03-26", "2026-03-27"]


def test_billing_freezes_have_the_same_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    days = Days("2026-01-15T00:00:00Z")
    days.run(50 * 24)

    @contextmanager
    def session(_: Options, **__: Any) -> Iterator[Session]:
        yield connect(days.meter)[0]

    monkeypatch.setattr(Options, "session", session)
    rows = objects(run("freezes", "freezes", "--billing", json=True))
    assert [row["at"][:10] for row in rows] == ["2026-02-01", "2026-03-01"]
    assert rows[1]["used_kwh"] == 28 * 12
    assert rows[1]["missing_days"] is None
    assert "2026-03-01" in run("freezes", "freezes", "--billing").out


@pytest.mark.parametrize("command", ["profile", "freezes"])
def test_40_columns_are_kept(show: Show, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(NARROW))
    assert not too_wide(show(command).out)


@pytest.mark.parametrize("command", ["profile", "freezes"])
def test_a_table_fits_80_columns(show: Show, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = show(command).out
    assert not too_wide(out, 80)
    assert out.startswith("┏"), "a table, and not a block for each row"


@pytest.mark.parametrize(
    ("words", "what"),
    [(("profile",), "load profile"), (("freezes",), "daily freezes"),
     (("freezes", "--billing"), "billing freezes")],
)  # fmt: skip
def test_a_map_without_the_table_is_told_and_nothing_is_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str
) -> None:
    session, transport = connect(Days().meter)
    driver: Any = session.driver
    driver._map = replace(NATIVE_MAP, row_windows=())

    @contextmanager
    def opened(_: Options, **__: Any) -> Iterator[Session]:
        yield session

    monkeypatch.setattr(Options, "session", opened)
    with pytest.raises(UsageError, match=f"map native has no {what}; nothing was sent"):
        run(words[0], *words)
    assert transport.exchanges == 0


def test_a_meter_without_records_says_so(run: Run) -> None:
    assert run("profile", "profile").err == "the meter has no record of this time\n"
    assert run("freezes", "freezes").err == "the meter has no freeze of this time\n"
    assert run("profile", "profile", json=True).out == ""


@needs_matplotlib
@pytest.mark.parametrize(
    ("command", "labels"),
    [("profile", ("mean power [kW]", "no records: power_down", "clock_set", "load profile")),
     ("freezes", ("used [kWh a day]", "credit [CNY]", "2 days without a freeze"))],
)  # fmt: skip
def test_a_plot_is_the_same_bytes_each_time_and_names_what_it_shows(
    show: Show, tmp_path: Path, command: str, labels: tuple[str, ...]
) -> None:
    drawn = []
    for name in ("one.svg", "two.svg"):
        printed = show(command, "--plot", str(tmp_path / name))
        assert f"{name}: written" in printed.err
        assert printed.out
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert "two.svg: written" in show(command, "--plot", str(tmp_path / "two.svg")).err, "replaced"
    text = drawn[0].decode()
    for label in (*labels, "local time of the meter", "meter 000000000001"):
        assert label in text
    assert "dc:date" not in text


@needs_matplotlib
def test_a_disk_that_is_full_is_told_after_the_rows(show: Show) -> None:
    with pytest.raises(UsageError, match="/dev/full: no space left on device"):
        show("freezes", "--csv", "--plot", "/dev/full")


def test_a_plot_that_cannot_be_made_is_told_before_a_byte_is_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Options, "session", None)
    if importlib.util.find_spec("matplotlib") is not None:
        with pytest.raises(UsageError, match="its folder does not exist; nothing was sent"):
            run("profile", "profile", "--plot", str(tmp_path / "none" / "a.svg"))
        keys = tmp_path / "keys.svg"
        keys.write_text("{}")
        with pytest.raises(UsageError, match=r"keys.svg: it exists and is no plot of meterctl"):
            run("profile", "profile", "--plot", str(keys))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs matplotlib: pip install 'prepaid-meter\[plot\]'"):
        run("freezes", "freezes", "--plot", "a.svg")


def open_on(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands open their session with a meter."""

    @contextmanager
    def session(_: Options, **__: Any) -> Iterator[Session]:
        yield connect(days.meter)[0]

    monkeypatch.setattr(Options, "session", session)


def test_a_saturated_record_is_marked_and_has_no_mean(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, tariff = Load.constant((5_000_000_000,)), Tariff(prices=Prices((0,)))
    days = Days("2026-03-24T23:00:00Z", load=load, tariff=tariff)
    days.run(0.25)

    open_on(days, monkeypatch)
    (row,) = [json.loads(line) for line in run("profile", "profile", json=True).out.splitlines()]
    assert (row["import_kwh"], row["saturated"], row["mean_kw"]) == (1073.741823, True, None)
    told = run("profile", "profile")
    assert "saturated" in told.out
    assert "1 of the records is saturated: the sum is of at least as much" in told.err


def test_costs_of_freezes_are_rounded_and_a_sum_that_differs_is_explained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a kilowatt at 0.5283 for a day: 6.3396, and 31.698 for five days, three 19.0188."""
    days = Days("2026-02-24T23:00:00Z")
    days.run(24 * 6)

    open_on(days, monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    told = run("freezes", "freezes")
    assert told.out.count(" 6.34 ") == 5
    assert " 31.70 " in told.out
    span = ("--from", "2026-02-26", "--to", "2026-03-01")
    told = run("freezes", "freezes", *span)
    assert " 19.02 " in told.out
    assert told.err == ""
    rows = run("freezes", "freezes", json=True).out
    assert rows.count('"cost": 6.34, "cost_exact": 6.3396000000') == 5
    days = Days("2026-02-24T23:00:00Z", tariff=Tariff(prices=Prices((5_281,))))
    days.run(24 * 6)
    open_on(days, monkeypatch)
    told = run("freezes", "freezes")
    assert (told.out.count(" 6.34 "), told.out.count(" 31.69 ")) == (5, 1)
    assert told.err == "rows are rounded; the total is exact\n"


def test_titles_of_small_tables_fit_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    days = Days("2026-02-24T23:00:00Z")
    days.run(24 * 3)

    open_on(days, monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    assert "first to last" in run("freezes", "freezes").out
    assert "how long the credit lasts" in run("usage", "usage").out


@pytest.mark.parametrize("form", ["--json", "--csv", "--csv-excel"])
@pytest.mark.parametrize("command", ["profile", "freezes"])
def test_no_rows_say_why_in_each_form(show: Show, command: str, form: str) -> None:
    words = () if form == "--json" else (form,)
    printed = show(command, *words, "--from", "2027-01-01", json=form == "--json")
    assert printed.err in (
        "the meter has no record of this time\n", "the meter has no freeze of this time\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["profile", "freezes"])
def test_a_plot_under_a_name_of_another_format_is_refused_before_a_byte_is_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(Options, "session", None)
    for name in ("load.png", "load", ".svg"):
        with pytest.raises(UsageError, match="a plot is SVG: give a name"):
            run(command, command, "--plot", str(tmp_path / name))
        assert not (tmp_path / name).exists()
