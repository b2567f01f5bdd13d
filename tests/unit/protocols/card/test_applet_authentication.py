"""Authentication to a card: single-use challenges (attack 16), tries counted first (attack 18)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.card import applet
from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.keys import KeyReference
from protocols.card.memory import TRIES, BytesMemory
from tests.support.cards import (
    CARD_KEYS,
    KEYS,
    FragileMemory,
    Numbers,
    PowerLossError,
    authenticate,
    blank,
    challenge,
    flips,
    issued,
    kept,
    memory_of,
    proof,
    select,
    status,
)

references = pytest.mark.parametrize("reference", KeyReference)
transmissions = pytest.mark.parametrize("transmission", Transmission)
WRONG = bytes(16)


def attempt(card: Card, reference: KeyReference, key: bytes) -> int:
    """Authenticate with a key; return the status."""
    select(card)
    return status(card.apdu(proof(reference, key, challenge(card))))


# ---- challenges


@transmissions
@references
def test_a_right_proof_opens_a_session_and_is_answered_by_one(
    transmission: Transmission, reference: KeyReference
) -> None:
    authenticate(issued(transmission), reference)


def test_a_challenge_holds_once() -> None:
    card = issued()
    select(card)
    command = proof(KeyReference.VENDING, CARD_KEYS.vending, challenge(card))
    assert status(card.apdu(command)) == 0x9000
    assert card.apdu(command) == b"\x69\x87"
    assert card.apdu(command) == b"\x69\x84"


def test_a_failed_proof_uses_its_challenge_up() -> None:
    card = issued()
    select(card)
    card_nonce = challenge(card)
    assert status(card.apdu(proof(KeyReference.VENDING, WRONG, card_nonce))) == 0x63C7
    assert card.apdu(proof(KeyReference.VENDING, CARD_KEYS.vending, card_nonce)) == b"\x69\x84"


@pytest.mark.parametrize(
    "command",
    [
        "00B0810010",
        "00B2012C18",
        "00A4000C02EF01",
        "00A4040006F0505043310100",
        "0084000008",
        "0084000001",
        "0CB08100080000000000000000",
        "80440000",
        "00D68100",
        "00FF0000",
        "FF000000",
        "00",
        "",
        "008200021000000000000000000000000000000000",
        "0082000201FF",
        "0082000400",
    ],
)
def test_any_other_command_ends_a_challenge(command: str) -> None:
    card = issued()
    select(card)
    card_nonce = challenge(card)
    card.apdu(bytes.fromhex(command))
    tries = card.state.key(KeyReference.VENDING).tries
    sniffed = card.apdu(proof(KeyReference.VENDING, CARD_KEYS.vending, card_nonce))
    if command == "0084000008":
        assert status(sniffed) == 0x63C7
    else:
        assert sniffed == b"\x69\x84"
        assert card.state.key(KeyReference.VENDING).tries == tries


@pytest.mark.parametrize("reset", [Card.power_on, Card.power_off])
def test_a_reset_ends_challenge_session_and_selection(reset: Callable[[Card], object]) -> None:
    card = issued()
    select(card)
    command = proof(KeyReference.VENDING, CARD_KEYS.vending, challenge(card))
    reset(card)
    assert card.apdu(command) == b"\x69\x85"
    select(card)
    assert card.apdu(command) == b"\x69\x84"
    session = authenticate(card, KeyReference.VENDING)
    reset(card)
    assert card.apdu(session.secure(0xB0, 0x81, 0, b"\0\0\1").encode()) == b"\x69\x82"
    assert card.apdu(bytes.fromhex("00B0000010")) == b"\x69\x86"


def test_a_proof_of_another_challenge_is_wrong() -> None:
    card = issued()
    select(card)
    first = challenge(card)
    assert challenge(card) != first
    assert status(card.apdu(proof(KeyReference.VENDING, CARD_KEYS.vending, first))) == 0x63C7


@references
def test_no_flipped_bit_of_a_proof_survives(reference: KeyReference) -> None:
    for at in range(8 * 16):
        card = issued()
        select(card)
        command = proof(reference, KEYS[reference], challenge(card), bytes(range(8)))
        assert status(card.apdu(flips(command)[8 * 5 + at])) == 0x63C7


@pytest.mark.parametrize("size", [1, 8, 15, 17, 24, 255])
def test_a_proof_of_another_length_is_no_try(size: int) -> None:
    card = issued()
    select(card)
    challenge(card)
    assert card.apdu(bytes((0, 0x82, 0, 2, size)) + bytes(size)) == b"\x67\x00"
    assert card.state.key(KeyReference.VENDING).tries == TRIES


def test_a_key_that_is_not_there_is_named() -> None:
    card = Card(blank(), Numbers())
    select(card)
    for reference in range(256):
        challenge(card)
        assert card.apdu(proof(reference, WRONG, bytes(8))) == b"\x6a\x88"
    assert issued().apdu(bytes.fromhex("0082010200")) == b"\x69\x85"


@pytest.mark.parametrize(
    "text", ["00840000", "0084000004", "0084000007", "0084000009", "008400000108"]
)
def test_a_challenge_has_one_length(text: str) -> None:
    card = issued()
    select(card)
    assert card.apdu(bytes.fromhex(text)) == b"\x67\x00"
    assert card.apdu(proof(KeyReference.VENDING, CARD_KEYS.vending, bytes(8))) == b"\x69\x84"


# ---- tries


@transmissions
@references
def test_wrong_keys_count_down_until_the_key_is_blocked(
    transmission: Transmission, reference: KeyReference
) -> None:
    card = issued(transmission)
    words = [attempt(card, reference, WRONG) for _ in range(10)]
    assert words == [0x63C7, 0x63C6, 0x63C5, 0x63C4, 0x63C3, 0x63C2, 0x63C1, 0x6983, 0x6983, 0x6983]
    assert attempt(card, reference, KEYS[reference]) == 0x6983
    assert [key.tries for key in card.state.keys] == [
        0 if one is reference else TRIES for one in KeyReference
    ]


@references
def test_tries_outlast_the_power_and_the_card_object(reference: KeyReference) -> None:
    card = issued()
    for left in range(TRIES - 1, 0, -1):
        assert attempt(card, reference, WRONG) == 0x63C0 + left
        assert kept(memory_of(card)).key(reference).tries == left
        if left % 2:
            card.power_on()
        else:
            card = Card(FragileMemory(bytes(memory_of(card).data)), Numbers(left))
    assert attempt(card, reference, WRONG) == 0x6983
    again = Card(BytesMemory(bytes(memory_of(card).data)), Numbers(99))
    assert attempt(again, reference, KEYS[reference]) == 0x6983


@references
def test_a_success_restores_the_tries_of_its_key_only(reference: KeyReference) -> None:
    card = issued()
    for one in KeyReference:
        for left in range(TRIES - 1, 0, -1):
            assert attempt(card, one, WRONG) == 0x63C0 + left
    authenticate(card, reference)
    assert [key.tries for key in kept(memory_of(card)).keys] == [
        TRIES if one is reference else 1 for one in KeyReference
    ]


@references
@pytest.mark.parametrize("key", ["right", "wrong"])
def test_a_try_lasts_before_the_proof_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, reference: KeyReference, key: str
) -> None:
    card = issued()
    select(card)
    command = proof(reference, KEYS[reference] if key == "right" else WRONG, challenge(card))
    looked_at: list[int] = []

    def lose_power(*_: object) -> bytes:
        looked_at.append(kept(memory_of(card)).key(reference).tries)
        raise PowerLossError

    monkeypatch.setattr(applet, "terminal_proof", lose_power)
    with pytest.raises(PowerLossError):
        card.apdu(command)
    assert looked_at == [TRIES - 1]
    assert kept(memory_of(card)).key(reference).tries == TRIES - 1


@pytest.mark.parametrize("key", ["right", "wrong"])
def test_power_that_is_lost_in_a_try_never_gives_one_back(key: str) -> None:
    """An attacker who cuts the power gets at most one answer for each try."""
    command_key = CARD_KEYS.vending if key == "right" else WRONG
    whole = issued()
    attempt(whole, KeyReference.VENDING, command_key)
    written = sum(len(data) for _, data, _ in memory_of(whole).writes)
    for cut in [*range(1, written, 97), written - 1, written]:
        card = issued()
        memory_of(card).cut_after = cut
        with pytest.raises(PowerLossError):
            attempt(card, KeyReference.VENDING, command_key)
        first = len(memory_of(whole).writes[0][1])
        tries = kept(memory_of(card)).key(KeyReference.VENDING).tries
        assert tries == (TRIES if cut < first or (key == "right" and cut >= written) else TRIES - 1)


def test_a_try_that_cannot_be_counted_is_not_made() -> None:
    card = issued()
    select(card)
    command = proof(KeyReference.VENDING, CARD_KEYS.vending, challenge(card))
    memory_of(card).refuses = True
    assert card.apdu(command) == b"\x65\x81"
    assert card.apdu(bytes.fromhex("0CB08100080000000000000000")) == b"\x69\x82"
    memory_of(card).refuses = False
    assert card.apdu(command) == b"\x69\x84"
    assert kept(memory_of(card)).key(KeyReference.VENDING).tries == TRIES
