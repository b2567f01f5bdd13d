"""The channel between card and meter: clones, replayed commands, changed responses, keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.card.apdu import StatusWord
from protocols.card.applet import Card
from protocols.data_model.insertion import InsertionError
from tests.attacks.cards import card_of, error_of, image, with_state
from tests.support.setup import OTHER, Contacts, Setup


def test_row_03_a_clone_on_another_card_does_not_authenticate(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    clone = setup.formatted(OTHER)
    with_state(clone, replace(clone.state, files=card.state.files))
    assert error_of(setup, clone) is InsertionError.CARD_AUTHENTICATION, (
        "it has no key for this meter"
    )
    keyed = replace(clone.state.keys[2], key=bytes(16), present=True)
    with_state(clone, replace(clone.state, keys=(*clone.state.keys[:2], keyed)))
    assert error_of(setup, clone) is InsertionError.METER_AUTHENTICATION, "nor the right one"
    assert setup.meter.state.slot.illegal_insertions == 2
    assert setup.credit == 3000
    assert error_of(setup, card) is None, "the card itself is none the worse"
    assert setup.credit == 4000


def test_row_16_and_17_what_a_listener_heard_at_the_slot_opens_nothing(
    setup: Setup, card: Card
) -> None:
    heard: list[bytes] = []
    contacts = Contacts(card)
    contacts.tap = lambda command: heard.append(command) or command
    setup.sell(card, 1000)
    setup.insert(card, contacts)
    card.power_on()
    answers = [card.apdu(command) for command in heard]
    words = [int.from_bytes(answer[-2:], "big") for answer in answers]
    writes = [word for command, word in zip(heard, words, strict=True) if command[0] == 0x0C]
    assert writes
    assert set(writes) == {StatusWord.SECURITY_STATUS_NOT_SATISFIED}


@pytest.mark.parametrize("offset", range(0, 40, 3))
def test_row_17_a_changed_response_never_reaches_the_account(
    setup: Setup, card: Card, offset: int
) -> None:
    setup.sell(card, 1000)
    for command in range(1, 12):
        contacts = Contacts(card)

        def change(response: bytes, contacts: Contacts = contacts, command: int = command) -> bytes:
            if contacts.count != command or len(response) <= 2:
                return response
            at = offset % (len(response) - 2)
            return response[:at] + bytes((response[at] ^ 0x40,)) + response[at + 1 :]

        contacts.change = change
        setup.insert(card, contacts)
        assert setup.credit in (3000, 4000), "the genuine sale, or nothing"
    assert error_of(setup, card) is None
    assert setup.credit == 4000


def test_row_18_a_meter_that_is_not_its_own_blocks_after_eight_tries_for_good(
    setup: Setup, card: Card
) -> None:
    keys = setup.meter.authenticator.keys(1)
    assert keys is not None
    forger = setup.build(keys={1: replace(keys, card=bytes(16))})
    for _ in range(8):
        inserted = setup.insert(card, meter=forger)
        assert inserted.insertion is not None
        assert inserted.insertion.error is InsertionError.METER_AUTHENTICATION
    again = card_of(image(card), setup)
    assert again.state.keys[2].tries == 0, "it survives the power"
    assert error_of(setup, again) is InsertionError.METER_AUTHENTICATION, (
        "even its own meter is refused now"
    )


@pytest.mark.parametrize("length", [*range(12), 60, 255, 256, 300])
def test_row_27_no_response_of_any_length_brings_the_meter_down(
    setup: Setup, card: Card, length: int
) -> None:
    setup.sell(card, 1000)
    for command in range(1, 14):
        contacts = Contacts(card)

        def change(_: bytes, contacts: Contacts = contacts, command: int = command) -> bytes:
            return bytes(length) if contacts.count == command else _

        contacts.change = change
        setup.insert(card, contacts)
        assert setup.credit in (3000, 4000)
    assert error_of(setup, card) is None
    assert setup.credit == 4000


def test_a_secret_is_never_on_the_card_in_clear(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    readable = b"".join(card.state.files)
    for key in (setup.ring.masters[1], *(stored.key for stored in card.state.keys)):
        assert key not in readable
