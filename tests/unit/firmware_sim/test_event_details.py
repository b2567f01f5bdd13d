"""Events that a meter records by itself: their order, and zero where an event has no detail."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.requests import (
    BreakSwitch,
    CutPower,
    LoseClock,
    PressButton,
    ReturnPower,
    Sense,
    SetLoad,
    StepClock,
)
from firmware_sim.settings import Settings
from protocols.data_model.events import EVENTS
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff, TariffChange
from protocols.data_model.words import Cause, SupplyState, SwitchedBy, Tamper, TripMode
from protocols.quantities import DAY, HOUR, KWH, LEDGER, MINUTE, SECOND
from protocols.sealed_message import MessageKind, Outcome, SwitchAction, encode_number
from tests.support.meters import Host, event_names, events, make

START = 1_767_225_600_000
LIMIT = 5_000_000
SENSORS = (
    (Tamper.COVER, "cover_opened", "cover_closed"),
    (Tamper.TERMINAL_COVER, "terminal_cover_opened", "terminal_cover_closed"),
    (Tamper.MAGNET, "magnet_detected", "magnet_removed"),
)


def command(meter: Meter, kind: MessageKind, value: int = 0) -> None:
    answer = Host(meter).send(kind, parameters=encode_number(kind, value))
    assert answer.outcome is Outcome.ACCEPTED


def plain(meter: Meter) -> list[tuple[str, int, int]]:
    return [(event.name, event.a, event.b) for event in events(meter)]


@pytest.mark.parametrize(("sensor", "begins", "ends"), SENSORS)
def test_each_sensor_has_its_events_once_a_change(sensor: Tamper, begins: str, ends: str) -> None:
    meter = make()
    for present in (False, True, True, False, False):
        meter.handle(Sense(sensor, present))
    assert plain(meter) == [(begins, 0, 0), (ends, 0, 0)]
    assert meter.state.supply.tampered == sensor
    assert meter.state.supply.sensors == 0


@pytest.mark.parametrize("trips", list(Tamper)[:3])
def test_only_a_sensor_of_tamper_trip_opens_the_switch(trips: Tamper) -> None:
    for sensor, begins, _ in SENSORS:
        meter = make(settings=Settings(tamper_trip=int(trips)))
        meter.handle(Sense(sensor, True))
        opened = sensor == trips
        assert meter.state.supply.causes == (Cause.TAMPER if opened else Cause.NONE)
        wanted = [(begins, 0, 0)]
        assert plain(meter) == wanted + [("supply_disconnected", Cause.TAMPER, 0)] * opened
        meter.handle(Sense(sensor, False))
        assert meter.state.supply.causes == (Cause.TAMPER if opened else Cause.NONE)
        assert Host(meter).send(MessageKind.CLEAR_TAMPER).outcome is Outcome.ACCEPTED
        assert meter.state.supply.state is SupplyState.CONNECTED
        assert meter.state.supply.tampered == 0


def test_a_level_that_is_reached_is_a_warning_with_its_threshold() -> None:
    settings = Settings(
        low_credit_threshold_1=10 * LEDGER,
        low_credit_threshold_2=5 * LEDGER,
        overdraft_limit=LEDGER,
        trip_mode=TripMode.DIRECT,
    )
    meter = make(credit=12 * LEDGER, settings=settings, load=Load.constant((100_000_000,)))
    meter.advance(HOUR)
    assert plain(meter) == [
        ("low_credit_warning", 10 * LEDGER, 0),
        ("low_credit_warning", 5 * LEDGER, 0),
        ("low_credit_warning", 0, 0),
        ("supply_disconnected", Cause.CREDIT_EXHAUSTED, 0),
    ]


def test_zero_is_no_level_where_no_overdraft_is_allowed() -> None:
    settings = Settings(trip_mode=TripMode.DIRECT)
    meter = make(credit=LEDGER, settings=settings, load=Load.constant((100_000_000,)))
    meter.advance(HOUR)
    assert plain(meter) == [("supply_disconnected", Cause.CREDIT_EXHAUSTED, 0)]


def test_rates_and_parts_of_a_tariff_are_events() -> None:
    tables = DayTables((((0, 1), (60, 2), (120, 1)),))
    meter = make(tariff=Tariff(day_tables=tables, prices=Prices((1, 2))))
    change = TariffChange(((START + 90 * MINUTE, Prices((3, 4))), (START + 90 * MINUTE, Steps())))
    Host(meter).send(MessageKind.TARIFF, parameters=change.encode())
    meter.advance(121 * MINUTE)
    prices, steps = 2, 3
    assert plain(meter) == [
        ("tariff_set", 1, 0),
        ("tariff_switched", 2, 1),
        ("tariff_activated", prices, 0),
        ("tariff_activated", steps, 0),
        ("tariff_switched", 1, 2),
    ]
    assert [event.at - START for event in events(meter)] == [
        0,
        60 * MINUTE,
        90 * MINUTE,
        90 * MINUTE,
        120 * MINUTE,
    ]


def test_an_event_without_details_holds_zeros() -> None:
    nvram = SimulatedNvram()
    description = MeterDescription(
        settings=Settings(power_limit_mw=LIMIT, power_limit_delay_s=0),
        load=Load.constant((1_000_000,)),
        tariff=Tariff(steps=Steps(billing_day=2)),
        epoch=7,
    )
    meter = build(description, nvram)
    meter.handle(Sense(Tamper.COVER, True))
    meter.handle(SetLoad(Load.constant((LIMIT + 1,))))
    meter.handle(SetLoad(Load.constant((1_000_000,))))
    meter.advance(2 * MINUTE)
    command(meter, MessageKind.SWITCH, SwitchAction.INTERRUPT)
    meter.handle(BreakSwitch(SwitchDefect.WELDED))
    meter.advance(3 * MINUTE)
    meter.handle(BreakSwitch(SwitchDefect.NONE))
    command(meter, MessageKind.SWITCH, SwitchAction.PERMIT)
    meter.handle(PressButton())
    command(meter, MessageKind.MORATORIUM, START // DAY + 1)
    command(meter, MessageKind.GUARANTEE, 1)
    meter.advance(DAY)
    meter.handle(LoseClock())
    meter.handle(StepClock(HOUR))
    meter.handle(CutPower())
    meter.handle(ReturnPower())
    meter.save()
    again = build(description, nvram.power_cycle())
    seen = set(event_names(again))
    assert {
        "cover_opened",
        "supply_disconnected",
        "supply_connected",
        "switch_fault",
        "switch_fault_ended",
        "ready_for_reconnection",
        "moratorium_set",
        "moratorium_ended",
        "guarantee_set",
        "billing_period_ended",
        "clock_invalid",
        "clock_set",
        "power_lost",
        "power_restored",
        "restart",
    } <= seen
    for event in events(again):
        details = len(EVENTS[event.name].details)
        assert details > 0 or event.a == 0, event
        assert details > 1 or event.b == 0, event
    connected = [event.a for event in events(again) if event.name == "supply_connected"]
    assert connected == [SwitchedBy.OVERLOAD_RECLOSING, SwitchedBy.BUTTON]
    ready = [event.a for event in events(again) if event.name == "ready_for_reconnection"]
    assert ready == [SwitchedBy.REMOTE]


def test_a_switch_fault_is_seen_after_five_seconds_of_load_and_ends_with_it() -> None:
    meter = make(load=Load.constant((0,)))
    meter.handle(BreakSwitch(SwitchDefect.WELDED))
    command(meter, MessageKind.SWITCH, SwitchAction.INTERRUPT)
    meter.advance(MINUTE)
    assert not meter.state.supply.switch_fault, "nothing flows"
    meter.handle(SetLoad(Load.constant((1,))))
    meter.advance(MINUTE + 5 * SECOND - 1)
    assert not meter.state.supply.switch_fault
    meter.handle(SetLoad(Load.constant((0,))))
    meter.handle(SetLoad(Load.constant((-1,))))
    meter.advance(MINUTE + 10 * SECOND - 2)
    assert not meter.state.supply.switch_fault, "the time began again"
    meter.advance(MINUTE + 10 * SECOND - 1)
    assert meter.state.supply.switch_fault
    meter.advance(HOUR)
    assert event_names(meter).count("switch_fault") == 1
    command(meter, MessageKind.SWITCH, SwitchAction.DIRECT)
    assert not meter.state.supply.switch_fault
    assert event_names(meter)[-1] == "switch_fault_ended"


def test_another_load_through_a_welded_switch_does_not_begin_its_time_again() -> None:
    meter = make(load=Load.constant((1,)))
    meter.handle(BreakSwitch(SwitchDefect.WELDED))
    command(meter, MessageKind.SWITCH, SwitchAction.INTERRUPT)
    meter.advance(4 * SECOND)
    meter.handle(SetLoad(Load.constant((2,))))
    meter.advance(5 * SECOND)
    assert plain(meter)[-1] == ("switch_fault", 0, 0)
    meter.handle(SetLoad(Load.constant((3,))))
    meter.advance(MINUTE)
    assert event_names(meter).count("switch_fault") == 1


def test_a_switch_that_sticks_open_is_no_load_against_the_command() -> None:
    meter = make(load=Load.constant((KWH,)))
    meter.handle(BreakSwitch(SwitchDefect.STUCK_OPEN))
    meter.advance(HOUR)
    assert meter.demand.phases == (0,)
    assert meter.state.supply.state is SupplyState.CONNECTED
    assert plain(meter) == []


def test_an_event_of_the_first_millisecond_of_1970_carries_it() -> None:
    meter = make(start=0)
    meter.handle(CutPower())
    assert [(event.at, event.elapsed_ms) for event in events(meter)] == [(0, 0)]
