"""The flow through the real switch, and the timers that follow it (METER.md 2, step 7; 5)."""

from __future__ import annotations

from firmware_sim.assembly import new_state
from firmware_sim.flow import let_flow
from firmware_sim.hal.switch import SimulatedSwitch, SwitchDefect
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Load
from firmware_sim.metrology.stretch import UNREACHED, Flow
from firmware_sim.settings import Settings
from firmware_sim.state import State
from protocols.data_model.words import Cause, PhaseSummation

LOAD = Load.constant((3_000_000, -1_000_000, 0))


def flow_of(
    state: State, load: Load = LOAD, defect: SwitchDefect = SwitchDefect.NONE
) -> tuple[Flow, SimulatedSwitch]:
    """Return the flow of a load and the switch."""
    flow, switch = Flow(), SimulatedSwitch()
    switch.defect = defect
    let_flow(flow, state, Installation(load), switch)
    return flow, switch


def test_phases_are_summed_as_the_meter_is_configured() -> None:
    flow, _ = flow_of(new_state(MeterDescription()))
    assert (flow.import_mw, flow.export_mw, flow.export_charged) == (2_000_000, 0, False)
    each = MeterDescription(phase_summation=PhaseSummation.PER_PHASE, reverse_charged=True)
    flow, _ = flow_of(new_state(each))
    assert (flow.import_mw, flow.export_mw, flow.export_charged) == (3_000_000, 1_000_000, True)
    assert flow.until_ms == UNREACHED


def test_nothing_flows_through_an_open_switch() -> None:
    state = new_state(MeterDescription())
    state.supply.closed = False
    flow, switch = flow_of(state)
    assert (flow.demand.phases, flow.import_mw) == ((0, 0, 0), 0)
    assert not switch.closed


def test_nothing_flows_without_power_and_the_switch_stays() -> None:
    state = new_state(MeterDescription())
    state.powered = False
    flow, switch = flow_of(state)
    assert (flow.demand.phases, flow.import_mw) == ((0, 0, 0), 0)
    assert switch.closed


def test_a_welded_switch_lets_it_flow_and_starts_the_fault_timer() -> None:
    state = new_state(MeterDescription())
    state.supply.closed = False
    flow, switch = flow_of(state, defect=SwitchDefect.WELDED)
    assert flow.import_mw == 2_000_000
    assert switch.closed
    assert state.supply.fault_due_ms == 5_000


def test_a_switch_fault_ends_when_position_and_command_agree() -> None:
    state = new_state(MeterDescription())
    state.supply.switch_fault = True
    flow_of(state)
    assert not state.supply.switch_fault


def test_an_overload_without_delay_trips_at_once() -> None:
    settings = Settings(power_limit_mw=1_999_999, power_limit_delay_s=0)
    state = new_state(MeterDescription(settings=settings))
    flow, switch = flow_of(state)
    assert state.supply.causes == Cause.OVERLOAD
    assert (flow.import_mw, switch.closed) == (0, False)


def test_a_power_at_the_limit_is_no_overload() -> None:
    settings = Settings(power_limit_mw=2_000_000, power_limit_delay_s=0)
    state = new_state(MeterDescription(settings=settings))
    flow_of(state)
    assert state.supply.causes == Cause.NONE
