"""A card at the vending point: what its contents prove, and how it fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.presented import PresentedCard
from protocols.card.applet import Card
from protocols.card.files import RETURN_SLOT, CardFile, LogActor, checked
from protocols.quantities import CENT
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


def test_a_write_back_under_a_retired_version_proves_nothing(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.ring = KeyRing({1: MASTER, 2: MASTER}, setup.ring.path, retired=frozenset({1}))
    with setup.presented(card) as presented:
        assert presented.read(journal).back is None
        assert "it proves nothing and is ignored" in presented.notices[0]
        with pytest.raises(NotPermittedError, match="has retired"):
            presented.read()


def test_a_write_back_below_the_floor_is_ignored(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.ring = KeyRing({1: MASTER, 2: MASTER}, setup.ring.path)
    journal.proofs.raise_floor(METER, 2)
    with setup.presented(card) as presented:
        assert presented.read(journal).back is None
        assert presented.read().back is not None


def test_a_notice_is_given_once(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        presented.tell("again")
        presented.tell("again")
        assert presented.notices == ["again"]


def test_a_malformed_write_back_is_refused_and_not_ignored(
    setup: Setup, card: Card, journal: Journal
) -> None:
    malformed = checked(b"\x09" + bytes(RETURN_SLOT - 5))
    returned = malformed + bytes(RETURN_SLOT)
    card._memory.commit(card.state.with_file(CardFile.RETURN, returned))
    with setup.presented(card) as presented:
        for known in (journal, None):
            with pytest.raises(MeterctlError, match="nothing was changed"):
                presented.read(known)
