"""Clock commands, offsets and power cuts over the ends of days and months (METER.md 1)."""

from __future__ import annotations

from datetime import date

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.readings import read
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.requests import CutPower, ReturnPower, SetLoad
from firmware_sim.settings import Settings
from protocols.data_model import items
from protocols.data_model.tables import Freeze
from protocols.data_model.tariff import Steps, Tariff, TariffChange
from protocols.data_model.words import Cause
from protocols.quantities import DAY, HOUR, LEDGER, MINUTE
from protocols.sealed_message import MessageKind, Outcome, encode_number
from tests.support.meters import Host, event_names, events, make


def instant(year: int, month: int, day: int) -> int:
    """Return a midnight of UTC as ms since 1970."""
    return (date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()) * DAY


START = instant(2026, 1, 10)


def running(**description: object) -> Meter:
    """Return a meter of 2026-01-10T00:00Z that has imported 1 kWh in an hour."""
    fields = {"start": START, "load": Load.constant((1_000_000,)), **description}
    meter = make(**fields)
    meter.advance(HOUR)
    meter.handle(SetLoad(Load.constant((0,))))
    return meter


def set_clock(meter: Meter, clock: int) -> None:
    parameters = encode_number(MessageKind.CLOCK, clock)
    assert Host(meter).send(MessageKind.CLOCK, parameters=parameters).outcome is Outcome.ACCEPTED


def freezes(meter: Meter, ring: int) -> list[int]:
    """Return the instants of the freezes of a ring, oldest first."""
    return [Freeze.unpack(row).at for row in meter.rings[ring].newest(100)][::-1]


def counters(meter: Meter) -> tuple[int, int]:
    registers = meter.state.registers
    return registers.month_mwh, registers.year_mwh


MONTH, NOTHING = 1_000_000, 0


@pytest.mark.parametrize(
    ("clock", "wanted"),
    [
        (START + 2 * HOUR, (MONTH, MONTH)),
        (START - DAY, (MONTH, MONTH)),
        (instant(2026, 2, 1) - 1, (MONTH, MONTH)),
        (instant(2026, 2, 1), (NOTHING, MONTH)),
        (instant(2025, 12, 31), (MONTH, MONTH)),
        (instant(2026, 12, 31), (NOTHING, MONTH)),
        (instant(2027, 1, 1), (NOTHING, NOTHING)),
    ],
)
def test_a_clock_command_resets_the_counters_of_a_later_period_alone(
    clock: int, wanted: tuple[int, int]
) -> None:
    meter = running()
    set_clock(meter, clock)
    assert counters(meter) == wanted
    assert event_names(meter).count("billing_period_ended") == (wanted[0] == NOTHING)
    assert freezes(meter, DAILY_RING) == freezes(meter, BILLING_RING) == []


def test_a_period_that_was_ended_by_a_clock_command_is_not_ended_again() -> None:
    meter = running(tariff=Tariff(steps=Steps(year_month=2, year_day=1)))
    set_clock(meter, instant(2026, 2, 1))
    assert counters(meter) == (NOTHING, NOTHING)
    set_clock(meter, START)
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    meter.advance(2 * HOUR)
    meter.handle(SetLoad(Load.constant((0,))))
    set_clock(meter, instant(2026, 2, 1))
    assert counters(meter) == (MONTH, MONTH)
    set_clock(meter, instant(2026, 2, 1) - 1)
    meter.advance(2 * HOUR + 1)
    assert counters(meter) == (MONTH, MONTH)
    assert event_names(meter).count("billing_period_ended") == 1
    assert freezes(meter, BILLING_RING) == []


@pytest.mark.parametrize(
    ("billing", "clock", "ended"),
    [
        ((15, 6), instant(2026, 1, 15) + 6 * HOUR - 1, False),
        ((15, 6), instant(2026, 1, 15) + 6 * HOUR, True),
        ((15, 0), instant(2026, 1, 15) - 1, False),
        ((15, 0), instant(2026, 1, 15), True),
    ],
)
def test_the_billing_day_and_hour_decide_what_a_clock_command_ends(
    billing: tuple[int, int], clock: int, ended: bool
) -> None:
    steps = Steps(billing_day=billing[0], billing_hour=billing[1])
    meter = running(tariff=Tariff(steps=steps))
    set_clock(meter, clock)
    assert counters(meter)[0] == (NOTHING if ended else MONTH)


@pytest.mark.parametrize("offset", [-300, 0, 60, 480])
def test_missed_midnights_and_billing_ends_carry_the_instant_of_the_local_day(offset: int) -> None:
    steps = Steps(billing_day=12)
    settings = Settings(utc_offset_minutes=offset)
    meter = running(settings=settings, tariff=Tariff(steps=steps))
    meter.handle(CutPower())
    meter.advance(3 * DAY + 12 * HOUR)
    meter.handle(ReturnPower())
    midnights = [START + n * DAY - offset * MINUTE for n in range(5)]
    missed = [at for at in midnights if START + HOUR < at <= START + 3 * DAY + 12 * HOUR]
    assert freezes(meter, DAILY_RING) == missed
    assert freezes(meter, BILLING_RING) == [midnights[2]]
    assert counters(meter) == (NOTHING, MONTH)


def test_a_meter_with_an_offset_ends_its_day_and_month_at_local_midnight() -> None:
    meter = make(start=instant(2026, 1, 31), settings=Settings(utc_offset_minutes=480))
    meter.advance(DAY)
    midnight = instant(2026, 1, 31) + 16 * HOUR
    assert freezes(meter, DAILY_RING) == freezes(meter, BILLING_RING) == [midnight]


