"""The four proofs of METER.md 8, sentence by sentence: the state each settles, and its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meterctl.journal import Entry, EntryEvent, EntryOutcome, EntryState
from meterctl.operations.conclusions import (
    AcceptedVoid,
    Conclusion,
    Proofs,
    conclude,
    conclude_void,
)
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState
from protocols.keys import development_keys
from protocols.sealed_message import (
    FORMER_VERSION,
    NO_ORIGIN,
    MessageKind,
    Origin,
    Outcome,
    Receipt,
    SealedMessage,
)
from protocols.sealed_status import LastOfJournal, SealedStatus

METER, OTHER = "000000000042", "000000000043"
EPOCH, SEQUENCE = 0xE0, 7
ORIGIN = Origin(0xAB, 0xCD)
KEY = development_keys(METER).credit
MESSAGE = SealedMessage(
    MessageKind.CREDIT, METER, EPOCH, SEQUENCE, 5000, key_version=2, origin=ORIGIN
)
CONFIRMED, REFUSED = EntryState.CONFIRMED, EntryState.REFUSED
VOID_CODE = b"void"


def entry_of(message: SealedMessage = MESSAGE, **fields: Any) -> Entry:
    known = Entry(
        1,
        message.serial_number,
        message.epoch,
        message.sequence,
        message.kind.word,
        message.amount,
        EntryState.UNKNOWN,
        EntryOutcome.NONE,
        0,
        0,
        message.seal(KEY),
        b"",
        origin=message.origin,
    )
    return replace(known, **fields)


ENTRY = entry_of()
OPENING = entry_of(replace(MESSAGE, kind=MessageKind.OPEN, epoch=0, sequence=1))
FORMER = entry_of(replace(MESSAGE, version=FORMER_VERSION, origin=NO_ORIGIN))


def receipt(entry: Entry = ENTRY, **fields: Any) -> Receipt:
    message = entry.sealed
    assert message is not None
    known = Receipt(
        message.kind,
        METER,
        message.epoch or EPOCH,
        message.sequence,
        message.amount,
        entry.code,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        2,
    )
    return replace(known, **fields)


def status(entry: Entry = ENTRY, **fields: Any) -> SealedStatus:
    known = SealedStatus(
        2,
        METER,
        entry.epoch or EPOCH,
        bytes(8),
        entry.origin.journal,
        2,
        AccountState.OPEN,
        156,
        "0" * 12,
        entry.sequence,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        bytes(4),
        0,
        LastOfJournal(),
        0,
    )
    return replace(known, **fields)


def row(entry: Entry = ENTRY, **fields: Any) -> LastOfJournal:
    return replace(LastOfJournal(entry.origin.mark, entry.sequence, entry.code), **fields)


def back(entry: Entry = ENTRY, **fields: int | bytes) -> WriteBack:
    known: dict[str, Any] = {
        "meter_key_version": 2,
        "epoch": entry.epoch or EPOCH,
        "card_serial": bytes(8),
        "answered_sequence": entry.sequence,
        "answered_code": entry.code,
        "outcome": int(Outcome.ACCEPTED),
        "error": 0,
        "command_outcome": 0,
        "credit_sequence": entry.sequence,
        "command_sequence": 0,
        "account_state": 1,
        "account_unit": 156,
        "credit": 0,
        "debt": 0,
        "cumulative": 0,
        "purchases": 0,
        "energy_mwh": 0,
        "clock": 0,
        "elapsed_ms": 0,
        "supply_state": 0,
        "causes": 0,
        "status": 0,
        "illegal_insertions": 0,
    }
    sealed_under = int(fields.pop("key_version", 2))
    return WriteBack.of(1, sealed_under, METER, "0" * 12, **{**known, **fields})


def conclusion(entry: Entry = ENTRY, **proofs: Any) -> tuple[EntryState, str] | None:
    found = conclude(entry, Proofs(**proofs))
    return None if found is None else (found.state, found.outcome)


def test_without_proofs_the_bytes_live() -> None:
    for entry in (ENTRY, OPENING, FORMER):
        assert conclusion(entry) is None
    assert (
        conclude(
            entry_of(message=MESSAGE).__class__(
                *[  # bytes that are no message
                    1,
                    METER,
                    EPOCH,
                    SEQUENCE,
                    "credit",
                    1,
                    EntryState.UNKNOWN,
                    EntryOutcome.NONE,
                    0,
                    0,
                    b"x",
                    b"",
                ]
            ),
            Proofs(receipt()),
        )
        is None
    )


# ---- (a)


@pytest.mark.parametrize("entry", [ENTRY, OPENING, FORMER], ids=["entry", "opening", "former"])
def test_a_a_receipt_of_the_sequence_with_its_code_confirms(entry: Entry) -> None:
    found = conclude(entry, Proofs(receipt(entry)))
    assert found is not None
    assert found == Conclusion(EntryEvent.RECEIPT, EPOCH)
    assert (found.state, found.outcome) == (CONFIRMED, "accepted")


@pytest.mark.parametrize(
    "fields",
    [
        {"serial_number": OTHER},
        {"sequence": 6},
        {"epoch": 0xE1},
        {"kind": MessageKind.DEBT},
        {"amount": 4999},
        {"key_version": 1},
    ],
    ids=str,
)
def test_a_a_receipt_of_anything_else_confirms_nothing(fields: dict[str, Any]) -> None:
    assert conclusion(receipt=receipt(**fields)) is None


def test_a_an_opening_is_confirmed_in_whatever_epoch() -> None:
    assert conclude(OPENING, Proofs(receipt(OPENING, epoch=0x77))) == Conclusion(
        EntryEvent.RECEIPT, 0x77
    )
    assert conclude(OPENING, Proofs(back=back(OPENING, epoch=0x78))) == Conclusion(
        EntryEvent.WRITE_BACK, 0x78
    )


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("entry", [ENTRY, OPENING, FORMER], ids=["entry", "opening", "former"])
def test_a_and_b_a_write_back_that_answers_its_code(entry: Entry, outcome: Outcome) -> None:
    found = conclusion(
        entry, back=back(entry, outcome=int(outcome), credit_sequence=entry.sequence - 1)
    )
    if outcome.applied:
        assert found == (CONFIRMED, "accepted")
    elif outcome is Outcome.SEQUENCE_CONFLICT and entry is not OPENING:
        assert found == (REFUSED, "sequence_conflict")
    else:
        assert found is None


@pytest.mark.parametrize(
    "fields",
    [
        {"answered_code": b"else"},
        {"answered_sequence": 6},
        {"epoch": 0xE1},
        {"meter": bytes(6)},
        {"outcome": 0},
        {"meter_key_version": 1},
    ],
    ids=str,
)
def test_a_a_write_back_of_anything_else_confirms_nothing(fields: dict[str, Any]) -> None:
    assert conclusion(back=replace(back(), **fields)) is None


# ---- (b)


def test_b_another_code_beside_a_proof_that_has_reached_the_sequence_refuses() -> None:
    other = receipt(code=b"else")
    assert conclusion(receipt=other) is None, "alone it proves nothing"
    unasked = {"journal": 0}
    assert conclusion(receipt=other, status=status(**unasked)) == (REFUSED, "sequence_conflict")
    assert conclusion(receipt=other, status=status(credit_sequence=6, **unasked)) is None
    assert conclusion(receipt=other, status=status(epoch=0xE1, **unasked)) is None
    reached = back(answered_code=b"else", answered_sequence=9, credit_sequence=9)
    assert conclusion(receipt=other, back=reached) == (REFUSED, "sequence_conflict")
    assert conclusion(receipt=replace(other, epoch=0xE1), status=status(**unasked)) is None, (
        "of its own epoch"
    )


def test_b_the_void_that_was_sealed_for_it_refuses_alone() -> None:
    void = receipt(kind=MessageKind.VOID, amount=0, code=VOID_CODE)
    assert conclusion(receipt=void, voids=[VOID_CODE]) == (REFUSED, "voided")
    assert conclusion(receipt=void, voids=[b"else"]) is None
    assert conclusion(receipt=replace(void, kind=MessageKind.CREDIT), voids=[VOID_CODE]) is None
    opening = receipt(OPENING, kind=MessageKind.VOID, amount=0, code=VOID_CODE)
    assert conclusion(OPENING, receipt=opening, voids=[VOID_CODE]) == (REFUSED, "voided")


def test_b_nothing_else_refuses_an_opening_of_epoch_0() -> None:
    """Another storage of the same meter would still accept the opening."""
    other = receipt(OPENING, code=b"else")
    assert (
        conclusion(OPENING, receipt=other, status=status(OPENING, credit_sequence=9, forgotten=0))
        is None
    )
    assert conclusion(OPENING, receipt=other, back=back(OPENING, answered_code=b"else")) is None


# ---- (c)


@pytest.mark.parametrize("entry", [ENTRY, OPENING], ids=["entry", "opening"])
def test_c_the_last_of_its_journal_is_the_entry(entry: Entry) -> None:
    assert conclude(entry, Proofs(status=status(entry, of_journal=row(entry)))) == Conclusion(
        EntryEvent.STATUS, EPOCH
    )


def test_c_another_mark_code_or_sequence_is_not_the_entry() -> None:
    for changed in ({"mark": 1}, {"code": b"else"}, {"mark": 1, "sequence": 3}):
        assert conclusion(status=status(of_journal=row(**changed))) == (
            REFUSED,
            "sequence_conflict",
        )
        assert (
            conclusion(OPENING, status=status(OPENING, of_journal=row(OPENING, **changed))) is None
        )


def test_c_a_later_one_of_its_journal_proves_nothing() -> None:
    later = status(credit_sequence=9, of_journal=row(mark=1, sequence=8))
    assert conclusion(status=later) is None


def test_c_needs_the_meter_to_have_reached_the_sequence() -> None:
    for of_journal in (LastOfJournal(), row(mark=1, sequence=3)):
        assert conclusion(status=status(credit_sequence=6, of_journal=of_journal)) is None
        assert conclusion(status=status(credit_sequence=7, of_journal=of_journal)) == (
            REFUSED,
            "sequence_conflict",
        )


@pytest.mark.parametrize(("forgotten", "dead"), [(0, True), (6, True), (7, False), (8, False)])
def test_c_no_row_refuses_only_where_none_at_its_sequence_was_forgotten(
    forgotten: int, dead: bool
) -> None:
    found = conclusion(status=status(credit_sequence=9, forgotten=forgotten))
    assert found == ((REFUSED, "sequence_conflict") if dead else None)


def test_c_counts_only_under_the_entrys_own_journal_number() -> None:
    assert conclusion(status=status(journal=0xAC, of_journal=row())) is None
    assert conclusion(status=status(journal=0xAC)) is None
    assert conclusion(FORMER, status=status(FORMER, journal=0)) is None, (
        "a message of format 1 has no origin"
    )
    assert conclusion(FORMER, status=status(FORMER, journal=0, of_journal=row(FORMER))) is None


def test_c_is_of_its_epoch_its_meter_and_its_key_version() -> None:
    assert conclusion(status=status(epoch=0xE1, of_journal=row())) is None
    assert conclusion(status=status(serial_number=OTHER, of_journal=row())) is None
    assert conclusion(status=status(current_version=1, of_journal=row())) is None


def test_c_its_own_void_in_the_row_is_a_void() -> None:
    voided = status(of_journal=row(mark=5, code=VOID_CODE))
    assert conclusion(status=voided, voids=[VOID_CODE]) == (REFUSED, "voided")


# ---- (d)


def test_d_a_higher_key_version_below_the_sequence_refuses() -> None:
    behind = {"credit_sequence": 6, "journal": 0}
    assert conclusion(status=status(current_version=3, **behind)) == (
        REFUSED,
        "unknown_key_version",
    )
    assert conclusion(FORMER, status=status(FORMER, current_version=3, **behind)) == (
        REFUSED,
        "unknown_key_version",
    )
    assert conclusion(status=status(current_version=2, **behind)) is None
    assert conclusion(status=status(current_version=3, journal=0)) is None, (
        "it has reached the sequence"
    )
    assert conclusion(status=status(current_version=3, epoch=0xE1, **behind)) is None
    assert conclusion(status=status(current_version=3, serial_number=OTHER, **behind)) is None
    written = {"answered_code": b"else", "credit_sequence": 6}
    sealed = {"key_version": 3, "meter_key_version": 3}
    assert conclusion(back=back(**sealed, **written)) == (REFUSED, "unknown_key_version")
    assert conclusion(back=back(meter_key_version=2, **written)) is None
    assert conclusion(back=back(meter_key_version=3, **written)) is None, (
        "its seal does not prove what it names"
    )
    assert conclusion(back=back(**sealed, answered_code=b"else")) is None
    assert (
        conclusion(OPENING, status=status(OPENING, current_version=3, credit_sequence=0, journal=0))
        is None
    )


# ---- several proofs together


def test_where_one_proof_says_confirmed_and_another_refused_it_is_confirmed() -> None:
    dead = status(credit_sequence=9, of_journal=row(mark=1, sequence=3))
    assert conclusion(status=dead) == (REFUSED, "sequence_conflict")
    assert conclusion(receipt=receipt(), status=dead) == (CONFIRMED, "accepted")
    passed = status(current_version=3, credit_sequence=6, journal=0)
    assert conclusion(back=back(), status=passed) == (CONFIRMED, "accepted")
    living = status(of_journal=row())
    other = receipt(code=b"else")
    assert conclusion(receipt=other, status=living) == (CONFIRMED, "accepted")


# ---- the voids of an entry

VOID = replace(MESSAGE, kind=MessageKind.VOID, amount=0)
SEALED_VOID = entry_of(VOID)


@pytest.mark.parametrize("entry", [ENTRY, OPENING], ids=["entry", "opening"])
def test_a_receipt_of_its_void_names_the_void(entry: Entry) -> None:
    void = receipt(entry, kind=MessageKind.VOID, code=VOID_CODE, amount=0)
    found = conclude(entry, Proofs(void, voids=[VOID_CODE]))
    event = EntryEvent.RECEIPT_OF_VOID if entry is ENTRY else EntryEvent.RECEIPT_OF_VOID_HERE
    assert found == Conclusion(event, void=AcceptedVoid(EPOCH, VOID_CODE))


def test_a_status_of_its_void_names_the_void() -> None:
    voided = status(of_journal=row(mark=5, code=VOID_CODE))
    found = conclude(ENTRY, Proofs(status=voided, voids=[VOID_CODE]))
    assert found == Conclusion(EntryEvent.STATUS_OF_VOID, void=AcceptedVoid(EPOCH, VOID_CODE))


@pytest.mark.parametrize(
    ("event", "proof"),
    [
        (EntryEvent.RECEIPT_OF_VOID, EntryEvent.RECEIPT),
        (EntryEvent.RECEIPT_OF_VOID_HERE, EntryEvent.RECEIPT),
        (EntryEvent.STATUS_OF_VOID, EntryEvent.STATUS),
    ],
)
def test_a_void_is_confirmed_by_its_own_code_in_its_epoch_only(
    event: EntryEvent, proof: EntryEvent
) -> None:
    def found(epoch: int, code: bytes) -> EntryEvent | None:
        return conclude_void(SEALED_VOID, Conclusion(event, void=AcceptedVoid(epoch, code)))

    assert found(EPOCH, SEALED_VOID.code) is proof
    assert found(EPOCH, b"else") is EntryEvent.SEQUENCE_TAKEN
    assert found(0xE1, SEALED_VOID.code) is None
    assert found(0xE1, b"else") is None


@pytest.mark.parametrize(
    ("event", "proof"),
    [
        (EntryEvent.RECEIPT, EntryEvent.SEQUENCE_TAKEN),
        (EntryEvent.STATUS, EntryEvent.SEQUENCE_TAKEN),
        (EntryEvent.RECEIPT_OF_ANOTHER, EntryEvent.SEQUENCE_TAKEN),
        (EntryEvent.STATUS_OF_ANOTHER, EntryEvent.SEQUENCE_TAKEN),
        (EntryEvent.KEY_VERSION_PASSED, None),
    ],
)
def test_a_void_is_refused_where_its_entry_or_another_message_has_the_sequence(
    event: EntryEvent, proof: EntryEvent | None
) -> None:
    assert conclude_void(SEALED_VOID, Conclusion(event)) is proof


def test_a_status_that_names_the_void_counts_before_an_old_receipt_of_another_message() -> None:
    """A meter that was set back: an old receipt of the sequence was played again."""
    named = status(credit_sequence=SEQUENCE, of_journal=LastOfJournal(0x99, SEQUENCE, VOID_CODE))
    proofs = Proofs(receipt=receipt(code=b"else"), status=named, voids=(VOID_CODE,))
    found = conclude(ENTRY, proofs)
    assert found is not None
    assert (found.state, found.outcome) == (REFUSED, EntryOutcome.VOIDED)
    void = replace(entry_of(), message=b"..." + VOID_CODE + bytes(12))
    assert conclude_void(void, found) is EntryEvent.STATUS
