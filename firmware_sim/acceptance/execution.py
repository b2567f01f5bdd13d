"""Execution of an authenticated and admitted instruction, the same for every carrier and proof.

It works on an uncommitted copy of the state (METER.md 5, 6, 7).
"""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.acceptance.instruction import Authenticated, Done, Instruction
from firmware_sim.account.account import (
    Split,
    close_account,
    enter_debt,
    open_account,
    refund,
    top_up,
)
from firmware_sim.calendar_work import clock_at, set_clock, set_offset, with_pending
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
from protocols.data_model.tariff import TariffChange
from protocols.data_model.words import Carrier, Cause, UnopenedSupply
from protocols.quantities import MINUTE, LocalMoment
from protocols.sealed_message import MessageKind, SwitchAction


class _Moved(NamedTuple):
    """Money that an instruction moved, in ledger units."""

    split: Split = Split(0, 0, 0)
    settlement: int = 0


_NOTHING = _Moved()
_PLAIN_KINDS = (MessageKind.CREDIT, MessageKind.SWITCH, MessageKind.LIMITS)
"""Kinds of plain writes, in the order of their words in the event log."""


def execute(state: State, authenticated: Authenticated, emit: Emit) -> Done:
    """Spend the proof and execute the instruction; return its effect."""
    before, clock, version = (
        state.account.credit,
        state.clock.read(state.elapsed_ms),
        state.security.key_version,
    )
    at = max(clock, 0)
    authenticated.proof.spend(state.security, at)
    if state.security.key_version != version:
        emit("key_changed", state.security.key_version, 0)
    number = authenticated.proof.number
    instruction = authenticated.instruction
    moved = _apply(state, instruction, number, clock, emit)
    account = state.account
    if instruction.carrier is Carrier.PLAIN:
        emit("plain_write_accepted", _PLAIN_KINDS.index(instruction.kind), account.purchases)
    return Done(at, before, account.credit, moved.split, moved.settlement, account.cumulative)


def _apply(state: State, instruction: Instruction, number: int, clock: int, emit: Emit) -> _Moved:
    """Apply an instruction; `number` is that of its proof."""
    amount, parameters = instruction.amount, instruction.parameters
    match instruction.kind:
        case MessageKind.OPEN | MessageKind.CREDIT:
            return _Moved(split=_credit(state, instruction, number, clock, emit))
        case MessageKind.REFUND:
            refund(state.account, amount)
            emit("credit_refunded", amount, number)
        case MessageKind.DEBT:
            enter_debt(state.account, amount)
            emit("debt_entered", amount, number)
        case MessageKind.CLOSE:
            return _Moved(settlement=_close(state, number, emit))
        case MessageKind.VOID:
            emit("sequence_voided", number, 0)
        case MessageKind.LIMITS:
            assert isinstance(parameters, dict)
            _set_limits(state, parameters, number, clock, emit)
        case MessageKind.TARIFF:
            assert isinstance(parameters, TariffChange)
            pending = with_pending(state, parameters.parts)
            assert pending is not None, "admission refuses a local time that is skipped"
            state.pending = pending
            emit("tariff_set", number, 0)
        case MessageKind.CLOCK:
            assert isinstance(parameters, int | LocalMoment)
            new = clock_at(state, parameters)
            assert new is not None, "admission refuses a local time that is skipped"
            set_clock(state, clock, new, emit)
        case MessageKind.SWITCH:
            assert isinstance(parameters, SwitchAction)
            _switch(state, parameters, clock, emit)
        case MessageKind.GUARANTEE:
            _set_guarantee(state, bool(parameters), emit)
        case MessageKind.MORATORIUM:
            assert isinstance(parameters, int)
            _set_moratorium(state, parameters, emit)
        case MessageKind.CLEAR_TAMPER:
            state.supply.tampered = 0
            emit("tamper_cleared", 0, 0)
            clear_causes(state.supply, Clearing.CLEAR_TAMPER, state.settings, emit)
        case MessageKind.CLEAR_EVENTS:
            emit("events_cleared", number, 0)
            state.events_cleared_to = state.numbers[EVENT_RING] - 1
        case MessageKind.CLEAR_DEMAND:
            state.period.maximum_demand_mw = state.period.maximum_demand_at_ms = 0
            emit("demand_cleared", number, 0)
    return _NOTHING


def _credit(state: State, instruction: Instruction, number: int, clock: int, emit: Emit) -> Split:
    account, amount = state.account, instruction.amount
    opening = instruction.kind is MessageKind.OPEN
    if opening:
        open_account(account, instruction.customer_number or account.customer_number)
    before = account.credit
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
        number,
        instruction.carrier,
    )
    state.append(PURCHASE_RING, row.pack())
    emit("account_opened" if opening else "credit_accepted", amount, number)
    if opening:
        clear_causes(state.supply, Clearing.OPENING, state.settings, emit)
    spend_after_top_up(state.supply, state.settings, account.credit, state.held_back, emit)
    return split


def _close(state: State, number: int, emit: Emit) -> int:
    settlement = close_account(state.account)
    emit("account_closed", settlement, number)
    drop_credit_causes(state.supply, state.settings, emit)
    if state.settings.unopened_supply == UnopenedSupply.DISCONNECTED:
        trip(state.supply, Cause.ACCOUNT, emit)
    return settlement


def _set_limits(
    state: State, values: dict[int, int | None], number: int, clock: int, emit: Emit
) -> None:
    offset = state.settings.utc_offset_minutes
    unopened = state.settings.unopened_supply
    state.settings = state.settings.with_values(values)
    emit("limits_set", number, 0)
    if state.settings.utc_offset_minutes != offset:
        set_offset(state, clock, offset, emit)
    if state.settings.unopened_supply != unopened and not state.account.is_open:
        if state.settings.unopened_supply == UnopenedSupply.DISCONNECTED:
            trip(state.supply, Cause.ACCOUNT, emit)
        else:
            clear_causes(state.supply, Clearing.OPENING, state.settings, emit)


def _switch(state: State, action: SwitchAction, clock: int, emit: Emit) -> None:
    supply, settings = state.supply, state.settings
    match action:
        case SwitchAction.INTERRUPT:
            due = clock + settings.trip_delay_minutes * MINUTE
            interrupt(supply, settings, state.elapsed_ms, due, emit)
        case SwitchAction.PERMIT:
            permit(supply, Clearing.PERMIT, settings, emit)
        case SwitchAction.DIRECT:
            permit(supply, Clearing.DIRECT_CLOSE, settings, emit)


def _set_guarantee(state: State, on: bool, emit: Emit) -> None:
    if on == state.supply.guarantee:
        return
    state.supply.guarantee = on
    emit("guarantee_set", on, 0)
    if on:
        hold_back(state.supply, Clearing.GUARANTEE, state.settings, emit)
    else:
        release(state.supply)


def _set_moratorium(state: State, until: int, emit: Emit) -> None:
    """Begin, change or end (0) a moratorium; admission has refused an end that is past."""
    supply, on = state.supply, until > 0
    emit("moratorium_set", until, 0)
    if supply.moratorium and not on:
        release(supply)
    supply.moratorium, supply.moratorium_until = on, until
    if on:
        hold_back(supply, Clearing.MORATORIUM, state.settings, emit)
