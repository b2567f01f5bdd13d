"""The meter against a reference in 1 ms steps, for any partition of time (METER.md, all modes)."""

from __future__ import annotations

from dataclasses import fields
from random import Random

import pytest

from firmware_sim.assembly import build
from firmware_sim.description.loads import read_load
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.settings import Settings
from firmware_sim.storage import record
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff
from protocols.data_model.words import TripMode
from protocols.quantities import DAY, HOUR, KWH, LEDGER
from tests.support import reference_bill, reference_meter
from tests.support.against_reference import at_once, by_deadlines, every, run
from tests.support.meters import events
from tests.support.scenarios import draw

SCENARIOS = 160


@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_a_random_scenario_agrees_to_the_last_unit(seed: int) -> None:
    scenario = draw(Random(seed))
    wanted = reference_meter.run(scenario)
    trace, meter = run(scenario, by_deadlines)
    differing = {
        f.name: (getattr(wanted, f.name), getattr(trace, f.name))
        for f in fields(wanted)
        if getattr(wanted, f.name) != getattr(trace, f.name)
    }
    assert not differing
    assert meter.state.account.imbalance() == (0, 0)
    bits = record.encode(meter.state)
    for partition in (at_once, every(1 + Random(seed).randrange(2_000))):
        _, other = run(scenario, partition)
        assert record.encode(other.state) == bits, "the same bits, however time moved"


@pytest.mark.parametrize("partition", [at_once, by_deadlines, every(1_000_003), every(61_000)])
def test_the_worked_example_opens_at_its_very_millisecond(partition: object) -> None:
    meter = build(
        MeterDescription(
            load=Load.constant((2_345_000,)),
            credit=20 * LEDGER,
            tariff=Tariff(prices=Prices((5283,))),
            settings=Settings(trip_mode=TripMode.DIRECT),
        )
    )
    for instant in partition(meter, 20 * HOUR):  # type: ignore[operator]
        meter.advance(instant)
    (opened,) = events(meter)
    assert (opened.name, opened.elapsed_ms) == ("supply_disconnected", 58_117_785)
    assert meter.state.registers.import_mwh == 37_857_279


def test_one_millisecond_before_and_at_the_opening() -> None:
    meter = build(
        MeterDescription(
            load=Load.constant((2_345_000,)), settings=Settings(trip_mode=TripMode.DIRECT)
        )
    )
    assert meter.next_deadline() is not None
    meter.advance(58_117_784)
    assert meter.state.supply.closed
    assert meter.next_deadline() == 58_117_785
    meter.advance(58_117_785)
    assert not meter.state.supply.closed


def test_a_year_of_the_household_gives_the_bill_of_exact_fractions() -> None:
    """Rates by time, steps, standing charge and debt over 35,040 rows, exact to the ledger unit."""
    rates = (3_000, 5_283, 8_001)
    table = ((0, 0), (480, 1), (720, 2), (1020, 1), (1320, 0))
    limits, additions = (200 * KWH, 260 * KWH), (0, 500, 3_007)
    start = MeterDescription().start
    load = read_load("household", 1, start)
    settings = Settings(
        standing_charge=35 * LEDGER // 100, debt_instalment=LEDGER, overdraft_limit=0
    )
    meter = build(
        MeterDescription(
            load=load,
            credit=5_000 * LEDGER,
            debt=120 * LEDGER,
            settings=settings,
            tariff=Tariff(
                day_tables=DayTables((tuple((minute, rate + 1) for minute, rate in table),)),
                prices=Prices(rates),
                steps=Steps(limits, additions),
            ),
        )
    )
    until = 365 * DAY - 1
    meter.advance(until)
    rows, at = [], 0
    while at < until:
        demand, due = load.at(at)
        rows.append((at, sum(demand.phases)))
        assert due is not None
        at = due
    bill = reference_bill.bill(
        rows,
        until,
        start,
        reference_meter.Settings(
            credit=5_000 * LEDGER,
            prices=rates,
            day_table=table,
            step_limits_mwh=limits,
            step_additions=additions,
            standing_charge=35 * LEDGER // 100,
            debt=120 * LEDGER,
            debt_instalment=LEDGER,
        ),
    )
    account, registers = meter.state.account, meter.state.registers
    assert (registers.import_mwh, tuple(registers.rate_mwh[:3])) == (bill.import_mwh, bill.rate_mwh)
    assert (account.consumption, account.standing, account.instalments) == (
        bill.consumption,
        bill.standing,
        bill.instalments,
    )
    assert (account.credit, account.debt) == (bill.credit, bill.debt)
    assert (registers.month_mwh, registers.year_mwh) == (bill.month_mwh, bill.year_mwh)
    assert account.imbalance() == (0, 0)
