"""Refusal of authenticated messages and effects of accepted ones (METER.md 5, 6, 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.account.account import (
    Split,
    amount_to_reach,
    close_account,
    enter_debt,
    exceeds_max_credit,
    open_account,
    refund,
    top_up,
)
from firmware_sim.authenticator import Authenticated
from firmware_sim.calendar_work import close_period, jump, local_of, replace_part, with_pending
from firmware_sim.records.ring import EVENT_RING, PURCHASE_RING
from firmware_sim.state import State
from firmware_sim.supply.control import (
    Emit,
    drop_credit_causes,
    hold_back,
    interrupt,
    permit,
    release,
    trip,
)
from firmware_sim.supply.control import clear as clear_causes
from firmware_sim.supply.switch import Clearing
from firmware_sim.supply.thresholds import spend_after_top_up
from protocols.data_model.tables import Purchase
from protocols.data_model.tariff import Tariff, TariffChange
from protocols.data_model.words import AccountState, Cause, UnopenedSupply
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, MONEY_LIMIT
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SealedMessage,
    SwitchAction,
    decode_limits,
    decode_number,
)

ENERGY_ACCOUNT = 0
ENERGY_PRICE = 10_000
"""1.0000 kWh per kWh: the price of an energy account is fixed (DESIGN.md 3.3)."""
LAST_CLOCK = 4_102_444_800_000
"""2100-01-01: this clock or a later one is a mistake."""
LAST_DATE = LAST_CLOCK // 86_400_000


NOTHING = Split(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Applied:
    """Amounts moved by an accepted message, in ledger units."""

    split: Split = NOTHING
    settlement: int = 0


def decode_parameters(message: SealedMessage) -> object:
    """Return the parameters of a message, decoded; raises MalformedMessageError."""
    match message.kind:
        case MessageKind.LIMITS:
            return decode_limits(message.parameters)
        case MessageKind.TARIFF:
            return TariffChange.decode(message.parameters)
        case MessageKind.CLOCK | MessageKind.GUARANTEE | MessageKind.MORATORIUM:
            return decode_number(message.kind, message.parameters)
        case MessageKind.SWITCH:
            try:
                return SwitchAction(decode_number(message.kind, message.parameters))
            except ValueError as error:
                raise MalformedMessageError("no such switch action") from error
        case (
            MessageKind.OPEN
            | MessageKind.CREDIT
            | MessageKind.REFUND
            | MessageKind.DEBT
            | MessageKind.CLOSE
            | MessageKind.VOID
            | MessageKind.CLEAR_TAMPER
            | MessageKind.CLEAR_EVENTS
            | MessageKind.CLEAR_DEMAND
        ):
            if message.parameters:
                raise MalformedMessageError(f"a {message.kind.word} has no parameters")
            return None


def refusal(state: State, message: SealedMessage, parameters: object) -> Outcome | None:
    """Return why an authenticated message is refused, or None; in the order of METER.md 7."""
    kind, account = message.kind, state.account
    if kind is MessageKind.VOID:
        return Outcome.OUT_OF_RANGE if message.amount else None
    if kind is MessageKind.OPEN and account.state != AccountState.UNOPENED:
        return Outcome.ALREADY_OPENED
    if (
        kind in (MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT, MessageKind.CLOSE)
        and not account.is_open
    ):
        return Outcome.NOT_OPENED
    if kind is not MessageKind.OPEN and message.customer_number != account.customer_number:
        return Outcome.NOT_FOR_THIS_CUSTOMER
    if message.account_unit != account.unit:
        return Outcome.WRONG_UNIT
    if not _in_range(state, message, parameters):
        return Outcome.OUT_OF_RANGE
    amount = message.amount * CENT
    if kind in (MessageKind.OPEN, MessageKind.CREDIT) and exceeds_max_credit(
        account, amount, state.settings
    ):
        return Outcome.EXCEEDS_MAX_CREDIT
    if parameters is SwitchAction.INTERRUPT and state.supply.guarantee:
        return Outcome.REFUSED_BY_GUARANTEE
    return None


def _in_range(state: State, message: SealedMessage, parameters: object) -> bool:
    amount = message.amount * CENT
    match message.kind:
        case MessageKind.OPEN:
            return amount <= MONEY_LIMIT
        case MessageKind.CREDIT | MessageKind.DEBT:
            return 0 < amount <= MONEY_LIMIT and (
                message.kind is MessageKind.CREDIT or state.account.debt + amount <= MONEY_LIMIT
            )
        case MessageKind.REFUND:
            return 0 < amount <= max(0, state.account.credit)
        case MessageKind.LIMITS:
            assert isinstance(parameters, dict)
            return state.settings.with_values(parameters).problem() is None
        case MessageKind.TARIFF:
            assert isinstance(parameters, TariffChange)
            return _tariffs_hold(state, parameters)
        case MessageKind.CLOCK:
            return isinstance(parameters, int) and 0 < parameters < LAST_CLOCK
        case MessageKind.GUARANTEE:
            return parameters in (0, 1)
        case MessageKind.MORATORIUM:
            return isinstance(parameters, int) and parameters < LAST_DATE
        case (
            MessageKind.CLOSE
            | MessageKind.VOID
            | MessageKind.SWITCH
            | MessageKind.CLEAR_TAMPER
            | MessageKind.CLEAR_EVENTS
            | MessageKind.CLEAR_DEMAND
        ):
            return amount == 0


def _tariffs_hold(state: State, change: TariffChange) -> bool:
    """Return whether the tariff is complete after every pending instant of activation."""
    tariff, now = state.tariff, state.clock.read(state.elapsed_ms)
    parts = [(max(p.activation_ms, now), p.part) for p in with_pending(state, change.parts)]
    for instant in sorted({activation for activation, _ in parts}):
        for activation, part in parts:
            if activation == instant:
                tariff = replace_part(tariff, part)
        if tariff.problem() or (
            state.account.unit == ENERGY_ACCOUNT and not _energy_tariff(tariff)
        ):
            return False
    return True


def _energy_tariff(tariff: Tariff) -> bool:
    return set(tariff.prices.prices) == {ENERGY_PRICE} and not any(tariff.steps.additions)


def apply(
    state: State, authenticated: Authenticated, parameters: object, clock: int, emit: Emit
) -> Applied:
    """Apply an accepted message to an uncommitted copy of the state."""
    message = authenticated.message
    return _ACTIONS[message.kind](state, authenticated, parameters, clock, emit) or Applied()


Action = Callable[[State, Authenticated, object, int, Emit], Applied | None]


def held_back(state: State) -> bool:
    """Return whether an inhibitor prevents disconnection for credit."""
    return state.calendar.friendly or state.supply.guarantee or state.supply.moratorium


def amount_to_reconnect(state: State) -> int:
    """Return the smallest top-up that ends an open exhaustion, in ledger units; 0 without one."""
    if not state.supply.causes & Cause.CREDIT_EXHAUSTED:
        return 0
    wanted = max(state.settings.reconnect_threshold, 1)
    return amount_to_reach(state.account, wanted, state.settings.debt_share_percent)


def _credit(
    state: State, authenticated: Authenticated, _: object, clock: int, emit: Emit
) -> Applied:
    message, account = authenticated.message, state.account
    opening = message.kind is MessageKind.OPEN
    if opening:
        open_account(account, message.customer_number)
        state.security.opening_code = authenticated.code.hex()
    before, amount = account.credit, message.amount * CENT
    split = top_up(account, amount, state.settings)
    row = Purchase(
        state.numbers[PURCHASE_RING] + 1,
        clock,
        0 if opening else 1,
        amount,
        split.to_overdraft,
        split.to_debt,
        before,
        account.credit,
        account.cumulative,
        message.sequence,
        authenticated.carrier,
    )
    state.append(PURCHASE_RING, row.pack())
    emit("account_opened" if opening else "credit_accepted", amount, message.sequence)
    if opening:
        clear_causes(state.supply, Clearing.OPENING, state.settings, emit)
    spend_after_top_up(state.supply, state.settings, account.credit, held_back(state), emit)
    return Applied(split)


def _refund(state: State, authenticated: Authenticated, _: object, __: int, emit: Emit) -> None:
    refund(state.account, authenticated.message.amount * CENT)
    emit("credit_refunded", authenticated.message.amount * CENT, authenticated.message.sequence)


def _debt(state: State, authenticated: Authenticated, _: object, __: int, emit: Emit) -> None:
    enter_debt(state.account, authenticated.message.amount * CENT)
    emit("debt_entered", authenticated.message.amount * CENT, authenticated.message.sequence)


def _close(state: State, authenticated: Authenticated, _: object, __: int, emit: Emit) -> Applied:
    settlement = close_account(state.account)
    emit("account_closed", settlement, authenticated.message.sequence)
    drop_credit_causes(state.supply, state.settings, emit)
    if state.settings.unopened_supply == UnopenedSupply.DISCONNECTED:
        trip(state.supply, Cause.ACCOUNT, emit)
    return Applied(settlement=settlement)


def _void(_: State, authenticated: Authenticated, __: object, ___: int, emit: Emit) -> None:
    emit("sequence_voided", authenticated.message.sequence, 0)


def _limits(
    state: State, authenticated: Authenticated, parameters: object, clock: int, emit: Emit
) -> None:
    assert isinstance(parameters, dict)
    offset = state.settings.utc_offset_minutes
    unopened = state.settings.unopened_supply
    state.settings = state.settings.with_values(parameters)
    emit("limits_set", authenticated.message.sequence, 0)
    if state.settings.utc_offset_minutes != offset:
        jump(state, clock, emit)
    if state.settings.unopened_supply != unopened and not state.account.is_open:
        if state.settings.unopened_supply == UnopenedSupply.DISCONNECTED:
            trip(state.supply, Cause.ACCOUNT, emit)
        else:
            clear_causes(state.supply, Clearing.OPENING, state.settings, emit)


def _tariff(
    state: State, authenticated: Authenticated, parameters: object, __: int, emit: Emit
) -> None:
    assert isinstance(parameters, TariffChange)
    state.pending = with_pending(state, parameters.parts)
    emit("tariff_set", authenticated.message.sequence, 0)


def _clock(state: State, _: Authenticated, parameters: object, clock: int, emit: Emit) -> None:
    assert isinstance(parameters, int)
    set_clock(state, clock, parameters, emit)


def set_clock(state: State, old: int, new: int, emit: Emit) -> None:
    """Set the clock; the open profile record is closed and marked. No credit moves, no freeze."""
    close_period(state, old, clock_set=True)
    state.clock.set(state.elapsed_ms, new)
    state.period.began_ms = new
    emit("clock_set", old, new)
    jump(state, new, emit)


def step_clock(state: State, old: int, by: int, emit: Emit) -> None:
    """Step the clock as a fault does; an invalid clock stays invalid."""
    valid = state.clock.valid
    set_clock(state, old, min(max(old + by, 0), LAST_CLOCK - 1), emit)
    state.clock.valid = valid


def _switch(state: State, _: Authenticated, parameters: object, clock: int, emit: Emit) -> None:
    if parameters is SwitchAction.INTERRUPT:
        due = clock + state.settings.trip_delay_minutes * 60_000
        interrupt(state.supply, state.settings, state.elapsed_ms, due, emit)
    else:
        by = Clearing.PERMIT if parameters is SwitchAction.PERMIT else Clearing.DIRECT_CLOSE
        permit(state.supply, by, state.settings, emit)


def _guarantee(state: State, _: Authenticated, parameters: object, __: int, emit: Emit) -> None:
    on = bool(parameters)
    if on == state.supply.guarantee:
        return
    state.supply.guarantee = on
    emit("guarantee_set", on, 0)
    if on:
        hold_back(state.supply, Clearing.GUARANTEE, state.settings, emit)
    else:
        release(state.supply)


def _moratorium(state: State, _: Authenticated, parameters: object, clock: int, emit: Emit) -> None:
    assert isinstance(parameters, int)
    supply = state.supply
    on = parameters > local_of(state, clock).date or (parameters > 0 and not state.clock.valid)
    emit("moratorium_set", parameters if on else 0, 0)
    if supply.moratorium and not on:
        release(supply)
    supply.moratorium, supply.moratorium_until = on, parameters if on else 0
    if on:
        hold_back(supply, Clearing.MORATORIUM, state.settings, emit)


def _clear_tamper(state: State, _: Authenticated, __: object, ___: int, emit: Emit) -> None:
    state.supply.tampered = 0
    emit("tamper_cleared", 0, 0)
    clear_causes(state.supply, Clearing.CLEAR_TAMPER, state.settings, emit)


def _clear_events(
    state: State, authenticated: Authenticated, _: object, __: int, emit: Emit
) -> None:
    emit("events_cleared", authenticated.message.sequence, 0)
    state.events_cleared_to = state.numbers[EVENT_RING] - 1


def _clear_demand(
    state: State, authenticated: Authenticated, _: object, __: int, emit: Emit
) -> None:
    state.period.maximum_demand_mw = state.period.maximum_demand_at_ms = 0
    emit("demand_cleared", authenticated.message.sequence, 0)


_ACTIONS: dict[MessageKind, Action] = {
    MessageKind.OPEN: _credit,
    MessageKind.CREDIT: _credit,
    MessageKind.REFUND: _refund,
    MessageKind.DEBT: _debt,
    MessageKind.CLOSE: _close,
    MessageKind.VOID: _void,
    MessageKind.LIMITS: _limits,
    MessageKind.TARIFF: _tariff,
    MessageKind.CLOCK: _clock,
    MessageKind.SWITCH: _switch,
    MessageKind.GUARANTEE: _guarantee,
    MessageKind.MORATORIUM: _moratorium,
    MessageKind.CLEAR_TAMPER: _clear_tamper,
    MessageKind.CLEAR_EVENTS: _clear_events,
    MessageKind.CLEAR_DEMAND: _clear_demand,
}