def test_a_day_is_frozen_and_charged_once_whatever_the_clock_is_set_to() -> None:
    meter = running(settings=Settings(standing_charge=LEDGER), credit=100 * LEDGER)
    meter.advance(DAY)
    set_clock(meter, START + DAY - HOUR)
    meter.advance(DAY + 2 * HOUR)
    assert freezes(meter, DAILY_RING) == [START + DAY]
    assert meter.state.account.standing == LEDGER


def test_a_gap_of_days_is_kept_while_sixteen_further_ones_are_done() -> None:
    """Days that a clock command skipped are frozen if the clock is set back to them."""
    meter = make(start=START)
    for day in range(1, 21):
        meter.advance(day * DAY)
    set_clock(meter, START + 40 * DAY)
    for day in range(21, 41):
        meter.advance(day * DAY)
    set_clock(meter, START + 30 * DAY - 1)
    before = freezes(meter, DAILY_RING)
    meter.advance(40 * DAY + 1)
    assert freezes(meter, DAILY_RING) == [*before, START + 30 * DAY]


@pytest.mark.parametrize("date", [1, START // DAY - 1, START // DAY])
def test_a_moratorium_until_today_or_a_past_date_is_refused_and_ends_none(date: int) -> None:
    meter = make(start=START, credit=0)
    host = Host(meter)

    def until(date: int) -> Outcome:
        parameters = encode_number(MessageKind.MORATORIUM, date)
        return host.send(MessageKind.MORATORIUM, parameters=parameters).outcome

    assert until(START // DAY + 9) is Outcome.ACCEPTED
    count = len(events(meter))
    assert until(date) is Outcome.OUT_OF_RANGE
    assert read(meter, items.MORATORIUM) == START // DAY + 9
    assert (len(events(meter)), meter.state.supply.causes) == (count, Cause.NONE)
    assert until(0) is Outcome.ACCEPTED
    assert read(meter, items.MORATORIUM) == 0


def test_a_moratorium_until_tomorrow_closes_the_switch_until_midnight() -> None:
    meter = make(start=START, credit=0)
    parameters = encode_number(MessageKind.MORATORIUM, START // DAY + 1)
    assert Host(meter).send(MessageKind.MORATORIUM, parameters=parameters).outcome
    assert ("moratorium_set", START // DAY + 1) in [(e.name, e.a) for e in events(meter)]
    assert read(meter, items.MORATORIUM) == START // DAY + 1
    meter.advance(DAY - 1)
    assert meter.state.supply.causes == Cause.NONE
    meter.advance(DAY)
    assert meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    assert event_names(meter).count("moratorium_ended") == 1


def test_a_billing_end_within_a_missed_day_is_frozen_on_that_day() -> None:
    steps = Steps(billing_day=12, billing_hour=6)
    meter = running(tariff=Tariff(steps=steps), settings=Settings(utc_offset_minutes=60))
    meter.handle(CutPower())
    meter.advance(4 * DAY)
    meter.handle(ReturnPower())
    (ended,) = freezes(meter, BILLING_RING)
    midnight = instant(2026, 1, 12) - HOUR
    assert midnight < ended <= midnight + DAY
    assert counters(meter) == (NOTHING, MONTH)


def activate(meter: Meter, steps: Steps, clock: int) -> None:
    change = TariffChange(((clock, steps),)).encode()
    answer = Host(meter).send(MessageKind.TARIFF, parameters=change)
    assert answer.outcome is Outcome.ACCEPTED


def test_a_billing_year_that_is_set_by_a_tariff_ends_at_its_new_date() -> None:
    meter = running()
    activate(meter, Steps(year_month=1, year_day=20), START + 2 * DAY)
    meter.advance(10 * DAY - 1)
    assert counters(meter) == (MONTH, MONTH)
    meter.advance(10 * DAY)
    assert counters(meter) == (MONTH, NOTHING)
    assert freezes(meter, BILLING_RING) == []


def test_a_billing_day_that_is_set_by_a_tariff_ends_the_period_at_its_new_hour() -> None:
    meter = running()
    activate(meter, Steps(billing_day=15, billing_hour=6), START + 2 * DAY)
    meter.advance(5 * DAY + 6 * HOUR - 1)
    assert counters(meter) == (MONTH, MONTH)
    meter.advance(5 * DAY + 6 * HOUR)
    assert counters(meter) == (NOTHING, MONTH)
    assert freezes(meter, BILLING_RING) == [START + 5 * DAY + 6 * HOUR]


def test_steps_with_the_same_billing_dates_leave_the_periods_alone() -> None:
    steps = Steps(billing_day=15, year_month=1, year_day=15)
    meter = running(tariff=Tariff(steps=steps))
    set_clock(meter, instant(2026, 1, 15))
    set_clock(meter, START + 2 * HOUR)
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    meter.advance(2 * HOUR)
    meter.handle(SetLoad(Load.constant((0,))))
    activate(meter, Steps((5,), (0, 0), billing_day=15, year_month=1, year_day=15), 0)
    before = counters(meter)
    meter.advance(7 * DAY)
    assert counters(meter) == before, "both were ended by the first clock command"


def test_a_billing_end_that_was_missed_today_carries_the_midnight_of_today() -> None:
    meter = running(tariff=Tariff(steps=Steps(billing_day=11)))
    meter.handle(CutPower())
    meter.advance(DAY + 12 * HOUR)
    meter.handle(ReturnPower())
    assert freezes(meter, DAILY_RING) == freezes(meter, BILLING_RING) == [START + DAY]
