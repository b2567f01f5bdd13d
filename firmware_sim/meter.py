"""One prepaid meter: metering, charging, warning, tripping, credit. Time is an argument.

    meter.advance(to_ms)        advance to an instant; one step or a thousand give the same bits
    meter.next_deadline()    the next instant at which the state changes by itself
    meter.handle(request)    execute a request; durable on return
    meter.revision           rises with every change that a reader could see

Between two edges (a load row, a profile period, a calendar edge, a delay) power and price are
constant, so the interval is integrated at once; the millisecond is computed only where the nearest
credit level or step limit was reached. At an edge the steps of METER.md 2 are executed in their
order. Energy is in mWh, money in ledger units, time in ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from firmware_sim import calendar_work, messages
from firmware_sim.acceptance import Acceptance, answer
from firmware_sim.account.account import charge_consumption
from firmware_sim.authenticator import Authenticator
from firmware_sim.card_acceptance import CardAcceptance
from firmware_sim.hal.nvram import NvramError, NvramFlushError
from firmware_sim.hal.switch import SimulatedSwitch, SwitchDefect
from firmware_sim.metrology.load import Demand, Load
from firmware_sim.metrology.registers import directions, time_for
from firmware_sim.records.ring import EVENT_RING, Ring
from firmware_sim.requests import (
    AskReceipt,
    AskStatus,
    BreakSwitch,
    CardFailed,
    Change,
    CutPower,
    DriftClock,
    LoseClock,
    LosePhase,
    PresentCard,
    PressButton,
    Reply,
    Request,
    ReturnPower,
    ReverseFlow,
    Sealed,
    Sense,
    SetLoad,
    StepClock,
)
from firmware_sim.state import State
from firmware_sim.storage.lasting import Lasting
from firmware_sim.storage.store import SAVE_FLUSHES_AT, Store, VolatileStore
from firmware_sim.supply.control import clear, end_switch_fault, follow_load, run_delays, trip
from firmware_sim.supply.switch import Clearing
from firmware_sim.supply.thresholds import evaluate
from firmware_sim.tariff.pricing import cost, step_at, to_step_end
from protocols.data_model.events import EVENTS
from protocols.data_model.tables import Event
from protocols.data_model.words import Cause, PhaseSummation, Tamper
from protocols.quantities import MWH_IN_MW_MS
from protocols.sealed_message import Outcome

NO_PHASES: frozenset[int] = frozenset()
NEVER = 1 << 62
"""Later than any instant, larger than any count: no edge, no level."""

_SENSOR_EVENTS = {
    Tamper.COVER: ("cover_closed", "cover_opened"),
    Tamper.TERMINAL_COVER: ("terminal_cover_closed", "terminal_cover_opened"),
    Tamper.MAGNET: ("magnet_removed", "magnet_detected"),
}


class MeterStoppedError(Exception):
    """The storage failed to flush; its content is unknown, so the meter executes nothing more."""


class Meter:
    """One meter, given its state, rings, storage, keys, load, switch. Reads no clock or socket."""

    __slots__ = (
        "_acceptance",
        "_calendar_due_ms",
        "_card_acceptance",
        "_delay_due_ms",
        "_demand",
        "_edge_ms",
        "_export_mw",
        "_import_mw",
        "_load",
        "_load_due_ms",
        "_per_phase",
        "_profile_due_ms",
        "_state",
        "_store",
        "_unit_price",
        "_unsaved",
        "_watch",
        "flows_back",
        "lost_phases",
        "revision",
        "rings",
        "stopped",
        "storage_lost",
        "switch",
    )

    def __init__(
        self,
        state: State,
        rings: tuple[Ring, ...],
        store: Store | VolatileStore,
        authenticator: Authenticator,
        load: Load,
        switch: SimulatedSwitch,
        *,
        restarted: bool = False,
        storage_lost: bool = False,
    ) -> None:
        self._state, self.rings, self._store = state, rings, store
        self._acceptance = Acceptance(authenticator, rings)
        self._card_acceptance = CardAcceptance(self._acceptance)
        self._load, self.switch = load, switch
        self.revision = 1
        self.stopped = False
        self._unsaved = False
        self.storage_lost = storage_lost
        self.lost_phases = NO_PHASES
        self.flows_back = False
        self._per_phase = state.identity.phase_summation == PhaseSummation.PER_PHASE
        self._demand = Demand((0,))
        self._import_mw = self._export_mw = self._unit_price = 0
        self._watch = self._edge_ms = NEVER
        self._load_due_ms = self._profile_due_ms = self._calendar_due_ms = self._delay_due_ms = (
            NEVER
        )
        switch.drive(state.supply.closed)
        if restarted:
            self._emit("restart")
        self._plan_calendar()
        self._evaluate()
        self._plan()
        self._publish()

    @property
    def state(self) -> State:
        """The state; not to be changed by a reader."""
        return self._state

    @property
    def authenticator(self) -> Authenticator:
        """The secure element."""
        return self._acceptance.authenticator

    @property
    def lasting(self) -> Lasting:
        """Elapsed time, import energy and cumulative purchases of the last flushed commit."""
        return self._store.lasting

    @property
    def demand(self) -> Demand:
        """The present power: zero through an open switch or without power."""
        return self._demand

    @property
    def load(self) -> Load:
        """The customer's load."""
        return self._load

    @property
    def clock(self) -> int:
        """The meter's clock, ms since 1970 UTC."""
        return self._state.clock.read(self._state.elapsed_ms)

    @property
    def current_price(self) -> int:
        """The price of the next mWh, 1e-4 account unit per kWh."""
        return self._unit_price

    # ---- time

    def advance(self, to_ms: int) -> None:
        """Advance the meter to the elapsed time `to_ms`, ms, with all that is due until and at it.

        Raises:
            ValueError: `to_ms` lies in the past.
            MeterStoppedError: its storage failed.
        """
        state = self._state
        if to_ms < state.elapsed_ms:
            raise ValueError(
                f"elapsed time is {state.elapsed_ms} ms and does not go back to {to_ms}"
            )
        self._require_running()
        if to_ms == state.elapsed_ms:
            return
        self.revision += 1
        if not state.powered:
            state.elapsed_ms = to_ms
            return
        while state.elapsed_ms < to_ms:
            edge_ms = self._edge_ms
            reached_level = self._meter_until(min(edge_ms, to_ms))
            if state.elapsed_ms == edge_ms:
                self._pass_edge(reached_level)
            elif reached_level:
                self._evaluate()
                self._plan()
        if self._unsaved:
            self._save_periods()
        else:
            self._publish()

    def next_deadline(self) -> int | None:
        """Return the next elapsed time at which the state changes by itself, None for never."""
        state = self._state
        if not state.powered or self.stopped:
            return None
        deadline_ms = self._edge_ms
        if self._watch < NEVER:
            wait_ms = time_for(self._watch, *self._charged_streams())
            if wait_ms is not None:
                deadline_ms = min(deadline_ms, state.elapsed_ms + wait_ms)
        return deadline_ms if deadline_ms < NEVER else None

    def _charged_streams(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (power, remainder) of the streams that are charged."""
        registers = self._state.registers
        exported = (
            (self._export_mw, registers.export_remainder)
            if self._state.identity.reverse_charged
            else (0, 0)
        )
        return (self._import_mw, registers.import_remainder), exported

    def _meter_until(self, until_ms: int) -> bool:
        """Integrate and charge to `until`, or to the ms at which the watched mWh complete.

        A mWh that completes at an instant belongs to the interval before it. Returns whether the
        count was reached.
        """
        state = self._state
        registers = state.registers
        span_ms = until_ms - state.elapsed_ms
        imported, import_remainder = divmod(
            registers.import_remainder + self._import_mw * span_ms, MWH_IN_MW_MS
        )
        exported, export_remainder = divmod(
            registers.export_remainder + self._export_mw * span_ms, MWH_IN_MW_MS
        )
        charged = imported + exported if state.identity.reverse_charged else imported
        reached = charged >= self._watch
        if reached:
            wait_ms = time_for(self._watch, *self._charged_streams())
            assert wait_ms is not None
            if wait_ms < span_ms:
                until_ms = state.elapsed_ms + wait_ms
                imported, import_remainder = divmod(
                    registers.import_remainder + self._import_mw * wait_ms, MWH_IN_MW_MS
                )
                exported, export_remainder = divmod(
                    registers.export_remainder + self._export_mw * wait_ms, MWH_IN_MW_MS
                )
                charged = imported + exported if state.identity.reverse_charged else imported
        state.elapsed_ms = until_ms
        registers.import_remainder, registers.export_remainder = import_remainder, export_remainder
        if imported or exported:
            registers.import_mwh += imported
            registers.export_mwh += exported
            registers.rate_mwh[state.calendar.rate - 1] += imported
            self._charge(charged, reached)
        return reached

    def _charge(self, count: int, reached: bool) -> None:
        """Charge `count` mWh and feed the step counters; each mWh has the price of its step."""
        state = self._state
        registers = state.registers
        if state.account.is_open:
            if reached:
                rate_price = state.tariff.prices.prices[state.calendar.rate - 1]
                amount = cost(count, self._counter(), rate_price, state.tariff.steps)
            else:
                amount = count * self._unit_price
            charge_consumption(state.account, amount)
        registers.month_mwh += count
        registers.year_mwh += count
        self._watch -= count

    def _counter(self) -> int:
        """The consumption in mWh that selects the step."""
        registers = self._state.registers
        return registers.year_mwh if self._state.tariff.steps.yearly else registers.month_mwh

    # ---- one instant (METER.md 2)

    def _pass_edge(self, reached_level: bool) -> None:
        """Execute steps 2 to 8 of a planned instant, at which a level may have been reached too."""
        state = self._state
        now = state.elapsed_ms
        period_closed = now >= self._profile_due_ms
        if period_closed:
            calendar_work.close_period(state, state.clock.read(now))
        calendar_passed = now >= self._calendar_due_ms
        if calendar_passed:
            calendar_work.pass_instant(state, state.clock.read(now), self._emit)
            self._plan_calendar()
        elif period_closed:
            self._plan_profile()
        delay_passed = now >= self._delay_due_ms
        if delay_passed:
            run_delays(state.supply, state.settings, now, self._emit)
        if calendar_passed or delay_passed or reached_level:
            self._evaluate()
        elif now >= self._load_due_ms:  # no level, mode, inhibitor or price changed
            self._flow()
        self._plan()
        self._unsaved = self._unsaved or period_closed
        if len(state.tail) >= SAVE_FLUSHES_AT:
            self._save_periods()

    def _evaluate(self) -> None:
        """Step 8: thresholds once, then the switch, its power and the next level to watch."""
        state = self._state
        supply, settings, now = state.supply, state.settings, state.elapsed_ms
        if state.account.is_open and state.powered:
            evaluate(
                supply,
                settings,
                state.account.credit,
                messages.held_back(state),
                now,
                self._emit,
                self.clock,
            )
        self._flow()
        self._watch_levels()

    def _flow(self) -> None:
        """Step 7: apply the load through the real switch; start or stop the dependent timers."""
        self._let_flow()
        state, supply = self._state, self._state.supply
        if (
            state.powered
            and supply.overload_due_ms is not None
            and supply.overload_due_ms <= state.elapsed_ms
        ):  # an overload without delay
            run_delays(supply, state.settings, state.elapsed_ms, self._emit)
            self._let_flow()
        delay = supply.deadline()
        self._delay_due_ms = NEVER if delay is None else delay

    def _let_flow(self) -> None:
        state = self._state
        supply = state.supply
        real = self.switch.position_if(supply.closed)
        drawn, due_ms = self._load.at(state.elapsed_ms)
        self._load_due_ms = NEVER if due_ms is None else due_ms
        flows = real and state.powered
        if self.lost_phases or self.flows_back:
            drawn = drawn.through(self.lost_phases, self.flows_back)
        self._demand = drawn if flows else Demand((0,) * len(drawn.phases))
        self._import_mw, self._export_mw = directions(self._demand.phases, self._per_phase)
        follow_load(
            supply,
            state.settings,
            self._import_mw,
            real,
            flows and any(drawn.phases),
            state.elapsed_ms,
        )
        if supply.switch_fault and real == supply.closed:
            end_switch_fault(supply, self._emit)
        if self.switch.closed != real:
            self.switch.drive(supply.closed)

    def _watch_levels(self) -> None:
        """Set the mWh to the nearest credit level or step limit, at the price of the next mWh."""
        state = self._state
        steps, counter = state.tariff.steps, self._counter()
        self._unit_price = (
            state.tariff.prices.prices[state.calendar.rate - 1]
            + steps.additions[step_at(counter, steps)]
        )
        left = to_step_end(counter, steps)
        self._watch = NEVER if left is None else left
        if state.account.is_open and self._unit_price:
            credit = state.account.credit
            for level in state.settings.levels():
                if level < credit:
                    self._watch = min(self._watch, -(-(credit - level) // self._unit_price))
                    break

    def _plan_profile(self) -> None:
        state = self._state
        self._profile_due_ms = state.clock.next_multiple(
            state.elapsed_ms, calendar_work.PROFILE_PERIOD_MS
        )

    def _plan_calendar(self) -> None:
        self._plan_profile()
        clock = self._state.clock
        now = clock.read(self._state.elapsed_ms)
        due_ms = calendar_work.next_calendar_clock(self._state, now)
        self._calendar_due_ms = NEVER if due_ms is None else clock.when(due_ms)

    def _plan(self) -> None:
        """Set the next edge; it lies after now."""
        edge_ms = min(
            self._profile_due_ms, self._calendar_due_ms, self._load_due_ms, self._delay_due_ms
        )
        self._edge_ms = max(edge_ms, self._state.elapsed_ms + 1)

    # ---- requests

    def handle(self, request: Request) -> Reply | None:
        """Execute one request at the present instant; durable on return, None without power.

        The new state is computed on a copy, committed, applied, and only then answered. A refused
        write is answered STORAGE_FAULT and changes nothing.

        Raises:
            MeterStoppedError: a flush failed; the content of the storage is unknown.
        """
        self._require_running()
        if isinstance(request, AskReceipt):
            return self._acceptance.receipt(self._state, request) if self._state.powered else None
        if isinstance(request, AskStatus):
            return self._status(request) if self._state.powered else None
        if not self._state.powered and isinstance(
            request, Sealed | PressButton | PresentCard | CardFailed
        ):
            return None
        before, hardware = (
            self._state,
            (self._load, self.switch.defect, self.lost_phases, self.flows_back),
        )
        self._state = before.clone()
        stored = 0
        try:
            reply, changed = self._execute(request)
            if changed:
                stored = self._store.commit(self._state)
        except NvramFlushError as error:
            self._stop(error)
        except NvramError:
            self._put_back(before, hardware)
            return Reply(answer(before, request, Outcome.STORAGE_FAULT))
        except BaseException:
            # an internal fault: the uncommitted state is discarded
            self._put_back(before, hardware)
            raise
        self.revision += 1
        self._publish(stored)
        return reply

    def _status(self, request: AskStatus) -> Reply:
        """Return the sealed status; empty with a lost storage, and for keys not valid now."""
        return (
            Reply()
            if self.storage_lost
            else self._acceptance.status(self._state, request, self._store.lasting)
        )

    def _put_back(
        self, state: State, hardware: tuple[Load, SwitchDefect, frozenset[int], bool]
    ) -> None:
        """Restore the state, the load and the hardware as they were before a request."""
        self._state = state
        self._load, self.switch.defect, self.lost_phases, self.flows_back = hardware
        self._plan_calendar()
        self._flow()
        self._watch_levels()
        self._plan()

    def _execute(self, request: Change) -> tuple[Reply, bool]:
        """Execute a request on the copied state; return the reply and whether to commit."""
        state, supply = self._state, self._state.supply
        reply, changed = Reply(), True
        match request:
            case Sealed():
                if self.storage_lost:
                    return Reply(answer(state, request, Outcome.STORAGE_FAULT)), False
                return self._acceptance.take(
                    state, request, self._emit, self._reevaluate, self._store.lasting
                )
            case PresentCard():
                reply = self._card_acceptance.take(state, request, self._emit, self._reevaluate)
            case CardFailed():
                reply = self._card_acceptance.fail(state, request, self._emit)
            case PressButton():
                changed = clear(supply, Clearing.BUTTON, state.settings, self._emit)
            case SetLoad(load):
                self._load = load
            case Sense(sensor, present):
                changed = self._sense(sensor, present)
            case CutPower():
                changed = state.powered
                if changed:
                    self._emit("power_lost")
                    state.powered = False
                    state.period.power_down = True
            case ReturnPower():
                changed = not state.powered
                if changed:
                    self._return_power()
            case BreakSwitch(defect):
                self.switch.defect = defect
            case ReverseFlow(turned):
                self.flows_back = turned
            case LosePhase(phase, lost):
                self.lost_phases = (
                    self.lost_phases | {phase} if lost else self.lost_phases - {phase}
                )
            case LoseClock():
                state.clock.valid = False
                self._emit("clock_invalid")
                calendar_work.apply_calendar(state, self.clock, self._emit)
            case StepClock(by):
                messages.step_clock(state, self.clock, by, self._emit)
            case DriftClock(ppm):
                state.clock.drift(state.elapsed_ms, ppm)
        if changed:
            self._reevaluate()
        return reply, changed

    def _reevaluate(self) -> None:
        """Evaluate and plan after a request: step 8 follows each."""
        self._plan_calendar()
        self._evaluate()
        self._plan()

    def amount_to_reconnect(self) -> int:
        """Return the smallest top-up that ends an open exhaustion, ledger units; 0 without one."""
        return messages.amount_to_reconnect(self._state)

    def _sense(self, sensor: Tamper, present: bool) -> bool:
        state, supply = self._state, self._state.supply
        if bool(supply.sensors & sensor) == present:
            return False
        supply.sensors ^= sensor
        self._emit(_SENSOR_EVENTS[sensor][present])
        if present:
            supply.tampered |= sensor
            if state.settings.tamper_trip & sensor:
                trip(supply, Cause.TAMPER, self._emit)
        return True

    def _return_power(self) -> None:
        """Power up: missed midnights first, then due delays, then thresholds.

        The clock ran on without power.
        """
        state = self._state
        state.powered = True
        self._emit("power_restored")
        clock = self.clock
        if state.clock.valid:
            if calendar_work.next_profile_clock(state.period.began_ms) <= clock:
                calendar_work.close_period(
                    state, calendar_work.next_profile_clock(state.period.began_ms)
                )
                state.period.began_ms = (
                    clock // calendar_work.PROFILE_PERIOD_MS * calendar_work.PROFILE_PERIOD_MS
                )
            calendar_work.pass_instant(state, clock, self._emit)
        run_delays(state.supply, state.settings, state.elapsed_ms, self._emit)

    # ---- records and storage

    def save(self) -> bool:
        """Commit the present state, as at an orderly stop; return whether it was stored."""
        self._require_running()
        return self._commit_or_stop(self._store.commit)

    def _save_periods(self) -> None:
        """Save after a closed profile period; a long advance saves at its end."""
        self._unsaved = False
        self._commit_or_stop(self._store.save)

    def _commit_or_stop(self, write: Callable[[State], int]) -> bool:
        try:
            self._publish(write(self._state))
            return True
        except NvramFlushError as error:
            self._stop(error)
        except NvramError:
            # the previous record stays valid; metering continues, and the next save tries again
            self._publish()
            return False

    def _stop(self, error: NvramFlushError) -> NoReturn:
        self.stopped = True
        self.revision += 1
        raise MeterStoppedError(f"meter {self._state.identity.serial_number}: {error}") from error

    def _require_running(self) -> None:
        if self.stopped:
            raise MeterStoppedError("the storage failed to flush; give the meter a new state file")

    def _emit(self, name: str, a: int = 0, b: int = 0) -> None:
        """Record an event at the present instant."""
        state = self._state
        row = Event(
            state.numbers[EVENT_RING] + 1,
            max(self.clock, 0),
            state.elapsed_ms,
            EVENTS[name].code,
            int(a),
            int(b),
        )
        state.append(EVENT_RING, row.pack())

    def _publish(self, stored: int = 0) -> None:
        """Append new rows of the tail to the rings of readers; drop its first `stored` rows."""
        rings, tail = self.rings, self._state.tail
        new = len(tail)
        while new and tail[new - 1].number > rings[tail[new - 1].ring].last:
            new -= 1
        for ring, number, row in tail[new:]:
            rings[ring].append(number, row)
        events = rings[EVENT_RING]
        if events.first <= self._state.events_cleared_to:
            events.first = self._state.events_cleared_to + 1
        del tail[: stored if self._store.keeps_tail else len(tail)]
