"""usage: rows, sums and how long the credit lasts, in each form."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.metrology.load import Load
from meterctl.cli.options import Options
from meterctl.errors import UsageError
from meterctl.session import Session
from protocols.data_model.tables import DAILY_FREEZES, Freeze
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff, TariffChange
from protocols.modbus.native_map import NATIVE_MAP
from protocols.quantities import DAY, HOUR, KWH, LEDGER
from protocols.sealed_message import MessageKind
from tests.support.days import FAR, Days
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


def become_older(session: Session) -> None:
    """Let a meter show the freezes of an older build, without what was charged until then."""
    driver: Any = session.driver
    windows = tuple(
        window
        for window in NATIVE_MAP.row_windows
        if window.table != DAILY_FREEZES or window.row_size < Freeze.PACKING.size
    )
    driver._map = replace(NATIVE_MAP, row_windows=windows)


def test_a_meter_of_an_older_build_has_days_without_cost(show: Show, session: Session) -> None:
    become_older(session)
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


# ---- what is shown of other meters


@pytest.fixture
def show_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Printed]:
    """Run the command on a meter of a test."""

    def show_of(days: Days, *words: str, **how: Any) -> Printed:
        @contextmanager
        def opened(_: Options, **__: Any) -> Iterator[Session]:
            yield connect(days.meter)[0]

        monkeypatch.setattr(Options, "session", opened)
        return run("usage", "usage", *words, **how)

    return show_of


START = "2026-01-01T00:00:00Z"


def plain(**fields: object) -> Days:
    """Return a meter of one kilowatt in UTC."""
    kilowatt = Load.constant((1_000_000,))
    return Days(START, **({"transitions": (), "load": kilowatt} | fields))  # type: ignore[arg-type]


def test_costs_are_rounded_half_up_and_the_exact_ones_are_not(show_of: Show) -> None:
    """A kilowatt at 0.5283 costs 12.6792 a day: 12.68, and four days 50.7168: 50.72."""
    days = plain()
    days.run(4 * 24)
    rows = objects(show_of(days, json=True))
    assert [row["cost"] for row in rows[:3]] == [12.68] * 3
    assert rows[0]["cost_exact"] == 12.6792
    assert rows[-1]["mean_daily_cost"] == 12.68


@pytest.mark.parametrize(("price", "cost"), [(2, 0.0), (3, 0.01)])
def test_half_a_cent_is_rounded_up(show_of: Show, price: int, cost: float) -> None:
    days = plain(tariff=Tariff(prices=Prices((price,))))
    days.run(24)
    assert objects(show_of(days, json=True))[0]["cost"] == cost


@pytest.mark.parametrize("hours", [48, 4 * 24])
def test_rounded_rows_that_do_not_add_up_are_explained_under_the_table(
    show_of: Show, hours: int
) -> None:
    """12.68 twice is 25.36, which is 25.3584 rounded; four of them are 50.72, as is 50.7168."""
    days = plain()
    days.run(hours)
    assert "rows are rounded" not in show_of(days).err
    days = plain(tariff=Tariff(prices=Prices((5_279,))))
    days.run(72)
    told = show_of(days)
    assert "12.67" in told.out
    assert "38.01" in told.out
    assert "rows are rounded; the total is exact" not in told.err
    days = plain(tariff=Tariff(prices=Prices((5_281,))))
    days.run(72)
    told = show_of(days)
    assert "38.02" in told.out
    assert "rows are rounded; the total is exact" in told.err
    assert "rows are rounded" not in show_of(days, json=True).err


def test_the_first_day_is_shown_up_to_its_end_and_from_the_start(show_of: Show) -> None:
    days = plain()
    days.run(60)
    (row,) = objects(show_of(days, "--to", "2026-01-02", json=True))[:-1]
    assert (row["begin"], row["import_kwh"]) == (None, 24.0)
    rows = objects(show_of(days, "--from", "2026-01-01", "--to", "2026-01-03", json=True))[:-1]
    assert [row["import_kwh"] for row in rows] == [24.0, 24.0]


def test_a_meter_that_started_after_the_begin_or_before_it(show_of: Show) -> None:
    days = plain()
    days.run(36)
    days.set_clock(2 * HOUR)
    days.run(12)
    printed = show_of(days, "--from", "2026-01-01", json=True)
    assert len(objects(printed)) == 3 + 1
    late = Days("2026-01-01T06:00:00Z", transitions=())
    late.run(48)
    assert len(objects(show_of(late, "--from", "2026-01-01", json=True))) == 3 + 1
    printed = show_of(late, "--from", "2026-01-02", "--to", "2026-01-03", json=True)
    assert [row["day"] for row in objects(printed)[:-1]] == ["2026-01-02"]


def test_a_row_of_a_clock_set_back_lies_before_the_span_and_is_left_out(show_of: Show) -> None:
    days = plain()
    days.run(5 * 24 + 10)
    days.set_clock(-3 * DAY)
    days.run(6 * 24)
    printed = show_of(days, "--from", "2026-01-04", "--to", "2026-01-07", json=True)
    assert "2026-01-06: left out, it goes past --from or --to" in printed.err
    assert [row["day"] for row in objects(printed)[:-1]] == ["2026-01-04", "2026-01-05"]
    whole = show_of(days)
    assert "the clock was set back" in whole.out
    (row,) = [row for row in objects(show_of(days, json=True))[1:-1] if row["days"] is None]
    assert row["import_kwh"] == 96.0


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("by", ["day", "month", "rate"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "2027-01-01"), "nothing is known of this time yet: it is 2026-04-11"),
        (("--to", "2025-01-01"), "older than the freezes kept|it is before the meter's start"),
    ],
)
def test_no_rows_always_say_why(
    show_of: Show, aged: Days, by: str, words: tuple[str, ...], why: str, form: bool
) -> None:
    assert re.search(why, show_of(aged, "--by", by, *words, json=form).err)


@pytest.fixture(scope="module")
def aged() -> Days:
    """A meter of a hundred days, whose daily freezes reach back 62."""
    made = plain(credit=9_000 * LEDGER)
    made.run(100 * 24)
    return made


def test_days_older_than_the_freezes_kept_are_named(show_of: Show, aged: Days) -> None:
    printed = show_of(aged, "--from", "2026-01-10", "--to", "2026-02-12", json=True)
    assert "before 2026-02-09: older than the freezes kept" in printed.err
    assert len(objects(printed)[:-1]) == 3


def test_rates_say_which_days_they_are_of_and_use_the_billing_freezes(
    show_of: Show, aged: Days
) -> None:
    span = ("--by", "rate", "--from", "2026-02-01", "--to", "2026-03-01")
    (row,) = objects(show_of(aged, *span, json=True))[:-1]
    assert (row["begin"], row["end"]) == (
        "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z",
    )  # fmt: skip
    assert (row["energy_kwh"], row["cost_exact"]) == (28 * 24, 28 * 24 * 0.5283)
    assert "2026-02-01 to 2026-02-28" in show_of(aged, *span).out


def test_rates_of_charged_export_say_that_it_is_in_the_cost(show_of: Show) -> None:
    days = plain(load=Load.constant((-1_000_000,)), reverse_charged=True)
    days.run(70)
    printed = show_of(days, "--by", "rate")
    assert "charges export too (70.000000 kWh), which is in the cost" in printed.err
    assert "36.98" in printed.out


def test_the_reason_names_the_change_of_the_tariff(show_of: Show) -> None:
    days = plain()
    days.run(30)
    change = TariffChange(((0, Prices((9_000,))),))
    days.host.send(MessageKind.TARIFF, parameters=change.encode(), expires_at=FAR)
    days.run(30)
    printed = show_of(days, "--by", "rate")
    assert "no price is shown: the tariff changed on 2026-01-02 06:00" in printed.err
    assert "no cost is shown: the tariff changed on 2026-01-02 06:00" in (
        show_of(days, "--by", "step").err
    )


def test_a_fresh_meter_says_nothing_of_several_rates(show_of: Show) -> None:
    assert "rates" not in show_of(plain(), "--by", "step").err


def test_days_without_supply_are_named(show_of: Show) -> None:
    days = plain()
    days.run(8 * 24 + 4)
    days.cut(20)
    days.run(30)
    told = show_of(days)
    assert "1 day of the last 7 not counted: the supply was interrupted" in told.err
    assert objects(show_of(days, json=True))[-1]["counted_days"] == 6


@pytest.mark.parametrize("columns", [NARROW, 80])
@pytest.mark.parametrize("by", ["day", "month", "rate", "step"])
def test_screens_are_kept_by_an_old_meter(
    show_of: Show, aged: Days, by: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert not too_wide(show_of(aged, "--by", by).out, columns)


def test_reasons_count_the_rows_that_are_shown(show: Show, session: Session) -> None:
    """A meter of an older build: its rows are one of rates, and of the months."""
    become_older(session)
    months = show("--by", "month")
    assert re.search(r"no cost is shown for \d of \d rows: the meter did not keep", months.err)
    rates = show("--by", "rate")
    assert " rows: " not in rates.err
    assert "no cost of each rate is shown: the meter did not keep what was charged" in rates.err
