"""A write-back against the journal: what it settles, and meters that do not agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import EntryState, Journal, SeenWriteBack
from meterctl.key_ring import KeyRing
from meterctl.operations.card import comparison
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import (
    compare,
    hold_against_journal,
    settle_by_write_back,
)
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.setup import MASTER, METER, SERIAL, Setup


def test_a_card_without_a_write_back_settles_nothing(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    with setup.presented(card) as presented:
        assert compare(setup.case(presented)) == []


def test_a_write_back_settles_its_sale(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    setup.insert(card)
    with setup.presented(card) as presented:
        (settled,) = compare(setup.case(presented))
        assert compare(setup.case(presented)) == []
    assert (settled.id, settled.state) == (entry.id, EntryState.CONFIRMED)
    assert settled.receipt


def test_a_write_back_is_kept_with_its_totals(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    setup.read(card)
    seen = setup.journal.write_backs.last(METER, 0xE0, SERIAL.hex())
    assert seen is not None
    assert (seen.credit_sequence, seen.cumulative) == (2, 4000)
    assert setup.journal.last_sequence(METER, 0xE0) == 2


def test_a_sale_that_its_meter_never_took_is_owed_and_audited(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    host = Host(setup.meter, setup.ring.meter_keys(METER, 1))
    host.send(MessageKind.CREDIT, amount=1)
    assert setup.insert(card).insertion is not None
    with setup.presented(card) as presented:
        (settled,) = compare(setup.case(presented))
        assert "10.00 is owed to the customer" in " ".join(presented.notices)
    assert settled.state is EntryState.REFUSED
    assert "owed" in [line.what for line in setup.journal.audit_lines()]


def test_transfers_of_another_journal_are_told_and_audited_once(setup: Setup, card: Card) -> None:
    host = Host(setup.meter, setup.ring.meter_keys(METER, 1))
    host.send(MessageKind.CREDIT, amount=700)
    setup.sell(card, 1000, session=setup.session())
    setup.insert(card)
    for _ in range(2):
        with setup.presented(card) as presented:
            compare(setup.case(presented))
            assert (
                "1 transfers that this journal does not know, at most 7.00" in presented.notices[0]
            )
    assert [line.what for line in setup.journal.audit_lines()].count("unknown_credit") == 1


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (SeenWriteBack(2, 0, 0, 0), "sequence went back from 2 to 1"),
        (SeenWriteBack(1, 3001, 0, 0), "purchases went back from 3001 to 3000"),
        (SeenWriteBack(1, 3000, 10**9, 0), "energy went back"),
        (SeenWriteBack(1, 3000, 0, 10**9), "time went back"),
    ],
)
def test_totals_that_went_back_are_a_set_back_meter_or_a_clone(
    setup: Setup, card: Card, seen: SeenWriteBack, told: str
) -> None:
    setup.journal.write_backs.keep(METER, 0xE0, SERIAL.hex(), seen, 0)
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match=told):
            compare(setup.case(presented))
        compare(setup.case(presented, set_back=True))
        assert "served knowingly" in presented.notices[0]
    audited = [line.what for line in setup.journal.audit_lines()]
    assert audited[-2:] == ["mismatch", "set_back_served"]


def test_a_write_back_below_the_floor_settles_nothing(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.ring = KeyRing({1: MASTER, 2: MASTER}, setup.ring.path)
    journal.proofs.raise_floor(METER, 2)
    with setup.presented(card) as presented:
        case = Case(presented, journal, presented.read())
        assert case.back is not None
        with pytest.raises(NotPermittedError, match="has passed it"):
            settle_by_write_back(case)


def test_the_commands_that_a_meter_did_not_take_are_told(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        back = replace(case.back, command_outcome=Outcome.SEQUENCE_OLD)
        hold_against_journal(replace(case, files=replace(case.files, back=back)))
        assert "did not take the commands of this card: sequence_old" in presented.notices[0]


def test_a_proof_that_says_again_what_an_entry_is_settles_nothing(setup: Setup) -> None:
    card = setup.formatted()
    entry = setup.open(card)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    (void,) = setup.journal.voids_of(entry)
    setup.insert(card)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        back = replace(case.back, receipt=void.receipt)
        assert settle_by_write_back(replace(case, files=replace(case.files, back=back))) == []
    voided = setup.journal.entry(entry.id)
    assert (voided.state, voided.outcome) == (EntryState.REFUSED, "voided")
    assert "owed" not in [line.what for line in setup.journal.audit_lines()]


def test_the_answer_to_a_first_message_is_held_against_no_sequence_before_it(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        back = replace(case.back, credit_sequence=0, answered_sequence=1)
        assert comparison._behind_proved_sales(case, back) is None
        later = replace(back, answered_sequence=2)
        told = comparison._behind_proved_sales(case, later)
        assert told is not None
        assert "stands at sequence 0, sequence 1 was proved" in told
