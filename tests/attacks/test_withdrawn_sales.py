"""Sales on cards that are voided by wire, erased or settled by resolve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
)
from meterctl.journal import EntryEvent, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.sales import sell
from meterctl.operations.credit import execute, plan
from meterctl.operations.resolution import resolve
from meterctl.operations.withdrawal import carried_by_cards, withdraw_cards
from protocols.card.applet import Card
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.cards import audited, outcome, states, topped_up
from tests.attacks.wires import lying
from tests.support.meters import Host
from tests.support.setup import METER, Contacts, Setup


def test_a_sale_on_a_card_is_voided_by_wire_and_what_is_owed_is_told(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert (withdrawn.owed, [e.outcome for e in withdrawn.entries]) == (1000, ["voided"])
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.SEQUENCE_CONFLICT
    assert setup.credit == 3000
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CREDIT, 700))
    assert setup.credit == 3700


def test_a_card_that_was_taken_before_it_was_voided_is_confirmed_and_nothing_is_owed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10  # the credit is in, the write-back is not
    setup.insert(card, contacts)
    assert setup.credit == 4000
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert withdrawn.owed == 0
    assert states(setup.journal) == ["confirmed", "confirmed"]


def test_an_erased_card_owes_nothing_before_its_meter_was_asked(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    contacts = Contacts(card)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    with setup.presented(card) as presented:
        (entry,) = plan_erasure(presented, setup.journal).carry_out()
    assert (entry.state, entry.outcome) == (EntryState.UNKNOWN, "erased")
    with pytest.raises(NotPermittedError, match="still unknown"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 700)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.CONFIRMED
    assert setup.credit == 4000


def test_resolve_never_sends_what_lies_on_a_card(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert isinstance(resolved.error, NotPermittedError)
    assert resolved.entry.state is EntryState.ON_CARD
    assert setup.credit == 3000
    setup.insert(card)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.CONFIRMED, "the meter's receipt settles it"


def test_nothing_is_voided_for_a_top_up_that_the_daily_limit_forbids(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.ring = KeyRing(setup.ring.masters, setup.ring.path, 4000)
    session = setup.session()
    carried = carried_by_cards(session, setup.journal, erased_only=False)
    with pytest.raises(NotPermittedError, match=r"daily limit is 40\.00"):
        plan(session, setup.journal, MessageKind.CREDIT, 1, None, carried)
    assert audited(setup)[-1] == "over_daily_limit"
    assert states(setup.journal) == ["confirmed", "on_card"]


def test_of_two_voids_of_a_sale_the_one_that_the_meter_accepted_is_confirmed(
    tmp_path: Path,
) -> None:
    setup = Setup(tmp_path, masters={1: bytes(16), 2: bytes(range(1, 17))})
    setup.ring = replace(setup.ring, retired=frozenset({2}))
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    sold = setup.sell(card, 1000)

    def silent(_: bytes) -> Delivery:
        raise NoAnswerError("no answer")

    with pytest.raises(UnknownOutcomeError, match="the void that would end it was not answered"):
        withdraw_cards(lying(setup.session(), deliver=silent), setup.journal, erased_only=False)
    setup.ring = replace(setup.ring, retired=frozenset({1}))
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    _, entry, unsent, accepted = setup.journal.entries()
    assert (entry.id, entry.state, entry.outcome) == (sold.id, EntryState.REFUSED, "voided")
    assert (unsent.key_version, unsent.state) == (1, EntryState.REFUSED), "its sequence is taken"
    assert (accepted.key_version, accepted.state) == (2, EntryState.CONFIRMED)
    assert [each.id for each in setup.journal.confirmed(METER, 0xE0)] == [1, accepted.id]


def test_nothing_is_voided_for_a_top_up_of_an_account_that_is_closed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.journal.settle(setup.journal.entries()[-1], EntryEvent.NOT_ANSWERED, 0)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLOSE)
    session = setup.session()
    carried = setup.journal.open_entries(METER)
    with pytest.raises(RefusedError, match="closed and takes no credit; nothing was voided"):
        plan(session, setup.journal, MessageKind.CREDIT, 1, None, carried)


def test_a_sale_that_its_meter_has_behind_it_is_settled_first(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    with pytest.raises(NotPermittedError, match="journal resolve 2, or meterctl card read"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 100)


def test_what_can_never_be_taken_is_said_to_be_owed(
    setup: Setup, card: Card, other_journal: Journal
) -> None:
    setup.sell(card, 1000)
    own, setup.journal = setup.journal, other_journal
    topped_up(setup, 300)
    setup.journal = own
    assert outcome(setup.insert(card)) is Outcome.SEQUENCE_CONFLICT
    with setup.presented(card) as presented:
        sell(setup.case(presented), 500)
        assert any("10.00 is owed to the customer" in notice for notice in presented.notices)
    assert [
        (line.amount, line.card) for line in setup.journal.audit_lines() if line.what == "owed"
    ] == [(1000, card.state.serial.hex())]
