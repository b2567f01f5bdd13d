"""Card keys: set once in clear, changed by the issuer only, never readable; blank cards."""

from __future__ import annotations

import pytest

from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import Instruction, ResponseApdu
from protocols.card.applet import Card
from protocols.card.keys import (
    KeyReference,
    derive_card_keys,
    derive_meter_access,
    meter_access_of,
    parse_card_serial,
)
from protocols.card.memory import TRIES, Life
from protocols.errors import AuthenticationError, QuantityError
from protocols.keys import DEVELOPMENT_MASTER, derive_meter_keys
from tests.support.cards import (
    CARD_KEYS,
    KEYS,
    METER,
    SERIAL,
    Numbers,
    authenticate,
    blank,
    challenge,
    issued,
    proof,
    select,
    status,
)

references = pytest.mark.parametrize("reference", KeyReference)
NEW = bytes(range(100, 116))
PIECES = [key[i : i + 4] for key in KEYS.values() for i in range(0, 13, 4)]


def send(card: Card, text: str) -> str:
    """Send a command and return the response, both as hexadecimal digits."""
    return card.apdu(bytes.fromhex(text)).hex().upper()


@pytest.fixture
def fresh() -> Card:
    """Return a blank card whose application is selected."""
    card = Card(blank(), Numbers())
    select(card)
    return card


# ---- blank and issued


@references
def test_a_blank_card_takes_keys_from_any_holder(fresh: Card, reference: KeyReference) -> None:
    assert send(fresh, f"80D805{reference:02X}10" + NEW.hex()) == "9000"
    stored = fresh.state.key(reference)
    assert (stored.key, stored.version, stored.present, stored.tries) == (NEW, 5, True, TRIES)
    assert [key.present for key in fresh.state.keys].count(True) == 1


def test_a_blank_card_needs_its_application_selected(fresh: Card) -> None:
    fresh.power_on()
    assert send(fresh, "80D8000110" + NEW.hex()) == "6985"
    assert send(fresh, "80440000") == "6985"
    assert fresh.state.life is Life.BLANK


def test_a_blank_card_takes_no_other_key_and_no_other_length(fresh: Card) -> None:
    for reference in set(range(256)) - set(KeyReference):
        assert send(fresh, f"80D800{reference:02X}10" + NEW.hex()) == "6A88"
    for size in (0, 1, 15, 17, 24):
        body = f"{size:02X}" + "55" * size if size else ""
        assert send(fresh, "80D80001" + body) == "6700"
    assert send(fresh, "80D60001") == "6D00"
    assert not any(key.present for key in fresh.state.keys)


@pytest.mark.parametrize("given", [(), (1,), (2,), (3,), (1, 3), (2, 3), (1, 2), (1, 2, 3)])
def test_a_card_is_activated_once_it_has_its_issuing_and_its_vending_key(
    fresh: Card, given: tuple[int, ...]
) -> None:
    for reference in given:
        assert send(fresh, f"80D800{reference:02X}10" + NEW.hex()) == "9000"
    enough = {1, 2} <= set(given)
    assert send(fresh, "80440000") == ("9000" if enough else "6985")
    assert fresh.state.life is (Life.ISSUED if enough else Life.BLANK)


@references
def test_an_issued_card_takes_no_key_in_clear_and_is_not_activated_again(
    reference: KeyReference,
) -> None:
    card = issued()
    before = card.state
    for prepare in (
        card.power_on,
        lambda: select(card),
        lambda: authenticate(card, KeyReference.ISSUING),
    ):
        prepare()
        assert send(card, f"80D800{reference:02X}10" + NEW.hex()) in ("6985", "6987")
        assert send(card, "80440000") == "6985"
    assert card.state.keys == before.keys
    assert card.state.life is Life.ISSUED


# ---- changing keys


@pytest.mark.parametrize("session_of", KeyReference)
@references
def test_only_the_issuing_key_changes_keys(
    session_of: KeyReference, reference: KeyReference
) -> None:
    card = issued()
    session = authenticate(card, session_of)
    command = session.secure(Instruction.PUT_KEY, 9, reference, session.wrap(NEW))
    response = ResponseApdu.decode(card.apdu(command.encode()))
    assert session.open_response(response) == b""
    changed = session_of is KeyReference.ISSUING
    assert response.status == (0x9000 if changed else 0x6982)
    assert card.state.key(reference).key == (NEW if changed else KEYS[reference])
    select(card)
    card_nonce = challenge(card)
    assert status(card.apdu(proof(reference, NEW, card_nonce))) == (0x9000 if changed else 0x63C7)


@pytest.mark.parametrize(
    ("p2", "data", "word"),
    [
        (1, b"", 0x6700),
        (1, NEW, 0x6700),
        (1, bytes(23), 0x6700),
        (1, bytes(25), 0x6700),
        (1, bytes(24), 0x6A80),
        (0, bytes(24), 0x6A88),
        (4, bytes(24), 0x6A88),
    ],
)
def test_a_key_that_is_not_wrapped_for_this_session_is_refused(
    p2: int, data: bytes, word: int
) -> None:
    card = issued()
    session = authenticate(card, KeyReference.ISSUING)
    response = ResponseApdu.decode(
        card.apdu(session.secure(Instruction.PUT_KEY, 0, p2, data).encode())
    )
    assert (session.open_response(response), response.status) == (b"", word)
    assert [key.key for key in card.state.keys] == list(KEYS.values())


