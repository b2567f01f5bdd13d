"""Credit against its levels: the warning, the reminder trips, exhaustion and its return (METER.md 4).

Levels are evaluated once at every instant at which credit, a threshold, a mode, an inhibitor or the account changed:
at or below trips, at or above returns.
"""

from __future__ import annotations

from firmware_sim.settings import Settings
from firmware_sim.supply.control import MINUTE_MS, Emit, Supply, clear, set_pending, trip
from firmware_sim.supply.switch import Clearing
from protocols.data_model.words import Cause, TripMode

WARNING, REMINDER, ZERO = 1, 2, 4


def evaluate(
    supply: Supply, settings: Settings, credit: int, held_back: bool, now: int, emit: Emit, clock: int
) -> None:
    """Judge the credit of an open account once, at the end of an instant.

    Args:
        credit: exact, in ledger units.
        held_back: a friendly window, a guarantee or a moratorium keeps credit from opening the switch.
        now: elapsed ms; `clock` is the meter's clock at it.
    """
    _warn(supply, settings, credit, emit)
    supply.spent &= _at_or_below(settings, credit)
    if supply.causes & Cause.CREDIT_EXHAUSTED:
        if credit > 0 and credit >= settings.reconnect_threshold:
            clear(supply, Clearing.RETURN_CONDITION, settings, emit)
        return
    if held_back or credit > -settings.overdraft_limit:
        set_pending(supply, Cause.CREDIT_EXHAUSTED, None, emit)
        if not held_back:
            _remind(supply, settings, credit, emit)
        return
    if settings.trip_mode == TripMode.DELAYED and settings.trip_delay_minutes:
        delay = settings.trip_delay_minutes * MINUTE_MS
        if supply.credit_due is None:
            set_pending(supply, Cause.CREDIT_EXHAUSTED, now + delay, emit, clock + delay)
        if supply.credit_due is None or supply.credit_due > now:
            return
    supply.credit_due = None
    supply.spent = REMINDER | ZERO
    trip(supply, Cause.CREDIT_EXHAUSTED, emit)


def spend_after_top_up(supply: Supply, settings: Settings, credit: int, held_back: bool, emit: Emit) -> None:
    """Acknowledge a standing reminder; what an accepted top-up leaves below is spent: the next trip is a level down."""
    clear(supply, Clearing.TOP_UP, settings, emit)
    if not held_back:
        supply.spent |= _at_or_below(settings, credit)


def _at_or_below(settings: Settings, credit: int) -> int:
    """Return the reminder levels at or above the credit, whether or not the mode trips at them."""
    two = settings.low_credit_threshold_2
    return (REMINDER if two is not None and credit <= two else 0) | (ZERO if credit <= 0 else 0)


def _remind(supply: Supply, settings: Settings, credit: int, emit: Emit) -> None:
    """Trip once for the deepest level reached; it and all above are spent."""
    if settings.trip_mode != TripMode.TWO_STAGE:
        return
    reached = _at_or_below(settings, credit)
    if settings.overdraft_limit == 0:
        reached &= ~ZERO
    if reached & ~supply.spent:
        supply.spent |= reached
        trip(supply, Cause.CREDIT_REMINDER, emit)


def _warn(supply: Supply, settings: Settings, credit: int, emit: Emit) -> None:
    """Light or put out the lamp, and record each crossing once; where levels 2 and 0 do not trip, they warn."""
    one, two = settings.low_credit_threshold_1, settings.low_credit_threshold_2
    below = (WARNING if one is not None and credit <= one else 0) | _at_or_below(settings, credit)
    crossed = below & ~supply.below
    supply.below = below
    if crossed & WARNING and one is not None:
        emit("low_credit_warning", one, 0)
    if settings.trip_mode != TripMode.TWO_STAGE:
        if crossed & REMINDER and two is not None:
            emit("low_credit_warning", two, 0)
        if crossed & ZERO and settings.overdraft_limit > 0:
            emit("low_credit_warning", 0, 0)
