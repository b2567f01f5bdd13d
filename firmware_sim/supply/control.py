"""Supply control of one meter: causes, delays and their events (METER.md 4, 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.settings import Settings
from firmware_sim.supply.switch import SWITCHED_BY, Clearing, causes_cleared, closes, supply_state
from protocols.data_model.words import (
    CREDIT_CAUSES,
    Cause,
    ReconnectMode,
    SupplyState,
    SwitchedBy,
    Tamper,
)
from protocols.quantities import MINUTE

Emit = Callable[[str, int, int], None]
"""Records an event: its word and two details."""

SWITCH_FAULT_AFTER_MS = 5_000
NO_CAUSE = int(Cause.NONE)
_NO_DUES = (None,) * 5
_OVERLOAD = int(Cause.OVERLOAD)
_SENSOR_EVENTS = {
    Tamper.COVER: ("cover_closed", "cover_opened"),
    Tamper.TERMINAL_COVER: ("terminal_cover_closed", "terminal_cover_opened"),
    Tamper.MAGNET: ("magnet_removed", "magnet_detected"),
}


@dataclass(slots=True)
class Supply:
    """Commanded position, open causes, spent levels and deadlines (elapsed ms; None: no deadline).

    below   warning levels reached: bit 0 threshold 1; where they do not trip, bit 1 threshold 2
            and bit 2 zero
    spent   reminder levels that have tripped and are not re-armed: bit 1 threshold 2, bit 2 zero
    """

    closed: bool = True
    causes: int = NO_CAUSE
    below: int = 0
    spent: int = 0
    credit_due_ms: int | None = None
    remote_due_ms: int | None = None
    guarantee: bool = False
    moratorium_until: int = 0
    moratorium: bool = False
    overload_due_ms: int | None = None
    overload_since_ms: int | None = None
    overload_ended_ms: int | None = None
    overload_count: int = 0
    reclose_due_ms: int | None = None
    fault_due_ms: int | None = None
    switch_fault: bool = False
    sensors: int = 0
    tampered: int = 0

    @property
    def warning(self) -> bool:
        """Warning lamp: lit exactly while credit is at or below a warning level."""
        return self.below != 0

    @property
    def overload_locked(self) -> bool:
        """Whether an open overload waits for the button: no automatic reclosing is left."""
        return bool(self.causes & _OVERLOAD) and self.reclose_due_ms is None

    @property
    def state(self) -> SupplyState:
        """The supply state, derived."""
        return supply_state(self.closed, Cause(self.causes), self.overload_locked)

    @property
    def pending(self) -> int:
        """Causes with a running delay."""
        credit = Cause.CREDIT_EXHAUSTED if self.credit_due_ms is not None else Cause.NONE
        remote = Cause.REMOTE if self.remote_due_ms is not None else Cause.NONE
        return int(credit | remote)

    def deadline(self) -> int | None:
        """Elapsed time at which the next delay is due, None without a running delay."""
        dues = (
            self.credit_due_ms,
            self.remote_due_ms,
            self.overload_due_ms,
            self.reclose_due_ms,
            self.fault_due_ms,
        )
        if dues == _NO_DUES:
            return None
        return min([due for due in dues if due is not None])


def trip(supply: Supply, cause: Cause, emit: Emit) -> None:
    """Add a cause; a closed switch opens."""
    if supply.causes & cause:
        return
    supply.causes |= cause
    if supply.closed:
        supply.closed = False
        emit("supply_disconnected", int(cause), 0)
    else:
        emit("supply_cause_added", int(cause), 0)


def sense(supply: Supply, settings: Settings, sensor: Tamper, present: bool, emit: Emit) -> bool:
    """Record a sensor's change, which may trip; return whether it changed."""
    if bool(supply.sensors & sensor) == present:
        return False
    supply.sensors ^= sensor
    emit(_SENSOR_EVENTS[sensor][present], 0, 0)
    if present:
        supply.tampered |= sensor
        if settings.tamper_trip & sensor:
            trip(supply, Cause.TAMPER, emit)
    return True


def clear(supply: Supply, by: Clearing, settings: Settings, emit: Emit) -> bool:
    """Clear what `by` clears, close the switch where allowed; return whether anything changed."""
    before, was = supply.state, Cause(supply.causes)
    cleared = causes_cleared(was, by, supply.overload_locked)
    left = was & ~cleared
    if cleared & Cause.OVERLOAD:
        supply.reclose_due_ms = None
        if by is not Clearing.RECLOSING:
            supply.overload_count = 0
    supply.causes = int(left)
    switched_by = SWITCHED_BY.get(by, SwitchedBy.AUTOMATIC)
    if not supply.closed and closes(left, cleared, by, ReconnectMode(settings.reconnect_mode)):
        supply.closed = True
        emit("supply_connected", switched_by, 0)
        return True
    if supply.state != before:
        emit("ready_for_reconnection", switched_by, 0)
    elif cleared:
        emit("supply_cause_cleared", int(cleared), 0)
    return bool(cleared)


