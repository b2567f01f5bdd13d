"""The journal: one open entry a meter, settling once, sale keys, daily limit, numbers, locks."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from meterctl.errors import (
    NotPermittedError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.journal.journal import default_path
from protocols.data_model.words import AccountState
from protocols.keys import development_keys
from protocols.sealed_message import MessageKind, Origin, Outcome, SealedMessage
from protocols.sealed_status import LastOfJournal, SealedStatus

METER, OTHER, EPOCH = "000000000042", "000000000043", 0xE0
CONFIRMED, REFUSED = EntryState.CONFIRMED, EntryState.REFUSED
DAY_S = 86_400


def prepare(journal: Journal, sequence: int = 1, **changed: Any) -> Entry:
    """Enter a sale of 9.00."""
    fields: dict[str, Any] = {
        "meter": METER, "epoch": EPOCH, "kind": "credit", "amount": 900, "now": 0,
        "message": bytes((sequence,)),
    } | changed  # fmt: skip
    return journal.prepare(sequence=sequence, **fields)


def opening(journal: Journal) -> Entry:
    """Enter an opening for epoch 0."""
    message = SealedMessage(MessageKind.OPEN, METER, 0, 1, 900)
    sealed = message.seal(development_keys(METER).credit)
    return prepare(journal, epoch=0, kind="open", message=sealed, card="c")


def test_an_entry_is_read_back_as_it_was_prepared(journal: Journal) -> None:
    entry = prepare(journal, reference="key", origin=Origin(5, 6))
    assert journal.entry(entry.id) == entry
    assert journal.entries() == [entry]
    assert entry.state is EntryState.PREPARED
    assert prepare(journal, meter=OTHER, card="c").state is EntryState.ON_CARD


@pytest.mark.parametrize("number", [0, -1, 7, 1 << 63, 99999999999999999999, -(1 << 64)])
def test_a_number_that_no_entry_has_is_refused(journal: Journal, number: int) -> None:
    prepare(journal)
    with pytest.raises(UsageError, match=f"there is no entry {number}"):
        journal.entry(number)


def test_a_second_open_entry_of_a_storage_is_refused(journal: Journal) -> None:
    prepare(journal)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        prepare(journal, 2)
    prepare(journal, 2, epoch=0xE1)
    prepare(journal, 2, meter=OTHER)


def test_an_opening_for_epoch_0_counts_for_every_epoch(journal: Journal) -> None:
    opening(journal)
    with pytest.raises(NotPermittedError):
        prepare(journal, 5)


def test_a_void_has_room_beside_the_entry_that_it_voids(journal: Journal) -> None:
    entry = prepare(journal)
    sealed = prepare(journal, kind="void", amount=0, void_of=entry.id, origin=Origin(5, 6))
    assert journal.voids_of(entry) == [sealed]
    assert journal.void_codes(entry) == [sealed.code]
    assert journal.open_entries(METER) == [entry], "a void is settled with its entry"


def test_a_sequence_is_taken_once_unless_its_entry_was_refused(journal: Journal) -> None:
    journal.settle(prepare(journal), EntryEvent.RECEIPT, 1)
    with pytest.raises(NotPermittedError, match="sequence 1 is taken"):
        prepare(journal, message=b"x")
    journal.settle(prepare(journal, 2), EntryEvent.RECEIPT_OF_VOID, 1)
    prepare(journal, 2, message=b"x")


def test_a_settled_entry_stays_settled(journal: Journal) -> None:
    entry = prepare(journal)
    settled = journal.settle(entry, EntryEvent.RECEIPT, 5, receipt=b"receipt")
    assert (settled.state, settled.changed, settled.receipt) == (CONFIRMED, 5, b"receipt")
    assert journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 6) == settled


def test_a_proof_overrules_a_closing_by_hand_and_says_so(journal: Journal) -> None:
    entry = prepare(journal)
    journal.settle(entry, EntryEvent.CLOSED_AS_REFUSED, 1)
    assert journal.settle(entry, EntryEvent.CLOSED_AS_CONFIRMED, 2).state is REFUSED, (
        "it is no proof"
    )
    assert journal.settle(entry, EntryEvent.RECEIPT, 2).state is CONFIRMED
    assert [line.what for line in journal.audit_lines()] == ["overruled"]
    assert "9.00 is to be claimed back" in journal.notices[0]


def test_an_acceptance_overrules_the_void_of_an_opening_for_epoch_0(journal: Journal) -> None:
    entry = opening(journal)
    journal.settle(entry, EntryEvent.RECEIPT_OF_VOID_HERE, 1)
    settled = journal.settle(entry, EntryEvent.RECEIPT, 2, epoch=0xE1)
    assert (settled.state, settled.epoch) == (CONFIRMED, 0xE1)


def test_a_proved_sequence_or_key_version_is_not_sealed_again(journal: Journal) -> None:
    journal.proofs.raise_floor(METER, 3)
    with pytest.raises(NotPermittedError, match="passed key version 2"):
        prepare(journal, message=b"\2\2")
    prepare(journal, message=b"\2\3")


@pytest.mark.parametrize("key", ["", "another"])
def test_an_unknown_sale_key_has_no_entry(journal: Journal, key: str) -> None:
    prepare(journal, reference="key")
    assert journal.find_reference(key) is None


def test_a_sale_key_finds_its_newest_entry(journal: Journal) -> None:
    journal.settle(prepare(journal, reference="key"), EntryEvent.RECEIPT_OF_VOID, 1)
    again = prepare(journal, reference="key", message=b"x")
    assert journal.find_reference("key") == again


def test_an_open_entry_moves_to_another_card_and_a_settled_one_does_not(journal: Journal) -> None:
    entry = prepare(journal, card="old")
    moved = journal.move_to_card(entry, "new", 3)
    assert journal.entry(entry.id) == moved
    assert [found.card for found in journal.carried()] == ["new"]
    assert journal.carried("old") == []
    journal.settle(entry, EntryEvent.RECEIPT, 4)
    with pytest.raises(NotPermittedError, match="settled it meanwhile"):
        journal.move_to_card(entry, "third", 5)


def test_a_word_of_a_person_proves_nothing(journal: Journal) -> None:
    journal.settle(prepare(journal), EntryEvent.CLOSED_AS_CONFIRMED, 1)
    assert journal.confirmed(METER, EPOCH) == []
    assert journal.newest_confirmed(METER) is None
    assert not journal.is_spent(METER)
    assert len(journal.provable_entries(METER)) == 1


def test_sequence_1_is_spent_by_a_proved_entry_of_a_known_epoch(journal: Journal) -> None:
    journal.settle(prepare(journal, kind="void", amount=0), EntryEvent.RECEIPT, 1)
    assert journal.is_spent(METER)
    assert not journal.is_spent(OTHER)


def test_an_entry_that_is_not_there_is_a_usage_error(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no entry 7"):
        journal.entry(7)


def test_the_default_path_is_that_of_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_path() == Path("/state/meterctl/journal.sqlite")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/me")
    assert default_path() == Path("/me/.local/state/meterctl/journal.sqlite")


def test_a_settled_entry_keeps_its_receipt_and_epoch_unless_there_are_new_ones(
    journal: Journal,
) -> None:
    entry = prepare(journal)
    journal.settle(entry, EntryEvent.CLOSED_AS_REFUSED, 1)
    kept = journal.settle(entry, EntryEvent.RECEIPT, 2, receipt=b"receipt")
    assert (kept.receipt, kept.epoch, kept.changed) == (b"receipt", EPOCH, 2)
    assert journal.entry(entry.id) == kept


@pytest.mark.parametrize("event", EntryEvent)
def test_a_proved_entry_is_left_as_it_is_by_every_event(
    journal: Journal, event: EntryEvent
) -> None:
    for sequence, proof in ((1, EntryEvent.RECEIPT), (2, EntryEvent.RECEIPT_OF_ANOTHER)):
        settled = journal.settle(prepare(journal, sequence), proof, 1)
        assert journal.settle(settled, event, 2, receipt=b"x", epoch=9) == settled
        assert journal.entry(settled.id) == settled
    assert journal.audit_lines() == []


def test_a_refusal_is_kept_as_the_word_of_an_entry_that_is_voided(journal: Journal) -> None:
    entry = prepare(journal)
    refusal = Outcome.EXCEEDS_MAX_CREDIT
    left = journal.settle(entry, EntryEvent.REFUSED_UNSEALED, 1, refusal=refusal)
    assert (left.state, left.outcome) == (EntryState.UNKNOWN, "exceeds_max_credit")
    ended = journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 2, refusal=refusal)
    assert (ended.state, ended.outcome) == (REFUSED, "exceeds_max_credit")


@pytest.mark.parametrize(
    ("closed", "proof", "outcome"),
    [
        (EntryEvent.CLOSED_AS_CONFIRMED, EntryEvent.STATUS, "accepted"),
        (EntryEvent.CLOSED_AS_REFUSED, EntryEvent.RECEIPT_OF_ANOTHER, "sequence_conflict"),
    ],
)
def test_a_proof_of_what_a_person_said_is_audited_as_proved_and_not_reported(
    journal: Journal, closed: EntryEvent, proof: EntryEvent, outcome: str
) -> None:
    entry = prepare(journal)
    journal.settle(entry, closed, 1)
    assert journal.settle(entry, proof, 2).outcome == outcome
    assert [line.what for line in journal.audit_lines()] == ["proved"]
    assert journal.notices == []


def test_moving_to_a_card_ends_the_word_of_an_erased_one(journal: Journal) -> None:
    entry = prepare(journal, card="old")
    erased = journal.settle(entry, EntryEvent.CARD_ERASED, 1)
    assert (erased.state, erased.outcome) == (EntryState.UNKNOWN, "erased")
    moved = journal.move_to_card(erased, "new", 2)
    assert (moved.state, moved.outcome, moved.card) == (EntryState.ON_CARD, "", "new")


def test_no_sequence_is_used_twice_that_was_proved_by_another_seller(journal: Journal) -> None:
    status = SealedStatus(
        3, METER, EPOCH, bytes(8), journal.numbers.current, 3, AccountState.OPEN, 156, "1", 5, 0,
        0, 0, 0, 0, 0, 0, b"code", 0, LastOfJournal(), 0,
    )  # fmt: skip
    journal.proofs.note_status(status, b"status")
    assert journal.last_sequence(METER, EPOCH) == 5
    with pytest.raises(NotPermittedError, match="reached sequence 5 meanwhile"):
        prepare(journal, 5, message=b"\2\3")
    prepare(journal, 6, message=b"\2\3")


def test_entries_are_found_by_their_bytes_and_by_their_code(journal: Journal) -> None:
    entry = prepare(journal, message=b"\2" * 63)
    assert journal.find_message(METER, entry.message) == entry
    assert journal.find_message(OTHER, entry.message) is None
    assert journal.find_sale(METER, 1, entry.code) == entry
    assert journal.find_sale(METER, 2, entry.code) is None
    assert journal.find_sale(METER, 1, b"else") is None


def test_the_newest_proved_entry_is_no_void(journal: Journal) -> None:
    first = journal.settle(prepare(journal), EntryEvent.RECEIPT, 5)
    void = prepare(journal, 2, kind="void", amount=0, message=b"v")
    journal.settle(void, EntryEvent.RECEIPT, 6)
    assert journal.newest_confirmed(METER) == first
    assert [entry.sequence for entry in journal.confirmed(METER, EPOCH)] == [1, 2]


def test_entries_from_before_a_known_set_back_are_not_confirmed(journal: Journal) -> None:
    journal.settle(prepare(journal), EntryEvent.RECEIPT, 1)
    journal.proofs.begin_again(METER, EPOCH, journal.last_id())
    assert journal.confirmed(METER, EPOCH) == []
    again = journal.settle(prepare(journal, message=b"x"), EntryEvent.RECEIPT, 2)
    assert journal.confirmed(METER, EPOCH) == [again]


def test_the_last_number_and_the_last_time_of_a_meter(journal: Journal) -> None:
    assert (journal.last_id(), journal.last_time(METER)) == (0, 0)
    prepare(journal, now=5)
    assert (journal.last_id(), journal.last_time(METER)) == (1, 5)
    journal.audit("sold", 8, meter=METER)
    journal.audit("sold", 9, meter=OTHER)
    assert journal.last_time(METER) == 8


def test_voids_of_an_older_layout_are_found_by_their_epoch(journal: Journal) -> None:
    entry = prepare(journal)
    former = prepare(journal, kind="void", amount=0, message=b"v")
    prepare(journal, kind="void", amount=0, message=b"w", epoch=0xE1)
    assert journal.voids_of(entry) == [former]


def test_a_void_that_advances_the_key_version_is_open_on_its_own(journal: Journal) -> None:
    advance = prepare(journal, kind="void", amount=0, origin=Origin(5, 6))
    assert journal.open_entries(METER) == [advance]
    assert journal.provable_entries(METER) == [advance]


def test_an_outcome_that_no_version_wrote_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    prepare(journal)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET outcome = 'else'")
    db.close()
    with pytest.raises(UsageError, match="entry 1 has the outcome 'else', which is not known"):
        journal.entries()
    journal.close()
