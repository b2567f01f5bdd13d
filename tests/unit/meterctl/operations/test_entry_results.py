"""The result of an entry after its bytes were sent: written down, or unknown."""

from __future__ import annotations

import pytest

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.conclusions import AcceptedVoid, Conclusion
from meterctl.operations.delivery import Delivered
from meterctl.operations.entry_results import NOTHING_LEARNT, bytes_are_out, unknown, write_down
from protocols.sealed_message import Answer, Outcome
from tests.support.setup import METER
from tests.support.wire_sales import meter_of, session_of

SESSION = session_of(meter_of())
REFUSAL = Delivered(answer=Answer(Outcome.EXCEEDS_MAX_CREDIT, 1))


@pytest.fixture
def entry(journal: Journal) -> Entry:
    """A prepared top-up of 9.00."""
    return journal.prepare(METER, 0xE0, 1, "credit", 900, bytes(63), 0)


def test_a_confirmation_is_written_and_returned(journal: Journal, entry: Entry) -> None:
    told = Delivered(answer=Answer(Outcome.ACCEPTED, 1))
    settled = write_down(SESSION, journal, entry, Conclusion(EntryEvent.STATUS, 0xE0), told)
    assert (settled.entry.state, settled.entry.outcome) == (EntryState.CONFIRMED, "accepted")
    assert (settled.receipt, settled.answer) == (None, told.answer)
    assert journal.entries() == [settled.entry]


@pytest.mark.parametrize(
    ("event", "told", "outcome", "text"),
    [
        (EntryEvent.RECEIPT_OF_VOID, Delivered(), "voided", "voided; nothing was credited"),
        (EntryEvent.RECEIPT_OF_VOID, REFUSAL, "exceeds_max_credit", "exceeds_max_credit; nothing"),
        (EntryEvent.RECEIPT_OF_ANOTHER, REFUSAL, "sequence_conflict", "taken by another message"),
        (EntryEvent.KEY_VERSION_PASSED, REFUSAL, "unknown_key_version", "key version has passed"),
    ],
)
def test_a_refusal_is_written_and_raised_with_its_word(
    journal: Journal, entry: Entry, event: EntryEvent, told: Delivered, outcome: str, text: str
) -> None:
    with pytest.raises(RefusedError, match=text) as caught:
        write_down(SESSION, journal, entry, Conclusion(event), told)
    assert (caught.value.outcome, caught.value.entry) == (outcome, entry.id)
    left = journal.entry(entry.id)
    assert (left.state, left.outcome) == (EntryState.REFUSED, outcome)


def test_without_a_conclusion_the_entry_is_unknown(journal: Journal, entry: Entry) -> None:
    with pytest.raises(UnknownOutcomeError, match="no answer proves its outcome") as caught:
        write_down(SESSION, journal, entry, None, REFUSAL)
    assert (caught.value.exit_code, caught.value.entry) == (7, entry.id)
    assert journal.entry(entry.id).state is EntryState.UNKNOWN


def test_the_open_voids_of_an_entry_are_settled_with_it(journal: Journal, entry: Entry) -> None:
    named = journal.prepare(METER, 0xE0, 1, "void", 0, b"v" * 63, 0, void_of=entry.id)
    another = journal.prepare(METER, 0xE0, 1, "void", 0, b"w" * 63, 0, void_of=entry.id)
    former = journal.prepare(METER, 0xE1, 1, "void", 0, b"v" * 63, 0, void_of=entry.id)
    conclusion = Conclusion(EntryEvent.RECEIPT_OF_VOID, void=AcceptedVoid(0xE0, named.code))
    with pytest.raises(RefusedError):
        write_down(SESSION, journal, entry, conclusion, Delivered())
    states = [journal.entry(each.id).state for each in (named, another, former)]
    assert states == [EntryState.CONFIRMED, EntryState.REFUSED, EntryState.PREPARED]


def test_only_a_prepared_entry_is_written_as_unknown(journal: Journal, entry: Entry) -> None:
    error = unknown(SESSION, journal, entry, f"meter {METER}: no answer")
    assert journal.entry(entry.id).state is EntryState.UNKNOWN
    assert str(error).endswith(f"journal resolve {entry.id} (reason: no answer)")
    carried = journal.prepare("000000000043", 1, 1, "credit", 1, b"x", 0, card="c")
    unknown(SESSION, journal, carried, "no answer")
    assert journal.entry(carried.id).state is EntryState.ON_CARD


@pytest.mark.parametrize(
    ("raised", "is_unknown"),
    [
        (NoAnswerError("x"), True),
        (CorruptAnswerError("x"), True),
        (UsageError("x"), True),
        (NotPermittedError("x"), True),
        (RefusedError("x"), True),
        (RefusedError("x", outcome="voided"), False),
        (UnknownOutcomeError("x"), True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_after_the_bytes_were_sent_only_a_proved_refusal_is_no_unknown_outcome(
    journal: Journal, entry: Entry, raised: MeterctlError, is_unknown: bool
) -> None:
    with pytest.raises(MeterctlError) as caught, bytes_are_out(SESSION, journal, entry):
        raise raised
    assert isinstance(caught.value, UnknownOutcomeError) is is_unknown


def test_a_resolve_says_itself_what_is_not_permitted(journal: Journal, entry: Entry) -> None:
    with (
        pytest.raises(NotPermittedError, match="x"),
        bytes_are_out(SESSION, journal, entry, NOTHING_LEARNT),
    ):
        raise NotPermittedError("x")
