"""Requests of a meter and its reply: every change of its state passes `Meter.handle` as one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.metrology.load import Load
from protocols.card.files import CardIdentity, CreditRecord
from protocols.control import CutPower, PressButton, ReturnPower, Sense
from protocols.data_model.insertion import InsertionError
from protocols.data_model.words import Carrier
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, Outcome
from protocols.sealed_status import StatusQuestion


@dataclass(frozen=True, slots=True)
class Submission:
    """Bytes that ask for credit or a command, and their carrier; its class is their form."""

    data: bytes
    carrier: Carrier = Carrier.WIRE


class Sealed(Submission):
    """A sealed message."""

    __slots__ = ()


class Plain(Submission):
    """A plain write: `acceptance/plain.py` makes and reads its bytes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AskReceipt:
    """Request the sealed receipt of an accepted sequence, one of the last 16 of its class."""

    message_class: MessageClass
    sequence: int


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Request the sealed status, without effect and without a commit."""

    question: StatusQuestion


@dataclass(frozen=True, slots=True)
class SetLoad:
    """The customer's load changes."""

    load: Load


@dataclass(frozen=True, slots=True)
class BreakSwitch:
    """The supply control switch welds, sticks open or recovers."""

    defect: SwitchDefect


@dataclass(frozen=True, slots=True)
class LosePhase:
    """A phase of the supply, 0 to 2, fails or returns."""

    phase: int
    lost: bool


@dataclass(frozen=True, slots=True)
class ReverseFlow:
    """The current is reversed from now on, or normal again."""

    turned: bool


@dataclass(frozen=True, slots=True)
class LoseClock:
    """The clock is known lost, as with an empty battery."""


@dataclass(frozen=True, slots=True)
class StepClock:
    """The clock steps by `by` ms without a command."""

    by: int


@dataclass(frozen=True, slots=True)
class DriftClock:
    """The clock runs fast or slow from now on, in ppm."""

    ppm: int


@dataclass(frozen=True, slots=True)
class PresentCard:
    """An authenticated card of this meter, and its content with messages not yet authenticated."""

    serial: bytes
    identity: CardIdentity
    credit: CreditRecord
    write_back_empty: bool
    commands: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFailed:
    """A card that could not be read, or was pulled before its write-back was complete.

    The serial is zeros where not even that was read.
    """

    error: InsertionError
    serial: bytes = bytes(8)
    after_commit: bool = False


EnvironmentChange = (
    SetLoad
    | Sense
    | CutPower
    | ReturnPower
    | BreakSwitch
    | LoseClock
    | StepClock
    | DriftClock
    | LosePhase
    | ReverseFlow
)
"""A request that no host and no card can make."""

NeedsPower = Submission | PresentCard | CardFailed | PressButton
"""A request that is not executed without power."""

Change = NeedsPower | EnvironmentChange
"""A request that may change the state."""

Request = Change | AskReceipt | AskStatus


@dataclass(frozen=True, slots=True)
class Insertion:
    """Result of a card insertion; credit in ledger units.

    `outcome` is that of its credit transfer, None where it had none or was not processed.
    `write_back` is whether the slot writes the result to the card.
    """

    error: InsertionError | None = None
    outcome: Outcome | None = None
    write_back: bool = False
    receipt: bytes = b""
    command_outcome: Outcome | None = None
    credit_before: int | None = None

    def with_commands(self, error: InsertionError | None, outcome: Outcome) -> Insertion:
        """Return a copy with the result of the card's sealed commands."""
        return replace(self, error=error, command_outcome=outcome)


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply of a meter: an answer with its receipt, a sealed status, or the result of a card."""

    answer: Answer | None = None
    receipt: bytes = b""
    insertion: Insertion | None = None
    status: bytes = b""


def refused_by_storage(reply: Reply | None) -> bool:
    """Return whether the storage of the meter refused the request of a reply."""
    answer = reply.answer if reply is not None else None
    return answer is not None and answer.outcome is Outcome.STORAGE_FAULT
