"""The faults of a meter: the requests that begin and end each."""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.requests import (
    BreakSwitch,
    DriftClock,
    LoseClock,
    LosePhase,
    Request,
    ReverseFlow,
    SetLoad,
    StepClock,
)
from protocols.control import CutPower, ReturnPower, Sense
from protocols.data_model.words import Tamper

Edge = Callable[[int], Request | None]
"""Makes the request of an edge from the fault's value; None where the edge does nothing."""


def _nothing(_: int) -> None:
    return None


def _sensor(sensor: Tamper) -> tuple[Edge, Edge]:
    return (lambda _: Sense(sensor, True)), (lambda _: Sense(sensor, False))


def _switch(defect: SwitchDefect) -> tuple[Edge, Edge]:
    return (lambda _: BreakSwitch(defect)), (lambda _: BreakSwitch(SwitchDefect.NONE))


LOST_PHASE = "lost_phase"
BROWN_OUT = "brown_out"
EDGES: dict[str, tuple[Edge, Edge]] = {
    "clock_step": (StepClock, _nothing),
    "clock_drift": (DriftClock, lambda _: DriftClock(0)),
    "clock_lost": (lambda _: LoseClock(), _nothing),
    "switch_welded": _switch(SwitchDefect.WELDED),
    "switch_stuck_open": _switch(SwitchDefect.STUCK_OPEN),
    LOST_PHASE: (lambda n: LosePhase(n - 1, True), lambda n: LosePhase(n - 1, False)),
    "cover_open": _sensor(Tamper.COVER),
    "terminal_cover_open": _sensor(Tamper.TERMINAL_COVER),
    "magnet": _sensor(Tamper.MAGNET),
    "reverse_flow": (lambda _: ReverseFlow(True), lambda _: ReverseFlow(False)),
    BROWN_OUT: (lambda _: CutPower(), lambda _: ReturnPower()),
}  # fmt: skip
"""Fault -> (begin, end)."""
ONCE = frozenset({"clock_step", "clock_lost"})
"""Faults that have an instant and no span."""


def hardware(meter: Meter) -> list[Request]:
    """Return the requests that give another meter the hardware of this one.

    No storage keeps load, switch and wiring, and no power failure changes them.
    """
    installation = meter.installation
    lost = [LosePhase(phase, True) for phase in sorted(installation.lost_phases)]
    return [
        SetLoad(installation.load),
        BreakSwitch(meter.switch.defect),
        ReverseFlow(installation.flows_back),
        *lost,
    ]
