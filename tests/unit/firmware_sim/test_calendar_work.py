"""Midnights, billing ends, activations and clock jumps of one state (METER.md 1, 2, 6)."""

from __future__ import annotations

from datetime import date

import pytest

from firmware_sim.assembly import new_state
from firmware_sim.calendar_work import (
    PROFILE_PERIOD_MS,
    apply_calendar,
    close_period,
    jump,
    next_calendar_clock,
    next_profile_clock,
    pass_instant,
    step_clock,
    with_pending,
)
from firmware_sim.clock import LAST_CLOCK
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.records.ring import BILLING_RING, DAILY_RING, PROFILE_RING
from firmware_sim.settings import Settings
from firmware_sim.state import PendingPart, State
from protocols.data_model.tables import Freeze, ProfileRecord
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.quantities import DAY, HOUR, LEDGER


def instant(year: int, month: int, day: int) -> int:
    """Return a midnight of UTC as ms since 1970."""
    return (date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()) * DAY


START = instant(2026, 1, 10)


class Watched:
    """The state of a new meter of 2026-01-10T00:00Z, and the events of what is done to it."""

    def __init__(self, **description: object) -> None:
        values = {"start": START, **description}
        self.state: State = new_state(MeterDescription(**values))  # type: ignore[arg-type]
        self.events: list[str] = []

    def emit(self, name: str, _: int, __: int) -> None:
        self.events.append(name)

    def pass_to(self, clock: int) -> None:
        self.state.elapsed_ms = clock - START
        pass_instant(self.state, clock, self.emit)

    def jump_to(self, clock: int) -> None:
        self.state.clock.set(self.state.elapsed_ms, clock)
        jump(self.state, clock, self.emit)

    def freezes(self, ring: int) -> list[int]:
        """Return the clocks of the freeze records of a ring."""
        return [Freeze.unpack(row.row).at for row in self.state.tail if row.ring == ring]


CHARGED = Settings(standing_charge=LEDGER)


def test_the_first_date_of_a_new_meter_is_processed_already() -> None:
    meter = Watched(settings=CHARGED)
    meter.pass_to(START)
    assert meter.freezes(DAILY_RING) == []
    assert meter.state.account.standing == 0


def test_midnight_freezes_and_charges_once() -> None:
    meter = Watched(settings=CHARGED)
    for clock in (START + DAY - 1, START + DAY, START + DAY, START + DAY + 1):
        meter.pass_to(clock)
    assert meter.freezes(DAILY_RING) == [START + DAY]
    assert meter.state.account.standing == LEDGER


def test_missed_midnights_are_passed_one_by_one_each_with_its_own_instant() -> None:
    meter = Watched(settings=CHARGED)
    meter.pass_to(START + 3 * DAY + HOUR)
    assert meter.freezes(DAILY_RING) == [START + n * DAY for n in (1, 2, 3)]
    assert meter.state.account.standing == 3 * LEDGER


def test_a_midnight_of_a_zone_carries_its_own_instant() -> None:
    meter = Watched(settings=Settings(utc_offset_minutes=60))
    meter.pass_to(START + DAY)
    assert meter.freezes(DAILY_RING) == [START + DAY - HOUR]


def test_where_midnight_is_skipped_the_day_begins_at_the_change() -> None:
    meter = Watched(transitions=((START - DAY, 0), (START + DAY, 60)))
    meter.pass_to(START + DAY)
    meter.pass_to(START + DAY + HOUR)
    assert len(meter.freezes(DAILY_RING)) == 1


def test_a_billing_end_sets_the_month_to_zero_and_keeps_the_year() -> None:
    meter = Watched()
    meter.state.registers.month_mwh = meter.state.registers.year_mwh = 7
    meter.pass_to(instant(2026, 2, 1))
    assert meter.freezes(BILLING_RING) == [instant(2026, 2, 1)]
    assert (meter.state.registers.month_mwh, meter.state.registers.year_mwh) == (0, 7)
    assert meter.events == ["billing_period_ended"]


def test_a_billing_year_ends_at_its_date() -> None:
    meter = Watched(tariff=Tariff(steps=Steps(year_month=1, year_day=20)))
    meter.state.registers.month_mwh = meter.state.registers.year_mwh = 7
    meter.pass_to(instant(2026, 1, 20))
    assert (meter.state.registers.month_mwh, meter.state.registers.year_mwh) == (7, 0)


def test_a_clock_set_forward_over_midnights_makes_no_freeze_and_no_charge() -> None:
    meter = Watched(settings=CHARGED)
    meter.state.registers.month_mwh = 7
    meter.jump_to(instant(2026, 3, 15))
    assert meter.freezes(DAILY_RING) == meter.freezes(BILLING_RING) == []
    assert meter.state.account.standing == 0
    assert meter.state.registers.month_mwh == 0
    assert meter.events == ["billing_period_ended"]


