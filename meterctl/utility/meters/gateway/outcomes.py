"""What the journal says of a key: the desk's only word about the money of an order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from meterctl.errors import MeterctlError
from meterctl.journal import Entry, EntryOutcome, EntryState, Journal
from meterctl.journal.entries import VOID
from meterctl.utility.meters.gateway.problems import Problem, cause_at_desk, problem_of
from meterctl.utility.rules.transitions import JournalWord
from protocols.data_model.words import cause_words
from protocols.errors import MalformedMessageError
from protocols.sealed_message import Answer, MessageKind, Receipt


class CreditKind(StrEnum):
    """An order of the credit class; the words are those of the journal."""

    OPEN = "open"
    CREDIT = "credit"
    REFUND = "refund"
    DEBT = "debt"
    CLOSE = "close"

    @property
    def message_kind(self) -> MessageKind:
        """The kind of its message."""
        return MessageKind[self.name]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a proved receipt says of an accepted message, sealed by its meter.

    Money is in ledger units (1e-10 of the account unit), exact. `cumulative` is the sum of all
    accepted opens and credits with this one; `settlement` is the balance that a `close` pays out.
    `accepted_at_ms` is an instant of the meter's clock.
    """

    to_overdraft: int
    to_debt: int
    credit_before: int
    credit_after: int
    cumulative: int
    settlement: int
    accepted_at_ms: int

    @classmethod
    def of(cls, receipt: Receipt) -> Effect:
        """Return the effect that a verified receipt tells."""
        return cls(
            receipt.to_overdraft,
            receipt.to_debt,
            receipt.credit_before,
            receipt.credit_after,
            receipt.cumulative,
            receipt.settlement,
            receipt.at,
        )


@dataclass(frozen=True, slots=True)
class Supply:
    """The supply as the meter's unsealed answer told it: for a person, never for the books.

    `state` and `causes` are words; `amount_to_reconnect` is in ledger units.
    """

    state: str
    causes: tuple[str, ...]
    amount_to_reconnect: int

    @classmethod
    def of(cls, answer: Answer) -> Supply:
        """Return the supply of an answer."""
        return cls(
            answer.supply_state.name.lower(),
            tuple(cause_words(answer.causes)),
            answer.amount_to_reconnect,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a key: read from the journal, whatever the try ended with.

    `state` alone decides; with `by_hand` it is a person's word and no proof. For `ABSENT` all that
    follows is empty but `problem` and `cause`: the order can be run again. `word` says what proved,
    ended or holds up the entry. `entry` is its number; `kind`, `epoch` (of an opening sold for
    epoch 0 the one that accepted it, once it is confirmed), `sequence`, `amount` (0.01) and `card`
    (serial number, empty on a wire) are its fields. `journal` is the number of the journal that
    sealed it.

    `effect` is there where a receipt proves the entry; a confirmed entry without one was proved by
    a status, after the meter had dropped the receipt: its part for debt shows in the books of the
    next reading. `proved_at_ms` is the desk's clock when a proof or a person settled it, in whole
    seconds; None while it is open.

    `problem` and `cause` say what ended the last try, `NONE` and "" after one that did what was
    asked. `in_the_way` is the key of the open entry for `Problem.ENTRY_OPEN`, None if it has none
    or was not the reason. `notices` are for a person: an entry that a person had closed was proved,
    and what follows for the money; it need not be the one of this key.
    """

    key: str
    state: JournalWord
    by_hand: bool = False
    word: EntryOutcome = EntryOutcome.NONE
    entry: int = 0
    kind: CreditKind | None = None
    meter: str = ""
    epoch: int = 0
    sequence: int = 0
    amount: int = 0
    card: str = ""
    journal: int = 0
    effect: Effect | None = None
    supply: Supply | None = None
    proved_at_ms: int | None = None
    problem: Problem = Problem.NONE
    cause: str = ""
    in_the_way: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is not settled: while it is open, nothing else is sold to its meter."""
        return self.state in (JournalWord.PREPARED, JournalWord.UNKNOWN, JournalWord.ON_CARD)


def outcome_of(
    journal: Journal,
    key: str,
    error: MeterctlError | None = None,
    *,
    answer: Answer | None = None,
    receipt: Receipt | None = None,
) -> Outcome:
    """Return what the journal says of a key, with what ended the try.

    Args:
        error: ended the try, None after one that did not fail.
        answer: the meter's unsealed answer, if this try brought one.
        receipt: a verified receipt of the entry that the journal does not hold.

    Raises:
        UsageError: the journal cannot be read; nothing is said.
    """
    entry = journal.find_reference(key)
    problem, cause = problem_of(error), "" if error is None else cause_at_desk(error)
    in_the_way, notices = _in_the_way(journal, error, entry), tuple(journal.notices)
    journal.notices.clear()
    if entry is None:
        return Outcome(key, JournalWord.ABSENT, problem=problem, cause=cause, in_the_way=in_the_way)
    return replace(
        outcome_of_entry(entry, receipt),
        supply=None if answer is None else Supply.of(answer),
        problem=problem,
        cause=cause,
        in_the_way=in_the_way,
        notices=notices,
    )


def outcome_of_entry(entry: Entry, receipt: Receipt | None = None) -> Outcome:
    """Return what an entry says; its key is empty if it was sold without one."""
    return Outcome(
        entry.reference,
        JournalWord(entry.state.value),
        entry.is_closed_by_hand,
        entry.outcome,
        entry.id,
        CreditKind(entry.kind),
        entry.meter,
        entry.epoch,
        entry.sequence,
        entry.amount,
        entry.card,
        entry.origin.journal,
        _effect(entry, receipt),
        proved_at_ms=None if entry.is_open else entry.changed * 1000,
    )


def outcomes_of(journal: Journal, entries: Iterable[Entry]) -> tuple[Outcome, ...]:
    """Return what entries say as they stand now; voids are left out."""
    standing = [journal.entry(entry.id) for entry in entries if entry.kind != VOID]
    return tuple(outcome_of_entry(entry) for entry in standing)


def _effect(entry: Entry, receipt: Receipt | None) -> Effect | None:
    """Return what the receipt of a confirmed entry tells; the journal holds verified ones only."""
    if entry.state is not EntryState.CONFIRMED:
        return None
    if receipt is None and entry.receipt:
        try:
            receipt = Receipt.decode(entry.receipt)
        except MalformedMessageError:
            return None
    if receipt is None or receipt.code != entry.code:
        return None
    return Effect.of(receipt)


def _in_the_way(journal: Journal, error: MeterctlError | None, mine: Entry | None) -> str | None:
    """Return the key of the open entry that an error names, if it is another one."""
    if problem_of(error) is not Problem.ENTRY_OPEN or error is None or error.entry is None:
        return None
    if mine is not None and mine.id == error.entry:
        return None
    return journal.entry(error.entry).reference or None
