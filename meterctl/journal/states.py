"""States and events of a journal entry as one table (METER.md 8); docs/journal.md draws it.

An open entry takes every event. A proof settles it, and a proof overrules a person who closed it
without one. A proved entry stays as it is, so a confirmation stands against every later refusal; of
proofs that come together `operations/conclusions.py` applies a confirming one first. One refusal is
not the last word: an opening for epoch 0 that was voided in one storage may still be accepted by
another storage of its meter.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from protocols.sealed_message import Outcome


class EntryState(Enum):
    """State of an entry, as the journal stores and shows it; the first three are open."""

    PREPARED = "prepared"
    ON_CARD = "on_card"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class LedgerState(Enum):
    """State of an entry in the table: its `EntryState`, and what may still overrule it."""

    PREPARED = "prepared"
    ON_CARD = "on_card"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REFUSED_HERE = "refused_here"
    """An opening for epoch 0 that is void in one storage of its meter."""
    CONFIRMED_BY_HAND = "confirmed_by_hand"
    REFUSED_BY_HAND = "refused_by_hand"

    @property
    def shown(self) -> EntryState:
        """The state that the journal stores and shows."""
        match self:
            case LedgerState.PREPARED:
                return EntryState.PREPARED
            case LedgerState.ON_CARD:
                return EntryState.ON_CARD
            case LedgerState.UNKNOWN:
                return EntryState.UNKNOWN
            case LedgerState.CONFIRMED | LedgerState.CONFIRMED_BY_HAND:
                return EntryState.CONFIRMED
            case LedgerState.REFUSED | LedgerState.REFUSED_HERE | LedgerState.REFUSED_BY_HAND:
                return EntryState.REFUSED


class EntryEvent(Enum):
    """An event of an entry; the letters are those of METER.md 8."""

    RECEIPT = "(a) a receipt with its code"
    WRITE_BACK = "(a) a write-back that accepted it"
    STATUS = "(c) a status whose last message of its journal it is"

    RECEIPT_OF_VOID = "(b) the receipt of its void"
    RECEIPT_OF_VOID_HERE = "(b) the receipt of its void, for an opening of epoch 0"
    RECEIPT_OF_ANOTHER = "(b) a receipt of another message, and a proof that reached the sequence"
    WRITE_BACK_OF_ANOTHER = "(b) a write-back that answered it with SEQUENCE_CONFLICT"
    STATUS_OF_VOID = "(c) a status whose last message of its journal is its void"
    STATUS_OF_ANOTHER = "(c) a status whose last message of its journal is another one, or none"
    KEY_VERSION_PASSED = "(d) a proof of a higher key version below the sequence"
    SEQUENCE_TAKEN = "for a void: a proof that another message has its sequence"

    CLOSED_AS_CONFIRMED = "closed by hand as confirmed"
    CLOSED_AS_REFUSED = "closed by hand as refused"

    NOT_ANSWERED = "no answer proves its outcome"
    REFUSED_UNSEALED = "a refusal, which is not sealed"
    VOID_BEGUN = "its void is to be sent"
    CARD_ERASED = "its card is erased"
    MOVED_TO_CARD = "moved to another card"


class EntryOutcome(StrEnum):
    """Outcome word of an entry: what proved, ended or holds up its message.

    The words of METER.md 7 where there is one.
    """

    NONE = ""
    ACCEPTED = "accepted"
    VOIDED = "voided"
    BY_HAND = "by_hand"
    VOIDING = "voiding"
    ERASED = "erased"

    MALFORMED = "malformed"
    UNSUPPORTED_VERSION = "unsupported_version"
    NOT_FOR_THIS_METER = "not_for_this_meter"
    UNKNOWN_KEY_VERSION = "unknown_key_version"
    BAD_AUTHENTICATION = "bad_authentication"
    SUSPENDED = "suspended"
    SEQUENCE_CONFLICT = "sequence_conflict"
    SEQUENCE_OLD = "sequence_old"
    SEQUENCE_GAP = "sequence_gap"
    EXPIRED = "expired"
    NOT_OPENED = "not_opened"
    ALREADY_OPENED = "already_opened"
    NOT_FOR_THIS_CUSTOMER = "not_for_this_customer"
    WRONG_UNIT = "wrong_unit"
    OUT_OF_RANGE = "out_of_range"
    EXCEEDS_MAX_CREDIT = "exceeds_max_credit"
    REFUSED_BY_GUARANTEE = "refused_by_guarantee"
    STORAGE_FAULT = "storage_fault"

    @classmethod
    def of(cls, refusal: Outcome) -> EntryOutcome:
        """Return the word of a meter's refusal."""
        return cls(refusal.name.lower())


OPEN_STATES = (LedgerState.PREPARED, LedgerState.ON_CARD, LedgerState.UNKNOWN)
BY_HAND_STATES = (LedgerState.CONFIRMED_BY_HAND, LedgerState.REFUSED_BY_HAND)

