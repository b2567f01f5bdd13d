"""The one dispatcher of commands that no wire can give: for socket, fixtures and scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.metrology.load import Load
from firmware_sim.rack.errors import POWER_FAILED, CommandFailedError
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, values, values_of
from firmware_sim.requests import Request, SetLoad, refused_by_storage
from protocols.control import (
    Advance,
    BeginFault,
    ChangeLoad,
    Command,
    CutPower,
    Direct,
    EndFaults,
    InsertCard,
    PressButton,
    RemoveCard,
    ReturnPower,
    Sense,
    Show,
    ShowFaults,
    Speed,
    Stop,
)
from protocols.data_model import items
from protocols.errors import QuantityError
from protocols.faults import FAULTS, FaultRule, FaultScope
from protocols.modbus.named_maps import NATIVE

ReadLoad = Callable[[str, Meter], Load]
"""Reads a text of `--load` for a meter; raises HostingError or QuantityError for a wrong one."""
InsertInto = Callable[[Station, InsertCard], Mapping[str, Value]]
"""Inserts a card into the slot of a station and returns the result of the insertion."""
_STANDING = (items.CLOCK, items.ELAPSED, items.AVAILABLE_CREDIT, items.SUPPLY_STATE)
_OF_METERS = (FaultScope.STORAGE, FaultScope.METER)
"""The other faults are those of all wires."""
Failure = CommandFailedError | MeterStoppedError


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did: to one meter, or where `station` is None to the process.

    `read` returns the values of a command that asks for some, empty for the others. `failure` is
    why the effect does not hold at this meter.
    """

    station: Station | None = None
    read: Callable[[], Mapping[str, Value]] = dict
    failure: Failure | None = None

    @property
    def values(self) -> Mapping[str, Value]:
        """The values, read now where they are those of a meter as it stands."""
        return self.read()


def no_cards(_: Station, __: InsertCard) -> Mapping[str, Value]:
    """Refuse cards: for an operator without a card port."""
    raise QuantityError("no card can be inserted here")


