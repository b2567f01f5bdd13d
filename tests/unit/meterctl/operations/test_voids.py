"""Voids: sealed for a sequence that the meter has not reached, and for no other one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import NoAnswerError, NotPermittedError, UnknownOutcomeError
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.entry_proofs import ask_for_proof
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import ask_status
from meterctl.operations.voids import require_voidable, void
from meterctl.session import Session
from protocols.sealed_message import MessageKind
from tests.support.wire_sales import meter_of, session_of, sold


def sealed(session: Session, journal: Journal, ahead: int = 0) -> Entry:
    """Enter a top-up that is not sent, `ahead` sequences above the meter's next one."""
    meter = ask_status(session, journal, session.identify()).require_ours()
    meter = replace(meter, credit_sequence=meter.credit_sequence + ahead)
    message = credit_message(journal, meter, MessageKind.CREDIT, 5000, 0)
    return enter(journal, session.ring, message, 0)


def test_a_void_takes_the_sequence_and_its_receipt_is_the_proof(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    hint, entry = session.identify(), sealed(session, journal)
    conclusion, told = void(session, journal, hint, entry, ask_status(session, journal, hint))
    assert conclusion.event is EntryEvent.RECEIPT_OF_VOID
    (made,) = journal.voids_of(entry)
    assert (made.sequence, made.amount, made.state) == (entry.sequence, 0, EntryState.CONFIRMED)
    assert told.receipt is not None
    assert told.receipt.code == made.code
    assert made.receipt == told.sealed_receipt
    assert journal.entry(entry.id).is_open, "its caller writes the conclusion"
    assert meter.state.security.credit_sequence == 1


def test_a_void_that_is_not_answered_is_sent_again_and_not_sealed_twice(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal)
    asked, deliver = ask_status(session, journal, hint), session.driver.deliver

    def silent(_: bytes) -> Delivery:
        raise NoAnswerError("silence")

    session.driver.deliver = silent  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError, match="the void that would end it was not answered"):
        void(session, journal, hint, entry, asked)
    (left,) = journal.voids_of(entry)
    assert left.state is EntryState.UNKNOWN
    session.driver.deliver = deliver  # type: ignore[method-assign]
    void(session, journal, hint, entry, asked)
    assert [each.id for each in journal.voids_of(entry)] == [left.id]


def test_the_message_itself_can_win_against_its_void(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal)
    asked = ask_status(session, journal, hint)
    session.driver.deliver(entry.message)
    conclusion, told = void(session, journal, hint, entry, asked)
    assert conclusion.state is EntryState.CONFIRMED
    (made,) = journal.voids_of(entry)
    assert (made.state, made.outcome) == (EntryState.REFUSED, "sequence_conflict")
    assert made.receipt == told.sealed_receipt != b"", "it names the message that was first"


def test_a_sequence_that_the_meter_has_reached_is_not_voided(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal)
    session.driver.deliver(entry.message)
    with pytest.raises(UnknownOutcomeError, match="the meter has reached sequence 1"):
        require_voidable(session, journal, hint, entry, ask_status(session, journal, hint))
    assert journal.voids_of(entry) == []


def test_nothing_below_an_entry_is_voided(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal, ahead=2)
    with pytest.raises(NotPermittedError, match=r"was set back\. Nothing was voided"):
        require_voidable(session, journal, hint, entry, ask_status(session, journal, hint))
    assert journal.voids_of(entry) == []


def test_a_copied_journal_voids_nothing(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal)
    asked = replace(ask_status(session, journal, hint), is_ours=False)
    with pytest.raises(NotPermittedError, match="the journal is a copy or was restored"):
        require_voidable(session, journal, hint, entry, asked)


def test_an_entry_under_an_older_number_is_voided_under_the_present_one(journal: Journal) -> None:
    session = session_of(meter_of())
    hint, entry = session.identify(), sealed(session, journal)
    journal.numbers.renew(1)
    _, _, asked = ask_for_proof(session, journal, hint, entry)
    assert asked.status.journal == entry.origin.journal
    void(session, journal, hint, entry, asked)
    (made,) = journal.voids_of(entry)
    assert made.origin.journal == journal.numbers.current != entry.origin.journal
    journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 1)
    assert sold(session, journal).entry.sequence == 2
