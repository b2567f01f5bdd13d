"""States and events of everything that the desk carries through, one table each (UTILITY 5, 6).

A table maps (state, event) to the state after it; `after` is the one function that reads it. An
absent pair is refused. Words are stored as they stand here.

The sale's table is UTILITY 5's; where that is silent:

- A sale on a card stays `on_card` when its shift closes; its amount stays undelivered.
- `sending` outlives its worker: the next worker of the same journal reads there what became of it.
  Where that journal is lost, `journal_lost` makes it `unknown`: then a proof of the meter or two
  persons end it, and it is never run again.
- An entry that a person closed in the journal by hand proves nothing: the sale is `unknown`
  (`sale_event`).
- The journal may move an open entry to another card, so an erased card that is replaced is
  `on_card` again. A void of a sale on a card that is not answered makes it `unknown`.
- A proof that the meter took the sale stands against every end without delivery, after payout too:
  a person's word may be wrong, and an opening for epoch 0 that one storage of a meter voided may
  be accepted by another one.

Orders of the credit class that move no money at the desk (open with what is carried or 0.00,
refund, debt, close) go by the sale's table. Dead, they owe nothing: `payout` and `sell_again` are
for sales.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from meterctl.utility.errors import Refused

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


def after(table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    """Return the state after an event.

    Raises:
        Refused: the table has no such pair (`not_in_this_state`).
    """
    reached = table.get((state, event))
    if reached is None:
        raise Refused(
            "not_in_this_state", f"{event} is not possible in state {state}; nothing was changed"
        )
    return reached


class SaleState(StrEnum):
    """State of a sale, and of an order of the credit class. A sale begins as `taken`."""

    TAKEN = "taken"
    SENDING = "sending"
    ON_CARD = "on_card"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    DEAD = "dead"
    HAND_DELIVERED = "hand_delivered"
    HAND_DEAD = "hand_dead"
    REPAID = "repaid"
    REPLACED = "replaced"


class SaleEvent(StrEnum):
    """Event of a sale."""

    RUN = "run"
    """A worker begins it; committed before the journal is touched."""
    CANCEL = "cancel"
    """Cancelled in the shift that took it: the money goes back."""
    CANCEL_LATER = "cancel_later"
    """Cancelled when that shift is closed: the money is owed."""
    WORKER_GONE = "worker_gone"
    """Its shift closes, and no worker lives that could run it: the money is owed."""

    ABSENT = "absent"
    """The worker's journal has no entry of its key."""
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    OPEN_OUTCOME = "open_outcome"
    """The journal's entry is prepared or unknown: the meter may have it."""
    WRITTEN_ON_CARD = "written_on_card"
    JOURNAL_LOST = "journal_lost"
    """The journal that may have sealed it is lost."""

    RECEIPT = "receipt"
    """The card's write-back, or a receipt, proves that the meter took it."""
    VOIDED = "voided"
    """It is proved that no storage of the meter can take it any more."""
    MOVED_TO_CARD = "moved_to_card"
    """Its card is replaced by another one."""
    ERASED = "erased"
    """Its card is erased."""

    RESOLVED_DELIVERED = "resolved_delivered"
    RESOLVED_DEAD = "resolved_dead"
    SETTLED_AS_DELIVERED = "settled_as_delivered"
    """Two persons say that the meter has it."""
    SETTLED_AS_DEAD = "settled_as_dead"
    """Two persons say that the meter does not have it."""
    PROOF_DELIVERED = "proof_delivered"
    """A proof after its end: the meter took it."""
    PROOF_DEAD = "proof_dead"
    """A proof after two persons settled it: the meter did not take it."""

    PAYOUT = "payout"
    SELL_AGAIN = "sell_again"
    """Its money pays another sale, with a key of its own."""


_ENDED_UNDELIVERED = (SaleState.DEAD, SaleState.HAND_DEAD, SaleState.REPAID, SaleState.REPLACED)

