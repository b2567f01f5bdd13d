"""Requests that no host and no customer's card can make: load, wiring, power, clock, sensors."""

from __future__ import annotations

from dataclasses import replace

from firmware_sim import calendar_work
from firmware_sim.hal.switch import SimulatedSwitch
from firmware_sim.metrology.installation import Installation
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
from firmware_sim.state import State
from firmware_sim.supply.control import run_delays, sense
from protocols.control import CutPower, ReturnPower, Sense


def change(
    state: State,
    installation: Installation,
    switch: SimulatedSwitch,
    request: EnvironmentChange,
) -> tuple[Installation, bool]:
    """Apply a request to an uncommitted state, the switch's defect or the installation.

    Returns the installation as it is now, and whether anything changed.
    """
    emit, now = state.emit, state.elapsed_ms
    match request:
        case Sense(sensor, present):
            return installation, sense(state.supply, state.settings, sensor, present, emit)
        case CutPower():
            if not state.powered:
                return installation, False
            emit("power_lost")
            state.powered, state.period.power_down = False, True
        case ReturnPower():
            if state.powered:
                return installation, False
            calendar_work.return_power(state, emit)
            run_delays(state.supply, state.settings, now, emit)
        case LoseClock():
            calendar_work.catch_up(state, emit)
            state.clock.valid = False
            emit("clock_invalid")
            calendar_work.apply_calendar(state, state.clock.read(now), emit)
        case StepClock(by):
            calendar_work.catch_up(state, emit)
            calendar_work.step_clock(state, state.clock.read(now), by, emit)
        case DriftClock(ppm):
            calendar_work.catch_up(state, emit)
            state.clock.drift(now, ppm)
        case BreakSwitch(defect):
            switch.defect = defect
        case SetLoad(load):
            installation = replace(installation, load=load)
        case ReverseFlow(turned):
            installation = replace(installation, flows_back=turned)
        case LosePhase(phase, lost):
            phases = installation.lost_phases
            lost_phases = phases | {phase} if lost else phases - {phase}
            installation = replace(installation, lost_phases=lost_phases)
    return installation, True
