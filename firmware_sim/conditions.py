"""Faults of the meter itself: what begins and what ends with each, as requests to the meter."""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.requests import (
    BreakSwitch,
    CutPower,
    DriftClock,
    LoseClock,
    LosePhase,
    Request,
    ReturnPower,
    Sense,
    SetLoad,
    StepClock,
)
from protocols.data_model.words import Tamper

Edge = Callable[[Meter, int], Request | None]


def _nothing(_: Meter, __: int) -> None:
    return None


def _sensor(sensor: Tamper) -> tuple[Edge, Edge]:
    return (lambda _, __: Sense(sensor, True)), (lambda _, __: Sense(sensor, False))


def _switch(defect: SwitchDefect) -> tuple[Edge, Edge]:
    return (lambda _, __: BreakSwitch(defect)), (lambda _, __: BreakSwitch(SwitchDefect.NONE))


def _turned(meter: Meter, _: int) -> Request:
    return SetLoad(meter.load.reversed())


EDGES: dict[str, tuple[Edge, Edge]] = {
    "clock_step": ((lambda _, by: StepClock(by)), _nothing),
    "clock_drift": ((lambda _, ppm: DriftClock(ppm)), (lambda _, __: DriftClock(0))),
    "clock_lost": ((lambda _, __: LoseClock()), _nothing),
    "switch_welded": _switch(SwitchDefect.WELDED),
    "switch_stuck_open": _switch(SwitchDefect.STUCK_OPEN),
    "lost_phase": (
        (lambda _, phase: LosePhase(phase - 1, True)),
        (lambda _, phase: LosePhase(phase - 1, False)),
    ),
    "cover_open": _sensor(Tamper.COVER),
    "terminal_cover_open": _sensor(Tamper.TERMINAL_COVER),
    "magnet": _sensor(Tamper.MAGNET),
    "reverse_flow": (_turned, _turned),
    "brown_out": ((lambda _, __: CutPower()), (lambda _, __: ReturnPower())),
}
"""Fault -> what begins it and what ends it, of a meter and the fault's value."""
ONCE = frozenset({"clock_step", "clock_lost"})
"""Faults that happen and are over."""
REVERSE_FLOW, BROWN_OUT = "reverse_flow", "brown_out"


def hardware(meter: Meter) -> list[Request]:
    """Return what makes a meter's hardware as this one's is: no storage keeps it, and no power cut mends it."""
    lost = [LosePhase(phase, True) for phase in sorted(meter.lost_phases)]
    return [SetLoad(meter.load), BreakSwitch(meter.switch.defect), *lost]
