"""What the gateway tells, as values of the books: events of orders, proofs, readings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meterctl.utility.meters.gateway import (
    CardReading,
    CommandOutcome,
    CommandWord,
    Outcome,
    Problem,
    Reading,
)
from meterctl.utility.model.metering import ReadingSource
from meterctl.utility.rules.transitions import (
    CommandEvent,
    JournalWord,
    SaleEvent,
    SaleState,
    sale_event,
)
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.reading_books import ReadingValues
from meterctl.utility.store.write_back_books import WriteBackValues
from protocols.data_model.words import cause_words
from protocols.quantities import CENT


def event_of(state: SaleState, outcome: Outcome) -> SaleEvent | None:
    """Return the event that the journal's word is for an order of the credit class, if it is one.

    Args:
        outcome: from the journal that the order names, no other one.
    """
    return sale_event(state, JournalWord(outcome.state.value), by_hand=outcome.by_hand)


def proved_by(outcome: Outcome) -> Proved | None:
    """Return what an outcome proves; None where the journal has no entry of the key."""
    if outcome.kind is None:
        return None
    effect, supply = outcome.effect, outcome.supply
    proved = Proved(
        outcome.epoch,
        outcome.sequence,
        outcome.card,
        supply_state=None if supply is None else supply.state,
        causes=None if supply is None else supply.causes,
    )
    if effect is None:
        return proved
    return replace(
        proved,
        to_debt=effect.to_debt,
        to_overdraft=effect.to_overdraft,
        credit_after=effect.credit_after,
        cumulative=effect.cumulative,
    )


def cause_of(outcome: Outcome | CommandOutcome) -> str:
    """Return why an order stands where it stands; empty where its state says all."""
    if isinstance(outcome, Outcome) and not outcome.cause and outcome.word:
        return outcome.word.value
    return in_words_of_desk(outcome.problem, outcome.cause)


def in_words_of_desk(problem: Problem, cause: str) -> str:
    """Return a cause with what to do here, where another command of meterctl is named in it."""
    if problem is Problem.SET_BACK:
        return f"{cause.partition('; --set-back')[0]}; two persons decide what is done with it"
    if problem is Problem.EPOCH_CHANGED:
        return f"{cause}; two persons decide what is done with it: `desk reading end-epoch`"
    return cause


def told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values for people; money of its receipt is exact (1e-10)."""
    effect = outcome.effect
    values: dict[str, Any] = {
        "journal": outcome.journal,
        "entry": outcome.entry,
        "state": outcome.state.value,
        "outcome": outcome.word.value,
        "by_hand": outcome.by_hand,
        "sequence": outcome.sequence,
        "problem": outcome.problem.value,
    }
    if effect is not None:
        values |= {
            "to_debt_exact": effect.to_debt,
            "to_overdraft_exact": effect.to_overdraft,
            "credit_before_exact": effect.credit_before,
            "credit_after_exact": effect.credit_after,
            "cumulative_exact": effect.cumulative,
            "settlement_exact": effect.settlement,
        }
    return values


def command_event(outcome: CommandOutcome) -> CommandEvent:
    """Return the event that the end of a command is for its order."""
    match outcome.state:
        case CommandWord.DONE:
            return CommandEvent.PROVED
        case CommandWord.REFUSED:
            return CommandEvent.REFUSE
        case CommandWord.SILENT:
            return CommandEvent.NO_ANSWER


def reading_values(meter_id: int, reading: Reading) -> ReadingValues:
    """Return a reading from a wire as the books take it."""
    return ReadingValues(
        meter_id=meter_id,
        source=ReadingSource.WIRE,
        taken_at=reading.taken_at_ms,
        epoch=reading.epoch,
        elapsed=reading.elapsed_ms,
        credit_sequence=reading.credit_sequence,
        command_sequence=reading.command_sequence,
        energy_mwh=reading.energy_mwh,
        credit_exact=reading.credit_exact,
        debt_exact=reading.debt_exact,
        consumption_exact=reading.consumption_exact,
        standing_exact=reading.standing_exact,
        instalments_exact=reading.instalments_exact,
        refunds_exact=reading.refunded_exact,
        cumulative_exact=reading.cumulative * CENT,
        to_debt_exact=reading.debt_from_top_ups_exact,
        debt_entered_exact=reading.debt_entered_exact,
        opening_exact=reading.opening_exact,
        account_state=reading.account_state.name.lower(),
        customer_number=reading.customer,
        supply_state=reading.supply_state.name.lower(),
        causes=tuple(cause_words(reading.causes)),
        meter_clock=reading.clock_ms,
    )


def write_back_values(back: CardReading) -> WriteBackValues:
    """Return a card's write-back as the books take it."""
    return WriteBackValues(
        serial=back.serial,
        epoch=back.epoch,
        elapsed=back.elapsed_ms,
        credit_sequence=back.credit_sequence,
        command_sequence=back.command_sequence,
        energy_mwh=back.energy_mwh,
        credit_exact=back.credit_exact,
        debt_exact=back.debt_exact,
        cumulative_exact=back.cumulative * CENT,
        clock=back.clock_ms,
        account_state=back.account_state.name.lower(),
        customer_number=back.customer,
        supply_state=back.supply_state.name.lower(),
        causes=tuple(cause_words(back.causes)),
    )
