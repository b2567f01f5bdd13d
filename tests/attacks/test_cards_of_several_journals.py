"""One card sold to by several journals: no credit is overwritten, erased or sold twice."""

from __future__ import annotations

import pytest

from meterctl.errors import NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.card.sales import sell
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import CardFile
from tests.attacks.cards import audited, states, topped_up
from tests.support.setup import METER, Contacts, Setup


def test_credit_of_another_journal_is_neither_written_over_nor_erased(
    other_vendor: Setup, card: Card
) -> None:
    before = card.state.files
    with pytest.raises(
        NotPermittedError, match=r"carries 10\.00 for meter 000000000042 .*another journal"
    ):
        other_vendor.sell(card, 500)
    with other_vendor.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="another journal"):
            plan_erasure(presented, other_vendor.journal).carry_out()
        with pytest.raises(NotPermittedError, match="another journal"):
            plan_replacement(
                other_vendor.case(presented, other_vendor.session()), METER
            ).carry_out()
    assert card.state.files == before
    assert other_vendor.journal.entries() == []
    other_vendor.insert(card)
    assert other_vendor.credit == 4000


def test_credit_of_another_journal_is_erased_by_name_only_and_audited(
    other_vendor: Setup, card: Card
) -> None:
    with other_vendor.presented(card) as presented:
        plan_erasure(presented, other_vendor.journal, unknown_sale=True).carry_out()
    line = other_vendor.journal.audit_lines()[0]
    assert line.what == "unknown_sale_erased"
    assert "10.00" in line.detail
    assert not any(any(card.state.file(file)) for file in CardFile if file is not CardFile.LOG)


def test_what_another_journal_sold_is_told_and_audited_once_and_the_customer_is_served(
    other_vendor: Setup, card: Card
) -> None:
    other_vendor.insert(card)
    with other_vendor.presented(card) as presented:
        sell(other_vendor.case(presented), 500)
        assert any(
            "2 transfers that this journal does not know, at most 40.00 in all" in text
            for text in presented.notices
        )
    assert audited(other_vendor).count("unknown_credit") == 1
    other_vendor.insert(card)
    other_vendor.read(card)
    assert other_vendor.credit == 4500
    assert audited(other_vendor).count("unknown_credit") == 2, (
        "the meter came forward, and they are still unknown"
    )
    other_vendor.read(card)
    assert audited(other_vendor).count("unknown_credit") == 2


def test_a_meter_that_has_taken_less_than_was_proved_is_named_even_where_others_sell_too(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    setup.read(card)
    setup.journal._db.execute("DELETE FROM entries WHERE sequence = 1")
    setup.journal._db.execute("UPDATE entries SET amount = 5000 WHERE sequence = 2")
    with pytest.raises(
        NotPermittedError, match=r"has taken 40\.00 in all, the journal has sold it 50\.00"
    ):
        setup.sell(card, 100)


def test_a_sale_that_was_taken_is_not_finished_again_where_another_journal_sold_since(
    setup: Setup, card: Card, other_journal: Journal
) -> None:
    own = setup.journal
    setup.sell(card, 1000)
    setup.insert(card)
    setup.journal = other_journal
    setup.sell(card, 500)
    setup.insert(card)
    setup.journal = own
    for cents in (700, 1000):
        with pytest.raises(
            NotPermittedError, match=r"the meter is already at sequence.*journal resolve 2"
        ):
            setup.sell(card, cents)
    assert setup.credit == 4500
    resolve(setup.session(), setup.journal)
    assert states(setup.journal) == ["confirmed", "confirmed"]
    setup.sell(card, 1000)
    setup.insert(card)
    assert setup.credit == 5500


def test_a_sale_whose_receipt_the_meter_no_longer_keeps_is_proved_by_its_journals_row(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    setup.sell(card, 1000)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    assert setup.credit == 4000
    other = Journal(setup.journal.path.with_name("other.sqlite"))
    own, setup.journal = setup.journal, other
    for _ in range(17):
        topped_up(setup, 100)
    setup.journal = own
    setup.insert(card)
    with pytest.raises(NotPermittedError, match="already at sequence"):
        setup.sell(card, 1000)
    (ended,) = withdraw_cards(setup.session(), setup.journal, erased_only=False).entries
    assert (ended.state, ended.receipt) == (EntryState.CONFIRMED, b"")
    setup.sell(card, 1000)


def test_a_seventeenth_journal_leaves_an_old_sale_to_a_persons_word(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    setup.sell(card, 1000)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    own = setup.journal
    for index in range(17):
        setup.journal = Journal(own.path.with_name(f"other{index}.sqlite"))
        topped_up(setup, 100)
    setup.journal = own
    mine = setup.journal.open_entries(METER)[0]
    (left,) = resolve(setup.session(), setup.journal)
    assert (left.entry.state, isinstance(left.error, NotPermittedError)) == (
        EntryState.ON_CARD,
        True,
    )
    with pytest.raises(UnknownOutcomeError, match="keeps no proof of that one"):
        withdraw_cards(setup.session(), setup.journal, erased_only=False)
    close_by_hand(
        setup.journal,
        setup.journal.entry(mine.id),
        EntryState.CONFIRMED,
        setup.now,
    )
    setup.sell(card, 1000, session=setup.session())
