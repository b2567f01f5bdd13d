"""One prepaid meter: metering, charging, warning, tripping, credit. Time is an argument.

    meter.advance(to_ms)        advance to an instant; one step or a thousand give the same bits
    meter.next_deadline()       the next instant at which the state changes by itself
    meter.handle(request)       execute a request; durable on return
    meter.revision              rises with every change that a reader could see

Between two edges (a load row, a profile period, a calendar edge, a delay) power and price are
constant, so the stretch is integrated at once (metrology/stretch.py); the millisecond is computed
only where the nearest credit level or step limit was reached. At an edge the steps of METER.md 2
are executed in their order. Energy is in mWh, money in ledger units, time in ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from firmware_sim import calendar_work, charging
from firmware_sim.acceptance.acceptance import Acceptance
from firmware_sim.acceptance.cards import CardAcceptance
from firmware_sim.acceptance.sealed import SealedAuthenticator
from firmware_sim.environment import change
from firmware_sim.flow import let_flow
from firmware_sim.hal.nvram import NvramError, NvramFlushError
from firmware_sim.hal.switch import SimulatedSwitch, SwitchDefect
from firmware_sim.metrology.installation import Installation
from firmware_sim.metrology.load import Demand, Load
from firmware_sim.metrology.phase_energies import integrated
from firmware_sim.metrology.stretch import UNREACHED, Flow, integrate, time_to
from firmware_sim.records.publishing import publish
from firmware_sim.records.ring import EVENT_RING, Ring
from firmware_sim.requests import (
    AskReceipt,
    AskStatus,
    CardFailed,
    Change,
    NeedsPower,
    Plain,
    PresentCard,
    Reply,
    Request,
    Submission,
)
from firmware_sim.state import State
from firmware_sim.storage.lasting import Lasting
from firmware_sim.storage.store import SAVE_FLUSHES_AT, Store, VolatileStore
from firmware_sim.supply.control import clear, run_delays
from firmware_sim.supply.switch import Clearing
from firmware_sim.supply.thresholds import evaluate
from protocols.control import PressButton
from protocols.errors import PrepaidMeterError

NEVER = UNREACHED
"""Later than any instant."""


class MeterStoppedError(PrepaidMeterError):
    """The storage failed to flush; its content is unknown, so the meter executes nothing more."""


class Meter:
    """One meter, given state, rings, storage, acceptance, load and switch; no clock, no socket."""

    __slots__ = (
        "_acceptance",
        "_calendar_due_ms",
        "_card_acceptance",
        "_delay_due_ms",
        "_edge_ms",
        "_flow",
        "_profile_due_ms",
        "_state",
        "_store",
        "_unit_price",
        "_unsaved",
        "_watch_mwh",
        "events_before",
        "installation",
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
        acceptance: Acceptance,
        load: Load,
        switch: SimulatedSwitch,
        *,
        restarted: bool = False,
        storage_lost: bool = False,
    ) -> None:
        self._state, self.rings, self._store = state, rings, store
        self._acceptance, self._card_acceptance = acceptance, CardAcceptance(acceptance)
        self.installation, self.switch = Installation(load), switch
        self.revision = 1
        self.stopped = False
        self._unsaved = False
        self.storage_lost = storage_lost
        self.events_before = state.numbers[EVENT_RING]
        """Number of the newest event that was recorded before this meter began or restarted."""
        self._flow = Flow()
        self._unit_price, self._watch_mwh = 0, UNREACHED
        self._edge_ms = self._profile_due_ms = self._calendar_due_ms = self._delay_due_ms = NEVER
        switch.drive(state.supply.closed)
        if restarted:
            state.emit("restart")
        self._reevaluate()
        self._publish()

    @property
    def state(self) -> State:
        """The state; not to be changed by a reader."""
        return self._state

    @property
    def authenticator(self) -> SealedAuthenticator:
        """The secure element."""
        return self._acceptance.sealed

    @property
    def takes_plain_writes(self) -> bool:
        """Whether writes that nothing authenticates are executed: `unsafe_writes` (METER.md 7)."""
        return self._acceptance.takes(Plain)

    @property
    def lasting(self) -> Lasting:
        """Elapsed time, import energy and cumulative purchases of the last flushed commit."""
        return self._store.lasting

    @property
    def demand(self) -> Demand:
        """The present power: zero through an open switch or without power."""
        return self._flow.demand

    @property
    def clock(self) -> int:
        """The meter's clock, ms since 1970 UTC."""
        return self._state.clock.read(self._state.elapsed_ms)

    @property
    def current_price(self) -> int:
        """The price of the next mWh, 1e-4 account unit per kWh."""
        return self._unit_price

    # ---- time

    def advance(self, to_ms: int, *, to_event: bool = False) -> None:
        """Advance the meter to the elapsed time `to_ms`, ms, with all that is due until and at it.

        Args:
            to_event: end at the first instant that records an event; the storage is written only
                at `to_ms`.

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
        recorded = state.numbers[EVENT_RING]
        while state.elapsed_ms < to_ms:
            if to_event and state.numbers[EVENT_RING] != recorded:
                break
            edge_ms = self._edge_ms
            reached_level = self._meter_until(min(edge_ms, to_ms))
            if state.elapsed_ms == edge_ms:
                self._pass_edge(reached_level)
            elif reached_level:
                self._evaluate()
                self._plan()
        if self._unsaved and state.elapsed_ms == to_ms:
            self._save_periods()
        else:
            self._publish()

    def next_deadline(self) -> int | None:
        """Return the next elapsed time at which the state changes by itself, None for never."""
        state = self._state
        if not state.powered or self.stopped:
            return None
        deadline_ms = self._edge_ms
        if self._watch_mwh < UNREACHED:
            wait_ms = time_to(state.registers, self._flow, self._watch_mwh)
            if wait_ms is not None:
                deadline_ms = min(deadline_ms, state.elapsed_ms + wait_ms)
        return deadline_ms if deadline_ms < NEVER else None

    def _meter_until(self, until_ms: int) -> bool:
        """Integrate and charge to `until_ms`, or to the ms at which the watched mWh complete.

        Returns whether their count was reached.
        """
        state = self._state
        registers, watch_mwh = state.registers, self._watch_mwh
        (
            span_ms,
            imported,
            exported,
            registers.import_remainder,
            registers.export_remainder,
            count,
        ) = integrate(registers, self._flow, until_ms - state.elapsed_ms, watch_mwh)
        state.elapsed_ms += span_ms
        if registers.phase_energies is not None:
            registers.phase_energies = integrated(
                registers.phase_energies, self._flow.counted, span_ms
            )
        reached = count >= watch_mwh
        if imported or exported:
            registers.import_mwh += imported
            registers.export_mwh += exported
            registers.rate_mwh[state.calendar.rate - 1] += imported
            charging.charge(state, count, None if reached else self._unit_price)
            self._watch_mwh = watch_mwh - count
        return reached

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
            calendar_work.pass_instant(state, state.clock.read(now), state.emit)
            self._plan_calendar()
        elif period_closed:
            self._plan_profile()
        delay_passed = now >= self._delay_due_ms
        if delay_passed:
            run_delays(state.supply, state.settings, now, state.emit)
        if calendar_passed or delay_passed or reached_level:
            self._evaluate()
        elif now >= self._flow.until_ms:  # no level, mode, inhibitor or price changed
            self._let_flow()
        self._plan()
        self._unsaved = self._unsaved or period_closed
        if len(state.tail) >= SAVE_FLUSHES_AT:
            self._save_periods()

    def _reevaluate(self) -> None:
        """Evaluate and plan after a request: step 8 follows each."""
        self._plan_calendar()
        self._evaluate()
        self._plan()

    def _evaluate(self) -> None:
        """Step 8: thresholds once, then the switch, its power and the next level to watch."""
        state = self._state
        if state.account.is_open and state.powered:
            evaluate(
                state.supply,
                state.settings,
                state.account.credit,
                state.held_back,
                state.elapsed_ms,
                state.emit,
                self.clock,
            )
        self._let_flow()
        self._watch_levels()

    def _watch_levels(self) -> None:
        """Set the price, and the mWh to the nearest credit level or step limit at this price."""
        self._unit_price = charging.unit_price(self._state)
        self._watch_mwh = charging.to_next_level(self._state, self._unit_price)

    def _let_flow(self) -> None:
        """Step 7: apply the load through the real switch, and start or stop dependent timers."""
        let_flow(self._flow, self._state, self.installation, self.switch)
        delay_ms = self._state.supply.deadline()
        self._delay_due_ms = NEVER if delay_ms is None else delay_ms

    # ---- the next edge

    def _plan_profile(self) -> None:
        self._profile_due_ms = self._state.clock.next_multiple(
            self._state.elapsed_ms, calendar_work.PROFILE_PERIOD_MS
        )

    def _plan_calendar(self) -> None:
        self._plan_profile()
        due = calendar_work.next_calendar_clock(self._state, self.clock)
        self._calendar_due_ms = NEVER if due is None else self._state.clock.when(due)

    def _plan(self) -> None:
        """Set the next edge; it lies after now."""
        edge_ms = min(
            self._profile_due_ms, self._calendar_due_ms, self._flow.until_ms, self._delay_due_ms
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
        state = self._state
        if isinstance(request, AskReceipt | AskStatus):
            return self._inform(request) if state.powered else None
        if isinstance(request, NeedsPower) and not state.powered:
            return None
        return self._change(request)

    def _inform(self, request: AskReceipt | AskStatus) -> Reply:
        """Return a receipt or a status; no status with a lost storage."""
        if self.storage_lost and isinstance(request, AskStatus):
            return Reply()
        return self._acceptance.inform(self._state, request, self._store.lasting)

    def _change(self, request: Change) -> Reply:
        before, installation, defect = self._state, self.installation, self.switch.defect
        self._state = before.clone()
        stored = 0
        try:
            reply, changed = self._execute(request)
            if changed:
                stored = self._store.commit(self._state)
        except NvramFlushError as error:
            self._stop(error)
        except NvramError:
            self._put_back(before, installation, defect)
            submission = request if isinstance(request, Submission) else None
            return self._acceptance.refused_by_storage(before, submission)
        except BaseException:
            # an internal fault: the uncommitted state is discarded
            self._put_back(before, installation, defect)
            raise
        self.revision += 1
        self._publish(stored)
        return reply

    def _put_back(self, state: State, installation: Installation, defect: SwitchDefect) -> None:
        """Restore the state and the hardware as they were before a request."""
        self._state, self.installation, self.switch.defect = state, installation, defect
        self._plan_calendar()
        self._let_flow()
        self._watch_levels()
        self._plan()

    def _execute(self, request: Change) -> tuple[Reply, bool]:
        """Execute a request on the copied state; return the reply and whether to commit."""
        state, emit, changed = self._state, self._state.emit, True
        match request:
            case Submission():
                if self.storage_lost:
                    return self._acceptance.refused_by_storage(state, request), False
                return self._acceptance.take(
                    state, request, emit, self._reevaluate, self._store.lasting
                )
            case PresentCard():
                reply = self._card_acceptance.take(state, request, emit, self._reevaluate)
            case CardFailed():
                reply = self._card_acceptance.fail(state, request, emit)
            case PressButton():
                reply = Reply()
                changed = clear(state.supply, Clearing.BUTTON, state.settings, emit)
            case _:
                reply = Reply()
                self.installation, changed = change(state, self.installation, self.switch, request)
        if changed:
            self._reevaluate()
        return reply, changed

    # ---- storage

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

    def _publish(self, stored: int = 0) -> None:
        """Show the new rows of the tail to readers; drop its first `stored` rows."""
        state, tail = self._state, self._state.tail
        publish(tail, self.rings, state.events_cleared_to)
        del tail[: stored if self._store.keeps_tail else len(tail)]
