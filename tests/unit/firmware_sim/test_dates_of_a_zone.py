"""Dates, periods and activations of a meter in a zone: each at its own instant (METER.md 1, 2).

After a power cut as without it, over summer time, before the start and decades after it.
"""

from __future__ import annotations

import pytest

from firmware_sim.assembly import build
from firmware_sim.description.files import describe_keys
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.metrology.load import Load
from firmware_sim.readings import utc_offset_minutes
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.requests import LoseClock, SetLoad, StepClock
from firmware_sim.vending import Order, Vending, parse_order
from protocols.control import CutPower, ReturnPower
from protocols.data_model.tables import Freeze
from protocols.data_model.tariff import Steps, TariffChange
from protocols.quantities import CENT, DAY, HOUR, KWH, LEDGER, format_moment, parse_moment
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import event_names, events

CHARGED = {"standing_charge": "1.00", "credit": "5000.00", "trip_mode": "direct"}


def described(**keys: object) -> Meter:
    return build(describe_keys(None, {**CHARGED, **keys}, DEFAULT_START))


def advance_to(meter: Meter, moment: str) -> None:
    meter.advance(meter.state.clock.when(parse_moment(moment)))


def order(meter: Meter, text: str) -> Outcome:
    reply = Vending().send(meter, parse_order(text.split()))
    assert reply is not None
    assert reply.answer is not None
    return reply.answer.outcome


def freezes(meter: Meter, ring: int) -> list[tuple[str, int]]:
    """Return clock and imported mWh of the freezes of a ring, oldest first."""
    rows = [Freeze.unpack(row) for row in meter.rings[ring].newest(99)][::-1]
    return [(format_moment(row.at)[:16], row.energy_import_kwh) for row in rows]


def days(meter: Meter, ring: int = DAILY_RING) -> list[str]:
    return [at for at, _ in freezes(meter, ring)]


def cut_between(meter: Meter, begin: str, end: str) -> None:
    advance_to(meter, begin)
    meter.handle(CutPower())
    advance_to(meter, end)
    meter.handle(ReturnPower())


def without(meter: Meter, powered: bool, until: str) -> None:
    """Advance without load, or without power."""
    meter.handle(SetLoad(Load.constant((0,))) if powered else CutPower())
    advance_to(meter, until)
    meter.handle(SetLoad(Load.constant((2 * KWH,))) if powered else ReturnPower())


