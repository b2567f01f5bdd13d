"""Flow of the load through the real switch (METER.md 2, step 7), with the timers that follow it."""

from __future__ import annotations

from firmware_sim.hal.switch import SimulatedSwitch
from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.phase_energies import counted_powers
from firmware_sim.metrology.stretch import UNREACHED, Flow, directions
from firmware_sim.state import State
from firmware_sim.supply.control import end_switch_fault, follow_load, run_delays
from protocols.data_model.words import PhaseSummation

_PER_PHASE = int(PhaseSummation.PER_PHASE)


def let_flow(flow: Flow, state: State, installation: Installation, switch: SimulatedSwitch) -> None:
    """Set the flow to that of the load through the switch; an overload may trip at once."""
    _apply(flow, state, installation, switch)
    due_ms = state.supply.overload_due_ms
    if state.powered and due_ms is not None and due_ms <= state.elapsed_ms:
        run_delays(state.supply, state.settings, state.elapsed_ms, state.emit)
        _apply(flow, state, installation, switch)


def _apply(flow: Flow, state: State, installation: Installation, switch: SimulatedSwitch) -> None:
    supply, identity = state.supply, state.identity
    real = switch.position_if(supply.closed)
    drawn, due_ms = installation.at(state.elapsed_ms)
    flows = real and state.powered
    flow.demand = demand = drawn if flows else Demand((0,) * len(drawn.phases))
    import_mw, export_mw = directions(demand.phases, identity.phase_summation == _PER_PHASE)
    flow.import_mw, flow.export_mw = import_mw, export_mw
    if state.registers.phase_energies is not None:
        flow.counted = counted_powers(demand, identity.phase_summation == _PER_PHASE)
    flow.export_charged = identity.reverse_charged
    flow.until_ms = UNREACHED if due_ms is None else due_ms
    follow_load(
        supply, state.settings, import_mw, real, flows and any(drawn.phases), state.elapsed_ms
    )
    if supply.switch_fault and real == supply.closed:
        end_switch_fault(supply, state.emit)
    if switch.closed != real:
        switch.drive(supply.closed)
