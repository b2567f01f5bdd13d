"""Formatting, presets, service cards and erasure: a card is never lost or made unusable."""

from __future__ import annotations

import pytest

from meterctl.errors import NotPermittedError, UnknownOutcomeError
from meterctl.journal import EntryState
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.issuing import plan_format, plan_service
from meterctl.operations.card.presets import plan_preset
from protocols.card.applet import Card
from protocols.card.files import RETURN_SLOT, CardFile, checked
from protocols.card.keys import KeyReference
from protocols.card.terminal import Terminal, drive
from protocols.errors import CardRefusedError
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.cards import NEIGHBOUR
from tests.support.meters import Host
from tests.support.setup import METER, OTHER, Contacts, Setup


def test_what_another_meter_wrote_does_not_brick_a_card(setup: Setup) -> None:
    card = setup.formatted()
    contacts = Contacts(card)
    contacts.breaks_after = 9
    with pytest.raises(UnknownOutcomeError):
        setup.open(card, transmit=contacts)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="carries 30"),
    ):
        plan_service(setup.case(presented), NEIGHBOUR).carry_out()
    setup.open(card)
    assert setup.insert(card).display == "30.00"


def test_a_card_whose_unproved_write_back_can_be_erased(setup: Setup, card: Card) -> None:
    setup.sell(card, 100)
    setup.insert(card)
    content = bytearray(card.state.files[3])
    content[60] ^= 1
    forged = checked(bytes(content[: RETURN_SLOT - 4]))
    card._memory.commit(card.state.with_file(CardFile.RETURN, forged + bytes(RETURN_SLOT)))
    with setup.presented(card) as presented:
        plan_erasure(presented, setup.journal).carry_out()
    assert not any(card.state.file(CardFile.RETURN))
    assert not any(card.state.file(CardFile.IDENTITY))


def test_a_card_whose_keys_are_blocked_gets_them_again_and_keeps_what_it_carries(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    before = card.state.files
    for reference in (KeyReference.VENDING, KeyReference.METER):
        for _ in range(8):
            card.power_on()
            terminal = Terminal(setup.random)
            drive(terminal.select(), card.apdu)
            with pytest.raises(CardRefusedError):
                drive(terminal.authenticate(reference, bytes(16)), card.apdu)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match=r"blocked.*--again"),
    ):
        presented.read()
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="formatted already"):
            plan_format(presented, setup.journal)
        plan_format(presented, setup.journal, again=True).carry_out()
    assert card.state.files == before
    setup.insert(card)
    assert setup.credit == 4000
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


def test_commands_that_are_replaced_or_refused_are_told(setup: Setup, card: Card) -> None:
    setup.read(card)
    presets = [(MessageKind.CLEAR_EVENTS, b"")]
    for _ in range(2):
        with setup.presented(card) as presented:
            plan_preset(setup.case(presented, setup.session()), presets).carry_out()
            told = presented.notices
    assert told == [
        f"card {card.state.serial.hex()}: 1 commands that its meter has not taken are replaced"
    ]
    # Its sequence is spent by the wire.
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLEAR_EVENTS)
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        outcome = Outcome(case.back.command_outcome)
        compare(case)
    assert not outcome.applied
    assert any(outcome.name.lower() in text for text in presented.notices)


def test_a_service_card_is_not_made_of_a_card_with_credit(other_vendor: Setup, card: Card) -> None:
    with other_vendor.presented(card) as presented, pytest.raises(NotPermittedError):
        plan_service(other_vendor.case(presented), METER).carry_out()
    other = other_vendor.formatted(OTHER)
    with other_vendor.presented(other) as presented:
        plan_service(other_vendor.case(presented), METER).carry_out()
    assert other_vendor.insert(other).written_back