@pytest.mark.parametrize(
    ("zone", "minute"),
    [
        ("Europe/Berlin", "2026-01-01T01:00"),
        ("America/New_York", "2026-01-01T06:00"),
        ("America/New_York", "2026-01-01T07:00"),
        ("Europe/London", "2026-01-01T01:00"),
        ("Australia/Sydney", "2026-01-01T16:00"),
        ("Africa/Cairo", "2026-01-01T21:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ],
)
def test_a_meter_starts_at_every_second_of_the_minute_in_which_its_zone_changes(
    zone: str, minute: str
) -> None:
    for second in ("00", "01", "30", "59.999"):
        meter = described(time_zone=zone, start=f"{minute}:{second}Z")
        meter.advance(DAY)
        assert len(days(meter)) == 1


@pytest.mark.parametrize(
    ("moment", "minutes"),
    [
        ("2026-07-08T12:00:00Z", 120),
        ("2026-01-08T12:00:00Z", 60),
        ("1999-07-01T00:00:00Z", 120),
        ("1975-07-01T00:00:00Z", 60),
        ("2066-07-01T00:00:00Z", 120),
        ("2099-12-31T23:00:00Z", 60),
    ],
)
def test_a_clock_long_before_or_after_the_start_has_the_offset_of_its_zone(
    moment: str, minutes: int
) -> None:
    meter = described(time_zone="Europe/Berlin", start="2026-07-10T00:00:00Z")
    assert order(meter, f"clock {moment}") is Outcome.ACCEPTED
    assert utc_offset_minutes(meter, meter.clock) == minutes


@pytest.mark.parametrize(
    ("zone", "begin", "end", "midnights"),
    [
        (
            "Europe/Berlin",
            "2026-03-27T13:00:00Z",
            "2026-03-31T12:00:00Z",
            ["2026-03-27T23:00", "2026-03-28T23:00", "2026-03-29T22:00", "2026-03-30T22:00"],
        ),
        (
            "America/New_York",
            "2026-10-30T13:00:00Z",
            "2026-11-03T12:00:00Z",
            ["2026-10-31T04:00", "2026-11-01T04:00", "2026-11-02T05:00", "2026-11-03T05:00"],
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-03T00:00:00Z",
            "2026-04-06T00:00:00Z",
            ["2026-04-03T13:00", "2026-04-04T13:00", "2026-04-05T13:30"],
        ),
    ],
)
def test_midnights_missed_over_summer_time_carry_the_offset_of_their_own_day(
    zone: str, begin: str, end: str, midnights: list[str]
) -> None:
    meter = described(time_zone=zone, start=begin)
    cut_between(meter, begin, end)
    assert days(meter) == midnights
    assert meter.state.account.standing == len(midnights) * LEDGER


def test_a_year_that_ended_without_power_is_dated_in_winter_time() -> None:
    meter = described(time_zone="Europe/Berlin", start="2026-12-28T00:00:00Z")
    cut_between(meter, "2026-12-28T01:00:00Z", "2027-04-03T00:00:00Z")
    ends = ["2026-12-31T23:00", "2027-01-31T23:00", "2027-02-28T23:00", "2027-03-31T22:00"]
    assert days(meter, BILLING_RING) == ends
    assert [
        format_moment(one.at)[:16] for one in events(meter) if one.name == "billing_period_ended"
    ] == ends


@pytest.mark.parametrize("back", ["2026-01-15T12:00:00Z", "2026-01-17T12:00:00Z"])
def test_a_billing_end_missed_without_power_is_dated_at_its_hour(back: str) -> None:
    meter = described(start="2026-01-14T00:00:00Z", tariff={"billing_day": "1508"})
    cut_between(meter, "2026-01-15T06:00:00Z", back)
    assert days(meter, BILLING_RING) == ["2026-01-15T08:00"]


@pytest.mark.parametrize(
    ("zone", "change", "billing_day"),
    [
        ("Africa/Cairo", "2026-04-23T22:00", "2400"),
        ("Asia/Beirut", "2021-03-27T22:00", "2800"),
        ("America/Santiago", "2026-09-06T04:00", "0600"),
        ("America/Havana", "2026-03-08T05:00", "0800"),
        ("America/Asuncion", "2023-10-01T04:00", "0100"),
    ],
)
@pytest.mark.parametrize("powered", [True, False])
def test_where_summer_time_begins_at_midnight_the_day_begins_at_the_change(
    zone: str, change: str, billing_day: str, powered: bool
) -> None:
    start = format_moment(parse_moment(f"{change}Z") - 34 * HOUR)
    meter = described(time_zone=zone, start=start, load="1kW", tariff={"billing_day": billing_day})
    meter.advance(30 * HOUR)
    without(meter, powered, format_moment(parse_moment(start) + 36 * HOUR))
    imported = 30 * KWH
    assert freezes(meter, DAILY_RING)[-1] == (change, imported)
    assert freezes(meter, BILLING_RING) == [(change, imported)]


def test_a_date_that_a_zone_skips_has_no_midnight() -> None:
    meter = described(time_zone="Pacific/Apia", start="2011-12-29T00:00:00Z")
    meter.advance(3 * DAY)
    assert days(meter) == ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]
    assert meter.state.account.standing == 3 * LEDGER


def test_a_midnight_that_is_passed_twice_is_one() -> None:
    meter = described(time_zone="America/St_Johns", start="2010-11-06T12:00:00Z")
    meter.advance(2 * DAY)
    assert days(meter) == ["2010-11-07T02:30", "2010-11-08T03:30"]
    late = described(time_zone="America/St_Johns", start="2010-11-07T03:00:00Z")
    late.advance(25 * HOUR)
    assert days(late) == ["2010-11-08T03:30"], "the date had begun before the meter started"


STEPPED = {"prices": ["0.5000"], "step_limits_kwh": ["100"], "step_additions": ["0", "0.5000"]}


def stepped(**steps: int) -> Meter:
    """Return a meter of 2 kW with pending steps of other billing dates, used up to 216 kWh."""
    meter = described(start="2026-01-20T00:00:00Z", load="2kW", tariff=STEPPED)
    part = Steps((100 * KWH,), (0, 5_000), **steps)  # type: ignore[arg-type]
    change = TariffChange(((parse_moment("2026-01-25T00:00:00Z"), part),)).encode()
    reply = Vending().send(meter, Order(MessageKind.TARIFF, parameters=change))
    assert reply is not None
    assert reply.answer is not None
    assert reply.answer.outcome is Outcome.ACCEPTED
    advance_to(meter, "2026-01-24T12:00:00Z")
    assert meter.state.registers.month_mwh == 216 * KWH
    return meter


@pytest.mark.parametrize("powered", [True, False])
def test_steps_activated_without_power_end_the_billing_period_on_their_own_day(
    powered: bool,
) -> None:
    meter = stepped(billing_day=15)
    without(meter, powered, "2026-03-10T00:00:00Z")
    assert days(meter, BILLING_RING) == ["2026-02-15T00:00"]
    assert meter.state.registers.month_mwh == 0
    credit = meter.state.account.credit
    meter.advance(meter.state.elapsed_ms + 10 * HOUR)
    assert credit - meter.state.account.credit == 10 * LEDGER
    dated = [(one.name, format_moment(one.at)[:10]) for one in events(meter)]
    assert ("tariff_activated", "2026-01-25") in dated
    assert ("billing_period_ended", "2026-02-15") in dated


@pytest.mark.parametrize("powered", [True, False])
def test_steps_activated_without_power_end_the_billing_year_on_their_own_day(
    powered: bool,
) -> None:
    meter = stepped(year_month=7, year_day=1)
    without(meter, powered, "2026-07-01T12:00:00Z")
    assert meter.state.registers.year_mwh == 0


def test_events_of_what_was_missed_precede_the_return_of_power_with_their_own_instants() -> None:
    meter = described(start="2026-01-30T00:00:00Z")
    meter.advance(HOUR)
    order(meter, "moratorium 2026-02-03")
    cut_between(meter, "2026-01-30T02:00:00Z", "2026-02-05T00:00:00.500Z")
    told = [(one.name, format_moment(one.at)[:10], one.elapsed_ms) for one in events(meter)][1:]
    assert told == [
        ("power_lost", "2026-01-30", 2 * HOUR),
        ("billing_period_ended", "2026-02-01", 2 * DAY),
        ("moratorium_ended", "2026-02-03", 4 * DAY),
        ("power_restored", "2026-02-05", 6 * DAY + 500),
    ]


@pytest.mark.parametrize("fault", [LoseClock(), StepClock(40 * DAY)])
def test_a_fault_of_the_clock_without_power_keeps_the_days_before_it(fault: object) -> None:
    meter = described(start="2026-01-10T00:00:00Z")
    advance_to(meter, "2026-01-10T12:00:00Z")
    meter.handle(CutPower())
    advance_to(meter, "2026-01-12T12:00:00Z")
    meter.handle(fault)  # type: ignore[arg-type]
    meter.handle(ReturnPower())
    assert days(meter) == ["2026-01-11T00:00", "2026-01-12T00:00"]
    assert meter.state.account.standing == 2 * LEDGER


def test_a_step_of_an_invalid_clock_activates_nothing_and_keeps_the_first_rate() -> None:
    tariff = {"prices": ["1.0000", "2.0000"], "day_tables": [{"entries": ["00:00 2"]}]}
    meter = described(tariff=tariff)
    meter.handle(LoseClock())
    assert meter.state.calendar.rate == 1
    meter.handle(StepClock(HOUR))
    assert meter.state.calendar.rate == 1
    assert not meter.state.clock.valid


@pytest.mark.parametrize(("clock", "ended"), [("2026-02-14", False), ("2026-02-15", True)])
def test_a_clock_set_over_an_activation_ends_the_period_by_the_steps_then_in_force(
    clock: str, ended: bool
) -> None:
    meter = stepped(billing_day=15)
    order(meter, "clock 2026-01-26T00:00:00Z")
    assert meter.state.registers.month_mwh == 216 * KWH
    order(meter, f"clock {clock}T00:00:00Z")
    assert event_names(meter).count("billing_period_ended") == ended


def test_a_clock_set_at_once_over_an_activation_and_its_billing_day_ends_the_period() -> None:
    meter = stepped(billing_day=26)
    order(meter, "clock 2026-01-27T00:00:00Z")
    assert meter.state.registers.month_mwh == 0
    assert event_names(meter).count("billing_period_ended") == 1
    assert meter.state.account.standing == 4 * 100 * CENT, "of the days before the jump"


@pytest.mark.parametrize("years", [3, 5, 40])
def test_power_returns_after_years_and_the_storage_keeps_the_newest_records(years: int) -> None:
    """More days than a record holds rows end at once: each ring keeps its newest ones."""
    device = SimulatedNvram()
    description = describe_keys(None, {**CHARGED, "time_zone": "Europe/Berlin"}, DEFAULT_START)
    meter = build(description, device)
    meter.handle(CutPower())
    meter.advance(years * 365 * DAY)
    meter.handle(ReturnPower())
    assert meter.state.powered
    again = build(description, device)
    assert again.state.account.standing == years * 365 * LEDGER
    for ring, kept in ((DAILY_RING, 62), (BILLING_RING, 12)):
        numbers = [Freeze.unpack(row).number for row in again.rings[ring].newest(99)]
        last = again.state.numbers[ring]
        assert numbers == list(range(last, last - kept, -1))
    assert days(again) == days(meter)
    assert again.state.numbers[DAILY_RING] == years * 365
