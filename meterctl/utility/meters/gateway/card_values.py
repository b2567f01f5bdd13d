"""What a card at a counter told, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meterctl.utility.meters.gateway.outcomes import Outcome
from meterctl.utility.meters.gateway.problems import Problem
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState, Cause, Status, SupplyState
from protocols.quantities import CENT
from protocols.sealed_message import Outcome as Word


class Consumption(StrEnum):
    """State of the sale on a card."""

    NONE = "none"
    UNCONSUMED = "unconsumed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Its meter answered that it does not take it; the bytes may still live."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """The write-back of a card: the state of its meter when it was last inserted, sealed by it.

    Money ends in `_exact`: ledger units (1e-10); `cumulative` is in 0.01, energy in mWh and never
    wraps, `clock_ms` and `elapsed_ms` are the meter's. `answered` is the meter's word for the sale
    on the card, `commands` that for its last command; empty where there was none.
    """

    serial: str
    epoch: int
    customer: str
    account_state: AccountState
    account_unit: int
    credit_sequence: int
    command_sequence: int
    clock_ms: int
    elapsed_ms: int
    cumulative: int
    purchases: int
    credit_exact: int
    debt_exact: int
    energy_mwh: int
    supply_state: SupplyState
    causes: Cause
    status: Status
    answered: str = ""
    commands: str = ""

    @classmethod
    def of(cls, back: WriteBack) -> CardReading:
        """Return the state that a verified write-back tells."""
        return cls(
            back.meter_digits,
            back.epoch,
            back.customer_digits,
            AccountState(back.account_state),
            back.account_unit,
            back.credit_sequence,
            back.command_sequence,
            back.clock,
            back.elapsed_ms,
            back.cumulative // CENT,
            back.purchases,
            back.credit,
            back.debt,
            back.energy_mwh,
            SupplyState(back.supply_state),
            Cause(back.causes),
            Status(back.status),
            _word(back.outcome),
            _word(back.command_outcome),
        )


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A prepaid card as it lies in a reader: its serial number, and the meter it is bound to.

    `meter` is empty for an unbound card. `is_blank`: it has no keys yet. `is_service`: it brings
    back the state of its meter, and carries no credit.
    """

    card: str
    meter: str = ""
    is_blank: bool = False
    is_service: bool = False


@dataclass(frozen=True, slots=True)
class Presented:
    """A card as it was read at a counter.

    `card` is its serial number, empty where it could not be read; `meter` and `customer` are those
    it is bound to, empty for an unbound one. `sale` is the entry of the sale on it, None where it
    carries none of this journal. `settled` are the entries that its write-back settled now, also
    without a key. `problem` may be `SET_BACK` beside all that: then no credit is sold to its meter
    before two persons decide. `notices` are for a person.
    """

    card: str = ""
    meter: str = ""
    customer: str = ""
    consumption: Consumption = Consumption.NONE
    sale: Outcome | None = None
    settled: tuple[Outcome, ...] = ()
    back: CardReading | None = None
    notices: tuple[str, ...] = ()
    problem: Problem = Problem.NONE
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CardDone:
    """A card that was formatted, replaced, preset or erased: `is_done`, else the problem.

    `outcomes` are the entries that this touched: the sale that moved to a replacement card, those
    of an erased one. `sequences` are the command sequences of a preset card. A card that was pulled
    is not done: the same call again finishes it.
    """

    is_done: bool
    card: str = ""
    outcomes: tuple[Outcome, ...] = ()
    sequences: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    problem: Problem = Problem.NONE
    cause: str = ""


def _word(outcome: int) -> str:
    return Word(outcome).name.lower() if outcome else ""
