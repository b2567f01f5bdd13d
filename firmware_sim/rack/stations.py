"""A station: a meter under its address, and the one way to it.

    station.present(at_us)       bring the meter to the present, to be read only
    station.hand_over(request)   execute a request on the meter
    station.image(make)          a wire's own view of the meter, dropped at a restart
    station.register_map         where the meter's values lie on Modbus
    station.observers            see every request, event, restart and stop

A power failure in the middle of a write (PowerCutError) is caught here and nowhere else: the meter
is restarted from its storage.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar, cast

from firmware_sim.faults.in_force import Faults
from firmware_sim.faults.meters import hardware
from firmware_sim.hal.nvram import PowerCutError
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.rack.agenda import Agenda
from firmware_sim.rack.deadlines import Deadlines
from firmware_sim.rack.timeline import Timeline
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.requests import Reply, Request
from protocols.modbus.native_map import NATIVE_MAP

Result = TypeVar("Result")


class Observer:
    """Sees requests, events, power failures, restarts and stops of stations; does nothing here."""

    def before(self, station: Station, request: Request) -> None:
        """See a request before its meter executes it."""

    def after(self, station: Station, request: Request, reply: Reply | None) -> None:
        """See a request after its meter executed it; `reply` is what `hand_over` returns."""

    def recorded(self, station: Station, first: int) -> None:
        """See a meter at the instant of its new events; `first` is the number of the first."""

    def interrupted(self, station: Station) -> None:
        """See a meter whose power failed in the middle of a write, before it is restarted."""

    def restarted(self, station: Station) -> None:
        """See a meter that was restarted from its storage."""

    def stopped(self, station: Station, error: MeterStoppedError) -> None:
        """See a meter that stopped: its storage failed to flush. `error` names meter and reason."""


class Surroundings(Protocol):
    """The objects that a station shares with the other stations of its rack."""

    timeline: Timeline
    agenda: Agenda
    deadlines: Deadlines
    faults: Faults

    def work_off(self, instant_ms: int) -> None:
        """Do the work of the agenda up to a rack time."""
        ...


class Station:
    """One meter on the rack.

    `offset_ms` is the meter's elapsed time less rack time: a meter that continues from a state file
    is further than a new one. `rebuild` makes the meter from its storage after a power failure;
    None for a meter without a storage. `register_map` is set before the station is served.
    """

    __slots__ = (
        "_brought_ms",
        "_events",
        "_images",
        "_rack",
        "failure",
        "meter",
        "number",
        "observers",
        "offset_ms",
        "planned_ms",
        "rebuild",
        "register_map",
        "restarts",
        "serial_number",
        "unit",
    )

    def __init__(
        self, rack: Surroundings, unit: int, meter: Meter, observers: list[Observer]
    ) -> None:
        self._rack = rack
        self.serial_number = meter.state.identity.serial_number
        self.unit = unit
        self.meter = meter
        self.offset_ms = meter.state.elapsed_ms
        self.rebuild: Callable[[], Meter] | None = None
        self.register_map = NATIVE_MAP
        self.observers = observers
        self._events = meter.state.numbers[EVENT_RING]
        """The number of the newest event that observers saw."""
        self._brought_ms = -1
        """The rack time of the last `present`: the meter is there or later, unless it stopped."""
        self.restarts = 0
        self.failure: MeterStoppedError | None = None
        """Why the meter stopped; None while it runs."""
        self.number = 0
        self.planned_ms: int | None = None
        self._images: dict[object, object] | None = None

    def present(self, at_us: int) -> Meter:
        """Bring the meter to line time `at_us` and return it, to be read only."""
        timeline = self._rack.timeline
        instant_ms = timeline.instant(at_us) if timeline.speed else timeline.rack_origin_ms
        if instant_ms != self._brought_ms:
            self._brought_ms = instant_ms
            if self._rack.agenda.holds_by(instant_ms):
                self._rack.work_off(instant_ms)
            self.bring(instant_ms)
        return self.meter

    def bring(self, instant_ms: int) -> None:
        """Bring the meter to a rack time that is not earlier than its own; else leave it.

        Observers see each event at its instant: the meter stands there.
        """
        while True:
            elapsed_ms, meter = instant_ms + self.offset_ms, self.meter
            if elapsed_ms <= meter.state.elapsed_ms or meter.stopped:
                return
            self._guarded(partial(meter.advance, elapsed_ms, to_event=True), instant_ms)
            self._show_events()

    def hand_over(self, request: Request) -> Reply | None:
        """Execute a request at the meter's own instant, which is the present after `present`.

        Returns None from a meter that is without power or stopped, and where the power failed in
        the middle of the write: then the meter was restarted from its storage.
        """
        meter = self.meter
        if meter.stopped:
            return None
        revision = meter.revision
        for observer in self.observers:
            observer.before(self, request)
        reply = self._guarded(lambda: meter.handle(request), self._instant_ms)
        if self.meter is meter and meter.revision != revision:
            self._rack.deadlines.touch(self)
        for observer in self.observers:
            observer.after(self, request, reply)
        self._show_events()
        return reply

    def save(self) -> bool | None:
        """Save the meter exactly. Returns False where its storage refused, None as `hand_over`."""
        if self.meter.stopped:
            return None
        return self._guarded(self.meter.save, self._instant_ms)

    def require_running(self) -> None:
        """Raise the MeterStoppedError with which the meter stopped, if it has stopped."""
        if self.failure is not None:
            raise self.failure

    def next_deadline(self) -> int | None:
        """Return the rack time at which the meter next changes by itself, ms; None for never."""
        deadline = self.meter.next_deadline()
        return None if deadline is None else deadline - self.offset_ms

    def image(self, make: Callable[[Station], Result]) -> Result:
        """Return `make(self)`, made once until the meter is restarted."""
        images = self._images
        if images is None:
            images = self._images = {}
        made = images.get(make)
        if made is None:
            made = images[make] = make(self)
        return cast(Result, made)

    @property
    def _instant_ms(self) -> int:
        """The rack time to which the meter was brought last."""
        return self.meter.state.elapsed_ms - self.offset_ms

    def restart(self, instant_ms: int | None = None) -> None:
        """Restart the meter from its storage; load, switch and phases stay as they are.

        Its elapsed time goes on from the stored one.

        Args:
            instant_ms: the rack time of the restart; by default that of the meter.
        """
        assert self.rebuild is not None, "only a storage can tear"
        before, faults = self.meter, self._rack.faults
        if instant_ms is None:
            instant_ms = self._instant_ms
        faults.storage_rests = True
        self.meter = self.rebuild()
        for request in hardware(before):
            self.meter.handle(request)
        faults.storage_rests = False
        self._images = self.failure = None
        self.restarts += 1
        self.offset_ms = self.meter.state.elapsed_ms - instant_ms
        self._rack.deadlines.touch(self)
        for observer in self.observers:
            observer.restarted(self)
        self._events = self.meter.events_before
        self._show_events()

    def _show_events(self) -> None:
        number, seen = self.meter.state.numbers[EVENT_RING], self._events
        if number != seen:
            self._events = number
            for observer in self.observers:
                observer.recorded(self, seen + 1)

    def _guarded(self, work: Callable[[], Result], instant_ms: int) -> Result | None:
        """Do work with the meter; None where its power failed or its storage stopped it.

        Args:
            instant_ms: the rack time at which a meter whose power fails is restarted.
        """
        try:
            return work()
        except PowerCutError:
            for observer in self.observers:
                observer.interrupted(self)
            self.restart(instant_ms)
        except MeterStoppedError as error:
            self.failure = error
            for observer in self.observers:
                observer.stopped(self, error)
        return None
