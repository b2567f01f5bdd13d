"""Replacement cards: they carry the open sale, bind, and exclude the lost card."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from meterctl.errors import MeterctlError, NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.card.presets import plan_preset
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.data_model.insertion import InsertionError
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.cards import THIRD, error, outcome, replaced, states
from tests.support.setup import CUSTOMER, METER, OTHER, Contacts, Setup


def replaced_again(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        plan_replacement(setup.case(presented), METER).carry_out()


def test_a_replacement_carries_the_same_sale_binds_and_the_lost_card_is_refused(
    setup: Setup, card: Card
) -> None:
    sold = setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        moved = plan_replacement(setup.case(presented), METER).carry_out()
    assert moved is not None
    assert (moved.id, moved.card) == (sold.id, OTHER.hex())
    assert setup.insert(new).display == "40.00"
    assert setup.insert(card).display == "Err-33", "the lost card is another's now"
    assert setup.credit == 4000
    setup.sell(new, 500)
    setup.insert(new)
    assert setup.credit == 4500


def test_a_replacement_without_an_open_sale_binds_and_brings_nothing(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 100)
    setup.insert(card)
    setup.read(card)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        assert plan_replacement(setup.case(presented), METER).carry_out() is None
    inserted = setup.insert(new)
    assert inserted.insertion is not None
    assert inserted.insertion.error is None
    assert setup.meter.state.slot.bound_card == int.from_bytes(OTHER, "big")
    assert setup.credit == 3100


def test_a_replacement_that_is_sold_on_at_once_still_binds(setup: Setup, card: Card) -> None:
    setup.read(card)
    new = replaced(setup)
    setup.sell(new, 1000)
    assert error(setup.insert(new)) is None
    assert setup.credit == 4000
    setup.sell(new, 500)
    setup.insert(new)
    assert setup.credit == 4500


def test_a_lost_opening_card_is_replaced_by_one_that_opens(setup: Setup) -> None:
    lost = setup.formatted()
    setup.open(lost)
    new = replaced(setup)
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert setup.credit == 3000
    assert outcome(setup.insert(lost)) is not Outcome.ACCEPTED
    assert setup.credit == 3000


def test_the_replacement_of_an_erased_sale_is_a_sale_again(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        plan_erasure(presented, setup.journal).carry_out()
    new = replaced(setup)
    entry = setup.journal.open_entries(METER)[-1]
    assert (entry.state, entry.outcome, entry.card) == (EntryState.ON_CARD, "", OTHER.hex())
    assert withdraw_cards(setup.session(), setup.journal, erased_only=True).entries == []
    setup.insert(new)
    assert setup.credit == 4000


def test_a_replacement_speaks_the_meters_key_version(tmp_path: Path) -> None:
    setup = Setup(tmp_path, masters={1: bytes(16)})
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    ring = setup.ring
    setup.ring = type(ring)({**ring.masters, 2: bytes(range(1, 17))}, ring.path)
    assert error(setup.insert(replaced(setup))) is None


def test_a_lost_card_that_is_found_neither_sells_nor_binds(setup: Setup, card: Card) -> None:
    setup.read(card)
    setup.now += 60
    new = replaced(setup)
    setup.insert(new)
    with pytest.raises(NotPermittedError, match="was replaced by card"):
        setup.sell(card, 100)
    assert error(setup.insert(card)) is InsertionError.CARD_SERIAL
    setup.now += 60
    third = replaced(setup, bytes.fromhex("0303030303030303"))
    setup.insert(third)
    assert error(setup.insert(new)) is InsertionError.CARD_SERIAL, (
        "an older replacement does not push out a newer"
    )
    assert setup.meter.state.slot.bound_card == 0x0303030303030303


@pytest.mark.parametrize("breaks_after", range(3, 40, 3))
def test_a_replacement_that_breaks_off_does_not_say_that_nothing_was_changed(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    before = new.state.files
    with setup.presented(new, contacts) as presented:
        told: MeterctlError | None = None
        try:
            plan_replacement(setup.case(presented), METER).carry_out()
        except MeterctlError as error:
            told = error
    if told is not None and "nothing was changed" in str(told):
        assert new.state.files == before
    with setup.presented(new) as presented:
        plan_replacement(setup.case(presented), METER).carry_out()
    setup.insert(new)
    assert setup.credit == 4000


@pytest.mark.parametrize("breaks_after", range(2, 30, 3))
def test_an_interrupted_sale_on_a_new_replacement_still_binds(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.read(card)
    new = replaced(setup)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    try:
        setup.sell(new, 1000, contacts)
    except (UnknownOutcomeError, NotPermittedError):
        assert len(states(setup.journal)) == 2
    except Exception:
        assert len(states(setup.journal)) == 1
    if contacts.broke:
        try:
            setup.sell(new, 1000)
        except NotPermittedError as whole:
            assert "unconsumed" in str(whole)  # noqa: PT017
    assert error(setup.insert(new)) is None
    assert setup.credit == 4000


@pytest.mark.parametrize("breaks_after", range(4, 40, 3))
def test_a_torn_replacement_of_an_opening_card_is_finished_as_one(
    setup: Setup, breaks_after: int
) -> None:
    lost, new = setup.formatted(), setup.formatted(OTHER)
    setup.open(lost)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    with setup.presented(new, contacts) as presented:
        try:
            plan_replacement(setup.case(presented), METER).carry_out()
        except Exception:
            assert contacts.broke
    if contacts.broke:
        try:
            setup.sell(new, 3000)
        except NotPermittedError as error_:
            told: str | None = str(error_)
        else:
            told = None
        if told is not None:
            replaced_again(setup, new)
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert setup.credit == 3000


def test_presets_on_a_replacement_leave_it_one(setup: Setup, card: Card) -> None:
    setup.read(card)
    new = replaced(setup)
    with setup.presented(new) as presented:
        commands = [(MessageKind.CLEAR_EVENTS, b"")]
        plan_preset(setup.case(presented, setup.session()), commands).carry_out()
    inserted = setup.insert(new)
    assert (error(inserted), inserted.card_type) == (None, CardType.REPLACEMENT)


def test_a_replacement_never_carries_an_opening_that_was_taken(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    assert error(setup.insert(replaced(setup))) is InsertionError.REPLACEMENT_CARD_UNOPENED
    assert setup.meter.state.account.state == AccountState.UNOPENED


def test_of_two_lives_the_living_sale_is_replaced(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    lost = replaced(setup, OTHER, session=setup.session())
    setup.insert(lost)
    setup.sell(lost, 500, session=setup.session())
    third = replaced(setup, THIRD, session=setup.session())
    before = setup.credit
    assert outcome(setup.insert(third)) is Outcome.ACCEPTED
    assert setup.credit == before + 500


def test_a_replacement_is_newer_than_the_card_whose_vendors_clock_was_ahead(
    setup: Setup,
) -> None:
    setup.now += 600
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.now -= 300
    assert error(setup.insert(replaced(setup))) is None
