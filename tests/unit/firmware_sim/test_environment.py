"""Requests of the environment, on a state without a meter around it."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import new_state
from firmware_sim.environment import change
from firmware_sim.hal.switch import SimulatedSwitch, SwitchDefect
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.requests import (
    BreakSwitch,
    DriftClock,
    EnvironmentChange,
    LoseClock,
    LosePhase,
    ReverseFlow,
    SetLoad,
    StepClock,
)
from firmware_sim.settings import Settings
from protocols.control import CutPower, ReturnPower, Sense
from protocols.data_model.tables import Event
from protocols.data_model.words import Cause, Tamper
from protocols.quantities import HOUR


class Site:
    """A new meter's state with its installation and switch."""

    def __init__(self, **described: object) -> None:
        self.state = new_state(MeterDescription(**described))  # type: ignore[arg-type]
        self.switch = SimulatedSwitch()
        self.installation = Installation(Load.constant((0,)))

    def change(self, request: EnvironmentChange) -> bool:
        """Apply a request; return whether anything changed."""
        self.installation, changed = change(self.state, self.installation, self.switch, request)
        return changed

    def events(self) -> list[str]:
        """Return the words of the events in the tail."""
        return [Event.unpack(row.row).name for row in self.state.tail if row.ring == EVENT_RING]


def test_power_is_cut_once_and_marks_the_profile_period() -> None:
    site = Site()
    assert site.change(CutPower())
    assert not site.change(CutPower())
    assert (site.state.powered, site.state.period.power_down) == (False, True)
    assert site.events() == ["power_lost"]


def test_power_returns_once() -> None:
    site = Site()
    assert not site.change(ReturnPower())
    site.change(CutPower())
    site.state.elapsed_ms = HOUR
    assert site.change(ReturnPower())
    assert site.state.powered
    assert site.events() == ["power_lost", "power_restored"]
    assert site.state.period.began_ms == DEFAULT_START + HOUR


def test_a_lost_clock_has_no_calendar_and_is_an_event() -> None:
    site = Site()
    assert site.change(LoseClock())
    assert not site.state.clock.valid
    assert site.events() == ["clock_invalid"]


def test_a_stepped_clock_and_a_drifting_one() -> None:
    site = Site()
    site.change(StepClock(HOUR))
    assert site.state.clock.read(0) == DEFAULT_START + HOUR
    site.change(DriftClock(1_000))
    assert site.state.clock.read(HOUR) == DEFAULT_START + 2 * HOUR + HOUR // 1000


@pytest.mark.parametrize(
    ("sensor", "opened", "closed"),
    [
        (Tamper.COVER, "cover_opened", "cover_closed"),
        (Tamper.TERMINAL_COVER, "terminal_cover_opened", "terminal_cover_closed"),
        (Tamper.MAGNET, "magnet_detected", "magnet_removed"),
    ],
)
def test_a_sensor_is_recorded_when_it_changes(sensor: Tamper, opened: str, closed: str) -> None:
    site = Site()
    assert site.change(Sense(sensor, True))
    assert not site.change(Sense(sensor, True))
    assert site.state.supply.tampered == sensor
    assert site.change(Sense(sensor, False))
    assert site.events() == [opened, closed]
    assert site.state.supply.tampered == sensor
    assert site.state.supply.closed


def test_a_sensor_trips_where_the_settings_say_so() -> None:
    site = Site(settings=Settings(tamper_trip=int(Tamper.MAGNET)))
    site.change(Sense(Tamper.COVER, True))
    assert site.state.supply.closed
    site.change(Sense(Tamper.MAGNET, True))
    assert site.state.supply.causes == Cause.TAMPER


def test_load_wiring_and_switch_change_nothing_in_the_state() -> None:
    site, before = Site(), new_state(MeterDescription())
    load = Load.constant((5,))
    assert site.change(SetLoad(load))
    assert site.change(LosePhase(2, True))
    assert site.change(LosePhase(0, True))
    assert site.change(LosePhase(2, False))
    assert site.change(ReverseFlow(True))
    assert site.change(BreakSwitch(SwitchDefect.WELDED))
    assert site.installation == Installation(load, frozenset({0}), flows_back=True)
    assert site.switch.defect is SwitchDefect.WELDED
    assert site.state == before
