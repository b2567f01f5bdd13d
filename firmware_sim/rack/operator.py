"""The one dispatcher of commands that no wire can give: for socket, fixtures and scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.rack.errors import POWER_FAILED, CommandFailedError
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, values
from firmware_sim.requests import Request, SetLoad, refused_by_storage
from protocols.control import (
    Advance,
    BeginFault,
    ChangeLoad,
    Command,
    CutPower,
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
from protocols.errors import QuantityError

ReadLoad = Callable[[str, Meter], Load]
"""Reads a text of `--load` for a meter; raises HostingError or QuantityError for a wrong one."""
InsertInto = Callable[[Station, InsertCard], Mapping[str, Value]]
"""Inserts a card into the slot of a station and returns the result of the insertion."""
_TIME = ("serial_number", "clock", "elapsed_ms", "available_credit", "supply_state")


def no_cards(_: Station, __: InsertCard) -> Mapping[str, Value]:
    """Refuse cards: for an operator without a card port."""
    raise QuantityError("no card can be inserted here")


class Operator:
    """Executes commands on the meters of a rack, each at the present instant.

    Args:
        now: returns the line time, us.
    """

    def __init__(
        self, rack: Rack, read_load: ReadLoad, now: Callable[[], int], insert: InsertInto = no_cards
    ) -> None:
        self.rack, self._read_load, self._now, self._insert = rack, read_load, now, insert
        self.stopping = False
        """Whether `stop` was given: the host ends."""

    def execute(self, command: Command, serial_number: str | None = None) -> Mapping[str, Value]:
        """Execute a command; return its result as values by name.

        Without a serial number it is for every meter. The effect holds and is persisted when this
        returns.

        Raises:
            UnknownMeterError: no meter has that serial number.
            CommandFailedError: the storage refused the change, or the power failed during a write.
            MeterStoppedError: the storage of a meter failed to flush; the meter stopped.
            QuantityError: a load that cannot be read, or a fault that no meter here can have;
                nothing changed.
        """
        rack, at_us = self.rack, self._now()
        chosen = self.chosen(serial_number)
        now_ms = rack.reach(at_us)
        match command:
            case Advance(duration_ms):
                self._advance(at_us, now_ms + duration_ms)
                shown = values(chosen[0].meter)
                return {name: shown[name] for name in _TIME}
            case Speed(thousandths):
                rack.timeline.set(at_us, now_ms, thousandths)
            case Show():
                return values(chosen[0].present(at_us))
            case Stop():
                self.stopping = True
            case ShowFaults():
                return {"faults": self._faults()}
            case BeginFault() | EndFaults():
                self._act(command, chosen, at_us)
            case ChangeLoad(text):
                self._act(command, chosen, at_us)
                return _load_warning(text, chosen)
            case CutPower() | ReturnPower() | PressButton() | Sense():
                self._act(command, chosen, at_us)
            case InsertCard():
                return self._insert(self.one(serial_number), command)
            case RemoveCard():
                self.one(serial_number)
            case _:
                assert_never(command)
        return {}

    def act(self, command: Command) -> None:
        """Execute a command on every meter at the instant of the agenda: a step of a scenario.

        Raises:
            CommandFailedError: the storage refused the change, or the power failed during a write.
        """
        at_us = self.rack.timeline.line_time(self.rack.agenda.now_ms)
        at_us = self.rack.timeline.line_origin_us if at_us is None else at_us
        self._act(command, self.rack.stations, at_us)

    def check_load(self, text: str) -> None:
        """Read a load without applying it; raises HostingError or QuantityError for a wrong one."""
        self._read_load(text, self.rack.stations[0].meter)

    def chosen(self, serial_number: str | None) -> Sequence[Station]:
        """Return the station of a serial number, all without one; raises UnknownMeterError."""
        rack = self.rack
        return rack.stations if serial_number is None else (rack.station(serial_number),)

    def one(self, serial_number: str | None) -> Station:
        """Return the one station that is meant; raises QuantityError where there are several."""
        chosen = self.chosen(serial_number)
        if len(chosen) != 1:
            raise QuantityError("a card goes into one slot: name the meter with --meter SERIAL")
        return chosen[0]

    def _advance(self, at_us: int, until_ms: int) -> None:
        rack = self.rack
        restarts = sum(station.restarts for station in rack.stations)
        rack.timeline.set(at_us, until_ms, rack.timeline.speed)
        for station in rack.bring_all(at_us):
            station.require_running()
            self._save(station)
        if sum(station.restarts for station in rack.stations) != restarts:
            raise CommandFailedError(f"{POWER_FAILED}, at the instant of its last save")

    def _save(self, station: Station) -> None:
        restarts = station.restarts
        kept = station.save()
        if station.restarts != restarts:
            raise CommandFailedError(POWER_FAILED)
        station.require_running()
        if not kept:
            raise CommandFailedError(
                "time moved on, but the storage refused the save: is the disk full?"
            )

    def _act(self, command: Command, chosen: Sequence[Station], at_us: int) -> None:
        match command:
            case BeginFault(rule):
                self.rack.begin_fault(rule, at_us)
            case EndFaults(name):
                self.rack.end_faults(name)
            case ChangeLoad(text):
                for station in chosen:
                    station.bring(self.rack.agenda.now_ms)
                loads = [self._read_load(text, station.meter) for station in chosen]
                for station, load in zip(chosen, loads, strict=True):
                    self._request(station, SetLoad(load))
            case CutPower() | ReturnPower() | PressButton() | Sense():
                for station in chosen:
                    station.bring(self.rack.agenda.now_ms)
                    self._request(station, command)
            case _:
                raise AssertionError(f"{command} is no step of a scenario")

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