def set_pending(
    supply: Supply, cause: Cause, due: int | None, emit: Emit, due_clock: int = 0
) -> None:
    """Start the delay of a cause, or cancel it with None."""
    was = supply.credit_due_ms if cause is Cause.CREDIT_EXHAUSTED else supply.remote_due_ms
    if was is None and due is None:
        return
    if cause is Cause.CREDIT_EXHAUSTED:
        supply.credit_due_ms = due
    else:
        supply.remote_due_ms = due
    if due is None:
        emit("trip_cancelled", int(cause), 0)
    else:
        emit("trip_pending", int(cause), due_clock)


def interrupt(supply: Supply, settings: Settings, now: int, due_clock: int, emit: Emit) -> None:
    """Execute a sealed interrupt: at once, or after the delay where `remote_trip_delay` is set."""
    if supply.causes & Cause.REMOTE or supply.remote_due_ms is not None:
        return
    if settings.remote_trip_delay and settings.trip_delay_minutes:
        set_pending(
            supply, Cause.REMOTE, now + settings.trip_delay_minutes * MINUTE, emit, due_clock
        )
    else:
        trip(supply, Cause.REMOTE, emit)


def permit(supply: Supply, by: Clearing, settings: Settings, emit: Emit) -> None:
    """Execute a sealed permit or direct close; a running remote delay is cancelled."""
    set_pending(supply, Cause.REMOTE, None, emit)
    clear(supply, by, settings, emit)


def hold_back(supply: Supply, by: Clearing, settings: Settings, emit: Emit) -> None:
    """Begin a guarantee or a moratorium: its causes are cleared, their delays cancelled."""
    set_pending(supply, Cause.CREDIT_EXHAUSTED, None, emit)
    if by is Clearing.GUARANTEE:
        set_pending(supply, Cause.REMOTE, None, emit)
    clear(supply, by, settings, emit)


def release(supply: Supply) -> None:
    """End a guarantee or a moratorium: all levels are re-armed."""
    supply.spent = 0


def follow_load(
    supply: Supply, settings: Settings, import_mw: int, real_closed: bool, flows: bool, now: int
) -> None:
    """Start or stop the overload and switch-fault timers after power or a limit changed."""
    limit = settings.power_limit_mw
    if (
        limit is None
        and supply.closed
        and supply.overload_since_ms is None
        and supply.fault_due_ms is None
    ):
        return  # no timer can start or stop
    if limit is not None and import_mw > limit:
        if supply.overload_since_ms is None:
            supply.overload_since_ms = now
            if (
                supply.overload_ended_ms is not None
                and now - supply.overload_ended_ms >= settings.overload_reset_s * 1000
            ):
                supply.overload_count = 0
        tripped = bool(supply.causes & _OVERLOAD)
        supply.overload_due_ms = (
            None if tripped else supply.overload_since_ms + settings.power_limit_delay_s * 1000
        )
    elif supply.overload_since_ms is not None:
        supply.overload_ended_ms, supply.overload_since_ms, supply.overload_due_ms = now, None, None
    if real_closed and not supply.closed and flows:
        if supply.fault_due_ms is None and not supply.switch_fault:
            supply.fault_due_ms = now + SWITCH_FAULT_AFTER_MS
    else:
        supply.fault_due_ms = None


def end_switch_fault(supply: Supply, emit: Emit) -> None:
    """End a switch fault once position and command agree."""
    if supply.switch_fault:
        supply.switch_fault = False
        emit("switch_fault_ended", 0, 0)


def run_delays(supply: Supply, settings: Settings, now: int, emit: Emit) -> None:
    """Execute every due delay (METER.md 2, step 6).

    The delay of exhaustion is evaluated with the thresholds.
    """
    if supply.remote_due_ms is not None and supply.remote_due_ms <= now:
        supply.remote_due_ms = None
        trip(supply, Cause.REMOTE, emit)
    if supply.reclose_due_ms is not None and supply.reclose_due_ms <= now:
        clear(supply, Clearing.RECLOSING, settings, emit)
    if supply.overload_due_ms is not None and supply.overload_due_ms <= now:
        _trip_overload(supply, settings, now, emit)
    if supply.fault_due_ms is not None and supply.fault_due_ms <= now:
        supply.fault_due_ms = None
        supply.switch_fault = True
        emit("switch_fault", 0, 0)


def _trip_overload(supply: Supply, settings: Settings, now: int, emit: Emit) -> None:
    supply.overload_count += 1
    supply.overload_due_ms = None
    if supply.overload_count <= settings.overload_attempts:
        supply.reclose_due_ms = now + settings.overload_reconnect_s * 1000
    trip(supply, Cause.OVERLOAD, emit)


def drop_credit_causes(supply: Supply, settings: Settings, emit: Emit) -> None:
    """Clear credit causes, levels and delays when the account is closed."""
    set_pending(supply, Cause.CREDIT_EXHAUSTED, None, emit)
    supply.below = supply.spent = 0
    if supply.causes & CREDIT_CAUSES:
        clear(supply, Clearing.CLOSING, settings, emit)
