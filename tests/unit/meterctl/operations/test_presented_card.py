"""A card at the vending point: what its contents prove, and what the journal says against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal, SeenWriteBack
from meterctl.key_ring import KeyRing
from meterctl.operations.presented_card import PresentedCard
from protocols.card.applet import Card
from protocols.card.files import LogActor
from protocols.quantities import CENT
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.setup import CUSTOMER, MASTER, METER, SERIAL, Contacts, Setup, blank


def presented_as(setup: Setup, transmit: Callable[[bytes], bytes]) -> PresentedCard:
    return PresentedCard(transmit, setup.ring, setup.random, lambda: setup.now)


def test_a_blank_card_has_a_serial_number_and_no_keys(setup: Setup) -> None:
    with setup.presented(blank()) as presented:
        assert presented.serial == SERIAL.hex()
        with pytest.raises(NotPermittedError, match="it is blank"):
            presented.read()


def test_a_bound_card_shows_its_files_and_its_genuine_write_back(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        files = presented.read()
        assert files.contents.identity is not None
        assert files.contents.identity.meter == METER
        assert files.back is not None
        assert files.slot
        assert (files.back.customer_digits, files.back.credit) == (CUSTOMER, 3000 * CENT)


def test_the_log_of_a_card_is_read_newest_first(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        rows = presented.read_log()
    assert [row.actor for row in rows[:2]] == [LogActor.METER, LogActor.VENDING]


def test_a_card_that_was_not_inserted_has_no_write_back(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    with setup.presented(card) as presented:
        files = presented.read()
        assert (files.back, files.slot) == (None, b"")
        assert presented.compare(setup.journal, files) == []


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (b"\x6a\x82", UsageError),
        (b"\x6f\x00", CorruptAnswerError),
        (b"\x69\x83", NotPermittedError),
        (b"\x63\xc5", NotPermittedError),
        (b"", NoAnswerError),
    ],
)
def test_a_refused_selection_is_told_by_its_status_word(
    setup: Setup, response: bytes, error: type[MeterctlError]
) -> None:
    with pytest.raises(error, match="nothing was changed"):
        presented_as(setup, lambda _: response)


def test_a_card_of_another_ring_costs_one_of_its_tries_and_is_named(
    setup: Setup, card: Card
) -> None:
    setup.ring = KeyRing({1: bytes(16)}, setup.ring.path)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="its keys are not this ring's"),
    ):
        presented.read()


def test_a_pulled_card_is_no_answer_and_in_a_write_an_unknown_outcome(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    with setup.presented(card, contacts) as presented:
        contacts.breaks_after = 0
        with pytest.raises(NoAnswerError):
            presented.read()
        with pytest.raises(UnknownOutcomeError, match="read it again"):
            presented.write(presented.terminal.select(), "read it again")


def test_a_write_back_settles_its_sale(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    setup.insert(card)
    with setup.presented(card) as presented:
        (settled,) = presented.compare(setup.journal, presented.read())
        assert presented.compare(setup.journal, presented.read()) == []
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
        (settled,) = presented.compare(setup.journal, presented.read())
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
            presented.compare(setup.journal, presented.read())
            assert "1 transfers that this journal does not know, 7.00" in presented.notices[0]
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
            presented.compare(setup.journal, presented.read())
        presented.set_back = True
        presented.compare(setup.journal, presented.read())
        assert "served knowingly" in presented.notices[0]
    audited = [line.what for line in setup.journal.audit_lines()]
    assert audited[-2:] == ["mismatch", "set_back_served"]


def test_a_write_back_under_a_retired_version_proves_nothing(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.ring = KeyRing({1: MASTER, 2: MASTER}, setup.ring.path, retired=frozenset({1}))
    with setup.presented(card) as presented:
        assert presented.read(journal).back is None
        assert "it proves nothing and is ignored" in presented.notices[0]
        with pytest.raises(NotPermittedError, match="has retired"):
            presented.read()


def test_a_write_back_below_the_floor_is_ignored_and_settles_nothing(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.ring = KeyRing({1: MASTER, 2: MASTER}, setup.ring.path)
    journal.proofs.raise_floor(METER, 2)
    with setup.presented(card) as presented:
        assert presented.read(journal).back is None
        back = presented.read().back
        assert back is not None
        with pytest.raises(NotPermittedError, match="has passed it"):
            presented.settle(journal, back)


def test_a_notice_is_given_once(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        presented.tell("again")
        presented.tell("again")
        assert presented.notices == ["again"]


def test_the_commands_that_a_meter_did_not_take_are_told(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        files = presented.read()
        assert files.back is not None
        back = replace(
            files.back,
            command_outcome=Outcome.SEQUENCE_OLD,
        )
        presented.hold_against(setup.journal, replace(files, back=back))
        assert "did not take the commands of this card: sequence_old" in presented.notices[0]
