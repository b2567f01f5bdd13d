"""The rows of a journal as values."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.states import OPEN_STATES, EntryOutcome, EntryState, LedgerState
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import FORMER_VERSION, NO_ORIGIN, Origin, SealedMessage, code_of

VOID = "void"
OPEN = "open"
SALES = (OPEN, "credit")
"""Kinds for which a customer has paid."""
CONSEQUENCES = {
    "open": ("is to be claimed back from the customer", "is owed to the customer"),
    "credit": ("is to be claimed back from the customer", "is owed to the customer"),
    "refund": (
        "was taken back and is to be paid out",
        "was not taken back and is not to be paid out",
    ),
    "debt": ("was entered as a debt", "was not entered as a debt"),
}
"""Message kind -> consequence for money outside the meter: if confirmed, if refused."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed message. `amount` in 0.01; instants in s since 1970 UTC by the host's clock."""

    id: int
    meter: str
    epoch: int
    sequence: int
    kind: str
    amount: int
    state: EntryState
    outcome: EntryOutcome
    created: int
    changed: int
    message: bytes
    receipt: bytes
    card: str = ""
    """Serial number of the card that carries it; empty for a message sent by wire."""
    reference: str = ""
    """The sale key that the requester chose; the same key again means the same sale."""
    origin: Origin = NO_ORIGIN
    """The journal number and mark under which it was sealed; both 0 in the former format."""
    void_of: int = 0
    """For a void: the entry that it voids; 0 in entries of an older layout."""

    @property
    def ledger_state(self) -> LedgerState:
        """The state of the entry in the table of transitions."""
        match self.state:
            case EntryState.PREPARED:
                return LedgerState.PREPARED
            case EntryState.ON_CARD:
                return LedgerState.ON_CARD
            case EntryState.UNKNOWN:
                return LedgerState.UNKNOWN
            case EntryState.CONFIRMED:
                by_hand = self.is_closed_by_hand
                return LedgerState.CONFIRMED_BY_HAND if by_hand else LedgerState.CONFIRMED
            case EntryState.REFUSED:
                if self.is_closed_by_hand:
                    return LedgerState.REFUSED_BY_HAND
                elsewhere = self.kind == OPEN and self.opens_any_epoch
                return LedgerState.REFUSED_HERE if elsewhere else LedgerState.REFUSED

    @property
    def is_open(self) -> bool:
        """Whether the outcome is not settled yet."""
        return self.ledger_state in OPEN_STATES

    @property
    def is_closed_by_hand(self) -> bool:
        """Whether a person closed it without proof."""
        return self.outcome is EntryOutcome.BY_HAND

    @property
    def code(self) -> bytes:
        """The first four bytes of the message's code; meter and card answer with it."""
        return code_of(self.message)

    @property
    def is_former(self) -> bool:
        """Whether the message has the former format: without origin, and never sent again."""
        return self.message[:1] == bytes((FORMER_VERSION,))

    @property
    def sealed(self) -> SealedMessage | None:
        """The decoded message; None for malformed bytes, which no proof can settle."""
        try:
            return SealedMessage.decode(self.message)
        except MalformedMessageError:
            return None

    @property
    def key_version(self) -> int:
        """The key version under which it was sealed."""
        return self.message[1] if len(self.message) > 1 else 0

    @property
    def opens_any_epoch(self) -> bool:
        """Whether it was sealed for epoch 0: any never-opened storage of its meter accepts it."""
        message = self.sealed
        return message is not None and message.epoch == 0

    def lives_in(self, epoch: int) -> bool:
        """Return whether a meter with this epoch could accept the message."""
        return self.epoch in (epoch, 0)


def proof_text(before: Entry, after: Entry) -> str:
    """Return a text about a proof of an entry that was closed without one.

    If it proves the opposite, the text says what follows for money outside the meter.
    """
    said = "a person" if before.is_closed_by_hand else "a void in another epoch"
    text = (
        f"entry {before.id}: {said} had closed it as {before.state.value}; proved "
        f"{after.state.value} ({after.outcome})"
    )
    if after.state is before.state or not before.amount or before.kind not in CONSEQUENCES:
        return text
    paid, owed = CONSEQUENCES[before.kind]
    follows = paid if after.state is EntryState.CONFIRMED else owed
    return f"{text}: {format_money(before.amount * CENT)} {follows}"