SALE: dict[tuple[SaleState, SaleEvent], SaleState] = {
    (SaleState.TAKEN, SaleEvent.RUN): SaleState.SENDING,
    (SaleState.TAKEN, SaleEvent.CANCEL): SaleState.CANCELLED,
    (SaleState.TAKEN, SaleEvent.CANCEL_LATER): SaleState.DEAD,
    (SaleState.TAKEN, SaleEvent.WORKER_GONE): SaleState.DEAD,
    (SaleState.SENDING, SaleEvent.ABSENT): SaleState.TAKEN,
    (SaleState.SENDING, SaleEvent.CONFIRMED): SaleState.DELIVERED,
    (SaleState.SENDING, SaleEvent.REFUSED): SaleState.DEAD,
    (SaleState.SENDING, SaleEvent.OPEN_OUTCOME): SaleState.UNKNOWN,
    (SaleState.SENDING, SaleEvent.WRITTEN_ON_CARD): SaleState.ON_CARD,
    (SaleState.SENDING, SaleEvent.JOURNAL_LOST): SaleState.UNKNOWN,
    (SaleState.ON_CARD, SaleEvent.RECEIPT): SaleState.DELIVERED,
    (SaleState.ON_CARD, SaleEvent.VOIDED): SaleState.DEAD,
    (SaleState.ON_CARD, SaleEvent.MOVED_TO_CARD): SaleState.ON_CARD,
    (SaleState.ON_CARD, SaleEvent.ERASED): SaleState.UNKNOWN,
    (SaleState.ON_CARD, SaleEvent.OPEN_OUTCOME): SaleState.UNKNOWN,
    (SaleState.ON_CARD, SaleEvent.JOURNAL_LOST): SaleState.UNKNOWN,
    (SaleState.UNKNOWN, SaleEvent.RESOLVED_DELIVERED): SaleState.DELIVERED,
    (SaleState.UNKNOWN, SaleEvent.RESOLVED_DEAD): SaleState.DEAD,
    (SaleState.UNKNOWN, SaleEvent.MOVED_TO_CARD): SaleState.ON_CARD,
    (SaleState.UNKNOWN, SaleEvent.SETTLED_AS_DELIVERED): SaleState.HAND_DELIVERED,
    (SaleState.UNKNOWN, SaleEvent.SETTLED_AS_DEAD): SaleState.HAND_DEAD,
    (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DELIVERED): SaleState.DELIVERED,
    (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DEAD): SaleState.DEAD,
    (SaleState.HAND_DEAD, SaleEvent.PROOF_DEAD): SaleState.DEAD,
    **{(state, SaleEvent.PROOF_DELIVERED): SaleState.DELIVERED for state in _ENDED_UNDELIVERED},
    (SaleState.DEAD, SaleEvent.PAYOUT): SaleState.REPAID,
    (SaleState.DEAD, SaleEvent.SELL_AGAIN): SaleState.REPLACED,
    (SaleState.HAND_DEAD, SaleEvent.PAYOUT): SaleState.REPAID,
    (SaleState.HAND_DEAD, SaleEvent.SELL_AGAIN): SaleState.REPLACED,
}

UNDELIVERED = frozenset({SaleState.TAKEN, SaleState.SENDING, SaleState.ON_CARD, SaleState.UNKNOWN})
"""States of sales whose amounts make up `undelivered` (I2)."""
LIVE = frozenset({SaleState.SENDING, SaleState.ON_CARD, SaleState.UNKNOWN})
"""States of live credit orders, of which a meter has one at most (I5)."""
PAYABLE = frozenset({SaleState.DEAD, SaleState.HAND_DEAD})
"""States of sales whose amounts are owed to the customer."""


class JournalWord(StrEnum):
    """What a journal holds under a key: no entry, or the state of the entry as it shows it."""

    ABSENT = "absent"
    PREPARED = "prepared"
    ON_CARD = "on_card"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


_JOURNAL: dict[tuple[SaleState, JournalWord], SaleEvent] = {
    (SaleState.SENDING, JournalWord.ABSENT): SaleEvent.ABSENT,
    (SaleState.SENDING, JournalWord.PREPARED): SaleEvent.OPEN_OUTCOME,
    (SaleState.SENDING, JournalWord.UNKNOWN): SaleEvent.OPEN_OUTCOME,
    (SaleState.SENDING, JournalWord.ON_CARD): SaleEvent.WRITTEN_ON_CARD,
    (SaleState.SENDING, JournalWord.CONFIRMED): SaleEvent.CONFIRMED,
    (SaleState.SENDING, JournalWord.REFUSED): SaleEvent.REFUSED,
    (SaleState.ON_CARD, JournalWord.UNKNOWN): SaleEvent.OPEN_OUTCOME,
    (SaleState.ON_CARD, JournalWord.CONFIRMED): SaleEvent.RECEIPT,
    (SaleState.ON_CARD, JournalWord.REFUSED): SaleEvent.VOIDED,
    (SaleState.UNKNOWN, JournalWord.ON_CARD): SaleEvent.MOVED_TO_CARD,
    (SaleState.UNKNOWN, JournalWord.CONFIRMED): SaleEvent.RESOLVED_DELIVERED,
    (SaleState.UNKNOWN, JournalWord.REFUSED): SaleEvent.RESOLVED_DEAD,
    (SaleState.HAND_DELIVERED, JournalWord.CONFIRMED): SaleEvent.PROOF_DELIVERED,
    (SaleState.HAND_DELIVERED, JournalWord.REFUSED): SaleEvent.PROOF_DEAD,
    (SaleState.HAND_DEAD, JournalWord.REFUSED): SaleEvent.PROOF_DEAD,
    **{(state, JournalWord.CONFIRMED): SaleEvent.PROOF_DELIVERED for state in _ENDED_UNDELIVERED},
}


