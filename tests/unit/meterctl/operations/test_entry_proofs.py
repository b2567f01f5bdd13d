"""Requests for the proofs of an entry: which are asked for, and which receipts count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NoAnswerError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations.entry_proofs import ask_for_proof, deliver_and_conclude, outgoing
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.keys import MessageClass
from protocols.sealed_message import MessageKind
from tests.support.wire_sales import credit, meter_of, session_of


def sealed(session: Session, journal: Journal) -> Entry:
    """Enter a top-up of 50.00 that is not sent."""
    meter = ask_status(session, journal, session.identify()).require_ours()
    message = credit_message(journal, meter, MessageKind.CREDIT, 5000, 0)
    return enter(journal, session.ring, message, 0)


def test_asking_for_proof_delivers_nothing(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    entry = sealed(session, journal)
    conclusion, told, asked = ask_for_proof(session, journal, session.identify(), entry)
    assert conclusion is None
    assert (told.receipt, told.is_receipt_known) == (None, True)
    assert asked.status.journal == entry.origin.journal
    assert credit(meter) == 0


def test_what_was_delivered_is_proved_by_the_receipt(journal: Journal) -> None:
    session = session_of(meter_of())
    entry = sealed(session, journal)
    session.driver.deliver(entry.message)
    conclusion, told, _ = ask_for_proof(session, journal, session.identify(), entry)
    assert conclusion is not None
    assert conclusion.event is EntryEvent.RECEIPT
    assert told.receipt is not None


def test_the_status_is_requested_only_if_the_receipt_proves_nothing(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    hint, entry = session.identify(), sealed(session, journal)
    conclusion, _, asked = deliver_and_conclude(session, journal, hint, entry, entry)
    assert conclusion is not None
    assert (conclusion.event, asked) == (EntryEvent.RECEIPT, None)
    session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]
    conclusion, _, asked = deliver_and_conclude(session, journal, hint, entry, entry)
    assert conclusion is not None
    assert conclusion.event is EntryEvent.RECEIPT, "the answer brings one too"
    inner = session.driver.deliver

    def lost(message: bytes) -> None:
        inner(message)
        raise NoAnswerError("silence")

    session.driver.deliver = lost  # type: ignore[method-assign, assignment]
    conclusion, _, asked = deliver_and_conclude(session, journal, hint, entry, entry)
    assert conclusion is not None
    assert conclusion.event is EntryEvent.STATUS
    assert asked is not None
    assert credit(meter) == 5000


def test_only_a_verified_receipt_of_its_sequence_and_epoch_counts(journal: Journal) -> None:
    session = session_of(meter_of())
    entry = sealed(session, journal)
    session.driver.deliver(entry.message)
    receipt = session.driver.receipt(MessageClass.CREDIT, 1)
    message = outgoing(session, journal, entry)
    assert (message.sealed, message.sequence) == (entry.message, 1)
    assert message.prove(receipt) is not None
    assert message.prove(b"") is None
    assert message.prove(receipt[:-1] + bytes((receipt[-1] ^ 1,))) is None
    other = session_of(meter_of(epoch=0xE1))
    foreign = journal.prepare(entry.meter, 0xE1, 1, "credit", 1, entry.message, 0)
    assert outgoing(other, journal, foreign).prove(receipt) is None


@pytest.mark.parametrize("sequence", [2, 3])
def test_a_receipt_of_another_sequence_does_not_count(journal: Journal, sequence: int) -> None:
    session = session_of(meter_of())
    entry = sealed(session, journal)
    session.driver.deliver(entry.message)
    receipt = session.driver.receipt(MessageClass.CREDIT, 1)
    other = replace(entry, sequence=sequence)
    assert outgoing(session, journal, other).prove(receipt) is None
