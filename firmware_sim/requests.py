"""What can be asked of a meter: every change of its state goes through `Meter.handle` as one of
these values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.metrology.load import Load
from protocols.card.files import CardIdentity, CreditRecord
from protocols.card.insertion import InsertionError
from protocols.data_model.words import Carrier, Tamper
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, Outcome
from protocols.sealed_status import StatusQuestion


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message and what carried it."""

    data: bytes
    carrier: Carrier = Carrier.WIRE


@dataclass(frozen=True, slots=True)
class AskReceipt:
    """Ask for the sealed receipt of an accepted sequence, one of the last 16 of its class."""

    message_class: MessageClass
    sequence: int


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Ask for the sealed status: without effect, and without a commit."""

    question: StatusQuestion


@dataclass(frozen=True, slots=True)
class PressButton:
    """The customer presses the button, long enough to count."""


@dataclass(frozen=True, slots=True)
class SetLoad:
    """The customer draws something else from now on."""

    load: Load


@dataclass(frozen=True, slots=True)
class Sense:
    """A tamper sensor sees something, or no longer."""

    sensor: Tamper
    present: bool


@dataclass(frozen=True, slots=True)
class CutPower:
    """The supply of the meter itself goes; hold-up energy lets it save exactly."""


@dataclass(frozen=True, slots=True)
class ReturnPower:
    """The supply of the meter comes back."""


@dataclass(frozen=True, slots=True)
class BreakSwitch:
    """The supply control switch welds, sticks open or heals."""

    defect: SwitchDefect


@dataclass(frozen=True, slots=True)
class LosePhase:
    """A phase of the supply, 0 to 2, goes or returns."""

    phase: int
    lost: bool


@dataclass(frozen=True, slots=True)
class ReverseFlow:
    """Current flows the other way from now on, or as it should."""

    turned: bool


@dataclass(frozen=True, slots=True)
class LoseClock:
    """The clock is known lost, as after a dead battery."""


@dataclass(frozen=True, slots=True)
class StepClock:
    """The clock jumps by itself, ms."""

    by: int


@dataclass(frozen=True, slots=True)
class DriftClock:
    """The clock runs fast or slow from now on, in ppm."""

    ppm: int


@dataclass(frozen=True, slots=True)
class PresentCard:
    """A card that proved to be the meter's own, and what stood on it; its messages are still to be
    vouched for.
    """

    serial: bytes
    identity: CardIdentity
    credit: CreditRecord
    write_back_empty: bool
    commands: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFailed:
    """A card that could not be read (serial of zeros: not even that), or was pulled before its
    write-back was done.
    """

    error: InsertionError
    serial: bytes = bytes(8)
    after_commit: bool = False


Request = (
    Sealed
    | PresentCard
    | CardFailed
    | AskReceipt
    | AskStatus
    | PressButton
    | SetLoad
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


@dataclass(frozen=True, slots=True)
class Insertion:
    """What became of a card. `outcome` is that of its credit transfer, None where it carried none
    or was not asked.

    `write_back` says whether the slot is to tell the card; credit in ledger units.
    """

    error: InsertionError | None = None
    outcome: Outcome | None = None
    write_back: bool = False
    receipt: bytes = b""
    command_outcome: Outcome | None = None
    credit_before: int | None = None

    def with_commands(self, error: InsertionError | None, outcome: Outcome) -> Insertion:
        """Return the same with what became of the card's sealed commands."""
        return replace(self, error=error, command_outcome=outcome)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the meter says: an answer with its sealed receipt, a sealed status, or what became of a
    card.
    """

    answer: Answer | None = None
    receipt: bytes = b""
    insertion: Insertion | None = None
    status: bytes = b""
