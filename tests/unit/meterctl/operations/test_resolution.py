"""Resolution of open entries: by proof, by sending again, by a void, by a person's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NoAnswerError, NotPermittedError, UnknownOutcomeError, UsageError
from meterctl.journal import EntryOutcome, EntryState, Journal
from meterctl.operations.credit import plan
from meterctl.operations.resolution import (
    close_by_hand,
    identify_for,
    living_text,
    resolve,
    resolve_entry,
)
from protocols.sealed_message import MessageKind
from tests.support.setup import METER, Setup
from tests.support.wire import connect
from tests.support.wire_sales import RING, begun, credit, meter_of, session_of, sold

CREDIT, CONFIRMED, REFUSED = MessageKind.CREDIT, EntryState.CONFIRMED, EntryState.REFUSED


def test_an_open_entry_blocks_a_further_sale_until_it_is_resolved(journal: Journal) -> None:
    meter = meter_of()
    begun(meter, journal)
    session = session_of(meter)
    with pytest.raises(NotPermittedError, match="journal resolve"):
        plan(session, journal, CREDIT, 100)
    resolve(session, journal)
    sold(session, journal, 100)
    assert credit(meter) == 5100


def test_resolving_one_entry_names_it(journal: Journal) -> None:
    meter = meter_of()
    entry = begun(meter, journal)
    session = session_of(meter)
    with pytest.raises(UsageError, match="no entry 99"):
        resolve(session, journal, 99)
    foreign = journal.prepare("000000000043", 1, 1, "credit", 100, b"x", 0)
    with pytest.raises(UsageError, match="is of meter 000000000043"):
        resolve(session, journal, foreign.id)
    (resolved,) = resolve(session, journal, entry.id)
    assert resolved.entry.state is CONFIRMED
    assert resolve(session, journal, entry.id) == [], "a settled entry is left alone"


def test_resolving_on_a_silent_port_leaves_an_open_entry_unknown(journal: Journal) -> None:
    meter = meter_of()
    entry = begun(meter, journal)
    silent = replace(connect(meter, lambda *_: b"", ring=RING)[0])
    with pytest.raises(UnknownOutcomeError):
        resolve(silent, journal, entry.id)
    assert journal.entry(entry.id).state is EntryState.UNKNOWN
    with pytest.raises(NoAnswerError):
        resolve(silent, journal)


@pytest.mark.parametrize("state", [CONFIRMED, REFUSED])
def test_a_closing_by_hand_is_audited_and_done_once(journal: Journal, state: EntryState) -> None:
    entry = begun(meter_of(), journal)
    closed = close_by_hand(journal, entry, state, 9)
    assert (closed.state, closed.outcome) == (state, EntryOutcome.BY_HAND)
    (line,) = journal.audit_lines()
    assert (line.what, line.amount) == ("closed_by_hand", 5000)
    assert "sequence 1" in line.detail
    with pytest.raises(UsageError, match="already"):
        close_by_hand(journal, entry, state, 9)


def test_the_bytes_of_an_opening_for_epoch_0_live_in_any_unopened_storage(setup: Setup) -> None:
    entry = setup.open(setup.formatted())
    assert "any storage of the meter that was never opened" in living_text(entry)


def test_an_entry_that_a_person_closed_is_proved_later(journal: Journal) -> None:
    meter = meter_of()
    closed = close_by_hand(journal, begun(meter, journal), REFUSED, 9)
    session = session_of(meter)
    resolved = resolve_entry(session, journal, session.identify(), closed)
    assert (resolved.entry.state, resolved.entry.outcome) == (CONFIRMED, "accepted")
    assert resolved.error is None
    assert "is to be claimed back" in journal.notices[0]


def test_a_void_of_a_closed_entry_is_closed_with_it(journal: Journal) -> None:
    entry = begun(meter_of(), journal)
    journal.prepare(METER, 0xE0, 1, "void", 0, b"v", 0, void_of=entry.id)
    close_by_hand(journal, entry, CONFIRMED, 9)
    states = [(each.kind, each.state, each.outcome) for each in journal.entries()]
    assert states == [
        ("credit", CONFIRMED, EntryOutcome.BY_HAND),
        ("void", REFUSED, EntryOutcome.BY_HAND),
    ]


def test_a_fault_stands_in_the_result_and_the_entry_stays_open(journal: Journal) -> None:
    meter = meter_of()
    entry = begun(meter, journal)
    silent = connect(meter, lambda *_: b"", ring=RING)[0]
    hint = session_of(meter).identify()
    resolved = resolve_entry(silent, journal, hint, entry)
    assert isinstance(resolved.error, UnknownOutcomeError)
    assert resolved.entry.is_open


def test_an_entry_of_another_storage_is_left_to_a_person(journal: Journal) -> None:
    begun(meter_of(), journal)
    session = session_of(meter_of(epoch=0xE1))
    (resolved,) = resolve(session, journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert "--as confirmed|refused" in str(resolved.error)
    assert resolved.entry.is_open


def test_a_sale_on_a_card_is_never_sent(setup: Setup) -> None:
    entry = setup.open(setup.formatted())
    (resolved,) = resolve(setup.session(), setup.journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert f"journal entry {entry.id}" in str(resolved.error)
    assert resolved.entry.state is EntryState.ON_CARD
    assert setup.meter.state.security.credit_sequence == 0


def test_a_silent_port_makes_a_prepared_entry_unknown_and_no_other_one(journal: Journal) -> None:
    silent = connect(meter_of(), lambda *_: b"", ring=RING)[0]
    with pytest.raises(NoAnswerError):
        identify_for(silent, journal, [])
    entry = journal.prepare(METER, 0xE0, 1, "credit", 100, b"x", 0)
    with pytest.raises(UnknownOutcomeError, match=f"journal resolve {entry.id}"):
        identify_for(silent, journal, [entry])
    assert journal.entry(entry.id).state is EntryState.UNKNOWN


def test_the_bytes_of_a_sale_live_until_its_sequence_is_reached(journal: Journal) -> None:
    entry = journal.prepare(METER, 0xE0, 4, "credit", 100, b"x", 0)
    assert "until the meter has reached sequence 4" in living_text(entry)


def test_a_silent_port_leaves_an_entry_that_a_person_closed_as_it_is(journal: Journal) -> None:
    meter = meter_of()
    closed = close_by_hand(journal, begun(meter, journal), CONFIRMED, 9)
    silent = connect(meter, lambda *_: b"", ring=RING)[0]
    with pytest.raises(NoAnswerError):
        resolve(silent, journal, closed.id)
    assert journal.entry(closed.id) == closed
