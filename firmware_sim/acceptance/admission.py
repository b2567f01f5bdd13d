"""Admission: why an authenticated instruction is refused, in the order of METER.md 7. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.acceptance.instruction import Instruction
from firmware_sim.account.account import exceeds_max_credit
from firmware_sim.calendar_work import clock_at, local_of, with_pending
from firmware_sim.clock import LAST_CLOCK, LAST_DATE
from firmware_sim.state import State
from protocols.data_model.items import SETTINGS, UTC_OFFSET
from protocols.data_model.tariff import TariffChange
from protocols.data_model.tariff_sets import is_energy_tariff, sets_in_turn
from protocols.data_model.words import ENERGY_ACCOUNT, AccountState
from protocols.quantities import MONEY_LIMIT, LocalMoment, format_date
from protocols.sealed_message import MessageKind, Outcome, SwitchAction


def refusal(state: State, instruction: Instruction) -> Outcome | None:
    """Return the first reason that applies, or None: the instruction can be executed."""
    kind, account, amount = instruction.kind, state.account, instruction.amount
    if kind is MessageKind.VOID:
        return Outcome.OUT_OF_RANGE if amount else None
    if kind is MessageKind.OPEN and account.state != AccountState.UNOPENED:
        return Outcome.ALREADY_OPENED
    if (
        kind in (MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT, MessageKind.CLOSE)
        and not account.is_open
    ):
        return Outcome.NOT_OPENED
    if kind is not MessageKind.OPEN and instruction.customer_number not in (
        None,
        account.customer_number,
    ):
        return Outcome.NOT_FOR_THIS_CUSTOMER
    if instruction.account_unit not in (None, account.unit):
        return Outcome.WRONG_UNIT
    if not _in_range(state, instruction):
        return Outcome.OUT_OF_RANGE
    if kind in (MessageKind.OPEN, MessageKind.CREDIT) and exceeds_max_credit(
        account, amount, state.settings
    ):
        return Outcome.EXCEEDS_MAX_CREDIT
    if instruction.parameters is SwitchAction.INTERRUPT and state.supply.guarantee:
        return Outcome.REFUSED_BY_GUARANTEE
    return None


def _in_range(state: State, instruction: Instruction) -> bool:
    amount, parameters = instruction.amount, instruction.parameters
    match instruction.kind:
        case MessageKind.OPEN:
            return amount <= MONEY_LIMIT
        case MessageKind.CREDIT:
            return 0 < amount <= MONEY_LIMIT
        case MessageKind.DEBT:
            return 0 < amount <= MONEY_LIMIT and state.account.debt + amount <= MONEY_LIMIT
        case MessageKind.REFUND:
            return 0 < amount <= max(0, state.account.credit)
        case MessageKind.LIMITS:
            assert isinstance(parameters, dict)
            return not limits_refusals(state, parameters)
        case MessageKind.TARIFF:
            assert isinstance(parameters, TariffChange)
            return _tariffs_hold(state, parameters)
        case MessageKind.CLOCK:
            assert isinstance(parameters, int | LocalMoment)
            clock = clock_at(state, parameters)
            return clock is not None and 0 < clock < LAST_CLOCK
        case MessageKind.GUARANTEE:
            return parameters in (0, 1)
        case MessageKind.MORATORIUM:
            return isinstance(parameters, int) and moratorium_refusal(state, parameters) is None
        case (
            MessageKind.CLOSE
            | MessageKind.VOID
            | MessageKind.SWITCH
            | MessageKind.CLEAR_TAMPER
            | MessageKind.CLEAR_EVENTS
            | MessageKind.CLEAR_DEMAND
        ):
            return amount == 0


def limits_refusals(state: State, values: Mapping[int, int | None]) -> list[str]:
    """Return why settings by number are refused, alone or beside all others; empty if they hold.

    A state of an older build may hold a pair that is refused today; it does not stand in the way of
    other settings.
    """
    changed = {SETTINGS[number] for number in values}
    problems = state.settings.with_values(values).problems()
    found = [problem.text for problem in problems if problem.items & changed]
    if UTC_OFFSET in changed and state.identity.has_time_zone:
        found.append("utc_offset_minutes: a meter with a time zone has no offset of its own")
    return found


def moratorium_refusal(state: State, until: int) -> str | None:
    """Return why the end of a moratorium (days since 1970, 0 is off) is refused, None if not.

    It is after the local date, except where the clock is known lost, and before 2100.
    """
    clock = state.clock
    today = local_of(state, clock.read(state.elapsed_ms)).date
    if until >= LAST_DATE or (until and clock.valid and until <= today):
        return f"allowed is off, or a date after {format_date(today)} and before 2100"
    return None


def _tariffs_hold(state: State, change: TariffChange) -> bool:
    """Return whether the tariff is complete after every pending instant of activation.

    A part of the state is not checked again: one of an older build may be refused today.
    """
    if any(part.problem() for _, part in change.parts):
        return False
    now = state.clock.read(state.elapsed_ms)
    pending = with_pending(state, change.parts)
    if pending is None:
        return False
    parts = [(p.activation_ms, p.part) for p in pending]
    return not any(
        after.reference_problems()
        or (state.account.unit == ENERGY_ACCOUNT and not is_energy_tariff(after))
        for _, after in sets_in_turn(state.tariff, parts, now)
    )
