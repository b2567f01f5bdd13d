"""Credit thresholds: warning, reminder trips, exhaustion and its end (METER.md 4).

Levels are evaluated once at every instant at which credit, a threshold, a mode, an inhibitor or the
account changed: at or below trips, at or above returns.
"""

from __future__ import annotations

from firmware_sim.settings import Settings
from firmware_sim.supply.control import Emit, Supply, clear, set_pending, trip
from firmware_sim.supply.switch import Clearing
from protocols.data_model.words import Cause, TripMode
from protocols.quantities import MINUTE

WARNING, REMINDER, ZERO = 1, 2, 4


def evaluate(
    supply: Supply,
    settings: Settings,
    credit: int,
    held_back: bool,
    now: int,
    emit: Emit,
    clock: int,
) -> None:
    """Evaluate the credit of an open account, once at the end of an instant.

    Args:
        credit: exact, in ledger units.
        held_back: a friendly window, a guarantee or a moratorium inhibits disconnection for credit.
        now: elapsed ms; `clock` is the meter's clock at it.
    """
    _warn(supply, settings, credit, emit)
    _arm(supply, settings, credit)
    exhausted = credit <= -settings.overdraft_limit
    if supply.causes & Cause.CREDIT_EXHAUSTED:
        if credit > 0 and credit >= settings.reconnect_threshold:
            clear(supply, Clearing.RETURN_CONDITION, settings, emit)
        elif exhausted and not held_back:
            supply.spent = REMINDER | ZERO
    if held_back or not exhausted:
        set_pending(supply, Cause.CREDIT_EXHAUSTED, None, emit)
        if not held_back:
            _remind(supply, settings, credit, emit)
        return
    if supply.causes & Cause.CREDIT_EXHAUSTED:
        return
    if settings.trip_mode == TripMode.DELAYED:
        delay = settings.trip_delay_minutes * MINUTE
        if supply.credit_due_ms is None and delay:
            set_pending(supply, Cause.CREDIT_EXHAUSTED, now + delay, emit, clock + delay)
        if supply.credit_due_ms is not None and supply.credit_due_ms > now:
            return
    supply.credit_due_ms = None
    supply.spent = REMINDER | ZERO
    trip(supply, Cause.CREDIT_EXHAUSTED, emit)


def spend_after_top_up(
    supply: Supply, settings: Settings, credit: int, held_back: bool, emit: Emit
) -> None:
    """Clear an open reminder after an accepted top-up.

    Levels still reached are spent, so that the next reminder trip is one level deeper.
    """
    clear(supply, Clearing.TOP_UP, settings, emit)
    if not held_back:
        supply.spent |= _reminders(settings, credit)


def _arm(supply: Supply, settings: Settings, credit: int) -> None:
    """Arm the reminder levels below the credit; a level that is off is unchanged."""
    two = settings.low_credit_threshold_2
    if two is not None and credit > two:
        supply.spent &= ~REMINDER
    if credit > 0:
        supply.spent &= ~ZERO


def _second_levels(settings: Settings, credit: int) -> int:
    """Return which of threshold 2 and zero the credit is at or below.

    Zero is a level only where overdraft is allowed.
    """
    two = settings.low_credit_threshold_2
    zero = credit <= 0 and settings.overdraft_limit > 0
    return (REMINDER if two is not None and credit <= two else 0) | (ZERO if zero else 0)


def _reminders(settings: Settings, credit: int) -> int:
    """Return the levels reached at which the mode trips; only two_stage has any."""
    return _second_levels(settings, credit) if settings.trip_mode == TripMode.TWO_STAGE else 0


def _remind(supply: Supply, settings: Settings, credit: int, emit: Emit) -> None:
    """Trip once for the deepest level reached; it and all levels above are spent."""
    reached = _reminders(settings, credit)
    if reached & ~supply.spent:
        supply.spent |= reached
        trip(supply, Cause.CREDIT_REMINDER, emit)


def _warn(supply: Supply, settings: Settings, credit: int, emit: Emit) -> None:
    """Set the warning levels, record each crossing; levels 2 and 0 warn where they do not trip."""
    levels = {
        WARNING: settings.low_credit_threshold_1,
        REMINDER: settings.low_credit_threshold_2,
        ZERO: 0,
    }
    one = settings.low_credit_threshold_1
    below = WARNING if one is not None and credit <= one else 0
    if settings.trip_mode != TripMode.TWO_STAGE:
        below |= _second_levels(settings, credit)
    for level, value in levels.items():
        if below & level and not supply.below & level:
            emit("low_credit_warning", value or 0, 0)
    supply.below = below
