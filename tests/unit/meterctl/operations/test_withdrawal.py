"""Withdrawal of sales on cards: voided by wire, confirmed if their meter has them, what is owed."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from meterctl.drivers import Driver
from meterctl.errors import NotPermittedError, UnknownOutcomeError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.withdrawal import (
    Withdrawn,
    carried_by_cards,
    withdraw,
    withdraw_cards,
)
from protocols.card.applet import Card
from tests.support.setup import Setup
from tests.support.wire import connect
from tests.support.wire_sales import RING, SilentDriver, meter_of

CONFIRMED, REFUSED = EntryState.CONFIRMED, EntryState.REFUSED


def test_a_withdrawn_card_sale_is_owed_to_the_customer(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    told: list[Entry] = []
    session = setup.session()
    assert len(carried_by_cards(session, setup.journal, erased_only=False)) == 1
    assert carried_by_cards(session, setup.journal, erased_only=True) == []
    withdrawn = withdraw_cards(session, setup.journal, erased_only=False, tell=told.append)
    assert [entry.state for entry in withdrawn.entries] == [REFUSED]
    assert withdrawn.owed == 1000
    assert told == withdrawn.entries
    setup.insert(card)
    assert setup.credit == 3000


def test_a_card_sale_that_was_taken_is_confirmed_and_nothing_is_owed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert [entry.state for entry in withdrawn.entries] == [CONFIRMED]
    assert withdrawn.owed == 0


def test_without_card_sales_the_meter_is_not_even_asked(journal: Journal) -> None:
    silent = connect(meter_of(), lambda *_: b"", ring=RING)[0]
    assert withdraw_cards(silent, journal, erased_only=False) == Withdrawn()


def test_a_settled_sale_is_returned_as_it_is(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    session = setup.session()
    (ended,) = withdraw_cards(session, setup.journal, erased_only=False).entries
    assert withdraw(session, setup.journal, session.identify(), ended) == ended
    assert [line.what for line in setup.journal.audit_lines()][-1] == "withdrawn"


def test_a_void_that_is_not_answered_leaves_the_sale_voiding(setup: Setup, card: Card) -> None:
    sold = setup.sell(card, 1000)
    session = setup.session()
    hint = session.identify()
    silent = replace(session, driver=cast(Driver, SilentDriver(session)))
    with pytest.raises(UnknownOutcomeError, match="silence"):
        withdraw(silent, setup.journal, hint, sold)
    left = setup.journal.entry(sold.id)
    assert (left.state, left.outcome) == (EntryState.UNKNOWN, "voiding")


def test_a_sale_for_another_storage_is_not_voided(setup: Setup, card: Card) -> None:
    sold = setup.sell(card, 1000)
    setup.meter = setup.build(epoch=0xE9)
    session = setup.session()
    assert carried_by_cards(session, setup.journal, erased_only=False) == []
    with pytest.raises(NotPermittedError, match="another storage of this meter"):
        withdraw(session, setup.journal, session.identify(), sold)
    assert setup.journal.entry(sold.id).state is EntryState.ON_CARD
    assert setup.meter.state.security.credit_sequence == 0
