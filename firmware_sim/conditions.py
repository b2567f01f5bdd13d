"""Faults of the meter itself: what begins and ends with each, and when, on the rack's agenda."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from firmware_sim.agenda import Agenda
from firmware_sim.faults import ActiveFault, Faults
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
    ReverseFlow,
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
    "reverse_flow": ((lambda _, __: ReverseFlow(True)), (lambda _, __: ReverseFlow(False))),
    "brown_out": ((lambda _, __: CutPower()), (lambda _, __: ReturnPower())),
}
"""Fault -> what begins it and what ends it, of a meter and the fault's value."""
ONCE = frozenset({"clock_step", "clock_lost"})
"""Faults that happen and are over."""
LOST_PHASE = "lost_phase"
BROWN_OUT = "brown_out"


class Placed(Protocol):
    """A meter on the rack under its unit number."""

    meter: Meter
    unit: int


class Conditions:
    """The faults of the meters on a rack. `ask` lets a request happen to a meter, whatever its
    storage does then.
    """

    def __init__(
        self,
        faults: Faults,
        agenda: Agenda,
        stations: Sequence[Placed],
        ask: Callable[[Placed, Request], None],
    ) -> None:
        self._faults, self._agenda, self._stations, self._ask = faults, agenda, stations, ask

    def plan(self, fault: ActiveFault) -> None:
        """Let a fault begin at its time from now on."""
        self._agenda.plan(self._agenda.now + fault.rule.begins, lambda: self._begin(fault), fault)

    def end(self, faults: Iterable[ActiveFault]) -> None:
        """End faults that were taken out of force, and forget what was planned of them."""
        ended = list(faults)
        self._agenda.forget(ended)
        for fault in ended:
            if fault.rule.name in EDGES and fault.struck:
                self._turn(fault, begins=False)

    def _begin(self, fault: ActiveFault) -> None:
        self._turn(fault, begins=True)
        if fault.rule.name in ONCE:
            self._faults.discard(fault)
            return
        lasts = fault.rule.lasts
        if lasts is None and fault.rule.name == BROWN_OUT:
            lasts = fault.rule.amount
        if lasts is not None:
            self._agenda.plan(self._agenda.now + lasts, lambda: self._end(fault), fault)

    def _end(self, fault: ActiveFault) -> None:
        self._turn(fault, begins=False)
        self._faults.discard(fault)

    def _turn(self, fault: ActiveFault, begins: bool) -> None:
        """Let a fault begin or end at every meter that it is for; it ends where no other of its
        name stands.
        """
        fault.struck += begins
        others = [
            f
            for f in self._faults.meter
            if f is not fault and f.rule.name == fault.rule.name and f.struck
        ]
        for station in self._stations:
            held = not begins and any(_same(other, fault, station.unit) for other in others)
            if fault.rule.unit in (None, station.unit) and not station.meter.stopped and not held:
                request = EDGES[fault.rule.name][not begins](station.meter, fault.rule.amount)
                if request is not None:
                    self._ask(station, request)


def _same(other: ActiveFault, fault: ActiveFault, unit: int) -> bool:
    """Say whether another fault does the same to a unit."""
    return other.rule.unit in (None, unit) and other.rule.amount == fault.rule.amount


def hardware(meter: Meter) -> list[Request]:
    """Return what makes a meter's hardware as this one's is: no storage keeps it, and no power cut
    mends it.
    """
    lost = [LosePhase(phase, True) for phase in sorted(meter.lost_phases)]
    return [
        SetLoad(meter.load),
        BreakSwitch(meter.switch.defect),
        ReverseFlow(meter.flows_back),
        *lost,
    ]
