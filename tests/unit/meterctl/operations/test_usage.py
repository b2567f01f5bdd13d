"""Consumption and its cost to the last unit, against arithmetic of the tests' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.settings import Settings
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.rates_and_steps import TARIFF_ITEMS, by_rate, by_step
from meterctl.operations.snapshots import Registers, Snapshot, read_registers
from meterctl.operations.time_span import Span
from meterctl.operations.usage import Dated, by_day, by_month, month_of, total
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff
from protocols.quantities import DAY, ENERGY_WRAP, HOUR, KWH, LEDGER, MINUTE, parse_moment
from tests.support import reference_bill, reference_meter
from tests.support.days import Days
from tests.support.wire import connect

RATES = (3_000, 5_283, 8_001)
TABLE = ((0, 0), (480, 1), (720, 2), (1020, 1), (1320, 0))
LIMITS, ADDITIONS = (80 * KWH, 160 * KWH), (0, 500, 3_007)
TARIFF = Tariff(
    day_tables=DayTables((tuple((minute, rate + 1) for minute, rate in TABLE),)),
    prices=Prices(RATES),
    steps=Steps(LIMITS, ADDITIONS),
)
ROWS = tuple((hour * HOUR + hour * 77_003, 200_000 + hour * 7919 % 900_000)
             for hour in range(1200))  # fmt: skip
LOAD = ((0, 345_678), *ROWS[1:])


def read(days: Days) -> tuple[Registers, Offsets]:
    session, _ = connect(days.meter)
    registers = read_registers(session.driver, TARIFF_ITEMS)
    moments = [one.at for one in (*registers.billing, *registers.daily)]
    return registers, read_offsets(session.driver, [*moments, days.clock])


def usage(days: Days, span: Span = Span()) -> Sequence[Dated]:
    return by_day(*read(days), span).rows


def priced(start: str, offset: int = 60, **fields: object) -> Days:
    load = Load([at for at, _ in LOAD], [Demand((power,)) for _, power in LOAD], OnEnd.HOLD)
    return Days(start, load=load, tariff=TARIFF, credit=9_000 * LEDGER, transitions=(),
                settings=Settings(utc_offset_minutes=offset), **fields)  # fmt: skip


def reference(start: int, until: int, offset: int = 60) -> reference_bill.Bill:
    settings = reference_meter.Settings(
        credit=9_000 * LEDGER,
        prices=RATES,
        day_table=TABLE,
        step_limits_mwh=LIMITS,
        step_additions=ADDITIONS,
        utc_offset_minutes=offset,
    )
    return reference_bill.bill(LOAD, until, start, settings)


def test_the_days_of_a_month_are_the_bill_of_exact_fractions() -> None:
    start = parse_moment("2026-01-14T03:21:07Z")
    days = priced("2026-01-14T03:21:07Z")
    days.run(46 * 24)
    midnight = parse_moment("2026-01-15T00:00:00+01:00") - start
    bills = [reference(start, 0)]
    bills += [reference(start, midnight + day * DAY) for day in range(46)]
    bills.append(reference(start, 46 * 24 * HOUR))
    rows = usage(days)
    assert len(rows) == len(bills) - 1
    for row, before, after in zip(rows, bills, bills[1:], strict=False):
        assert row.part.cost == after.consumption - before.consumption
        assert row.part.import_mwh == after.import_mwh - before.import_mwh
        assert row.part.rates_mwh[:3] == tuple(
            late - early for early, late in zip(before.rate_mwh, after.rate_mwh, strict=True)
        )
    assert [row.days for row in rows] == [None, *[1] * 46]
    assert [row.part.is_complete for row in rows] == [True] * 46 + [False]


def test_months_are_the_sums_of_their_days_and_incomplete_where_they_are_cut() -> None:
    start = parse_moment("2026-01-14T03:21:07Z")
    days = priced("2026-01-14T03:21:07Z")
    days.run(56 * 24)
    rows = by_month(*read(days), Span()).rows
    assert [month_of(row) for row in rows] == [None, "2026-01", "2026-02", "2026-03"]
    assert [row.part.is_complete for row in rows] == [False, False, True, False]
    edges = [parse_moment(f"2026-0{month}-01T00:00:00+01:00") - start for month in (2, 3)]
    first, last = (reference(start, edge) for edge in edges)
    assert rows[2].part.cost == last.consumption - first.consumption
    whole = total([row.part for row in rows])
    assert whole is not None
    assert whole.cost == reference(start, 56 * DAY).consumption


def test_months_before_the_oldest_daily_freeze_are_known_from_the_billing_freezes() -> None:
    start = parse_moment("2026-01-01T00:00:00+01:00")
    days = priced("2025-12-31T23:00:00Z")
    days.run(150 * 24)
    rows = by_month(*read(days), Span()).rows
    assert [month_of(row) for row in rows[1:]] == [f"2026-0{month}" for month in range(2, 6)]
    assert rows[0].part.begin is None
    for month, row in zip((2, 3, 4), rows[1:], strict=False):
        first, last = (
            reference(start, parse_moment(f"2026-0{one}-01T00:00:00+01:00") - start).consumption
            for one in (month, month + 1)
        )
        assert (row.part.cost, row.part.is_complete) == (last - first, True)


def test_a_span_has_its_days_alone_and_names_what_it_cuts() -> None:
    days = priced("2026-01-14T03:21:07Z")
    days.run(10 * 24)
    begin, end = (parse_moment(f"2026-01-{day}T00:00:00+01:00") for day in (17, 20))
    found = by_day(*read(days), Span(begin, end))
    assert [row.part.begin for row in found.rows] == [begin, begin + DAY, begin + 2 * DAY]
    assert found.cut == []
    today = parse_moment("2026-01-24T00:00:00+01:00")
    found = by_day(*read(days), Span(today, today + HOUR))
    assert found.rows == []
    assert [row.part.is_complete for row in found.cut] == [False]


# ---- a month with summer time, a power cut over midnight and a set clock


def test_days_of_summer_time_have_23_and_25_hours() -> None:
    for start, day, hours in (("2026-03-26", "2026-03-29", 23), ("2026-10-22", "2026-10-25", 25)):
        days = Days(f"{start}T12:00:00Z")
        days.run(6 * 24)
        whole = [one.part for one in usage(days) if one.begin is not None and one.part.is_complete]
        (part,) = [part for part in whole if part.end - (part.begin or 0) != DAY]
        assert part.begin == parse_moment(f"{day}T00:00:00+0{1 if hours == 23 else 2}:00")
        assert part.import_mwh == hours * 500_000
        assert part.cost == hours * 500_000 * 5_283


def test_a_power_cut_over_midnight_divides_the_days_at_that_midnight() -> None:
    days = Days("2026-03-24T23:00:00Z")
    days.run(20)
    days.cut(10)
    days.run(30)
    first, second, *_ = usage(days)[0:2]
    assert (first.part.import_mwh, second.part.import_mwh) == (20 * 500_000, 18 * 500_000)
    assert first.part.cost == 20 * 500_000 * 5_283
    assert (first.part.end, second.days) == (parse_moment("2026-03-26T00:00:00+01:00"), 1)


def test_days_that_a_set_clock_skipped_are_one_row_with_all_that_was_consumed() -> None:
    days = Days("2026-03-02T23:00:00Z")
    days.run(30)
    days.set_clock(3 * DAY)
    days.run(30)
    rows = usage(days)
    assert [row.days for row in rows] == [None, 4, 1, 1][: len(rows)]
    begin = parse_moment("2026-03-04T00:00:00+01:00")
    assert (rows[1].part.begin, rows[1].part.end) == (begin, begin + 4 * DAY)
    assert rows[1].part.import_mwh == 24 * 500_000
    assert sum(row.part.import_mwh for row in rows) == 60 * 500_000
    assert sum(row.part.cost or 0 for row in rows) == 60 * 500_000 * 5_283


def test_days_that_a_clock_set_back_repeats_are_counted_once() -> None:
    days = Days("2026-03-02T23:00:00Z")
    days.run(5 * 24)
    days.set_clock(-2 * DAY)
    days.run(5 * 24)
    rows = usage(days)
    whole = total([row.part for row in rows])
    assert whole is not None
    assert whole.import_mwh == 10 * 24 * 500_000
    assert whole.cost == whole.import_mwh * 5_283


def test_a_month_of_everything_is_the_bill_to_the_last_unit() -> None:
    """Steps, two rates, summer time, a cut over midnight and a clock that skips midnights."""
    night, day, limit, addition = 3_000, 8_000, 100 * KWH, 777
    tariff = Tariff(
        day_tables=DayTables((((6 * 60, 2), (22 * 60, 1)),)),
        prices=Prices((night, day)),
        steps=Steps((limit,), (0, addition)),
    )
    days = Days("2026-02-28T23:00:00Z", tariff=tariff)
    days.run(20 * 24 + 19)
    days.cut(11)
    days.run(5 * 24 + 3)
    days.set_clock(2 * DAY)
    days.run(4 * 24)
    # By hand: half a kilowatt through each quarter of an hour of real time, 1/4 h = 125,000 mWh.
    clock, consumed, cost, at_midnight = parse_moment("2026-03-01T00:00:00+01:00"), 0, 0, {}
    summer = parse_moment("2026-03-29T01:00:00Z")
    april, in_month = parse_moment("2026-04-01T00:00:00+02:00"), 0
    plan = [(20 * 24 + 19, 1), (11, 0), (5 * 24 + 3, 1), (None, 0), (4 * 24, 1)]
    for hours, powered in plan:
        if hours is None:
            clock += 2 * DAY
            in_month = 0 if clock >= april else in_month
            continue
        for _ in range(hours * 4):
            local = clock + (120 if clock >= summer else 60) * MINUTE
            if clock == april:
                in_month = 0
            if local % DAY == 0:
                at_midnight[clock] = (consumed, cost)
            price = day if 6 * HOUR <= local % DAY < 22 * HOUR else night
            for _ in range(powered * 125):
                beyond = in_month + 1000 - limit
                above = min(max(beyond, 0), 1000)
                cost += 1000 * price + above * addition
                consumed += 1000
                in_month += 1000
            clock += 15 * MINUTE
    registers, _ = read(days)
    kept = {one.at: (one.import_mwh, one.charged) for one in registers.daily}
    at_midnight.pop(parse_moment("2026-03-01T00:00:00+01:00"))
    assert kept == at_midnight
    rows = usage(days)
    assert sum(row.part.cost or 0 for row in rows) == cost
    assert sum(row.part.import_mwh for row in rows) == consumed
    edges = [None, *sorted(at_midnight), days.clock]
    assert [(row.part.begin, row.part.end) for row in rows] == list(pairwise(edges))


# ---- what was not kept


def snapshot(at: int, mwh: int, charged: int | None, number: int = 9) -> Snapshot:
    return Snapshot(at, mwh, 0, (mwh, 0, 0, 0), charged, number)


def test_where_the_charge_was_not_kept_there_is_no_cost() -> None:
    start = parse_moment("2026-01-05T00:00:00Z")
    daily = [
        snapshot(start, 0, None),
        snapshot(start + DAY, 10, 100),
        snapshot(start + 2 * DAY, 30, 300),
    ]
    found = by_day(Registers(daily, [], None, {}), Offsets(((0, 0),)), Span()).rows
    assert [row.part.cost for row in found] == [None, 200]
    whole = total([row.part for row in found])
    assert whole is not None
    assert (whole.import_mwh, whole.cost) == (30, None)


def test_present_registers_that_have_wrapped_go_on_from_the_last_freeze() -> None:
    days = Days("2026-03-02T23:00:00Z")
    days.run(24)
    days.meter.state.registers.import_mwh += ENERGY_WRAP - 20 * KWH
    days.run(24)
    days.run(20)
    last, present = usage(days)[-2:]
    assert last.part.import_mwh == ENERGY_WRAP - 20 * KWH + 12 * KWH
    assert present.part.import_mwh == 10 * KWH


def test_a_freeze_that_is_made_while_they_are_read_makes_all_be_read_again() -> None:
    days = Days("2026-03-02T23:00:00Z")
    days.run(47.99)

    def midnight(exchange: int, direction: str, data: bytes) -> bytes:
        if direction == "request" and exchange == 6:
            days.run(0.1)
        return data

    session, _ = connect(days.meter, midnight)
    registers = read_registers(session.driver)
    assert registers.present is not None
    assert registers.daily[-1].at == parse_moment("2026-03-05T00:00:00+01:00")
    assert registers.present.import_mwh - registers.daily[-1].import_mwh < KWH


# ---- rates and steps


def test_each_rate_has_its_cost_where_the_present_prices_give_what_was_charged() -> None:
    tariff = Tariff(
        day_tables=DayTables((((6 * 60, 2), (22 * 60, 1)),)), prices=Prices((3_000, 8_000))
    )
    days = Days("2026-03-02T23:00:00Z", tariff=tariff)
    days.run(60)
    registers, offsets = read(days)
    dated = by_day(registers, offsets, Span()).rows
    night, day = by_rate(dated, registers).rows
    assert (night.mwh, day.mwh) == (22 * 500_000, 38 * 500_000)
    assert (night.cost, day.cost) == (night.mwh * 3_000, day.mwh * 8_000)
    changed = replace(registers, values=dict.fromkeys(registers.values, 1))
    assert [row.cost for row in by_rate(dated, changed).rows] == [None, None]


def test_one_rate_alone_has_the_whole_cost_whatever_its_price_was() -> None:
    days = Days("2026-03-02T23:00:00Z")
    days.run(60)
    registers, offsets = read(days)
    dated = by_day(registers, offsets, Span()).rows
    (row,) = by_rate(dated, replace(registers, values={})).rows
    assert (row.rate, row.price, row.cost) == (1, None, 30 * KWH * 5_283)


def test_steps_divide_the_consumption_of_the_present_period() -> None:
    tariff = Tariff(steps=Steps((10 * KWH, 20 * KWH, 90 * KWH), (0, 500, 1_000, 9_000)))
    days = Days("2026-03-30T22:00:00Z", tariff=tariff)
    days.run(24 + 50)
    rows = by_step(read(days)[0]).rows
    assert [(row.step, row.mwh, row.limit_mwh) for row in rows] == [
        (1, 10 * KWH, 10 * KWH),
        (2, 10 * KWH, 20 * KWH),
        (3, 5 * KWH, 90 * KWH),
        (4, 0, None),
    ]
    assert [row.addition_cost for row in rows] == [0, 5_000 * KWH, 5_000 * KWH, 0]
    price = 5_283
    assert [row.cost for row in rows] == [
        10 * KWH * price, 10 * KWH * (price + 500), 5 * KWH * (price + 1_000), 0,
    ]  # fmt: skip
    assert (
        sum(row.cost or 0 for row in rows)
        == days.meter.state.account.consumption - 12 * KWH * (price) - 2 * KWH * 500
    )


def test_steps_have_no_cost_where_the_tariff_changed_in_the_period() -> None:
    tariff = Tariff(steps=Steps((10 * KWH,), (0, 500)))
    days = Days("2026-03-30T22:00:00Z", tariff=tariff)
    days.run(74)
    days.meter.state.tariff = Tariff(prices=Prices((9_999,)), steps=tariff.steps)
    rows = by_step(read(days)[0]).rows
    assert [row.mwh for row in rows] == [10 * KWH, 15 * KWH]
    assert {row.cost for row in rows} == {row.addition_cost for row in rows} == {None}


def test_a_meter_whose_time_runs_while_it_is_read_shows_registers_of_one_instant() -> None:
    tariff = Tariff(steps=Steps((10 * KWH, 20 * KWH), (0, 500, 1_000)))
    days = Days("2026-03-30T22:00:00Z", tariff=tariff)
    days.run(74)

    def running(_: int, direction: str, data: bytes) -> bytes:
        if direction == "request":
            days.run(0.001)
        return data

    session, _ = connect(days.meter, running)
    registers = read_registers(session.driver, TARIFF_ITEMS)
    assert None not in {row.cost for row in by_step(registers).rows}
    offsets = read_offsets(session.driver, [days.clock])
    whole = total([row.part for row in by_day(registers, offsets, Span()).rows])
    assert whole is not None
    assert whole.import_mwh == sum(row.mwh for row in by_step(registers).rows) + 12 * KWH


@pytest.mark.parametrize("present", [None, snapshot(5, 5, 5, 0)])
def test_without_the_counter_of_the_period_there_are_no_steps(present: Snapshot | None) -> None:
    assert by_step(Registers([], [], present, {})).rows == []