class Operator:
    """Executes commands on the meters of a rack, each at the present instant.

    A command is for the meter that `name` names, a serial number or a unit, and without a name for
    every meter; what concerns the process (speed, stop, faults of wires) is done once. Speed and
    stop take no name where there are several meters: they would be done to all.

    Args:
        now: returns the line time, us.
    """

    def __init__(
        self, rack: Rack, read_load: ReadLoad, now: Callable[[], int], insert: InsertInto = no_cards
    ) -> None:
        self.rack, self._read_load, self._now, self._insert = rack, read_load, now, insert
        self.stopping = False
        """Whether `stop` was given: the host ends."""

    def execute(self, command: Command, name: str | None = None) -> Mapping[str, Value]:
        """Execute a command; return the values of its first result. Raises as `execute_each`.

        Raises:
            CommandFailedError: the storage refused the change, or the power failed during a write.
            MeterStoppedError: the storage of a meter failed to flush; the meter stopped.
        """
        results = list(self.execute_each(command, name))
        for result in results:
            if result.failure is not None:
                raise result.failure
        return results[0].values if results else {}

    def execute_each(self, command: Command, name: str | None = None) -> Iterable[Result]:
        """Execute a command; return a result a meter, or one of the process.

        The effect holds and is persisted when this returns, but where a result has a failure.

        Raises:
            UnknownMeterError: no meter has that serial number or unit, or several have.
            QuantityError: a load that cannot be read, a fault that no meter here can have, or a
                name with a command that is for all meters; nothing changed.
        """
        rack, at_us = self.rack, self._now()
        chosen = self.chosen(name)
        if isinstance(command, Speed | Stop) and len(chosen) < len(rack.stations):
            word = type(command).__name__.lower()
            raise QuantityError(f"{word} is for all meters; leave out --meter; nothing was changed")
        now_ms = rack.reach(at_us)
        match command:
            case Advance(duration_ms):
                return self._advance(at_us, now_ms + duration_ms, chosen)
            case Show():
                return [Result(station, partial(self._show, station)) for station in chosen]
            case BeginFault(rule):
                return self._begin_fault(rule, None if name is None else chosen[0], at_us)
            case EndFaults(fault):
                return self._end_faults(fault, None if name is None else chosen[0])
            case ChangeLoad(text):
                results = self._request_each(command, chosen)
                warning = _load_warning(text, chosen)
                return [Result(read=lambda: warning), *results] if warning else results
            case CutPower() | ReturnPower() | PressButton() | Sense():
                return self._request_each(command, chosen)
            case Speed(thousandths):
                rack.timeline.set(at_us, now_ms, thousandths)
            case Stop():
                self.stopping = True
            case ShowFaults():
                return [Result(read=lambda: {"faults": self._faults()})]
            case InsertCard():
                station = self.one(name)
                inserted = named(station, self._insert(station, command))
                return [Result(station, lambda: inserted)]
            case RemoveCard():
                return [Result(self.one(name))]
            case _:
                assert_never(command)
        return [Result()]

    def act(self, command: Command) -> None:
        """Execute a command on every meter at the instant of the agenda: a step of a scenario.

        Raises:
            CommandFailedError: the storage refused the change, or the power failed during a write.
        """
        match command:
            case BeginFault(rule):
                at_us = self.rack.timeline.line_time(self.rack.agenda.now_ms)
                self.rack.begin_fault(
                    rule, self.rack.timeline.line_origin_us if at_us is None else at_us
                )
            case EndFaults(fault):
                self.rack.end_faults(fault)
            case ChangeLoad() | CutPower() | ReturnPower() | PressButton() | Sense():
                for result in self._request_each(command, self.rack.stations):
                    if result.failure is not None:
                        raise result.failure
            case _:
                raise AssertionError(f"{command} is no step of a scenario")

    def check_load(self, text: str) -> None:
        """Read a load without applying it; raises HostingError or QuantityError for a wrong one."""
        self._read_load(text, self.rack.stations[0].meter)

    def chosen(self, name: str | None) -> Sequence[Station]:
        """Return the station of a name, all without one; raises UnknownMeterError."""
        return self.rack.stations if name is None else (self.rack.named(name),)

    def one(self, name: str | None) -> Station:
        """Return the one station that is meant; raises QuantityError where there are several."""
        chosen = self.chosen(name)
        if len(chosen) != 1:
            raise QuantityError("a card goes into one slot: name the meter with --meter")
        return chosen[0]

    def told(self, result: Result) -> Mapping[str, Value]:
        """Return the values of a result for its reader, named where they are a meter's.

        Where there are several meters, each that a command was for is told with its standing.
        """
        values_ = result.values
        if values_ or result.station is None or len(self.rack.stations) == 1:
            return values_
        return _standing(result.station)

    # ---- what is done to meters

    def _show(self, station: Station) -> Mapping[str, Value]:
        """Return every item of a meter at the present, behind its map if that is not native."""
        shown = values(station.present(self._now()))
        return named(station, {**named_map(station), **shown})

    def _advance(self, at_us: int, until_ms: int, chosen: Sequence[Station]) -> list[Result]:
        """Move the time of all meters; return the results of the chosen, and all failures."""
        rack = self.rack
        restarts = [station.restarts for station in rack.stations]
        rack.timeline.set(at_us, until_ms, rack.timeline.speed)
        failed = {}
        for station, before in zip(rack.bring_all(at_us), restarts, strict=True):
            failure = _failure_of(partial(self._save, station))
            if failure is None and station.restarts != before:
                failure = CommandFailedError(f"{POWER_FAILED}, at the instant of its last save")
            if failure is not None:
                failed[station] = failure
        told = dict.fromkeys([*chosen, *failed])
        return [
            Result(station, failure=failed[station])
            if station in failed
            else Result(station, partial(dict, _standing(station)))
            for station in told
        ]

    def _save(self, station: Station) -> None:
        station.require_running()
        restarts = station.restarts
        kept = station.save()
        if station.restarts != restarts:
            raise CommandFailedError(POWER_FAILED)
        station.require_running()
        if not kept:
            raise CommandFailedError(
                "time moved on, but the storage refused the save: is the disk full?"
            )

    def _request_each(
        self, command: ChangeLoad | Direct, chosen: Sequence[Station]
    ) -> list[Result]:
        for station in chosen:
            station.bring(self.rack.agenda.now_ms)
        requests: list[Request] = (
            [SetLoad(self._read_load(command.text, station.meter)) for station in chosen]
            if isinstance(command, ChangeLoad)
            else [command] * len(chosen)
        )
        return [
            Result(station, failure=_failure_of(partial(self._request, station, request)))
            for station, request in zip(chosen, requests, strict=True)
        ]

    def _request(self, station: Station, request: Request) -> None:
        restarts = station.restarts
        reply = station.hand_over(request)
        station.require_running()
        if station.restarts != restarts:
            raise CommandFailedError(POWER_FAILED)
        if refused_by_storage(reply):
            raise CommandFailedError(
                "the storage refused it: is the disk full? Nothing was changed"
            )

    def _begin_fault(self, rule: FaultRule, named: Station | None, at_us: int) -> list[Result]:
        """Put a fault in force, at the named meter alone where there is one."""
        if named is not None and len(self.rack.stations) > 1:
            if rule.unit not in (None, named.unit):
                raise QuantityError(
                    f"--meter names unit {named.unit} and --unit {rule.unit}: give one of them"
                )
            rule = replace(rule, unit=named.unit)
        failure = _failure_of(lambda: self.rack.begin_fault(rule, at_us))
        return self._results_of_fault(rule.name, self.rack.of_unit(rule.unit), failure)

    def _end_faults(self, name: str | None, named: Station | None) -> list[Result]:
        """End faults; where a meter is named, those that are for this meter alone."""
        unit = None if named is None or len(self.rack.stations) == 1 else named.unit
        ended = 0

        def end() -> None:
            nonlocal ended
            ended = self.rack.end_faults(name, unit)

        failure = _failure_of(end)
        if unit is not None and failure is None and not ended:
            raise QuantityError(
                f"no fault{f' {name}' if name else ''} is in force at unit {unit} alone; "
                "`fault list` shows those in force"
            )
        return self._results_of_fault(name, self.rack.of_unit(unit), failure)

    def _results_of_fault(
        self, name: str | None, stations: Sequence[Station], failure: Failure | None
    ) -> list[Result]:
        if name is None or FAULTS[name].scope not in _OF_METERS:
            return [Result(failure=failure)]
        return [Result(station, failure=station.failure) for station in stations]

    def _faults(self) -> tuple[Value, ...]:
        return tuple(
            {
                "name": fault.rule.name,
                "options": tuple(fault.rule.words()),
                "left": fault.left,
                "struck": fault.struck,
            }
            for fault in self.rack.faults
        )


def _load_warning(text: str, chosen: Sequence[Station]) -> Mapping[str, Value]:
    """Return a warning if no row of a load file is for the clock of a meter that draws it.

    The household that is shipped recurs every year, so it has none.
    """
    if not text.lower().endswith(".csv"):
        return {}
    for station in chosen:
        meter = station.meter
        found = meter.installation.load.outside(meter.clock)
        if found is not None:
            return {"warning": f"load {text}: {found}"}
    return {}


def _standing(station: Station) -> Mapping[str, Value]:
    return named(station, values_of(station.meter, _STANDING))


def named(station: Station, shown: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return values of a meter behind its serial number and unit."""
    return {"serial_number": station.serial_number, "unit": station.unit, **shown}


def named_map(station: Station) -> Mapping[str, str]:
    """Return the name of a meter's register map; nothing where it is the native one."""
    name = station.register_map.name
    return {} if name == NATIVE else {"map": name}


def _failure_of(work: Callable[[], None]) -> Failure | None:
    """Do work on a meter; return why it failed, None where it did not."""
    try:
        work()
    except (CommandFailedError, MeterStoppedError) as error:
        return error
    return None