CONFIRMING = (EntryEvent.RECEIPT, EntryEvent.WRITE_BACK, EntryEvent.STATUS)
"""Proofs that the meter accepted the message."""
REFUSING = (
    EntryEvent.RECEIPT_OF_VOID,
    EntryEvent.RECEIPT_OF_ANOTHER,
    EntryEvent.WRITE_BACK_OF_ANOTHER,
    EntryEvent.STATUS_OF_VOID,
    EntryEvent.STATUS_OF_ANOTHER,
    EntryEvent.KEY_VERSION_PASSED,
    EntryEvent.SEQUENCE_TAKEN,
)
"""Proofs that no storage of the meter can accept the message any more."""
UNPROVED = (
    EntryEvent.NOT_ANSWERED,
    EntryEvent.REFUSED_UNSEALED,
    EntryEvent.VOID_BEGUN,
    EntryEvent.CARD_ERASED,
)
"""Events after which the message may or may not be accepted."""

TRANSITIONS: dict[tuple[LedgerState, EntryEvent], LedgerState] = {
    (state, event): after
    for states, events, after in (
        # an open entry
        (OPEN_STATES, UNPROVED, LedgerState.UNKNOWN),
        (OPEN_STATES, (EntryEvent.MOVED_TO_CARD,), LedgerState.ON_CARD),
        (OPEN_STATES, (EntryEvent.CLOSED_AS_CONFIRMED,), LedgerState.CONFIRMED_BY_HAND),
        (OPEN_STATES, (EntryEvent.CLOSED_AS_REFUSED,), LedgerState.REFUSED_BY_HAND),
        (OPEN_STATES, CONFIRMING, LedgerState.CONFIRMED),
        (OPEN_STATES, REFUSING, LedgerState.REFUSED),
        (OPEN_STATES, (EntryEvent.RECEIPT_OF_VOID_HERE,), LedgerState.REFUSED_HERE),
        # a proof overrules a person
        (BY_HAND_STATES, CONFIRMING, LedgerState.CONFIRMED),
        (BY_HAND_STATES, REFUSING, LedgerState.REFUSED),
        (BY_HAND_STATES, (EntryEvent.RECEIPT_OF_VOID_HERE,), LedgerState.REFUSED_HERE),
        # an acceptance in another storage overrules the void in one
        ((LedgerState.REFUSED_HERE,), CONFIRMING, LedgerState.CONFIRMED),
    )
    for state in states
    for event in events
}
"""The state after an event. An absent pair is refused: the entry stays as it is."""

OUTCOMES: dict[EntryEvent, EntryOutcome] = {
    **dict.fromkeys(CONFIRMING, EntryOutcome.ACCEPTED),
    EntryEvent.RECEIPT_OF_VOID: EntryOutcome.VOIDED,
    EntryEvent.RECEIPT_OF_VOID_HERE: EntryOutcome.VOIDED,
    EntryEvent.STATUS_OF_VOID: EntryOutcome.VOIDED,
    EntryEvent.RECEIPT_OF_ANOTHER: EntryOutcome.SEQUENCE_CONFLICT,
    EntryEvent.WRITE_BACK_OF_ANOTHER: EntryOutcome.SEQUENCE_CONFLICT,
    EntryEvent.STATUS_OF_ANOTHER: EntryOutcome.SEQUENCE_CONFLICT,
    EntryEvent.SEQUENCE_TAKEN: EntryOutcome.SEQUENCE_CONFLICT,
    EntryEvent.KEY_VERSION_PASSED: EntryOutcome.UNKNOWN_KEY_VERSION,
    EntryEvent.CLOSED_AS_CONFIRMED: EntryOutcome.BY_HAND,
    EntryEvent.CLOSED_AS_REFUSED: EntryOutcome.BY_HAND,
    EntryEvent.VOID_BEGUN: EntryOutcome.VOIDING,
    EntryEvent.CARD_ERASED: EntryOutcome.ERASED,
    EntryEvent.MOVED_TO_CARD: EntryOutcome.NONE,
}
"""The outcome word of an event. `NOT_ANSWERED` keeps the word; a refusal brings its own."""
KEEP_THE_REFUSAL = (
    EntryEvent.REFUSED_UNSEALED,
    EntryEvent.RECEIPT_OF_VOID,
    EntryEvent.RECEIPT_OF_VOID_HERE,
    EntryEvent.STATUS_OF_VOID,
)
"""Events whose outcome word is the meter's refusal, where it gave one before the void."""


class SettledError(Exception):
    """The event is refused: the entry is settled, and the event does not overrule it."""


def transition(state: LedgerState, event: EntryEvent) -> LedgerState:
    """Return the state after an event. Pure.

    Raises:
        SettledError: the table has no such transition.
    """
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise SettledError(f"an entry that is {state.value} stays so: {event.value}")
    return after


def is_provable(state: LedgerState) -> bool:
    """Return whether a proof can still change an entry."""
    return any((state, event) in TRANSITIONS for event in CONFIRMING)


def outcome_after(
    event: EntryEvent, before: EntryOutcome, refusal: Outcome | None = None
) -> EntryOutcome:
    """Return the outcome word of an entry after an event. Pure.

    Args:
        before: its outcome word before.
        refusal: the meter's unsealed refusal of its message, if there was one.
    """
    if refusal is not None and event in KEEP_THE_REFUSAL:
        return EntryOutcome.of(refusal)
    return OUTCOMES.get(event, before)
