"""Every event in every state of a journal entry, and the outcome words."""

from __future__ import annotations

import pytest

from meterctl.journal.states import (
    TRANSITIONS,
    EntryEvent,
    EntryOutcome,
    EntryState,
    LedgerState,
    SettledError,
    is_provable,
    outcome_after,
    transition,
)
from protocols.sealed_message import Outcome

P, C, U = LedgerState.PREPARED, LedgerState.ON_CARD, LedgerState.UNKNOWN
YES, NO, HERE = LedgerState.CONFIRMED, LedgerState.REFUSED, LedgerState.REFUSED_HERE
SAID_YES, SAID_NO = LedgerState.CONFIRMED_BY_HAND, LedgerState.REFUSED_BY_HAND
STATES = (P, C, U, YES, NO, HERE, SAID_YES, SAID_NO)
E, __ = EntryEvent, None

AFTER = {  # the state after an event, from each of STATES; __ is refused
    E.RECEIPT:               (YES, YES, YES, __, __, YES, YES, YES),
    E.WRITE_BACK:            (YES, YES, YES, __, __, YES, YES, YES),
    E.STATUS:                (YES, YES, YES, __, __, YES, YES, YES),
    E.RECEIPT_OF_VOID:       (NO, NO, NO, __, __, __, NO, NO),
    E.RECEIPT_OF_VOID_HERE:  (HERE, HERE, HERE, __, __, __, HERE, HERE),
    E.RECEIPT_OF_ANOTHER:    (NO, NO, NO, __, __, __, NO, NO),
    E.WRITE_BACK_OF_ANOTHER: (NO, NO, NO, __, __, __, NO, NO),
    E.STATUS_OF_VOID:        (NO, NO, NO, __, __, __, NO, NO),
    E.STATUS_OF_ANOTHER:     (NO, NO, NO, __, __, __, NO, NO),
    E.KEY_VERSION_PASSED:    (NO, NO, NO, __, __, __, NO, NO),
    E.SEQUENCE_TAKEN:        (NO, NO, NO, __, __, __, NO, NO),
    E.CLOSED_AS_CONFIRMED:   (SAID_YES, SAID_YES, SAID_YES, __, __, __, __, __),
    E.CLOSED_AS_REFUSED:     (SAID_NO, SAID_NO, SAID_NO, __, __, __, __, __),
    E.NOT_ANSWERED:          (U, U, U, __, __, __, __, __),
    E.REFUSED_UNSEALED:      (U, U, U, __, __, __, __, __),
    E.VOID_BEGUN:            (U, U, U, __, __, __, __, __),
    E.CARD_ERASED:           (U, U, U, __, __, __, __, __),
    E.MOVED_TO_CARD:         (C, C, C, __, __, __, __, __),
}  # fmt: skip
PAIRS = [
    (state, event, after)
    for event, afters in AFTER.items()
    for state, after in zip(STATES, afters, strict=True)
]

WORDS = {  # the outcome word after an event: of an entry without one, after VOIDING, refused before
    E.RECEIPT:               ("accepted", "accepted", "accepted"),
    E.WRITE_BACK:            ("accepted", "accepted", "accepted"),
    E.STATUS:                ("accepted", "accepted", "accepted"),
    E.RECEIPT_OF_VOID:       ("voided", "voided", "exceeds_max_credit"),
    E.RECEIPT_OF_VOID_HERE:  ("voided", "voided", "exceeds_max_credit"),
    E.RECEIPT_OF_ANOTHER:    ("sequence_conflict", "sequence_conflict", "sequence_conflict"),
    E.WRITE_BACK_OF_ANOTHER: ("sequence_conflict", "sequence_conflict", "sequence_conflict"),
    E.STATUS_OF_VOID:        ("voided", "voided", "exceeds_max_credit"),
    E.STATUS_OF_ANOTHER:     ("sequence_conflict", "sequence_conflict", "sequence_conflict"),
    E.KEY_VERSION_PASSED:    ("unknown_key_version", "unknown_key_version", "unknown_key_version"),
    E.SEQUENCE_TAKEN:        ("sequence_conflict", "sequence_conflict", "sequence_conflict"),
    E.CLOSED_AS_CONFIRMED:   ("by_hand", "by_hand", "by_hand"),
    E.CLOSED_AS_REFUSED:     ("by_hand", "by_hand", "by_hand"),
    E.NOT_ANSWERED:          ("", "voiding", ""),
    E.REFUSED_UNSEALED:      ("", "voiding", "exceeds_max_credit"),
    E.VOID_BEGUN:            ("voiding", "voiding", "voiding"),
    E.CARD_ERASED:           ("erased", "erased", "erased"),
    E.MOVED_TO_CARD:         ("", "", ""),
}  # fmt: skip


def test_the_tables_of_this_test_are_whole() -> None:
    assert set(STATES) == set(LedgerState)
    assert set(AFTER) == set(WORDS) == set(EntryEvent)
    assert {(state, event) for state, event, after in PAIRS if after} == set(TRANSITIONS)


@pytest.mark.parametrize(
    ("state", "event", "after"), PAIRS, ids=lambda each: getattr(each, "name", "refused")
)
def test_an_event_in_a_state(
    state: LedgerState, event: EntryEvent, after: LedgerState | None
) -> None:
    if after is not None:
        assert transition(state, event) is after
        return
    with pytest.raises(SettledError, match=f"an entry that is {state.value} stays so"):
        transition(state, event)


@pytest.mark.parametrize("event", EntryEvent)
def test_the_outcome_word_after_an_event(event: EntryEvent) -> None:
    plain, voiding, refused = WORDS[event]
    assert outcome_after(event, EntryOutcome.NONE) == plain
    assert outcome_after(event, EntryOutcome.VOIDING) == voiding
    assert outcome_after(event, EntryOutcome.NONE, Outcome.EXCEEDS_MAX_CREDIT) == refused


@pytest.mark.parametrize(
    ("state", "shown", "provable"),
    [
        (P, EntryState.PREPARED, True),
        (C, EntryState.ON_CARD, True),
        (U, EntryState.UNKNOWN, True),
        (YES, EntryState.CONFIRMED, False),
        (NO, EntryState.REFUSED, False),
        (HERE, EntryState.REFUSED, True),
        (SAID_YES, EntryState.CONFIRMED, True),
        (SAID_NO, EntryState.REFUSED, True),
    ],
)
def test_what_the_journal_shows_of_a_state_and_whether_a_proof_can_change_it(
    state: LedgerState, shown: EntryState, provable: bool
) -> None:
    assert state.shown is shown
    assert is_provable(state) is provable


def test_every_refusal_of_a_meter_has_its_word() -> None:
    for outcome in Outcome:
        if not outcome.applied:
            assert EntryOutcome.of(outcome) == outcome.name.lower()


def test_the_words_of_outcomes_are_those_of_older_journals() -> None:
    assert set(EntryOutcome) - {outcome.name.lower() for outcome in Outcome} == {
        "", "voided", "by_hand", "voiding", "erased",
    }  # fmt: skip
