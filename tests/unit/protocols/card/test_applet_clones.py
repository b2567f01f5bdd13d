"""A copied card, or one that confirms every proof, lacks the keys of the issued card (attack 3)."""

from __future__ import annotations

import pytest

from protocols.card.applet import Card
from protocols.card.files import CardFile
from protocols.card.keys import KeyReference
from protocols.card.memory import BytesMemory, CardMemory, Life, StoredKey
from protocols.card.secure_messaging import card_proof
from protocols.card.terminal import Terminal, drive
from protocols.errors import CardForgedError, CardRefusedError
from tests.support.cards import (
    CARD_KEYS,
    METER_ACCESS,
    SERIAL,
    Contacts,
    Numbers,
    issued,
    memory_of,
    proof,
    read,
    select,
)

WRONG = bytes(16)
SERIAL_OF_CLONE = bytes(7) + b"\x01"


def clone(key: StoredKey, serial: bytes) -> Card:
    """Return a card with all readable contents of an issued card and keys chosen by its maker."""
    original = issued(sold=True)
    memory = BytesMemory(bytes(memory_of(original).data))
    forged = CardMemory(memory)
    keys = (StoredKey(b"i" * 16, 0, True), StoredKey(b"v" * 16, 0, True), key)
    forged.commit(
        type(forged.state)(
            serial, original.state.transmission, Life.ISSUED, keys, original.state.files
        )
    )
    return Card(memory, Numbers(77))


@pytest.mark.parametrize("serial", [SERIAL, SERIAL_OF_CLONE])
@pytest.mark.parametrize(
    "key", [StoredKey(), StoredKey(WRONG, 0, True), StoredKey(b"guessed key 1234", 0, True)]
)
def test_a_copied_card_does_not_authenticate(serial: bytes, key: StoredKey) -> None:
    copy = clone(key, serial)
    assert copy.state.file(CardFile.CREDIT) == issued(sold=True).state.file(CardFile.CREDIT)
    for reference, mine in (
        (KeyReference.METER, METER_ACCESS),
        (KeyReference.VENDING, CARD_KEYS.vending),
    ):
        terminal, contacts = Terminal(Numbers(3)), Contacts(copy)
        drive(terminal.select(), contacts)
        with pytest.raises(CardRefusedError):
            drive(terminal.authenticate(reference, mine), contacts)


def test_a_card_that_says_yes_to_every_proof_is_forged() -> None:
    def forge(number: int, response: bytes) -> bytes:
        return response if number < 2 else b"8 bytes." + b"\x90\x00"

    with pytest.raises(CardForgedError, match="authentication proof is wrong"):
        drive(read(Terminal(Numbers(3))), Contacts(clone(StoredKey(), SERIAL), forge))


def test_a_proof_of_the_terminal_is_not_its_own_answer() -> None:
    """A card that returns the terminal's own proof has not proved that it knows the key."""
    commands: list[bytes] = []

    def transmit(command: bytes) -> bytes:
        commands.append(command)
        if command[1] == 0xA4:
            return select(issued()) + b"\x90\x00"
        if command[1] == 0x84:
            return bytes(8) + b"\x90\x00"
        return command[13:21] + b"\x90\x00"

    with pytest.raises(CardForgedError):
        drive(read(Terminal(bytes)), transmit)
    assert commands[-1] == proof(KeyReference.VENDING, CARD_KEYS.vending, bytes(8))
    assert commands[-1][13:21] != card_proof(
        CARD_KEYS.vending, bytes(8), bytes(8), SERIAL, KeyReference.VENDING
    )


def test_the_original_does_authenticate() -> None:
    drive(read(Terminal(Numbers(3))), Contacts(issued(sold=True)))
