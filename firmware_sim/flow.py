"""Flow of the load through the real switch (METER.md 2, step 7), with the timers that follow it."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.hal.switch import SimulatedSwitch
from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.stretch import UNREACHED, Powers, directions
from firmware_sim.state import State
from firmware_sim.supply.control import end_switch_fault, follow_load, run_delays
from protocols.data_model.words import PhaseSummation


class Flow(NamedTuple):
    """What flows until `load_due_ms`, elapsed time of the load's next change."""

    demand: Demand
    powers: Powers
    load_due_ms: int


NO_FLOW = Flow(Demand((0,)), Powers(), UNREACHED)


def let_flow(state: State, installation: Installation, switch: SimulatedSwitch) -> Flow:
    """Apply the load through the switch; an overload without delay trips at once."""
    flow = _apply(state, installation, switch)
    due_ms = state.supply.overload_due_ms
    if state.powered and due_ms is not None and due_ms <= state.elapsed_ms:
        run_delays(state.supply, state.settings, state.elapsed_ms, state.emit)
        flow = _apply(state, installation, switch)
    return flow


def _apply(state: State, installation: Installation, switch: SimulatedSwitch) -> Flow:
    supply, identity = state.supply, state.identity
    real = switch.position_if(supply.closed)
    drawn, due_ms = installation.at(state.elapsed_ms)
    flows = real and state.powered
    demand = drawn if flows else Demand((0,) * len(drawn.phases))
    per_phase = identity.phase_summation == PhaseSummation.PER_PHASE
    import_mw, export_mw = directions(demand.phases, per_phase)
    follow_load(
        supply, state.settings, import_mw, real, flows and any(drawn.phases), state.elapsed_ms
    )
    if supply.switch_fault and real == supply.closed:
        end_switch_fault(supply, state.emit)
    if switch.closed != real:
        switch.drive(supply.closed)
    powers = Powers(import_mw, export_mw, identity.reverse_charged)
    return Flow(demand, powers, UNREACHED if due_ms is None else due_ms)
