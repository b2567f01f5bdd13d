"""The delay of a sealed interrupt: begun, cancelled and due (METER.md 4, 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.meter import Meter
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.requests import PressButton
from firmware_sim.settings import Settings
from protocols.data_model import items
from protocols.data_model.words import Cause, SupplyState, TripMode
from protocols.quantities import LEDGER, MINUTE
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.support.meters import Host, event_names, events, make

DELAYED = Settings(remote_trip_delay=1, trip_delay_minutes=5)
DUE = 5 * MINUTE


def pending(
    settings: Settings = DELAYED, at: int = 0, credit: int = 20 * LEDGER
) -> tuple[Meter, Host]:
    """Return a meter that took an interrupt at an elapsed time."""
    meter = make(settings=settings, credit=credit)
    meter.advance(at)
    host = Host(meter)
    assert switch(host, SwitchAction.INTERRUPT) is Outcome.ACCEPTED
    return meter, host


def switch(host: Host, action: SwitchAction) -> Outcome:
    return send(host, MessageKind.SWITCH, action)


def send(host: Host, kind: MessageKind, value: int) -> Outcome:
    return host.send(kind, parameters=encode_number(kind, value)).outcome


def last_event(meter: Meter) -> tuple[str, int, int]:
    event = events(meter)[-1]
    return event.name, event.a, event.b


def test_a_delayed_interrupt_names_its_instant_by_the_clock_and_trips_at_it() -> None:
    meter, _ = pending(at=700)
    assert meter.state.supply.pending == Cause.REMOTE
    assert last_event(meter) == ("trip_pending", Cause.REMOTE, DEFAULT_START + 700 + DUE)
    meter.advance(700 + DUE - 1)
    assert meter.state.supply.state is SupplyState.CONNECTED
    meter.advance(700 + DUE)
    assert meter.state.supply.state is SupplyState.DISCONNECTED
    assert meter.state.supply.causes == Cause.REMOTE
    assert meter.state.supply.pending == Cause.NONE
    assert last_event(meter) == ("supply_disconnected", Cause.REMOTE, 0)


@pytest.mark.parametrize(
    "settings",
    [Settings(trip_delay_minutes=5), Settings(remote_trip_delay=1), Settings()],
)
def test_without_the_setting_or_a_delay_an_interrupt_acts_at_once(settings: Settings) -> None:
    meter, _ = pending(settings)
    assert meter.state.supply.causes == Cause.REMOTE
    assert meter.state.supply.pending == Cause.NONE


def test_a_further_interrupt_moves_no_delay() -> None:
    meter, host = pending()
    meter.advance(MINUTE)
    assert switch(host, SwitchAction.INTERRUPT) is Outcome.ACCEPTED
    assert event_names(meter).count("trip_pending") == 1
    meter.advance(DUE)
    assert meter.state.supply.causes == Cause.REMOTE
    assert switch(host, SwitchAction.INTERRUPT) is Outcome.ACCEPTED
    assert meter.state.supply.pending == Cause.NONE
    assert event_names(meter).count("trip_pending") == 1


@pytest.mark.parametrize("action", [SwitchAction.PERMIT, SwitchAction.DIRECT])
def test_a_permit_and_a_direct_close_cancel_the_delay(action: SwitchAction) -> None:
    meter, host = pending()
    assert switch(host, action) is Outcome.ACCEPTED
    assert last_event(meter) == ("trip_cancelled", Cause.REMOTE, 0)
    meter.advance(2 * DUE)
    assert meter.state.supply.state is SupplyState.CONNECTED
    assert switch(host, action) is Outcome.ACCEPTED
    assert event_names(meter).count("trip_cancelled") == 1


def test_a_guarantee_cancels_the_delay_of_an_interrupt() -> None:
    meter, host = pending()
    assert send(host, MessageKind.GUARANTEE, 1) is Outcome.ACCEPTED
    assert last_event(meter) == ("trip_cancelled", Cause.REMOTE, 0)
    meter.advance(DUE)
    assert meter.state.supply.state is SupplyState.CONNECTED


def test_a_moratorium_leaves_the_delay_of_an_interrupt() -> None:
    meter, host = pending()
    tomorrow = DEFAULT_START // (24 * 60 * MINUTE) + 1
    assert send(host, MessageKind.MORATORIUM, tomorrow) is Outcome.ACCEPTED
    assert meter.state.supply.pending == Cause.REMOTE
    assert "trip_cancelled" not in event_names(meter)
    meter.advance(DUE)
    assert meter.state.supply.causes == Cause.REMOTE


@pytest.mark.parametrize("kind", [MessageKind.GUARANTEE, MessageKind.MORATORIUM])
def test_a_guarantee_and_a_moratorium_cancel_the_delay_of_exhaustion(kind: MessageKind) -> None:
    meter = make(settings=Settings(trip_mode=TripMode.DELAYED, trip_delay_minutes=5), credit=0)
    assert last_event(meter) == (
        "trip_pending",
        Cause.CREDIT_EXHAUSTED,
        DEFAULT_START + DUE,
    )
    assert meter.state.supply.pending == Cause.CREDIT_EXHAUSTED
    value = 1 if kind is MessageKind.GUARANTEE else DEFAULT_START // (24 * 60 * MINUTE) + 1
    assert send(Host(meter), kind, value) is Outcome.ACCEPTED
    assert last_event(meter) == ("trip_cancelled", Cause.CREDIT_EXHAUSTED, 0)
    meter.advance(2 * DUE)
    assert meter.state.supply.state is SupplyState.CONNECTED


def test_the_button_leaves_the_delay_of_an_interrupt() -> None:
    meter, _ = pending()
    meter.handle(PressButton())
    assert meter.state.supply.pending == Cause.REMOTE


@pytest.mark.parametrize("cause", [Cause.REMOTE, Cause.CREDIT_EXHAUSTED])
def test_a_delay_that_runs_keeps_its_end_when_the_setting_is_changed(cause: Cause) -> None:
    if cause is Cause.REMOTE:
        meter, host = pending()
    else:
        meter = make(settings=replace(DELAYED, trip_mode=TripMode.DELAYED), credit=0)
        host = Host(meter)
    assert (meter.state.supply.pending, meter.state.supply.deadline()) == (cause, DUE)
    for minutes in (1, 60, 0):
        setting = encode_limits({items.TRIP_DELAY.setting: minutes})
        assert host.send(MessageKind.LIMITS, parameters=setting).outcome is Outcome.ACCEPTED
        assert meter.state.supply.deadline() == DUE
    meter.advance(DUE - 1)
    assert not meter.state.supply.causes
    meter.advance(DUE)
    assert meter.state.supply.causes == cause
