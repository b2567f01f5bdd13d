"""Entries of a journal as values: open states, code, format, key version, epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.journal import Entry, EntryOutcome, EntryState
from meterctl.journal.entries import proof_text
from meterctl.journal.states import LedgerState
from protocols.keys import development_keys
from protocols.sealed_message import FORMER_VERSION, MessageKind, SealedMessage

METER = "000000000042"
MESSAGE = SealedMessage(MessageKind.CREDIT, METER, 0xE0, 7, 5000, key_version=3)


def entry_of(message: SealedMessage = MESSAGE) -> Entry:
    sealed = message.seal(development_keys(METER).credit)
    kind, state = message.kind.word, EntryState.PREPARED
    return Entry(
        1,
        METER,
        message.epoch,
        message.sequence,
        kind,
        message.amount,
        state,
        EntryOutcome.NONE,
        0,
        0,
        sealed,
        b"",
    )


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        (EntryState.PREPARED, True),
        (EntryState.ON_CARD, True),
        (EntryState.UNKNOWN, True),
        (EntryState.CONFIRMED, False),
        (EntryState.REFUSED, False),
    ],
)
def test_an_entry_is_open_until_it_is_settled(state: EntryState, is_open: bool) -> None:
    assert replace(entry_of(), state=state).is_open is is_open


def test_an_entry_decodes_the_message_that_was_sealed() -> None:
    assert entry_of().sealed == MESSAGE
    assert entry_of().key_version == 3


def test_the_code_is_the_first_four_bytes_of_the_seal() -> None:
    assert entry_of().code == entry_of().message[-16:-12]


@pytest.mark.parametrize("message", [b"", b"\2", b"\2" * 60])
def test_malformed_bytes_have_no_message_and_open_no_epoch(message: bytes) -> None:
    entry = replace(entry_of(), message=message)
    assert entry.sealed is None
    assert not entry.opens_any_epoch
    assert entry.key_version == (2 if len(message) > 1 else 0)


def test_the_former_format_is_known_by_its_first_byte() -> None:
    assert entry_of(replace(MESSAGE, version=FORMER_VERSION)).is_former
    assert not entry_of().is_former
    assert not replace(entry_of(), message=b"").is_former


def test_an_opening_for_epoch_0_lives_in_every_epoch_until_one_took_it() -> None:
    opening = entry_of(replace(MESSAGE, kind=MessageKind.OPEN, epoch=0, sequence=1))
    assert opening.opens_any_epoch
    assert opening.lives_in(0xE0)
    assert opening.lives_in(0xE1)
    taken = replace(opening, epoch=0xE0)
    assert taken.opens_any_epoch, "the bytes are the same"
    assert not taken.lives_in(0xE1)


def test_any_other_entry_lives_in_its_own_epoch_only() -> None:
    assert entry_of().lives_in(0xE0)
    assert not entry_of().lives_in(0xE1)


@pytest.mark.parametrize(
    ("kind", "epoch", "state", "outcome", "ledger_state"),
    [
        ("credit", 0xE0, EntryState.PREPARED, "", LedgerState.PREPARED),
        ("credit", 0xE0, EntryState.ON_CARD, "", LedgerState.ON_CARD),
        ("credit", 0xE0, EntryState.UNKNOWN, "erased", LedgerState.UNKNOWN),
        ("credit", 0xE0, EntryState.CONFIRMED, "accepted", LedgerState.CONFIRMED),
        ("credit", 0xE0, EntryState.CONFIRMED, "by_hand", LedgerState.CONFIRMED_BY_HAND),
        ("credit", 0xE0, EntryState.REFUSED, "voided", LedgerState.REFUSED),
        ("credit", 0xE0, EntryState.REFUSED, "by_hand", LedgerState.REFUSED_BY_HAND),
        ("open", 0xE0, EntryState.REFUSED, "voided", LedgerState.REFUSED),
        ("open", 0, EntryState.REFUSED, "voided", LedgerState.REFUSED_HERE),
        ("open", 0, EntryState.REFUSED, "sequence_conflict", LedgerState.REFUSED_HERE),
        ("open", 0, EntryState.REFUSED, "by_hand", LedgerState.REFUSED_BY_HAND),
        ("credit", 0, EntryState.REFUSED, "voided", LedgerState.REFUSED),
    ],
)
def test_state_and_outcome_give_the_state_in_the_table(
    kind: str, epoch: int, state: EntryState, outcome: str, ledger_state: LedgerState
) -> None:
    kinds = {"open": MessageKind.OPEN, "credit": MessageKind.CREDIT}
    entry = entry_of(replace(MESSAGE, kind=kinds[kind], epoch=epoch))
    entry = replace(entry, state=state, outcome=EntryOutcome(outcome))
    assert entry.ledger_state is ledger_state
    assert entry.is_open is (state in tuple(EntryState)[:3])
    assert entry.is_closed_by_hand is (outcome == "by_hand")


def closed(kind: MessageKind, amount: int = 900) -> Entry:
    entry = entry_of(replace(MESSAGE, kind=kind, amount=amount))
    return replace(entry, state=EntryState.REFUSED, outcome=EntryOutcome.BY_HAND)


def proved(entry: Entry, state: EntryState) -> Entry:
    confirmed = state is EntryState.CONFIRMED
    outcome = EntryOutcome.ACCEPTED if confirmed else EntryOutcome.SEQUENCE_CONFLICT
    return replace(entry, state=state, outcome=outcome)


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (MessageKind.OPEN, ": 9.00 is to be claimed back from the customer"),
        (MessageKind.CREDIT, ": 9.00 is to be claimed back from the customer"),
        (MessageKind.REFUND, ": 9.00 was taken back and is to be paid out"),
        (MessageKind.DEBT, ": 9.00 was entered as a debt"),
        (MessageKind.CLOSE, ""),
    ],
)
def test_a_proof_of_the_opposite_says_what_follows_for_money(
    kind: MessageKind, follows: str
) -> None:
    before = closed(kind)
    text = proof_text(before, proved(before, EntryState.CONFIRMED))
    assert text == (
        f"entry 1: a person had closed it as refused; proved confirmed (accepted){follows}"
    )


def test_a_proof_of_the_same_or_of_no_amount_says_nothing_of_money() -> None:
    before = closed(MessageKind.CREDIT)
    assert proof_text(before, proved(before, EntryState.REFUSED)) == (
        "entry 1: a person had closed it as refused; proved refused (sequence_conflict)"
    )
    before = closed(MessageKind.CREDIT, 0)
    assert proof_text(before, proved(before, EntryState.CONFIRMED)).endswith("(accepted)")


def test_a_refusal_that_is_proved_against_a_person_is_owed() -> None:
    before = replace(closed(MessageKind.CREDIT), state=EntryState.CONFIRMED)
    assert proof_text(before, proved(before, EntryState.REFUSED)).endswith(
        ": 9.00 is owed to the customer"
    )


def test_an_acceptance_overrules_a_void_in_another_epoch() -> None:
    opening = entry_of(replace(MESSAGE, kind=MessageKind.OPEN, epoch=0))
    before = replace(opening, state=EntryState.REFUSED, outcome=EntryOutcome.VOIDED)
    assert proof_text(before, proved(before, EntryState.CONFIRMED)).startswith(
        "entry 1: a void in another epoch had closed it as refused; proved confirmed"
    )
