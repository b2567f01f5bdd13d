"""The meters of one process and their time: pure, no clock. A host brings line time; the rack
brings the meters to it.

Line time is microseconds and always runs; meter time is milliseconds and runs at a speed, or
stands. Each meter keeps its own elapsed time (one that went on from a state file is further than
one that is new), so the rack counts its own.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from firmware_sim.agenda import Agenda
from firmware_sim.conditions import LOST_PHASE, Conditions, Placed, hardware
from firmware_sim.faults import Faults
from firmware_sim.hal.nvram import PowerCutError
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.readings import GETTERS, utc_offset_minutes
from firmware_sim.requests import CutPower, PressButton, Reply, Request, ReturnPower, Sense, SetLoad
from firmware_sim.servers.seam import Station
from protocols.control import (
    SPEED_SCALE,
    Advance,
    BeginFault,
    Button,
    ChangeLoad,
    EndFaults,
    Power,
    RackCommand,
    Sensor,
    Show,
    ShowFaults,
    Speed,
    Stop,
)
from protocols.data_model.items import BY_NAME, ITEMS
from protocols.data_model.json_lines import array, line
from protocols.data_model.kinds import Moment
from protocols.errors import QuantityError
from protocols.faults import FaultRule, FaultScope
from protocols.sealed_message import Outcome

ReadLoad = Callable[[str, Meter], Load]
"""Reads what `--load` takes, for a meter: files are the edge's business."""


_POWER_WENT = "the power went in the middle of a write; the meter started anew"


class CommandFailedError(Exception):
    """A command whose effect does not stand."""


class UnknownMeterError(Exception):
    """A command named a serial number that is not here."""


@dataclass(slots=True)
class RackStation:
    """A meter on the rack: its unit number, what wires keep of it, and its elapsed time at the
    rack's time 0.

    `rebuild` makes the meter anew from its storage, for a power cut in the middle of a write; None
    without a storage.
    """

    meter: Meter
    unit: int
    offset: int
    images: dict[str, object] = field(default_factory=dict)
    rebuild: Callable[[], Meter] | None = None


