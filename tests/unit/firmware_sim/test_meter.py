"""One meter in time: deadlines, the partition of time, revision, power, refused writes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import MeterStoppedError
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.requests import BreakSwitch, Change, LosePhase, Sealed, SetLoad, StepClock
from firmware_sim.settings import Settings
from protocols.control import CutPower, PressButton, ReturnPower, Sense
from protocols.data_model.tariff import Prices, Steps, Tariff
from protocols.data_model.words import (
    Cause,
    MeterType,
    PhaseSummation,
    SupplyState,
    Tamper,
    TripMode,
)
from protocols.quantities import DAY, HOUR, KWH, LEDGER, MINUTE
from protocols.sealed_message import MessageKind, Outcome, code_of
from tests.support.meters import Host, event_names, events, make

KILOWATT = Load.constant((1_000_000,))
ONE_PER_KWH = Tariff(prices=Prices((10_000,)))
QUARTER = 15 * MINUTE


def test_an_hour_of_one_kilowatt_is_a_kilowatt_hour_at_its_price() -> None:
    meter = make(load=KILOWATT)
    meter.advance(HOUR)
    assert meter.state.registers.import_mwh == KWH
    assert meter.state.registers.rate_mwh == [KWH, 0, 0, 0]
    assert meter.state.account.consumption == 5283 * LEDGER // 10_000
    assert meter.state.account.imbalance() == (0, 0)


@settings(max_examples=20, deadline=None, database=None)
@given(cuts=st.lists(st.integers(1, DAY - 1), max_size=8))
def test_one_step_or_many_give_the_same_state(cuts: list[int]) -> None:
    description = {
        "load": Load((0, HOUR), (Demand((7_654_321,)), Demand((1_234,))), OnEnd.REPEAT),
        "credit": 20 * LEDGER,
        "settings": Settings(low_credit_threshold_1=10 * LEDGER, overdraft_limit=5 * LEDGER),
        "tariff": Tariff(steps=Steps((KWH,), (0, 3_333))),
    }
    whole, parts = make(**description), make(**description)
    whole.advance(DAY)
    for cut in sorted(cuts):
        parts.advance(cut)
    parts.advance(DAY)
    assert parts.state == whole.state
    assert event_names(parts) == event_names(whole)


def test_the_supply_trips_at_the_millisecond_of_the_last_mwh() -> None:
    meter = make(load=KILOWATT, credit=LEDGER, tariff=ONE_PER_KWH)
    meter.advance(HOUR - 1)
    assert meter.state.supply.state is SupplyState.CONNECTED
    meter.advance(HOUR)
    assert meter.state.account.credit == 0
    assert meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    meter.advance(2 * HOUR)
    assert meter.state.registers.import_mwh == KWH, "an open switch means no load"


def test_a_deadline_is_the_next_profile_period_or_the_next_level() -> None:
    assert make().next_deadline() == QUARTER
    level = LEDGER // 10
    meter = make(load=KILOWATT, credit=level, tariff=ONE_PER_KWH)
    assert meter.next_deadline() == HOUR // 10


def test_between_two_deadlines_nothing_but_counters_changes() -> None:
    meter = make(load=KILOWATT, settings=Settings(low_credit_threshold_1=19 * LEDGER))
    instants = [0]
    while instants[-1] < 3 * HOUR:
        due = meter.next_deadline()
        assert due is not None
        before = (meter.state.supply.below, list(meter.state.numbers))
        meter.advance(due - 1)
        assert (meter.state.supply.below, list(meter.state.numbers)) == before
        meter.advance(due)
        instants.append(due)
    assert all(first < second for first, second in pairwise(instants))


def test_time_does_not_go_back() -> None:
    meter = make()
    meter.advance(5)
    with pytest.raises(ValueError, match="does not go back to 4"):
        meter.advance(4)


def test_export_is_counted_and_charged_only_where_it_is_configured() -> None:
    for reverse_charged, charged in ((False, 0), (True, LEDGER)):
        meter = make(
            load=Load.constant((-1_000_000,)), reverse_charged=reverse_charged, tariff=ONE_PER_KWH
        )
        meter.advance(HOUR)
        assert meter.state.registers.export_mwh == KWH
        assert meter.state.registers.import_mwh == 0
        assert meter.state.account.consumption == charged


@pytest.mark.parametrize(
    ("summation", "imported", "exported"),
    [(PhaseSummation.ARITHMETIC, 2 * KWH, 0), (PhaseSummation.PER_PHASE, 4 * KWH, 2 * KWH)],
)
def test_the_phases_are_summed_as_configured(
    summation: PhaseSummation, imported: int, exported: int
) -> None:
    load = Load.constant((3_000_000, 1_000_000, -2_000_000))
    meter = make(meter_type=MeterType.THREE_PHASE, phase_summation=summation, load=load)
    meter.advance(HOUR)
    assert meter.state.registers.import_mwh == imported
    assert meter.state.registers.export_mwh == exported


def test_an_unopened_account_is_metered_and_not_charged() -> None:
    meter = make(opened=False, load=KILOWATT)
    meter.advance(HOUR)
    assert meter.state.registers.import_mwh == KWH
    assert (meter.state.account.credit, meter.state.account.consumption) == (0, 0)
    assert event_names(meter) == []


def test_a_revision_rises_with_every_change_and_not_with_a_read() -> None:
    meter = make()
    revisions = [meter.revision]
    meter.advance(1)
    revisions.append(meter.revision)
    meter.handle(SetLoad(KILOWATT))
    revisions.append(meter.revision)
    Host(meter).send(MessageKind.CREDIT, amount=100)
    revisions.append(meter.revision)
    assert sorted(set(revisions)) == revisions
    meter.next_deadline()
    meter.state.amount_to_reconnect()
    assert meter.revision == revisions[-1]


def test_without_power_it_neither_meters_nor_answers_and_its_time_runs_on() -> None:
    meter = make(load=KILOWATT)
    sealed = Host(meter).seal(MessageKind.CREDIT, amount=100)
    meter.handle(CutPower())
    assert meter.next_deadline() is None
    meter.advance(DAY)
    assert meter.handle(Sealed(sealed)) is None
    assert meter.handle(PressButton()) is None
    assert meter.state.registers.import_mwh == 0
    meter.handle(ReturnPower())
    assert meter.state.elapsed_ms == DAY
    assert event_names(meter) == ["power_lost", "power_restored"]
    assert Host(meter).deliver(sealed).outcome is Outcome.ACCEPTED


def test_a_sensor_trips_only_where_it_is_configured_and_is_one_event() -> None:
    meter = make(settings=Settings(tamper_trip=int(Tamper.COVER)))
    meter.handle(Sense(Tamper.MAGNET, True))
    assert meter.state.supply.state is SupplyState.CONNECTED
    meter.handle(Sense(Tamper.COVER, True))
    meter.handle(Sense(Tamper.COVER, True))
    assert meter.state.supply.causes == Cause.TAMPER
    assert event_names(meter).count("cover_opened") == 1


def test_a_top_up_of_the_amount_to_reconnect_reconnects_and_a_cent_less_does_not() -> None:
    meter = make(credit=-LEDGER, settings=Settings(reconnect_threshold=8 * LEDGER))
    assert meter.state.amount_to_reconnect() == 9 * LEDGER
    Host(meter).send(MessageKind.CREDIT, amount=899)
    assert meter.state.supply.state is SupplyState.DISCONNECTED
    assert meter.state.amount_to_reconnect() == LEDGER // 100
    Host(meter).send(MessageKind.CREDIT, amount=1)
    assert meter.state.supply.state is SupplyState.CONNECTED
    assert meter.state.amount_to_reconnect() == 0


def test_a_refused_write_refuses_the_request_and_changes_nothing() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    before = meter.state.clone()
    nvram.full = True
    sealed = Host(meter).seal(MessageKind.CREDIT, amount=100)
    answer = Host(meter).deliver(sealed)
    assert (answer.outcome, answer.sequence) == (Outcome.STORAGE_FAULT, 1)
    assert answer.code == code_of(sealed)
    assert meter.state == before


def test_a_failing_flush_stops_the_meter() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    nvram.flush_fails = True
    revision = meter.revision
    with pytest.raises(MeterStoppedError):
        Host(meter).send(MessageKind.CREDIT, amount=100)
    assert meter.stopped
    assert meter.revision > revision
    assert meter.next_deadline() is None
    with pytest.raises(MeterStoppedError):
        meter.advance(1)


def test_a_delay_that_begins_between_two_edges_ends_at_its_own_instant() -> None:
    delayed = Settings(trip_mode=TripMode.DELAYED, trip_delay_minutes=2)
    kwh_a_minute = Load.constant((60 * KWH,))
    meter = make(
        credit=KWH, settings=delayed, tariff=Tariff(prices=Prices((1,))), load=kwh_a_minute
    )
    meter.advance(QUARTER - 1)
    assert event_names(meter) == ["trip_pending", "supply_disconnected"]
    assert [event.elapsed_ms for event in events(meter)] == [MINUTE, 3 * MINUTE]


def test_a_request_that_changes_nothing_is_not_committed() -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    flushes = nvram.flushes
    meter.handle(PressButton())
    meter.handle(Sense(Tamper.COVER, False))
    assert Host(meter).send(MessageKind.CREDIT, amount=1, sequence=9).outcome is (
        Outcome.SEQUENCE_GAP
    )
    assert nvram.flushes == flushes
    meter.handle(Sense(Tamper.COVER, True))
    assert nvram.flushes == flushes + 1


@pytest.mark.parametrize(
    "request_",
    [
        SetLoad(Load((0, 7), [Demand((5_000_000,)), Demand((0,))], OnEnd.HOLD)),
        BreakSwitch(SwitchDefect.STUCK_OPEN),
        LosePhase(0, True),
        StepClock(7 * MINUTE),
        CutPower(),
    ],
)
def test_after_a_refused_write_the_meter_goes_on_as_it_was(request_: Change) -> None:
    nvram, untouched = SimulatedNvram(), make(load=KILOWATT, credit=LEDGER)
    meter = make(nvram, load=KILOWATT, credit=LEDGER)
    meter.advance(MINUTE)
    untouched.advance(MINUTE)
    nvram.full = True
    meter.handle(request_)
    nvram.full = False
    assert (meter.demand, meter.next_deadline()) == (untouched.demand, untouched.next_deadline())
    meter.advance(2 * HOUR)
    untouched.advance(2 * HOUR)
    assert meter.state.registers == untouched.state.registers
    assert (meter.state.supply.state, meter.clock) == (
        untouched.state.supply.state,
        untouched.clock,
    )


def test_after_a_refused_top_up_the_supply_trips_where_it_would_have_without() -> None:
    nvram = SimulatedNvram()
    meter, untouched = make(nvram, load=KILOWATT, credit=KWH), make(load=KILOWATT, credit=KWH)
    nvram.full = True
    assert Host(meter).send(MessageKind.CREDIT, amount=100).outcome is Outcome.STORAGE_FAULT
    nvram.full = False
    assert meter.next_deadline() == untouched.next_deadline()
    for ms in (1, HOUR):
        meter.advance(ms)
        untouched.advance(ms)
        assert meter.state.account.credit == untouched.state.account.credit
        assert meter.state.supply.state is untouched.state.supply.state
    assert not meter.state.supply.closed


def test_an_advance_to_the_next_event_ends_at_its_instant_and_changes_no_bit() -> None:
    described = {
        "load": KILOWATT,
        "credit": 4 * LEDGER,
        "tariff": ONE_PER_KWH,
        "settings": Settings(low_credit_threshold_1=3 * LEDGER, low_credit_threshold_2=LEDGER),
    }
    whole, parts = make(**described), make(**described)
    whole.advance(5 * HOUR)
    instants = []
    while parts.state.elapsed_ms < 5 * HOUR:
        parts.advance(5 * HOUR, to_event=True)
        instants.append((parts.state.elapsed_ms, event_names(parts)[-1]))
    assert instants == [
        (HOUR, "low_credit_warning"),
        (3 * HOUR, "supply_disconnected"),
        (5 * HOUR, "supply_disconnected"),
    ]
    assert parts.state == whole.state


def test_an_advance_to_events_saves_where_it_was_to_end() -> None:
    device = SimulatedNvram()
    warned = Settings(low_credit_threshold_1=19 * LEDGER)
    meter = make(device, load=KILOWATT, settings=warned)
    before = bytes(device.data)
    meter.advance(5 * HOUR, to_event=True)
    assert meter.state.elapsed_ms < 5 * HOUR
    assert bytes(device.data) == before
    meter.advance(5 * HOUR, to_event=True)
    assert make(device).state.elapsed_ms == 5 * HOUR