def test_a_clock_set_back_undoes_nothing_and_charges_no_date_twice() -> None:
    meter = Watched(settings=CHARGED)
    meter.pass_to(START + DAY)
    meter.jump_to(START + HOUR)
    pass_instant(meter.state, START + DAY, meter.emit)
    assert meter.freezes(DAILY_RING) == [START + DAY]
    assert meter.state.account.standing == LEDGER


@pytest.mark.parametrize(("clock", "price"), [(START + HOUR - 1, 5283), (START + HOUR, 6000)])
def test_a_pending_part_is_in_force_from_its_instant_on(clock: int, price: int) -> None:
    meter = Watched()
    meter.state.pending = (PendingPart(START + HOUR, Prices((6000,))),)
    meter.pass_to(clock)
    assert meter.state.tariff.prices.prices == (price,)
    assert bool(meter.state.pending) is (price == 5283)


def test_a_further_part_of_a_type_replaces_the_pending_one() -> None:
    state = Watched().state
    state.pending = (PendingPart(1, Prices((1,))), PendingPart(2, Seasons()))
    assert with_pending(state, ((3, Prices((3,))),)) == (
        PendingPart(2, Seasons()),
        PendingPart(3, Prices((3,))),
    )


def test_an_invalid_clock_has_the_first_rate_and_no_calendar_edge() -> None:
    tables = DayTables((((0, 2),),))
    meter = Watched(tariff=Tariff(day_tables=tables, prices=Prices((1, 2))))
    assert meter.state.calendar.rate == 2
    meter.state.clock.valid = False
    apply_calendar(meter.state, START, meter.emit)
    assert meter.state.calendar.rate == 1
    assert next_calendar_clock(meter.state, START) is None


def test_a_moratorium_ends_at_midnight_of_its_date_and_arms_the_levels() -> None:
    meter = Watched()
    supply = meter.state.supply
    supply.moratorium, supply.moratorium_until, supply.spent = True, START // DAY + 1, 6
    meter.pass_to(START + DAY - 1)
    assert supply.moratorium
    meter.pass_to(START + DAY)
    assert (supply.moratorium, supply.moratorium_until, supply.spent) == (False, 0, 0)
    assert meter.events == ["moratorium_ended"]


@pytest.mark.parametrize(
    ("description", "pending", "edge"),
    [
        ({}, (), DAY),
        ({}, (PendingPart(START + 5, Prices()),), 5),
        ({}, (PendingPart(START, Prices()),), DAY),
        ({"transitions": ((START - 1, 0), (START + HOUR, 60))}, (), HOUR),
        ({"settings": Settings(utc_offset_minutes=60)}, (), DAY - HOUR),
    ],
)
def test_the_next_edge_is_the_first_of_midnight_activation_and_offset_change(
    description: dict[str, object], pending: tuple[PendingPart, ...], edge: int
) -> None:
    meter = Watched(**description)
    meter.state.pending = pending
    assert next_calendar_clock(meter.state, START) == START + edge


@pytest.mark.parametrize(("clock", "wanted"), [(START, 900_000), (START + 1, 900_000)])
def test_the_profile_grid_is_that_of_utc(clock: int, wanted: int) -> None:
    assert next_profile_clock(clock) == START + wanted


@pytest.mark.parametrize(
    ("length", "power_down", "demand"),
    [(PROFILE_PERIOD_MS, False, 400), (PROFILE_PERIOD_MS - 1, False, 0), (900_000, True, 0)],
)
def test_only_a_whole_period_gives_a_maximum_demand(
    length: int, power_down: bool, demand: int
) -> None:
    state = Watched().state
    state.registers.import_mwh, state.period.power_down = 100, power_down
    close_period(state, START + length)
    (row,) = [row.row for row in state.tail if row.ring == PROFILE_RING]
    assert ProfileRecord.unpack(row).import_mwh == 100
    assert state.period.maximum_demand_mw == demand
    assert (state.period.began_ms, state.period.import_at_start) == (START + length, 100)
    assert not state.period.power_down


@pytest.mark.parametrize(
    ("by", "clock"),
    [
        (HOUR, DEFAULT_START + HOUR),
        (-DEFAULT_START - 1, 0),
        (LAST_CLOCK, LAST_CLOCK - 1),
    ],
)
def test_a_step_of_the_clock_stays_within_its_range_and_validates_nothing(
    by: int, clock: int
) -> None:
    state = new_state(MeterDescription())
    state.clock.valid = False
    step_clock(state, DEFAULT_START, by, lambda *_: None)
    assert state.clock.read(0) == clock
    assert not state.clock.valid