def test_a_key_wrapped_in_an_earlier_session_is_refused() -> None:
    card = issued()
    wrapped = authenticate(card, KeyReference.ISSUING).wrap(NEW)
    session = authenticate(card, KeyReference.ISSUING)
    assert status(card.apdu(session.secure(Instruction.PUT_KEY, 0, 2, wrapped).encode())) == 0x6A80
    with pytest.raises(AuthenticationError):
        session.unwrap(wrapped)
    assert session.unwrap(session.wrap(NEW)) == NEW


def test_a_new_key_has_all_its_tries_again() -> None:
    card = issued()
    for _ in range(TRIES):
        select(card)
        card.apdu(proof(KeyReference.METER, NEW, challenge(card)))
    assert card.state.key(KeyReference.METER).tries == 0
    session = authenticate(card, KeyReference.ISSUING)
    card.apdu(
        session.secure(Instruction.PUT_KEY, 0, KeyReference.METER, session.wrap(NEW)).encode()
    )
    select(card)
    assert status(card.apdu(proof(KeyReference.METER, NEW, challenge(card)))) == 0x9000


# ---- keys cannot be read


def holds_a_key(text: bytes) -> bool:
    return len(text) >= 6 and any(piece in text for piece in PIECES)


def test_a_key_would_be_seen() -> None:
    assert all(holds_a_key(b"\0" + key + b"\x90\0") for key in KEYS.values())
    assert not holds_a_key(bytes(300))


@pytest.mark.parametrize("transmission", Transmission)
def test_no_command_in_the_plain_answers_a_key(transmission: Transmission) -> None:
    card = issued(transmission, sold=True)
    select(card)
    for ins in Instruction:
        for p1 in range(256):
            for p2 in (0, 1, 2, 3, 0x2C, 0x80, 0xFF, p1):
                for le in (0, 16, 24):
                    assert not holds_a_key(card.apdu(bytes((0, ins, p1, p2, le))))
    for name in range(0x10000):
        if name >> 8 in (0x00, 0x3F, 0xEF, 0xFF):
            answer = card.apdu(bytes((0, 0xA4, 0, 0, 2)) + name.to_bytes(2, "big") + b"\0")
            assert not holds_a_key(answer + card.apdu(bytes.fromhex("00B0000000")))
            select(card)


@references
def test_no_secured_command_answers_a_key(reference: KeyReference) -> None:
    card = issued(sold=True)
    session = authenticate(card, reference)
    for p1 in range(256):
        for ins in set(Instruction) - {
            Instruction.UPDATE_BINARY,
            Instruction.PUT_KEY,
            Instruction.APPEND_RECORD,
        }:
            for offset in (b"\0\0\xc8", b"\x08\0\x7a", b"\xff\xff\x01"):
                assert not holds_a_key(card.apdu(session.secure(ins, p1, 0, offset).encode()))
    assert all(key.key in bytes(card._memory._memory.read(0, 10_000)) for key in card.state.keys)


def test_keys_are_never_written_out_by_accident() -> None:
    for text in (repr(issued().state), repr(CARD_KEYS)):
        assert repr(CARD_KEYS.issuing) not in text
        assert repr(CARD_KEYS.vending) not in text
        assert CARD_KEYS.issuing.hex() not in text


# ---- derivation


def test_every_input_makes_another_key() -> None:
    other = bytes(8)
    keys = [
        key
        for master in (DEVELOPMENT_MASTER, bytes(16))
        for serial in (SERIAL, other)
        for version in (0, 1)
        for found in [derive_card_keys(master, serial, version)]
        for key in (found.issuing, found.vending, meter_access_of(master, METER, serial, version))
    ]
    assert len(set(keys)) == 24
    assert {len(key) for key in keys} == {16}


@pytest.mark.parametrize("version", [0, 1, 255])
def test_the_host_derives_the_key_that_the_meter_derives_without_a_master(version: int) -> None:
    of_the_meter = derive_meter_keys(DEVELOPMENT_MASTER, METER, version).card
    assert derive_meter_access(of_the_meter, SERIAL) == meter_access_of(
        DEVELOPMENT_MASTER, METER, SERIAL, version
    )


def test_a_card_serial_is_sixteen_digits_that_are_not_all_nought() -> None:
    assert parse_card_serial("0123456789abcdef") == parse_card_serial("0123456789ABCDEF") == SERIAL
    for text in ("", "00" * 8, "01" * 7, "01" * 9, "0123456789abcdeg", "0123456789abcde"):
        with pytest.raises(QuantityError, match="16 hexadecimal digits"):
            parse_card_serial(text)
