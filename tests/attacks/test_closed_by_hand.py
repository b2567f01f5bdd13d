"""Entries that a person closed without proof: a later proof overrides them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.errors import UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.operations.card.comparison import settle_by_write_back
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.credit import Sale, execute, go_on, plan, sale_begun_before
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.cards import THIRD, card_of, erased, image, outcome, replaced, states, topped_up
from tests.attacks.wires import (
    after_delivery,
    credit,
    lying,
    make,
    no_key,
    session_of,
    shows,
    silence,
    top_up,
)
from tests.support.setup import Setup


def by_hand(session: Session, journal: Journal, state: EntryState, reference: str = "") -> int:
    """Leave a sale unknown that the meter took, and close it by hand; return its number."""
    lied = after_delivery(session, no_key)
    with pytest.raises(UnknownOutcomeError):
        execute(lied, journal, plan(lied, journal, MessageKind.CREDIT, 5000, reference=reference))
    entry = journal.entries()[-1]
    close_by_hand(journal, entry, state, 0)
    return entry.id


def test_the_next_status_overrules_a_persons_word_and_says_what_is_claimed_back(
    journal: Journal,
) -> None:
    meter = make()
    session = session_of(meter)
    number = by_hand(session, journal, EntryState.REFUSED)
    top_up(session, journal, 100)
    assert journal.entry(number).state is EntryState.CONFIRMED
    (line,) = [line for line in journal.audit_lines() if line.what == "overruled"]
    assert "50.00 is to be claimed back from the customer" in line.detail
    assert any("50.00 is to be claimed back" in notice for notice in journal.notices)
    assert credit(meter) == 5100


def test_the_key_of_a_sale_that_a_person_closed_is_proved_first(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    by_hand(session, journal, EntryState.REFUSED, "K")
    hint = session.identify()
    known = sale_begun_before(session, journal, hint, Sale(MessageKind.CREDIT, 5000, None, "K"))
    assert known is not None
    silent = after_delivery(session, silence)
    silence(silent)
    with pytest.raises(UnknownOutcomeError, match="a person closed it as refused"):
        go_on(silent, journal, hint, known)
    settled = go_on(session, journal, hint, known)
    assert (settled.entry.state, settled.entry.outcome) == (EntryState.CONFIRMED, "accepted")
    assert credit(meter) == 5000


def test_a_refund_that_a_person_called_refused_is_not_claimed_back_from_the_customer(
    journal: Journal,
) -> None:
    meter = make(credit=100 * 10**10)
    session = session_of(meter)
    lied = after_delivery(session, no_key)
    with pytest.raises(UnknownOutcomeError):
        execute(lied, journal, plan(lied, journal, MessageKind.REFUND, 5000))
    close_by_hand(journal, journal.entry(1), EntryState.REFUSED, 0)
    ask_status(session, journal, session.identify())
    (notice,) = journal.notices
    assert "50.00 was taken back and is to be paid out" in notice


def test_a_live_card_is_called_dead_by_no_lied_epoch(tmp_path: Path) -> None:
    """A later proof overrides a person's decision and names the amount to be claimed back."""
    setup = Setup(tmp_path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 2000)
    session = setup.session()
    (left,) = resolve(lying(session, read=shows(session, epoch=0xDEADBEEF)), setup.journal, 2)
    assert left.entry.state is EntryState.ON_CARD
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.REFUSED, setup.now)
    setup.insert(card)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        settle_by_write_back(case)
    assert setup.journal.entry(2).state is EntryState.CONFIRMED
    audited = [
        line for line in setup.journal.audit_lines() if line.what in ("closed_by_hand", "overruled")
    ]
    assert [line.what for line in audited] == ["closed_by_hand", "overruled"]
    assert "until the meter has reached sequence 2" in audited[0].detail
    assert "20.00 is to be claimed back" in audited[1].detail


def test_a_proof_goes_over_what_a_person_said(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    kept = image(card)
    with setup.presented(card) as presented:
        (entry,) = plan_erasure(presented, setup.journal).carry_out()
    close_by_hand(setup.journal, entry, EntryState.REFUSED, setup.now)
    clone = card_of(kept, setup)
    assert outcome(setup.insert(clone)) is Outcome.ACCEPTED
    assert [e.state for e in setup.read(clone)] == [EntryState.CONFIRMED]


def test_a_sale_refused_by_hand_that_was_taken_gives_way_to_its_proof(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    kept = replaced(setup)
    erased(setup, kept)
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.REFUSED, setup.now)
    again = replaced(setup, THIRD)
    setup.sell(again, 500)
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        settle_by_write_back(case)
    assert states(setup.journal) == ["confirmed", "confirmed", "refused"]


def test_a_wrong_word_blocks_no_account(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    erased(setup, card)
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.CONFIRMED, setup.now)
    topped_up(setup, 700)
    assert setup.credit == 3700
