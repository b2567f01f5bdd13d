"""The meters of one process and their time: pure, no clock. A host brings line time.

Line time is in microseconds and always runs; rack time is in milliseconds and runs at a speed, or
stands. A meter is brought to the present when it is wanted or when its deadline is due, so that a
request costs the same on a rack of one meter and on a rack of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firmware_sim.faults.in_force import ActiveFault, Faults
from firmware_sim.faults.meters import LOST_PHASE
from firmware_sim.meter import Meter
from firmware_sim.rack.agenda import Agenda
from firmware_sim.rack.conditions import Conditions
from firmware_sim.rack.deadlines import Deadlines
from firmware_sim.rack.errors import UnknownMeterError
from firmware_sim.rack.stations import Observer, Station
from firmware_sim.rack.timeline import Timeline
from protocols.errors import QuantityError
from protocols.faults import FaultRule, FaultScope

UNIT_DIGITS = 3
"""A number of more digits is a serial number."""


class Rack:
    """Stations, their deadlines, the agenda and the faults in force."""

    def __init__(
        self, meters: Iterable[tuple[int, Meter]], speed: int, faults: Faults | None = None
    ) -> None:
        """Put meters under their unit numbers; `speed` is in thousandths."""
        self.faults = faults or Faults()
        self.timeline = Timeline(speed)
        self.agenda = Agenda()
        self.deadlines = Deadlines()
        self.observers: list[Observer] = []
        """See all stations."""
        self.stations = tuple(Station(self, unit, meter, self.observers) for unit, meter in meters)
        self._by_serial = {station.serial_number: station for station in self.stations}
        self._by_unit: dict[int, list[Station]] = {}
        for station in self.stations:
            self._by_unit.setdefault(station.unit, []).append(station)
            self.deadlines.add(station)
        self._conditions = Conditions(self.faults, self.agenda, self.of_unit)

    # ---- stations

    def station(self, serial_number: str) -> Station:
        """Return the station of a serial number; raises UnknownMeterError."""
        station = self._by_serial.get(serial_number)
        if station is None:
            raise UnknownMeterError(f"no meter {serial_number} here")
        return station

    def named(self, name: str) -> Station:
        """Return the station of a serial number or of a unit number; raises UnknownMeterError."""
        if len(name) <= UNIT_DIGITS and name.isascii() and name.isdigit():
            found = self._by_unit.get(int(name), [])
            if len(found) == 1:
                return found[0]
            if found:
                serial_numbers = ", ".join(station.serial_number for station in found)
                raise UnknownMeterError(
                    f"unit {name} is that of several meters: name one by its serial number, "
                    f"{serial_numbers}"
                )
            raise UnknownMeterError(f"no meter of unit {name} here")
        return self.station(name)

    def of_unit(self, unit: int | None) -> Sequence[Station]:
        """Return the stations of a unit number, all stations for None."""
        return self.stations if unit is None else self._by_unit.get(unit, ())

    # ---- time

    def run(self, at_us: int, limit: int) -> int | None:
        """Serve at most `limit` deadlines that are due by line time `at_us`.

        Returns the line time at which to call again, None for never. A return of `at_us` or
        earlier means that more is due already; between two calls a wire gets its turn.
        """
        now_ms = self.timeline.instant(at_us)
        self.work_off(now_ms)
        while limit and (due := self.deadlines.take(now_ms)) is not None:
            instant_ms, station = due
            assert isinstance(station, Station)
            station.bring(instant_ms)
            self.deadlines.touch(station)
            limit -= 1
        return self.next_due()

    def next_due(self) -> int | None:
        """Return the line time of the next deadline or work, us; None for never."""
        instants = [self.deadlines.next(), self.agenda.next()]
        due = min((instant for instant in instants if instant is not None), default=None)
        return None if due is None else self.timeline.line_time(due)

    def reach(self, at_us: int) -> int:
        """Do all work of the agenda by line time `at_us`; return its rack time, ms."""
        now_ms = self.timeline.instant(at_us)
        self.work_off(now_ms)
        self.agenda.now_ms = max(now_ms, self.agenda.now_ms)
        return now_ms

    def work_off(self, instant_ms: int) -> None:
        """Do the work of the agenda up to a rack time, each at its instant."""
        while self.agenda.holds_by(instant_ms):
            self.agenda.take()()

    def bring_all(self, at_us: int) -> Sequence[Station]:
        """Bring every meter to line time `at_us`; return all stations."""
        now_ms = self.reach(at_us)
        for station in self.stations:
            station.bring(now_ms)
            self.deadlines.touch(station)
        return self.stations

    # ---- faults

    def begin_faults(self) -> None:
        """Begin the plan's faults of storages and meters, each at its time from now on.

        Raises:
            QuantityError: a fault that no meter here can have.
        """
        self.faults.storage_rests = False
        for fault in self.faults:
            self.check_rule(fault.rule)
        for fault in self.faults.meter:
            self._plan(fault)

    def begin_fault(self, rule: FaultRule, at_us: int) -> None:
        """Put a fault in force from line time `at_us` on; raises QuantityError as `check_rule`."""
        self.check_rule(rule)
        fault = self.faults.add(rule, at_us)
        if rule.kind.scope is FaultScope.METER:
            self._plan(fault)

    def end_faults(self, name: str | None, unit: int | None = None) -> int:
        """End every fault of a name, or all; with `unit` those for it alone. Return how many."""
        ended = self.faults.remove(name, unit)
        self._conditions.end(ended)
        return len(ended)

    def check_rule(self, rule: FaultRule) -> None:
        """Raise QuantityError for a fault that cannot occur at any meter here."""
        stations = self.of_unit(rule.unit)
        if not stations:
            raise QuantityError(f"{rule.name}: no meter here has unit {rule.unit}")
        if rule.kind.scope is FaultScope.STORAGE and not any(each.rebuild for each in stations):
            raise QuantityError(f"{rule.name}: no meter here has a storage; give `run` a --state")
        if rule.name == LOST_PHASE and all(
            rule.amount > station.meter.state.identity.phases for station in stations
        ):
            raise QuantityError(f"{rule.name}: no meter here has a phase {rule.amount}")

    def _plan(self, fault: ActiveFault) -> None:
        self._conditions.plan(fault)
        self.work_off(self.agenda.now_ms)