def sale_event(state: SaleState, word: JournalWord, *, by_hand: bool = False) -> SaleEvent | None:
    """Return the event that the journal's word is for a sale; None where it changes nothing.

    Args:
        word: from the journal that the sale's order names, no other one.
        by_hand: a person closed the entry there, so its word is no proof: it is as `unknown`.
    """
    return _JOURNAL.get((state, JournalWord.UNKNOWN if by_hand else word))


class CommandState(StrEnum):
    """State of an order of the command class; it begins as `queued`."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    SILENT = "silent"


class CommandEvent(StrEnum):
    """Event of a command."""

    RUN = "run"
    PROVED = "proved"
    """Read back: the meter has it."""
    REFUSE = "refuse"
    """The meter, or a check before sealing, refused it."""
    NO_ANSWER = "no_answer"
    WORKER_GONE = "worker_gone"
    """Its worker died; it is run again, after it was read back."""
    EXPIRE = "expire"
    """The moment passed until which it may be sent."""


COMMAND: dict[tuple[CommandState, CommandEvent], CommandState] = {
    (CommandState.QUEUED, CommandEvent.RUN): CommandState.RUNNING,
    (CommandState.QUEUED, CommandEvent.EXPIRE): CommandState.EXPIRED,
    (CommandState.RUNNING, CommandEvent.PROVED): CommandState.DONE,
    (CommandState.RUNNING, CommandEvent.REFUSE): CommandState.REFUSED,
    (CommandState.RUNNING, CommandEvent.EXPIRE): CommandState.EXPIRED,
    (CommandState.RUNNING, CommandEvent.NO_ANSWER): CommandState.SILENT,
    (CommandState.RUNNING, CommandEvent.WORKER_GONE): CommandState.SILENT,
    (CommandState.SILENT, CommandEvent.RUN): CommandState.RUNNING,
    (CommandState.SILENT, CommandEvent.EXPIRE): CommandState.EXPIRED,
}


class ShiftState(StrEnum):
    """State of a shift; it begins as `open`, and only then money is taken."""

    OPEN = "open"
    COUNTED = "counted"
    CLOSED = "closed"


class ShiftEvent(StrEnum):
    """Event of a shift."""

    COUNT = "count"
    RECOUNT = "recount"
    CLOSE = "close"


SHIFT: dict[tuple[ShiftState, ShiftEvent], ShiftState] = {
    (ShiftState.OPEN, ShiftEvent.COUNT): ShiftState.COUNTED,
    (ShiftState.COUNTED, ShiftEvent.RECOUNT): ShiftState.OPEN,
    (ShiftState.COUNTED, ShiftEvent.CLOSE): ShiftState.CLOSED,
}


class AgreementState(StrEnum):
    """State of an agreement; it begins as `new`."""

    NEW = "new"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"


class AgreementEvent(StrEnum):
    """Event of an agreement."""

    ACTIVATE = "activate"
    """Its first version is active, or it was taken over with a proved reading."""
    SUSPEND = "suspend"
    RESUME = "resume"
    BEGIN_CLOSING = "begin_closing"
    STOP_CLOSING = "stop_closing"
    CLOSE = "close"


AGREEMENT: dict[tuple[AgreementState, AgreementEvent], AgreementState] = {
    (AgreementState.NEW, AgreementEvent.ACTIVATE): AgreementState.ACTIVE,
    (AgreementState.ACTIVE, AgreementEvent.SUSPEND): AgreementState.SUSPENDED,
    (AgreementState.SUSPENDED, AgreementEvent.RESUME): AgreementState.ACTIVE,
    (AgreementState.ACTIVE, AgreementEvent.BEGIN_CLOSING): AgreementState.CLOSING,
    (AgreementState.CLOSING, AgreementEvent.STOP_CLOSING): AgreementState.ACTIVE,
    (AgreementState.CLOSING, AgreementEvent.CLOSE): AgreementState.CLOSED,
}


class VersionState(StrEnum):
    """State of a version of an agreement; it begins as `draft`."""

    DRAFT = "draft"
    SIGNED = "signed"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class VersionEvent(StrEnum):
    """Event of a version of an agreement."""

    SIGN = "sign"
    TAKE_OVER = "take_over"
    """Its meter has these terms already: read from it, and taken over by two persons."""
    PROVISION = "provision"
    PROVED = "proved"
    """Every order of it is done and read back."""
    REFUSE = "refuse"
    """The meter refused one of its orders."""
    REPLACE = "replace"
    """The next version is active."""
    WITHDRAW = "withdraw"


VERSION: dict[tuple[VersionState, VersionEvent], VersionState] = {
    (VersionState.DRAFT, VersionEvent.SIGN): VersionState.SIGNED,
    (VersionState.DRAFT, VersionEvent.TAKE_OVER): VersionState.ACTIVE,
    (VersionState.DRAFT, VersionEvent.WITHDRAW): VersionState.WITHDRAWN,
    (VersionState.SIGNED, VersionEvent.PROVISION): VersionState.PROVISIONING,
    (VersionState.SIGNED, VersionEvent.WITHDRAW): VersionState.WITHDRAWN,
    (VersionState.PROVISIONING, VersionEvent.PROVED): VersionState.ACTIVE,
    (VersionState.PROVISIONING, VersionEvent.REFUSE): VersionState.DRAFT,
    (VersionState.ACTIVE, VersionEvent.REPLACE): VersionState.REPLACED,
}


class TaskState(StrEnum):
    """State of a task; it begins as `open`."""

    OPEN = "open"
    TAKEN = "taken"
    DONE = "done"
    CANCELLED = "cancelled"


class TaskEvent(StrEnum):
    """Event of a task."""

    TAKE = "take"
    PUT_BACK = "put_back"
    FINISH = "finish"
    """Done, approved or refused: its outcome says which."""
    CANCEL = "cancel"
    """Its subject needs it no more."""


TASK: dict[tuple[TaskState, TaskEvent], TaskState] = {
    (TaskState.OPEN, TaskEvent.TAKE): TaskState.TAKEN,
    (TaskState.OPEN, TaskEvent.FINISH): TaskState.DONE,
    (TaskState.OPEN, TaskEvent.CANCEL): TaskState.CANCELLED,
    (TaskState.TAKEN, TaskEvent.PUT_BACK): TaskState.OPEN,
    (TaskState.TAKEN, TaskEvent.FINISH): TaskState.DONE,
    (TaskState.TAKEN, TaskEvent.CANCEL): TaskState.CANCELLED,
}


class ReadingState(StrEnum):
    """State of a reading on demand; it begins as `due`."""

    DUE = "due"
    TAKEN = "taken"
    MISSED = "missed"
    HELD = "held"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class ReadingEvent(StrEnum):
    """Event of a reading."""

    TAKE = "take"
    MISS = "miss"
    """No answer in the last try."""
    HOLD = "hold"
    """A finding holds it until a person has looked at it."""
    ACCEPT = "accept"
    """Only now it is booked."""
    REJECT = "reject"


READING: dict[tuple[ReadingState, ReadingEvent], ReadingState] = {
    (ReadingState.DUE, ReadingEvent.TAKE): ReadingState.TAKEN,
    (ReadingState.DUE, ReadingEvent.MISS): ReadingState.MISSED,
    (ReadingState.MISSED, ReadingEvent.TAKE): ReadingState.TAKEN,
    (ReadingState.TAKEN, ReadingEvent.HOLD): ReadingState.HELD,
    (ReadingState.TAKEN, ReadingEvent.ACCEPT): ReadingState.ACCEPTED,
    (ReadingState.HELD, ReadingEvent.ACCEPT): ReadingState.ACCEPTED,
    (ReadingState.HELD, ReadingEvent.REJECT): ReadingState.REJECTED,
}
