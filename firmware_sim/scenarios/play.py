"""A scenario played on a rack: every step at its exact instant, with a result an expectation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from firmware_sim.calendar_work import clock_at
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.rack.errors import CommandFailedError
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, values_of, word
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.scenarios.script import Condition, Scenario, Step
from firmware_sim.vending import SILENCE, Order, Vending
from protocols.control import Advance, BeginFault, ChangeLoad, Command
from protocols.data_model.items import BY_NAME
from protocols.data_model.tables import Event
from protocols.errors import QuantityError
from protocols.quantities import DAY, LocalMoment, format_duration
from protocols.sealed_message import Outcome


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """The result of an expectation: its instant, the wanted value, the found one if it failed."""

    step: int
    at: int
    wanted: str
    found: str = ""

    @property
    def held(self) -> bool:
        """Whether the expectation held."""
        return not self.found


@dataclass(slots=True)
class _Window:
    number: int
    step: Step
    open: bool = True
    last: str = ""


@dataclass
class Play:
    """One play. `results` is complete when the meter's time has passed the scenario's end."""

    scenario: Scenario
    operator: Operator
    results: list[ExpectationResult] = field(default_factory=list)
    _windows: list[_Window] = field(default_factory=list)
    _seen: list[str] = field(default_factory=list)
    _last_event: int = 0
    _start: int = 0
    _vending: Vending = field(default_factory=Vending)

    def begin(self) -> None:
        """Enter every step on the rack's agenda, from now on.

        Raises:
            QuantityError: a fault that no meter here can have, or a local time that it skips.
            HostingError: a load that cannot be read.
        """
        rack = self.rack
        for step in self.scenario.step:
            for doing in step.do:
                if isinstance(doing, BeginFault):
                    rack.check_rule(doing.rule)
                elif isinstance(doing, ChangeLoad):
                    self.operator.check_load(doing.text)
        self._check_moments()
        self._last_event = self._meter.rings[EVENT_RING].last
        for rule in self.scenario.rules:
            self.operator.execute(BeginFault(rule))
        start = self._start = rack.agenda.now_ms
        for number, step in enumerate(self.scenario.step, 1):
            if step.within is not None:
                self.rack.agenda.plan(
                    start + step.within[0], self._open(number, step, start + step.within[1])
                )
            elif step.at is not None:
                self.rack.agenda.plan(start + step.at, self._step(number, step))
        self.rack.agenda.plan(start + self.scenario.end, self._finish)

    def _check_moments(self) -> None:
        for number, step in enumerate(self.scenario.step, 1):
            for condition in step.conditions:
                moment = condition.wanted
                if isinstance(moment, LocalMoment) and clock_at(self._meter.state, moment) is None:
                    raise QuantityError(
                        f"step {number}: {condition.item} = {condition.text!r}: the meter's local "
                        f"time skips this hour; write another moment, or an offset after it"
                    )

    @property
    def rack(self) -> Rack:
        """The rack on which it is played."""
        return self.operator.rack

    @property
    def _station(self) -> Station:
        return self.rack.stations[0]

    @property
    def _meter(self) -> Meter:
        """The meter, at the instant of the agenda; raises MeterStoppedError once it has stopped."""
        self._bring()
        return self._station.meter

    def _bring(self) -> None:
        self._station.bring(self.rack.agenda.now_ms)
        self._station.require_running()

    @property
    def _at(self) -> int:
        return self.rack.agenda.now_ms - self._start

    def _step(self, number: int, step: Step) -> Callable[[], None]:
        def work() -> None:
            self._bring()
            if step.do:
                for doing in step.do:
                    self._do(number, step, doing)
                self._look()
            else:
                self._check(number, step)

        return work

    def _do(self, number: int, step: Step, doing: Command | Order) -> None:
        if isinstance(doing, Order):
            reply = self._station.hand_over(self._vending.seal(self._meter, doing))
            self._station.require_running()
            outcome = (
                reply.answer.outcome if reply is not None and reply.answer is not None else None
            )
            wanted = step.refused or Outcome.ACCEPTED
            if outcome is not wanted or step.refused is not None:
                word = outcome.name.lower() if outcome is not None else SILENCE
                text = f"{doing.kind.word} {wanted.name.lower()}"
                self._add(number, text, "" if outcome is wanted else word)
            return
        try:
            self.operator.act(doing)
        except CommandFailedError as error:
            self._add(number, type(doing).__name__, str(error))

    def _check(self, number: int, step: Step) -> None:
        shown = self._shown(step)
        for condition in step.conditions:
            value = shown[condition.item]
            found = "" if self._holds(condition, value) else word(value)
            self._add(number, f"{condition.item} {condition.text}", found)

    def _shown(self, step: Step) -> dict[str, Value]:
        """Return the values of the items of a step's conditions."""
        return values_of(self._meter, [BY_NAME[condition.item] for condition in step.conditions])

    def _holds(self, condition: Condition, value: Value) -> bool:
        """Return whether a value meets a condition; of a repeated local time it is the first."""
        state, wanted = self._meter.state, condition.wanted
        if isinstance(wanted, LocalMoment) and state.identity.transitions:
            instant = clock_at(state, wanted)
            assert instant is not None, "a skipped local time is refused before the play"
            condition = replace(condition, wanted=instant)
        return condition.holds(value)

    def _open(self, number: int, step: Step, until: int) -> Callable[[], None]:
        window = _Window(number, step)

        def watch() -> None:
            self._try(window)
            if window.open and self.rack.agenda.now_ms < until:
                self.rack.agenda.plan(min(self._next(), until), watch)
            elif window.open:
                window.open = False
                self._add(number, _wanted(step), window.last)

        def begin() -> None:
            self._windows.append(window)
            watch()

        return begin

    def _next(self) -> int:
        """Return the next rack time at which the meter changes by itself, within a day."""
        now_ms, deadline = self.rack.agenda.now_ms, self._station.next_deadline()
        return now_ms + DAY if deadline is None else max(deadline, now_ms + 1)

    def _look(self) -> None:
        for window in self._windows:
            self._try(window)

    def _try(self, window: _Window) -> None:
        if not window.open:
            return
        shown = self._shown(window.step)
        wrong = [
            f"{c.item} {word(shown[c.item])}"
            for c in window.step.conditions
            if not self._holds(c, shown[c.item])
        ]
        window.last = ", ".join(wrong)
        if not wrong:
            window.open = False
            self._add(window.number, _wanted(window.step), "")

    def conclude(self) -> None:
        """End the play now: an expectation that was not reached did not hold."""
        self.rack.agenda.clear()
        told = {result.step for result in self.results}
        for number, step in enumerate(self.scenario.step, 1):
            if number not in told and (step.expect or step.events):
                wanted = " then ".join(step.events) or ", ".join(
                    f"{c.item} {c.text}" for c in step.conditions
                )
                self._add(number, wanted, "not reached")

    def _finish(self) -> None:
        names = [event.name for event in self.new_events()]
        for number, step in enumerate(self.scenario.step, 1):
            if step.events:
                missing = _first_missing(step.events, names)
                found = (
                    f"no {missing} in its place; there were: {', '.join(names) or 'none'}"
                    if missing
                    else ""
                )
                self._add(number, " then ".join(step.events), found)

    def _add(self, number: int, wanted: str, found: str) -> None:
        self.results.append(ExpectationResult(number, self._at, wanted, found))

    def new_events(self) -> Iterator[Event]:
        """Yield the events since the play began, oldest first."""
        ring = self._meter.rings[EVENT_RING]
        for number in range(max(self._last_event + 1, ring.first), ring.last + 1):
            row = ring.get(number)
            if row is not None:
                yield Event.unpack(row)


def check(scenario: Scenario, operator: Operator) -> list[ExpectationResult]:
    """Play a scenario in virtual time, on a rack whose time stands; return the results in order."""
    play = Play(scenario, operator)
    play.begin()
    # A scenario may expect a storage that refuses or fails.
    with suppress(CommandFailedError, MeterStoppedError):
        operator.execute(Advance(scenario.end))
    play.conclude()
    return play.results


def _first_missing(wanted: list[str], names: list[str]) -> str:
    rest = iter(names)
    return next((word for word in wanted if word not in rest), "")


def _wanted(step: Step) -> str:
    assert step.within is not None
    begin, end = (format_duration(instant) for instant in step.within)
    return f"{', '.join(f'{c.item} {c.text}' for c in step.conditions)} within +{begin} to +{end}"
