"""Erasing a card: what is settled first, what stays open, credit of another journal."""

from __future__ import annotations

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import EntryState, Journal
from meterctl.operations.card.erasure import plan_erasure
from protocols.card.applet import Card
from protocols.card.files import CardFile
from tests.support.setup import Setup


def test_planning_erases_nothing(setup: Setup, card: Card) -> None:
    before = card.state
    lines = setup.journal.audit_lines()
    with setup.presented(card) as presented:
        plan_erasure(presented, setup.journal)
    assert card.state.files == before.files
    assert setup.journal.audit_lines() == lines


def test_an_erased_card_is_empty_and_its_sale_stays_open(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    with setup.presented(card) as presented:
        planned = plan_erasure(presented, setup.journal)
        assert "carries 10.00" in planned.text
        (touched,) = planned.carry_out()
    assert (touched.id, touched.state, touched.outcome) == (entry.id, EntryState.UNKNOWN, "erased")
    with setup.presented(card) as presented:
        read = presented.read().contents
    assert (read.identity, read.credit, read.parameters) == (None, None, ())
    assert not any(card.state.file(CardFile.RETURN))
    assert setup.journal.audit_lines()[-1].what == "card_erased"


def test_erasing_settles_what_the_write_back_proves_first(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    with setup.presented(card) as presented:
        planned = plan_erasure(presented, setup.journal)
        assert "no unconsumed credit on it" in planned.text
        (touched,) = planned.carry_out()
    assert touched.state is EntryState.CONFIRMED


def test_a_sale_of_another_journal_is_erased_only_knowingly(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="sold by another journal"):
            plan_erasure(presented, journal)
        plan_erasure(presented, journal, unknown_sale=True).carry_out()
    assert [line.what for line in journal.audit_lines()][-2:] == [
        "unknown_sale_erased",
        "card_erased",
    ]
