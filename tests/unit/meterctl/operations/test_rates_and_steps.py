"""Cost by rate and by step: shown only where the event log proves the prices of that time."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from firmware_sim.metrology.load import Demand, Load, OnEnd
from meterctl.operations.event_log import EventLog
from meterctl.operations.local_time import read_offsets
from meterctl.operations.rates_and_steps import (
    TARIFF_ITEMS,
    RateUsages,
    Reason,
    StepUsages,
    by_rate,
    by_step,
)
from meterctl.operations.snapshots import Registers, read_registers
from meterctl.operations.time_span import Span
from meterctl.operations.usage import by_freeze
from protocols.data_model.tariff import DayTables, Part, Prices, Steps, Tariff, TariffChange
from protocols.quantities import DAY, ENERGY_WRAP, HOUR, KWH, LEDGER, parse_moment
from protocols.sealed_message import MessageKind, Outcome
from tests.support.days import FAR, Days
from tests.support.wire import connect

HALVES = DayTables((((0, 1), (720, 2)),))
TWO = Tariff(day_tables=HALVES, prices=Prices((2_000, 4_000)))
START = "2026-01-01T00:00:00Z"
LOAD = Load.constant((1_000_000,))


def meter(**fields: object) -> Days:
    return Days(START, **({"transitions": (), "load": LOAD, "tariff": TWO} | fields))


def change(days: Days, part: Part) -> None:
    answer = days.host.send(
        MessageKind.TARIFF, parameters=TariffChange(((0, part),)).encode(), expires_at=FAR
    )
    assert answer.outcome is Outcome.ACCEPTED


def read(days: Days) -> Registers:
    return read_registers(connect(days.meter)[0].driver, TARIFF_ITEMS)


def rates(days: Days, span: Span = Span()) -> RateUsages:
    registers = read(days)
    offsets = read_offsets(connect(days.meter)[0].driver, [days.clock])
    return by_rate(by_freeze(registers, offsets, span).rows, registers)


def steps(days: Days) -> StepUsages:
    return by_step(read(days))


def reason(found: RateUsages | StepUsages) -> Reason | None:
    return None if found.doubt is None else found.doubt.reason


def half_days(days: int) -> Load:
    """Import in the mornings, export in the afternoons."""
    at = [half * 12 * HOUR for half in range(2 * days)]
    return Load(at, [Demand((power,)) for power in (1_000_000, -1_000_000) * days], OnEnd.HOLD)


# ---- rates


def test_charged_export_leaves_no_rate_with_a_cost_of_its_own() -> None:
    days = meter(load=half_days(3), reverse_charged=True)
    days.run(72)
    found = rates(days)
    assert [(row.rate, row.mwh, row.cost) for row in found.rows] == [(1, 36 * KWH, None)]
    assert reason(found) is Reason.EXPORT_CHARGED
    assert found.whole is not None
    assert found.whole.cost == 36 * KWH * (2_000 + 4_000)


def test_the_cost_of_charged_export_alone_is_named_as_such() -> None:
    days = meter(load=Load.constant((-1_000_000,)), reverse_charged=True)
    days.run(72)
    found = rates(days)
    assert (found.rows, reason(found)) == ([], Reason.EXPORT_CHARGED)


def test_export_that_is_not_charged_leaves_the_costs_certain() -> None:
    days = meter(load=half_days(3))
    days.run(72)
    assert [row.cost for row in rates(days).rows] == [36 * KWH * 2_000]


def test_prices_that_were_changed_round_give_no_cost_of_a_rate_though_the_sum_fits() -> None:
    days = meter()
    days.run(5 * 24)
    change(days, Prices((4_000, 2_000)))
    days.run(24)
    found = rates(days)
    assert found.whole is not None
    assert found.whole.cost == 72 * KWH * (2_000 + 4_000)
    assert [(row.price, row.cost) for row in found.rows] == [(None, None)] * 2
    assert (reason(found), found.doubt and found.doubt.at) == (
        Reason.TARIFF_CHANGED, parse_moment("2026-01-06T00:00:00Z"),
    )  # fmt: skip


def test_the_days_after_a_change_have_its_prices_and_those_before_have_none() -> None:
    days = meter()
    days.run(5 * 24)
    change(days, Prices((5_000, 2_000)))
    days.run(24)
    changed = parse_moment("2026-01-06T00:00:00Z")
    after = rates(days, Span(changed, None))
    assert [row.cost for row in after.rows] == [12 * KWH * 5_000, 12 * KWH * 2_000]
    assert reason(after) is None
    before = rates(days, Span(None, changed))
    assert [row.cost for row in before.rows] == [None, None]
    assert reason(before) is Reason.TARIFF_CHANGED


def test_a_changed_day_table_alone_leaves_the_costs_certain() -> None:
    days = meter()
    days.run(30)
    change(days, DayTables((((0, 2), (720, 1)),)))
    days.run(24)
    found = rates(days)
    assert [row.cost for row in found.rows] == [
        row.mwh * price for row, price in zip(found.rows, (2_000, 4_000), strict=True)
    ]


def test_an_event_log_that_does_not_reach_back_proves_no_cost() -> None:
    days = meter()
    days.run(48)
    assert reason(rates(days)) is None
    answer = days.host.send(MessageKind.CLEAR_EVENTS, expires_at=FAR)
    assert answer.outcome is Outcome.ACCEPTED
    days.run(24)
    found = rates(days)
    assert [row.cost for row in found.rows] == [None, None]
    assert reason(found) is Reason.LOG_TOO_SHORT


def test_a_meter_without_an_event_log_proves_no_cost() -> None:
    days = meter()
    days.run(48)
    registers = replace(read(days), log=EventLog())
    offsets = read_offsets(connect(days.meter)[0].driver, [days.clock])
    found = by_rate(by_freeze(registers, offsets, Span()).rows, registers)
    assert ([row.cost for row in found.rows], reason(found)) == ([None, None], Reason.NO_LOG)


def test_one_rate_of_several_prices_has_a_cost_and_no_price() -> None:
    days = meter(tariff=Tariff(prices=Prices((5_000,))))
    days.run(240)
    change(days, Prices((10_000,)))
    days.run(240)
    (row,) = rates(days).rows
    assert (row.mwh, row.price, row.cost) == (480 * KWH, None, 240 * KWH * 15_000)


def test_one_rate_with_additions_of_steps_has_a_cost_and_no_price() -> None:
    days = meter(tariff=Tariff(prices=Prices((5_000,)), steps=Steps((10 * KWH,), (0, 5_000))))
    days.run(48)
    found = rates(days)
    (row,) = found.rows
    assert (row.price, row.cost) == (None, 48 * KWH * 5_000 + 38 * KWH * 5_000)
    assert reason(found) is Reason.STEPS


@pytest.mark.parametrize("closed", [False, True])
def test_an_account_that_was_not_open_has_energy_without_price(closed: bool) -> None:
    days = meter(tariff=Tariff(prices=Prices((5_000,))))
    days.run(30)
    assert days.host.send(MessageKind.CLOSE).outcome is Outcome.ACCEPTED
    days.run(48)
    since = parse_moment("2026-01-03T00:00:00Z") if closed else None
    found = rates(days, Span(since, None))
    assert {row.price for row in found.rows} == {None}
    assert reason(found) is (Reason.NOT_OPEN if closed else Reason.ACCOUNT_CLOSED)


# ---- steps


STEPPED = Tariff(prices=Prices((5_000,)), steps=Steps((10 * KWH,), (0, 1_000)))


def test_a_fresh_meter_has_steps_that_cost_nothing_and_no_reason() -> None:
    found = steps(meter(tariff=STEPPED))
    assert [(row.mwh, row.cost) for row in found.rows] == [(0, 0), (0, 0)]
    assert found.doubt is None


def test_steps_after_a_change_of_prices_have_no_cost_and_say_so() -> None:
    days = meter(tariff=STEPPED)
    days.run(30)
    change(days, Prices((6_000,)))
    days.run(30)
    found = steps(days)
    assert {row.cost for row in found.rows} == {row.addition_cost for row in found.rows} == {None}
    assert reason(found) is Reason.TARIFF_CHANGED


def test_steps_of_charged_export_are_divided_and_their_additions_are_certain() -> None:
    days = meter(load=half_days(2), tariff=STEPPED, reverse_charged=True)
    days.run(48)
    found = steps(days)
    assert [(row.mwh, row.addition_cost) for row in found.rows] == [
        (10 * KWH, 0), (38 * KWH, 38 * KWH * 1_000),
    ]  # fmt: skip
    assert reason(found) is Reason.EXPORT_CHARGED


def test_steps_of_an_account_that_was_closed_say_so() -> None:
    days = meter(tariff=STEPPED)
    days.run(30)
    days.host.send(MessageKind.CLOSE)
    days.run(1)
    found = steps(days)
    assert reason(found) is Reason.ACCOUNT_CLOSED


def test_a_step_counter_that_has_wrapped_tells_no_energy() -> None:
    days = meter(tariff=STEPPED, credit=500 * LEDGER)
    days.run(30)
    days.meter.state.registers.month_mwh += ENERGY_WRAP - 25 * KWH
    found = steps(days)
    assert [row.mwh for row in found.rows] == [None, None]
    assert reason(found) is Reason.COUNTER_WRAPPED


# ---- against a count of the test's own


@pytest.mark.parametrize("seed", range(40))
def test_a_cost_that_is_shown_is_the_one_that_was_charged(seed: int) -> None:
    """Random changes of tariff, account and load; each hour's energy is priced by hand."""
    random = Random(seed)
    hours = 6 * 24
    powers = [random.choice((0, 1, 1, 2, -1)) * 1_000_000 for _ in range(hours)]
    load = Load([hour * HOUR for hour in range(hours)], [Demand((one,)) for one in powers],
                OnEnd.HOLD)  # fmt: skip
    prices, halves, is_open = (2_000, 4_000), (1, 2), True
    charged = random.random() < 0.5
    days = meter(load=load, reverse_charged=charged, credit=9_000 * LEDGER)
    chances = random.choice((0, 0, 0.01, 0.03))
    spans: dict[int, list[tuple[int, int]]] = {}
    for hour in range(hours):
        if random.random() < chances:
            prices = (prices[1], prices[0]) if random.random() < 0.5 else (3_000, 5_000)
            change(days, Prices(prices))
        if random.random() < chances:
            halves = (halves[1], halves[0])
            change(days, DayTables((((0, halves[0]), (720, halves[1])),)))
        if is_open and random.random() < chances / 3:
            is_open = days.host.send(MessageKind.CLOSE).outcome is not Outcome.ACCEPTED
        rate = halves[0] if hour % 24 < 12 else halves[1]
        imported = max(powers[hour], 0)
        spans.setdefault(hour // 24, []).append((rate, imported * prices[rate - 1] * is_open))
        days.run(1)
    first = random.choice((None, 1, 2, 3, 4))
    begin = None if first is None else days.clock - (6 - first) * DAY
    found = rates(days, Span(begin, None))
    for row in found.rows:
        truth = sum(cost for day, costs in spans.items() for rate, cost in costs
                    if rate == row.rate and (first is None or day >= first))  # fmt: skip
        assert row.cost in (None, truth)
        assert row.price is None or row.cost in (None, row.price * row.mwh)
    if not chances and not charged:
        assert None not in [row.cost for row in found.rows]
