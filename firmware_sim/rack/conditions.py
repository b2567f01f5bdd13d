"""The faults of the meters on a rack: each begins and ends at its instant on the agenda."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from firmware_sim.faults.in_force import ActiveFault, Faults
from firmware_sim.faults.meters import BROWN_OUT, EDGES, ONCE
from firmware_sim.meter import MeterStoppedError
from firmware_sim.rack.agenda import Agenda
from firmware_sim.rack.stations import Station
from firmware_sim.requests import refused_by_storage

ATTEMPTS = 2
"""A request that met a power failure or a full storage is repeated once."""


class Conditions:
    """Begins and ends faults of meters.

    Args:
        of_unit: returns the stations of a unit, all for None.
    """

    def __init__(
        self, faults: Faults, agenda: Agenda, of_unit: Callable[[int | None], Sequence[Station]]
    ) -> None:
        self._faults, self._agenda, self._of_unit = faults, agenda, of_unit

    def plan(self, fault: ActiveFault) -> None:
        """Begin a fault at its time from now on."""
        self._agenda.plan(
            self._agenda.now_ms + fault.rule.begins, lambda: self._begin(fault), fault
        )

    def end(self, faults: Iterable[ActiveFault]) -> None:
        """End faults that are no longer in force, and remove their planned work."""
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
        lasts_ms = fault.rule.lasts
        if lasts_ms is None and fault.rule.name == BROWN_OUT:
            lasts_ms = fault.rule.amount
        if lasts_ms is not None:
            self._agenda.plan(self._agenda.now_ms + lasts_ms, lambda: self._end(fault), fault)

    def _end(self, fault: ActiveFault) -> None:
        self._turn(fault, begins=False)
        self._faults.discard(fault)

    def _turn(self, fault: ActiveFault, begins: bool) -> None:
        """Begin or end a fault at its meters; it does not end where another one does the same.

        Raises:
            MeterStoppedError: the storage of a meter failed to flush; the others have the fault.
        """
        fault.struck += begins
        others = [
            other
            for other in self._faults.meter
            if other is not fault and other.rule.name == fault.rule.name and other.struck
        ]
        request = EDGES[fault.rule.name][not begins](fault.rule.amount)
        if request is None:
            return
        failures: list[MeterStoppedError] = []
        for station in self._of_unit(fault.rule.unit):
            held = not begins and any(_same(other, fault, station.unit) for other in others)
            if station.meter.stopped or held:
                continue
            station.bring(self._agenda.now_ms)
            for _ in range(ATTEMPTS):
                restarts = station.restarts
                reply = station.hand_over(request)
                if station.failure is not None:
                    failures.append(station.failure)
                    break
                if station.restarts == restarts and not refused_by_storage(reply):
                    break
        if failures:
            raise failures[0]


def _same(other: ActiveFault, fault: ActiveFault, unit: int) -> bool:
    """Return whether another fault does the same to a unit."""
    return other.rule.unit in (None, unit) and other.rule.amount == fault.rule.amount
