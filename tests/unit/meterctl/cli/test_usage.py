"""usage: rows, sums and how long the credit lasts, in each form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from meterctl.cli.options import Options
from meterctl.errors import UsageError
from meterctl.session import Session
from protocols.data_model.tables import DAILY_FREEZES, Freeze
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff
from protocols.modbus.native_map import NATIVE_MAP
from protocols.quantities import DAY, KWH
from tests.support.days import Days
from tests.support.field_wires import NARROW, too_wide
from tests.support.wire import connect
from tests.unit.meterctl.cli.conftest import Printed, Run

Show = Callable[..., Printed]
TARIFF = Tariff(
    day_tables=DayTables((((6 * 60, 2), (22 * 60, 1)),)),
    prices=Prices((3_000, 8_000)),
    steps=Steps((100 * KWH,), (0, 777)),
)


@pytest.fixture(scope="module")
def days() -> Days:
    made = Days("2026-02-26T23:00:00Z", tariff=TARIFF)
    made.run(12 * 24)
    made.set_clock(2 * DAY)
    made.run(4 * 24 + 7)
    return made


@pytest.fixture
def session(days: Days) -> Session:
    return connect(days.meter)[0]


@pytest.fixture
def show(session: Session, run: Run, monkeypatch: pytest.MonkeyPatch) -> Show:
    @contextmanager
    def opened(_: Options, **__: Any) -> Iterator[Session]:
        yield session

    monkeypatch.setattr(Options, "session", opened)
    return lambda *words, **how: run("usage", "usage", *words, **how)


def objects(printed: Printed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.out.splitlines()]


def test_a_day_has_its_consumption_and_its_cost(show: Show) -> None:
    rows = objects(show("--from", "2026-02-28", "--to", "2026-03-01", json=True))
    assert rows[0] == {
        "day": "2026-02-28",
        "begin": "2026-02-28T00:00:00.000+01:00",
        "end": "2026-03-01T00:00:00.000+01:00",
        "days": 1,
        "import_kwh": 12.0,
        "export_kwh": 0.0,
        "cost": 7.6,
        "cost_exact": 7.6,
        "complete": True,
    }
    assert len(rows) == 2


def test_today_so_far_is_a_row_that_is_not_complete(show: Show) -> None:
    *_, today, _ = objects(show(json=True))
    assert today["day"] == "2026-03-17"
    assert (today["complete"], today["import_kwh"]) == (False, 3.5)
    assert "so far" in show().out


def test_days_without_a_freeze_between_them_are_one_row(show: Show) -> None:
    (row,) = [row for row in objects(show(json=True)) if row.get("days") == 3]
    assert (row["day"], row["import_kwh"]) == (None, 12.0)
    assert "2026-03-11 to 2026-03-13" in show().out


def test_the_last_object_tells_how_long_the_credit_lasts(show: Show, days: Days) -> None:
    *_, left = objects(show(json=True))
    assert list(left) == [
        "available_credit",
        "mean_daily_cost",
        "counted_days",
        "daily_charge",
        "days_left",
        "disconnects_at_credit",
        "days_to_disconnection",
    ]
    credit = days.meter.state.account.credit / 10**10
    assert left["counted_days"] == 4
    assert left["days_left"] == pytest.approx(credit / left["mean_daily_cost"], abs=0.2)
    assert "days_left" in show().out


def test_csv_has_the_rows_alone(show: Show) -> None:
    for by in ("day", "month", "rate", "step"):
        rows = [json.loads(line, parse_float=str, parse_int=str)
                for line in show("--by", by, json=True).out.splitlines()][:-1]  # fmt: skip
        heading, *lines = csv.reader(io.StringIO(show("--by", by, "--csv").out))
        assert heading == list(rows[0])
        for line, row in zip(lines, rows, strict=True):
            shown = ["" if v is None else str(v).lower() if isinstance(v, bool) else v
                     for v in row.values()]  # fmt: skip
            assert line == shown
        assert show("--by", by, "--csv-excel").out.startswith("\ufeff")


def test_the_sum_of_all_rows_is_the_register(show: Show, days: Days) -> None:
    state = days.meter.state
    for by in ("day", "month"):
        rows = objects(show("--by", by, json=True))[:-1]
        assert sum(round(row["import_kwh"] * KWH) for row in rows) == state.registers.import_mwh
        costs = [line.split('"cost_exact": ')[1].split(",")[0].replace(".", "")
                 for line in show("--by", by, json=True).out.splitlines()[:-1]]  # fmt: skip
        assert sum(map(int, costs)) == state.account.consumption


def test_rates_have_no_cost_of_their_own_where_steps_add_to_it(show: Show) -> None:
    printed = show("--by", "rate", json=True)
    rows = objects(printed)[:-1]
    assert [(row["rate"], row["price"], row["cost"]) for row in rows] == [
        (1, 0.3, None), (2, 0.8, None),
    ]  # fmt: skip
    assert "no cost of each rate is shown" in printed.err
    february = objects(
        show("--by", "rate", "--from", "2026-02-28", "--to", "2026-03-01", json=True)
    )
    assert [row["cost"] for row in february[:-1]] == [1.2, 6.4]


def test_steps_of_the_present_period(show: Show) -> None:
    printed = show("--by", "step", json=True)
    one, two, _ = objects(printed)
    assert (one["step"], one["limit_kwh"], one["energy_kwh"]) == (1, 100, 100)
    assert (two["limit_kwh"], two["energy_kwh"]) == (None, pytest.approx(71.5))
    assert two["addition_cost_exact"] == pytest.approx(71.5 * 0.0777)
    assert two["cost"] is None
    assert "several rates were used" in printed.err


def test_steps_of_earlier_periods_are_refused_before_a_byte_is_sent(show: Show) -> None:
    with pytest.raises(UsageError, match=r"the present period alone.*nothing was sent"):
        show("--by", "step", "--from", "2026-02-01")


def test_a_word_that_is_none_of_them_is_refused(show: Show) -> None:
    with pytest.raises(UsageError, match="--by weak"):
        show("--by", "weak")
    with pytest.raises(UsageError, match="is not a date"):
        show("--from", "2026-02-01T08:00")


def test_a_row_that_a_bound_cuts_is_named(show: Show) -> None:
    printed = show("--from", "2026-03-12", json=True)
    assert "2026-03-11 to 2026-03-13: left out" in printed.err
    assert objects(printed)[0]["day"] == "2026-03-14"


@pytest.mark.parametrize("by", ["day", "month", "rate", "step"])
@pytest.mark.parametrize("columns", [NARROW, 80])
def test_screens_are_kept(
    show: Show, by: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert not too_wide(show("--by", by).out, columns)


def test_a_meter_of_an_older_build_has_days_without_cost(show: Show, session: Session) -> None:
    driver: Any = session.driver
    windows = tuple(
        window
        for window in NATIVE_MAP.row_windows
        if window.table != DAILY_FREEZES or window.row_size < Freeze.PACKING.size
    )
    driver._map = replace(NATIVE_MAP, row_windows=windows)
    printed = show(json=True)
    rows = objects(printed)[:-1]
    assert {row["cost"] for row in rows[1:]} == {None}
    assert rows[1]["import_kwh"] == 12.0
    assert "the meter did not keep what was charged until then" in printed.err


def test_a_meter_that_has_just_started_shows_what_it_used_since_then(run: Run) -> None:
    row, left = objects(run("usage", "usage", json=True))
    assert (row["begin"], row["day"], row["complete"]) == (None, None, False)
    assert left["days_left"] is None
    told = run("usage", "usage")
    assert "days left need 3 whole days with their cost among the last 7; there are 0" in told.err


def test_a_map_without_freezes_is_told_and_nothing_is_sent(show: Show, session: Session) -> None:
    driver: Any = session.driver
    driver._map = replace(NATIVE_MAP, row_windows=())
    with pytest.raises(UsageError, match="map native has no daily freezes; nothing was sent"):
        show()