@dataclass(slots=True)
class Timeline:
    """Rack time in ms as a function of line time in us: it runs at a speed from where it was last
    set.
    """

    speed: int = SPEED_SCALE
    line_origin: int = 0
    rack_origin: int = 0

    def instant(self, at: int) -> int:
        """Return the rack time at a line time."""
        return self.rack_origin + max(0, at - self.line_origin) * self.speed // (1000 * SPEED_SCALE)

    def line_time(self, instant: int) -> int | None:
        """Return the first line time at which a rack time is reached, None where it stands
        still.
        """
        if self.speed == 0:
            return None
        return self.line_origin - (-(instant - self.rack_origin) * 1000 * SPEED_SCALE // self.speed)

    def set(self, at: int, instant: int, speed: int) -> None:
        """Go on from here."""
        self.line_origin, self.rack_origin, self.speed = at, instant, speed


class Rack:
    """Meters by unit number, their deadlines, and the commands that no wire can give."""

    def __init__(
        self,
        meters: Iterable[tuple[int, Meter]],
        speed: int,
        read_load: ReadLoad,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.timeline = Timeline(speed)
        self.stations = [RackStation(meter, unit, meter.state.elapsed_ms) for unit, meter in meters]
        self.stopping = False
        self._by_unit = {station.unit: station for station in self.stations}
        self._read_load = read_load
        self._due: list[tuple[int, int, int]] = []
        self._starts_anew = 0
        self.agenda = Agenda()
        self._conditions = Conditions(self.faults, self.agenda, self.stations, self._insist)
        for index in range(len(self.stations)):
            self._schedule(index)

    def begin_faults(self) -> None:
        """Let the plan's faults of storages and meters begin, each at its time from now on.

        Raises:
            QuantityError: a fault that no meter here can have.
        """
        self.faults.storage_rests = False
        for fault in self.faults:
            self.check_rule(fault.rule)
        for fault in self.faults.meter:
            self._conditions.plan(fault)
        self._work_off(self.agenda.now)

    # ---- what wires ask

    def find(self, unit: int, at: int) -> RackStation | None:
        """Return the station of a unit with its meter brought to the present."""
        station = self._by_unit.get(unit)
        if (
            station is not None and self.timeline.speed
        ):  # where time stands, every meter is at the present
            self._bring(station, self.timeline.instant(at))
        return station

    def everyone(self, at: int) -> list[RackStation]:
        """Return every station, brought to the present."""
        for station in self.stations:
            self._bring(station, self.timeline.instant(at))
        return self.stations

    def alone(self, at: int) -> RackStation | None:
        """Return the only station, brought to the present."""
        return self.find(self.stations[0].unit, at) if len(self.stations) == 1 else None

    # ---- time

    def run(self, at: int, limit: int) -> int | None:
        """Serve at most `limit` deadlines that are due by line time `at`; return when to call
        again, None for never.

        A return of `at` or earlier says that more is due already; between two calls a wire gets its
        turn.
        """
        now = self.timeline.instant(at)
        self._work_off(now)
        while self._due and self._due[0][0] <= now and limit:
            instant, index, revision = heapq.heappop(self._due)
            station = self.stations[index]
            if revision == station.meter.revision:
                self._bring(station, instant)
                limit -= 1
            self._schedule(index)
        while self._due and self._stale(self._due[0]):
            self._schedule(heapq.heappop(self._due)[1])
        dues = [
            due
            for due in (self._due[0][0] if self._due else None, self.agenda.next())
            if due is not None
        ]
        return self.timeline.line_time(min(dues)) if dues else None

    def _stale(self, entry: tuple[int, int, int]) -> bool:
        return entry[2] != self.stations[entry[1]].meter.revision

    def _schedule(self, index: int) -> None:
        station = self.stations[index]
        deadline = station.meter.next_deadline()
        if deadline is not None:
            heapq.heappush(self._due, (deadline - station.offset, index, station.meter.revision))

    def _bring(self, station: RackStation, instant: int) -> None:
        if self.agenda.holds_by(instant):
            self._work_off(instant)
        self._move(station, instant)

    def _move(self, station: RackStation, instant: int) -> None:
        elapsed_ms = instant + station.offset
        if elapsed_ms > station.meter.state.elapsed_ms and not station.meter.stopped:
            try:
                station.meter.advance(elapsed_ms)
            except PowerCutError:
                self._start_anew(station, instant)

    # ---- faults of the meters

    def power_lost(self, station: Station, at: int) -> None:
        """Let a meter start anew from its storage: its power went in the middle of a write."""
        assert isinstance(station, RackStation)
        self._start_anew(station, self.timeline.instant(at))

    def _start_anew(self, station: RackStation, instant: int) -> None:
        assert station.rebuild is not None, "only a storage can tear"
        before, listener = station.meter, station.meter.listener
        self._starts_anew += 1
        self.faults.storage_rests = True
        station.meter = station.rebuild()
        for request in hardware(before):
            station.meter.handle(request)
        self.faults.storage_rests = False
        station.meter.listener = listener
        station.images.clear()
        station.offset = station.meter.state.elapsed_ms - instant
        self._schedule(self.stations.index(station))
        if listener is not None:
            listener()

    def _work_off(self, instant: int) -> None:
        """Do what is planned up to an instant, each at its own, with all meters brought to it."""
        while self.agenda.holds_by(instant):
            work = self.agenda.take()
            for station in self.stations:
                self._move(station, self.agenda.now)
            work()
            for index in range(len(self.stations)):
                self._schedule(index)

    def _insist(self, station: Placed, request: Request) -> None:
        """Let something happen to a meter; once more where the power went just then. A full storage
        refuses it.
        """
        assert isinstance(station, RackStation)
        for _ in range(2):
            with suppress(CommandFailedError):
                self._request(station, request)
                return

    def check_load(self, text: str) -> None:
        """Read a load and leave it; raises what reading it raises."""
        self._read_load(text, self.stations[0].meter)

    def check_rule(self, rule: FaultRule) -> None:
        """Raise QuantityError for a fault that could never strike here."""
        if rule.unit is not None and rule.unit not in self._by_unit:
            raise QuantityError(f"{rule.name}: no meter here has unit {rule.unit}")
        if rule.kind.scope is FaultScope.STORAGE and not any(
            station.rebuild for station in self.stations
        ):
            raise QuantityError(f"{rule.name}: no meter here has a storage; give `run` a --state")
        meters = [station.meter for station in self.stations if rule.unit in (None, station.unit)]
        if rule.name == LOST_PHASE and all(
            rule.amount > len(meter.demand.phases) for meter in meters
        ):
            raise QuantityError(f"{rule.name}: no meter here has a phase {rule.amount}")

    def _begin_fault(self, rule: FaultRule, at: int) -> None:
        self.check_rule(rule)
        fault = self.faults.add(rule, at)
        if rule.kind.scope is FaultScope.METER:
            self._conditions.plan(fault)
            self._work_off(self.agenda.now)

    def _fault_list(self) -> Mapping[str, str]:
        rows = [
            line(
                {
                    "name": json.dumps(fault.rule.name),
                    "options": json.dumps(fault.rule.words()),
                    "left": json.dumps(fault.left),
                    "struck": str(fault.struck),
                }
            )
            for fault in self.faults
        ]
        return {"faults": array(rows)}

    # ---- commands

    def execute(
        self, command: RackCommand, at: int, serial_number: str | None = None
    ) -> Mapping[str, str]:
        """Do a command at line time `at`; return what it has to say, as JSON values by name.

        Without a serial number it is for every meter. The effect stands and is persisted when this
        returns.

        Raises:
            UnknownMeterError: no meter has that serial number.
            CommandFailedError: the storage refused to keep it, or the power went in the middle of a
                write.
            QuantityError: a load that cannot be read, or a fault that nobody here can have; nothing
                changed.
        """
        chosen = self.chosen(serial_number)
        now = self.present(at)
        result: Mapping[str, str] = {}
        match command:
            case Advance(duration):
                self.timeline.set(at, now + duration, self.timeline.speed)
                starts = self._starts_anew
                for station in self.stations:
                    self._bring(station, now + duration)
                self.agenda.now = now + duration
                for station in self.stations:
                    self._save(station)
                if self._starts_anew != starts:
                    raise CommandFailedError(f"{_POWER_WENT}, where its storage had last saved it")
                result = self._time(chosen[0])
            case Speed(thousandths):
                self.timeline.set(at, now, thousandths)
            case Show():
                result = show(chosen[0].meter)
            case Stop():
                self.stopping = True
            case ShowFaults():
                result = self._fault_list()
            case _:
                self._act(command, chosen, at)
        for index in range(len(self.stations)):
            self._schedule(index)
        return result

    def act(self, command: RackCommand) -> None:
        """Do something to every meter at the present instant: for scripts on the agenda.

        Raises:
            CommandFailedError: the storage refused to keep it.
        """
        at = self.timeline.line_time(self.agenda.now)
        self._act(command, self.stations, self.timeline.line_origin if at is None else at)

    def present(self, at: int) -> int:
        """Bring every meter to line time `at` and return its rack time."""
        now = self.timeline.instant(at)
        for station in self.stations:
            self._bring(station, now)
        self.agenda.now = now
        return now

    def hand_over(self, station: RackStation, request: Request) -> Reply | None:
        """Let a meter execute a request at the present instant; None without power, or where it
        goes just then.
        """
        try:
            return station.meter.handle(request)
        except PowerCutError:
            self._start_anew(station, self.agenda.now)
            return None

    def _act(self, command: RackCommand, chosen: list[RackStation], at: int) -> None:
        match command:
            case BeginFault(rule):
                self._begin_fault(rule, at)
                return
            case EndFaults(name):
                self._conditions.end(self.faults.remove(name))
                return
        loads = [
            self._read_load(command.text, s.meter) if isinstance(command, ChangeLoad) else None
            for s in chosen
        ]
        for station, load in zip(chosen, loads, strict=True):
            self._ask(station, command, load)

    def _save(self, station: RackStation) -> None:
        try:
            kept = station.meter.save()
        except PowerCutError:
            self._start_anew(station, self.agenda.now)
            raise CommandFailedError(_POWER_WENT) from None
        if not kept:
            raise CommandFailedError(
                "time moved on, but the storage refused to keep it: is the disk full?"
            )

    def _ask(self, station: RackStation, command: RackCommand, load: Load | None) -> None:
        request: Request
        match command:
            case ChangeLoad() if load is not None:
                request = SetLoad(load)
            case Power(present):
                request = ReturnPower() if present else CutPower()
            case Sensor(sensor, present):
                request = Sense(sensor, present)
            case Button():
                request = PressButton()
            case _:
                raise AssertionError(f"{command} is no request to a meter")
        self._request(station, request)

    def _request(self, station: RackStation, request: Request) -> None:
        try:
            reply = station.meter.handle(request)
        except PowerCutError:
            self._start_anew(station, self.agenda.now)
            raise CommandFailedError(_POWER_WENT) from None
        if (
            reply is not None
            and reply.answer is not None
            and reply.answer.outcome is Outcome.STORAGE_FAULT
        ):
            raise CommandFailedError(
                "the storage refused it: is the disk full? Nothing was changed"
            )

    def chosen(self, serial_number: str | None) -> list[RackStation]:
        """Return the station of a serial number, all of them without one; raises
        UnknownMeterError.
        """
        if serial_number is None:
            return self.stations
        chosen = [s for s in self.stations if s.meter.state.identity.serial_number == serial_number]
        if not chosen:
            raise UnknownMeterError(f"no meter {serial_number} here")
        return chosen

    def _time(self, station: RackStation) -> Mapping[str, str]:
        names = ("serial_number", "clock", "elapsed_ms", "available_credit", "supply_state")
        return {name: value for name, value in show(station.meter).items() if name in names}


def show(meter: Meter) -> dict[str, str]:
    """Return every item of a meter as JSON values by name."""
    offset = utc_offset_minutes(meter, meter.clock)
    shown = {}
    for item in ITEMS:
        value = GETTERS[item](meter)
        kind = BY_NAME[item.name].kind
        shown[item.name] = (
            kind.json(value, offset) if isinstance(kind, Moment) else kind.json(value)
        )
    return shown
