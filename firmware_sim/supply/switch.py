"""Supply control switch as tables: causes, their clearing, closing (METER.md 5).

The supply state is derived from the open causes and the commanded position by one pure function and
never stored. docs/supply-switch.md is generated from these tables.
"""

from __future__ import annotations

from enum import Enum

from protocols.data_model.words import Cause, ReconnectMode, SupplyState, SwitchedBy


class Clearing(Enum):
    """An action or condition that clears causes and may close the switch."""

    BUTTON = "button"
    CARD = "own card"
    TOP_UP = "accepted top-up"
    RETURN_CONDITION = "credit > 0 and >= reconnect_threshold"
    PERMIT = "sealed permit"
    DIRECT_CLOSE = "sealed direct close"
    GUARANTEE = "power guarantee"
    MORATORIUM = "moratorium"
    CLEAR_TAMPER = "sealed clear_tamper"
    OPENING = "opening of the account"
    CLOSING = "closing of the account"
    RECLOSING = "overload_reconnect_s"


CLEARED_BY: dict[Cause, frozenset[Clearing]] = {
    Cause.CREDIT_REMINDER: frozenset(
        {
            Clearing.BUTTON,
            Clearing.CARD,
            Clearing.TOP_UP,
            Clearing.DIRECT_CLOSE,
            Clearing.GUARANTEE,
            Clearing.MORATORIUM,
            Clearing.CLOSING,
        }
    ),
    Cause.CREDIT_EXHAUSTED: frozenset(
        {Clearing.RETURN_CONDITION, Clearing.GUARANTEE, Clearing.MORATORIUM, Clearing.CLOSING}
    ),
    Cause.REMOTE: frozenset({Clearing.PERMIT, Clearing.DIRECT_CLOSE, Clearing.GUARANTEE}),
    Cause.OVERLOAD: frozenset({Clearing.RECLOSING, Clearing.BUTTON, Clearing.CARD}),
    Cause.TAMPER: frozenset({Clearing.CLEAR_TAMPER}),
    Cause.ACCOUNT: frozenset({Clearing.OPENING}),
}
"""Clearings of each cause. Button and card clear an overload once no reclosing is left."""

CUSTOMER = frozenset({Clearing.BUTTON, Clearing.CARD})
CLOSES_ALWAYS = CUSTOMER | {Clearing.DIRECT_CLOSE, Clearing.RECLOSING}
CLOSES_NEVER = frozenset({Clearing.PERMIT})

SWITCHED_BY: dict[Clearing, SwitchedBy] = {
    Clearing.BUTTON: SwitchedBy.BUTTON,
    Clearing.CARD: SwitchedBy.CARD,
    Clearing.PERMIT: SwitchedBy.REMOTE,
    Clearing.DIRECT_CLOSE: SwitchedBy.REMOTE,
    Clearing.RECLOSING: SwitchedBy.OVERLOAD_RECLOSING,
}
"""Origin of a connection in its event; every other clearing closes automatically."""


def customer_may_clear(causes: Cause, overload_locked: bool) -> bool:
    """Return whether the customer may clear every open cause; True where none is open."""
    allowed = Cause.CREDIT_REMINDER | (Cause.OVERLOAD if overload_locked else Cause.NONE)
    return not causes & ~allowed


def supply_state(closed: bool, causes: Cause, overload_locked: bool) -> SupplyState:
    """Return the supply state for a commanded position and the open causes. Pure."""
    if closed and not causes:
        return SupplyState.CONNECTED
    if customer_may_clear(causes, overload_locked):
        return SupplyState.READY_FOR_RECONNECTION
    return SupplyState.DISCONNECTED


def causes_cleared(causes: Cause, by: Clearing, overload_locked: bool) -> Cause:
    """Return the open causes that `by` clears; the customer clears all or none."""
    if by in CUSTOMER and not customer_may_clear(causes, overload_locked):
        return Cause.NONE
    cleared = Cause.NONE
    for cause, clearings in CLEARED_BY.items():
        if causes & cause and by in clearings:
            cleared |= cause
    return cleared


def closes(causes_left: Cause, cleared: Cause, by: Clearing, mode: ReconnectMode) -> bool:
    """Return whether an open switch closes: no cause is left, and `by` and the mode allow it."""
    if causes_left or by in CLOSES_NEVER:
        return False
    if by in CLOSES_ALWAYS:
        return True
    return bool(cleared) and mode == ReconnectMode.AUTOMATIC
