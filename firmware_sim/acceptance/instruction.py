"""Instructions to a meter and the proofs that authenticate them (METER.md 7).

    bytes of a carrier      Authenticator.authenticate   Authenticated or Refused
    Authenticated           admission.refusal            an outcome, or None
    Authenticated           execution.execute            Done, on an uncommitted copy of the state
    Done                    Proof.receipt                Content, kept in a ring, sealed on request

An instruction has no layout of any wire. What a proof spends against replay, and whether it has a
receipt, is its own: a sealed message has a sequence and a receipt, a token an identifier alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, final

from firmware_sim.account.account import Split
from firmware_sim.security.replay import Security
from firmware_sim.state import State
from protocols.data_model.tariff import TariffChange
from protocols.data_model.words import Carrier
from protocols.quantities import LocalMoment
from protocols.sealed_message import MessageKind, Outcome, SwitchAction

Parameters = Mapping[int, int | None] | TariffChange | SwitchAction | LocalMoment | int | None
"""Settings by number, a tariff, an action of the switch, the moment of a clock (ms, or local time),
or the number of guarantee (0, 1) and moratorium (days since 1970, 0 is off)."""

_MADE_HERE = object()


@dataclass(frozen=True, slots=True)
class Instruction:
    """A requested credit transfer or command; `amount` in ledger units.

    Account unit and customer number are None where the carrier does not say them: then the meter's
    own hold.
    """

    kind: MessageKind
    carrier: Carrier
    amount: int = 0
    parameters: Parameters = None
    account_unit: int | None = None
    customer_number: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Effect of an executed instruction: money in ledger units, `at` in ms by the meter's clock."""

    at: int
    credit_before: int
    credit_after: int
    split: Split
    settlement: int
    cumulative: int


class Content(NamedTuple):
    """The content of a receipt as a ring keeps it: ring, leading key of the row, content."""

    ring: int
    key: bytes
    kept: bytes


class Proof(Protocol):
    """Evidence that authenticates an instruction, with its rule against replay."""

    @property
    def number(self) -> int:
        """Sequence, token identifier or purchase count, for purchase records and events."""
        ...

    def spend(self, security: Security, at: int) -> None:
        """Record in an uncommitted state that the proof is used; `at` in ms by the clock."""
        ...

    def receipt(self, done: Done) -> Content | None:
        """Return the receipt's content, None where the proof has no receipt."""
        ...


@dataclass(frozen=True, slots=True)
class Authenticated:
    """An instruction with a correct, unused proof; made by authenticators alone."""

    instruction: Instruction
    proof: Proof
    made_by: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.made_by is not _MADE_HERE:
            raise PermissionError("only an authenticator makes an authenticated instruction")


@dataclass(frozen=True, slots=True)
class Refused:
    """A submission that was refused by its authenticator."""

    outcome: Outcome
    kept: bytes = b""
    """The content of the receipt of a submission that was accepted before."""
    attack: bool = False
    """Whether its carrier is suspended by this wrong code."""
    since_ms: int = 0
    """Elapsed time from which the refusal holds: it must lie in a commit before it is answered."""


class Reference(NamedTuple):
    """Names a submission in its answer: its sequence and the first four bytes of its code."""

    sequence: int = 0
    code: bytes = bytes(4)


NO_REFERENCE = Reference()


class Authenticator(ABC):
    """Authenticates submissions of one form. Only a subclass makes an `Authenticated`."""

    @abstractmethod
    def authenticate(self, data: bytes, carrier: Carrier, state: State) -> Authenticated | Refused:
        """Check a submission at the state's instant; of `state` only failures of a carrier change.

        The state may be committed whatever this returns.
        """

    def reference(self, data: bytes) -> Reference:
        """Return the reference of a submission for its answer; empty without a sequence."""
        return NO_REFERENCE

    def seal(self, kept: bytes, security: Security) -> bytes:
        """Seal the content of a receipt under the current key; empty where proofs have none."""
        return b""

    @final
    def _authenticated(self, instruction: Instruction, proof: Proof) -> Authenticated:
        return Authenticated(instruction, proof, _MADE_HERE)
