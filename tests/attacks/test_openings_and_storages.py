"""Openings for epoch 0, and sales for a storage that the meter no longer has."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from meterctl.drivers import Delivery
from meterctl.errors import NoAnswerError, NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.operations.card.comparison import settle_by_write_back
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.openings import Opening, plan_opening
from meterctl.operations.card.sold import Sold
from meterctl.operations.credit import execute, plan
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.data_model.insertion import InsertionError
from protocols.sealed_message import MessageKind, Outcome
from protocols.sealed_status import StatusQuestion
from tests.attacks.cards import (
    NEIGHBOUR,
    THIRD,
    erased,
    error,
    outcome,
    replaced,
    states,
    topped_up,
)
from tests.attacks.wires import lying, shows
from tests.support.setup import CUSTOMER, METER, OTHER, Setup


def test_a_card_is_not_opened_twice_nor_for_an_account_that_the_journal_knows(
    setup: Setup, card: Card
) -> None:
    with pytest.raises(NotPermittedError, match="bound"):
        setup.open(card)
    setup.read(card)
    other = setup.formatted(OTHER)
    with pytest.raises(NotPermittedError, match="account already"):
        setup.open(other)


def test_an_opening_and_a_wire_message_are_never_open_together(setup: Setup) -> None:
    card = setup.formatted()
    setup.open(card)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        setup.journal.prepare(METER, 0xE0, 1, "open", 1, b"x", 0)
    setup.journal.prepare(NEIGHBOUR, 0xE0, 1, "open", 1, b"x", 0)
    with pytest.raises(NotPermittedError, match="another entry is open"):
        setup.journal.prepare(NEIGHBOUR, 0, 1, "open", 1, b"y", 0, card=OTHER.hex())


def test_no_opening_is_sold_for_a_sequence_that_was_voided(setup: Setup) -> None:
    wrong = setup.formatted()
    setup.open(wrong, customer="000000009999")
    erased(setup, wrong)
    resolve(setup.session(), setup.journal)
    entry = setup.open(wrong)
    assert (entry.epoch, entry.sequence) == (setup.meter.state.identity.epoch, 2), (
        "where the meter stands was proved"
    )
    assert outcome(setup.insert(wrong)) is Outcome.ACCEPTED
    assert setup.credit == 3000


def test_an_opening_that_was_voided_says_who_could_still_take_it_whichever_command_voids_it(
    tmp_path: Path,
) -> None:
    for void in ("withdraw", "resolve"):
        setup = Setup(tmp_path / void)
        card = setup.formatted()
        setup.open(card)
        if void == "withdraw":
            withdraw_cards(setup.session(), setup.journal, erased_only=False)
        else:
            with setup.presented(card) as presented:
                plan_erasure(presented, setup.journal).carry_out()
            resolve(setup.session(), setup.journal)
        assert [e.outcome for e in setup.journal.entries()] == ["voided", "accepted"]
        (notice,) = setup.journal.notices
        assert (
            "another storage of meter 000000000042 that was never opened would still accept it"
            in notice
        )


def test_the_key_of_an_opening_that_its_card_carries_shows_it_again(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    card = setup.formatted()

    def opened(key: str) -> Sold:
        with setup.presented(card) as presented:
            case = setup.case(presented, reference=key)
            return plan_opening(case, Opening(METER, CUSTOMER, 3000, 156)).carry_out()

    first = opened("K")
    again = opened("K")
    assert (again.entry.id, again.before, first.before) == (first.entry.id, True, False)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        opened("another")
    setup.insert(card)
    assert setup.credit == 3000


def test_an_opening_that_opens_a_second_storage_is_named(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    chip = SimulatedNvram()
    card = setup.formatted(memory=chip)  # type: ignore[arg-type]
    setup.open(card)
    before = bytes(chip.data)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    clone = Card(SimulatedNvram(before), setup.random)
    assert outcome(setup.insert(clone)) is Outcome.ACCEPTED, (
        "METER.md 7: a new storage takes its opening again"
    )
    with pytest.raises(NotPermittedError, match="once more"):
        setup.sell(clone, 1000)


def test_an_old_card_and_an_old_meter_refute_no_opening_of_a_new_storage(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    old, new = setup.formatted(), setup.formatted(OTHER)
    setup.open(old)
    setup.insert(old)
    setup.read(old)
    before = setup.session()
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    setup.open(new, again=True)
    setup.read(old)
    (left,) = resolve(before, setup.journal)
    assert isinstance(left.error, NotPermittedError)
    assert left.entry.state is EntryState.ON_CARD
    assert states(setup.journal) == ["confirmed", "on_card"]
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert [entry.epoch for entry in setup.read(new)] == [0xE1]
    assert states(setup.journal) == ["confirmed", "confirmed"]


def test_the_former_storage_on_an_old_card_image_proves_no_opening_dead(tmp_path: Path) -> None:
    """A genuine receipt and a genuine write-back of the storage before the present one."""
    setup = Setup(tmp_path, SimulatedNvram())
    session = setup.session()
    execute(
        session,
        setup.journal,
        plan(session, setup.journal, MessageKind.OPEN, 500, "000000001001"),
    )
    old_receipt = session.driver.receipt(MessageKind.OPEN.message_class, 1)
    old_status = session.driver.status(StatusQuestion(bytes(8), setup.journal.numbers.current, 1))
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    seller = Journal(tmp_path / "shop.sqlite")
    setup.journal = seller
    card = setup.formatted()
    setup.open(card, 3000)
    now = setup.session()
    (left,) = resolve(lying(now, receipt=lambda *_: old_receipt), seller)
    assert left.entry.state is EntryState.ON_CARD, "(b) is not for an opening of epoch 0"
    assert (
        resolve(lying(now, status=lambda _: old_status), seller)[0].entry.state
        is EntryState.ON_CARD
    )
    liar = lying(now, receipt=lambda *_: old_receipt, read=shows(now, epoch=0xE0))
    (withdrawn,) = withdraw_cards(liar, seller, erased_only=False).entries
    assert (withdrawn.state, withdrawn.outcome) == (EntryState.REFUSED, "voided"), (
        "its own void is the proof"
    )
    assert setup.meter.state.security.credit_sequence == 1
    assert any("another storage" in notice for notice in seller.notices)


def test_a_void_in_one_storage_gives_way_to_an_acceptance_in_another(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert setup.journal.entry(1).state is EntryState.REFUSED
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    setup.insert(card)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        (settled,) = settle_by_write_back(case)
    assert (settled.state, settled.epoch) == (EntryState.CONFIRMED, 0xE1)
    assert [line.what for line in setup.journal.audit_lines()][-1] == "overruled"
    assert any(
        "30.00 is to be claimed back from the customer" in notice
        for notice in setup.journal.notices
    )


def test_a_void_of_a_former_storage_is_not_confirmed_by_one_of_the_present_storage(
    tmp_path: Path,
) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    setup.open(setup.formatted())

    def silent(_: bytes) -> Delivery:
        raise NoAnswerError("no answer")

    with pytest.raises(UnknownOutcomeError, match="the void that would end it was not answered"):
        withdraw_cards(lying(setup.session(), deliver=silent), setup.journal, erased_only=False)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    opening, former, present = setup.journal.entries()
    assert (opening.state, opening.outcome) == (EntryState.REFUSED, "voided")
    assert (former.epoch, former.state) == (0xE0, EntryState.UNKNOWN), "nothing proves it"
    assert (present.epoch, present.state) == (0xE1, EntryState.CONFIRMED)
    assert setup.journal.confirmed(METER, 0xE0) == []


def test_a_sale_for_a_storage_that_is_gone_can_be_ended(setup: Setup, card: Card) -> None:
    sold = setup.sell(card, 1000)
    setup.meter = setup.build(epoch=0xE9, opened=True, customer_number=CUSTOMER)
    assert error(setup.insert(card)) is InsertionError.METER_NUMBER
    with pytest.raises(NotPermittedError, match="new storage"):
        setup.sell(card, 1000)
    assert withdraw_cards(setup.session(), setup.journal, erased_only=False).entries == []
    assert topped_up(setup, 500).state is EntryState.CONFIRMED, "it blocks no sale"
    (left,) = resolve(setup.session(), setup.journal, sold.id)
    assert isinstance(left.error, NotPermittedError)
    assert "this meter cannot prove" in str(left.error), "an epoch that a wire shows is no proof"
    ended = close_by_hand(
        setup.journal,
        setup.journal.entry(sold.id),
        EntryState.REFUSED,
        setup.now,
    )
    assert ended.state is EntryState.REFUSED
    assert "closed_by_hand" in [line.what for line in setup.journal.audit_lines()]


def test_a_write_back_of_a_storage_that_is_gone_sells_nothing(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    topped_up(setup, 200)
    with pytest.raises(NotPermittedError, match=r"is of epoch 000000e0.*insert the card first"):
        setup.sell(card, 100)


def test_a_card_that_opened_a_new_storage_is_the_card_in_use(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.now += 60
    setup.insert(replaced(setup))
    setup.now += 60
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    third = setup.formatted(THIRD)
    setup.open(third, again=True)
    setup.insert(third)
    setup.sell(third, 100)
