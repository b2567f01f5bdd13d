"""A secured command added, dropped, repeated, reordered or changed ends a session (attack 17)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu
from protocols.card.applet import Card
from protocols.card.files import CardFile
from protocols.card.keys import KeyReference
from protocols.card.secure_messaging import (
    SECURED,
    SHORT_CODE,
    SecureChannel,
    card_proof,
    same,
    terminal_proof,
)
from protocols.errors import AuthenticationError
from protocols.keys import authentication_code, derive
from tests.support.cards import authenticate, flips, issued, status

KEY = bytes(range(16))
NONCE, OTHER = b"card 8 b", b"term 8 b"
modest = settings(deadline=None, max_examples=100, database=None)
transmissions = pytest.mark.parametrize("transmission", Transmission)
references = pytest.mark.parametrize("reference", [KeyReference.VENDING, KeyReference.METER])
WRITE = (Instruction.UPDATE_BINARY, 0x80 | CardFile.RETURN, 0)


def write(session: SecureChannel, text: bytes) -> bytes:
    """Return the next command, which writes `text` at the start of the write-back."""
    return session.secure(*WRITE, b"\0\0" + text).encode()


def assert_session_is_gone(
    card: Card, session: SecureChannel, changed: bytes | None = None
) -> None:
    assert status(card.apdu(write(session, b"more"))) == 0x6982
    found = card.state.file(CardFile.RETURN)
    assert found.startswith(changed) if changed else not any(found)


# ---- the channel at both ends


def test_the_codes_are_those_of_the_description() -> None:
    session = SecureChannel(KEY, NONCE, OTHER, 2)
    key = derive(KEY, "card session", NONCE + OTHER)
    for count in (1, 2, 3):
        command = session.secure(0xD6, 0x82, 3, b"data")
        head = bytes.fromhex("0CD682030C")
        code = authentication_code(key, (2 * count).to_bytes(8, "big") + head + b"data")[:8]
        assert command == CommandApdu(SECURED, 0xD6, 0x82, 3, b"data" + code, 0)
        code = authentication_code(
            key, (2 * count + 1).to_bytes(8, "big") + b"answer" + b"\x90\x00"
        )[:8]
        assert session.open_response(ResponseApdu(b"answer" + code)) == b"answer"
    proof = authentication_code(KEY, b"T" + NONCE + OTHER + b"serial 8" + b"\2")[:8]
    assert terminal_proof(KEY, NONCE, OTHER, b"serial 8", 2) == proof
    proof = authentication_code(KEY, b"C" + OTHER + NONCE + b"serial 8" + b"\2")[:8]
    assert card_proof(KEY, NONCE, OTHER, b"serial 8", 2) == proof


@modest
@given(
    st.lists(
        st.tuples(st.binary(max_size=247), st.binary(max_size=200), st.integers(0, 0xFFFF)),
        max_size=6,
    )
)
def test_whatever_is_sent_arrives(exchanges: list[tuple[bytes, bytes, int]]) -> None:
    terminal, card = SecureChannel(KEY, NONCE, OTHER, 1), SecureChannel(KEY, NONCE, OTHER, 1)
    for data, answer, word in exchanges:
        command = CommandApdu.decode(terminal.secure(0xD6, 1, 2, data).encode())
        assert card.open_command(command) == data
        response = ResponseApdu.decode(card.secure_response(ResponseApdu(answer, word)).encode())
        assert (terminal.open_response(response), response.status) == (answer, word)


def test_every_input_makes_another_session() -> None:
    command = SecureChannel(KEY, NONCE, OTHER, 1).secure(0xB0, 0x81, 0, b"\0\0\1")
    for other in (
        SecureChannel(bytes(16), NONCE, OTHER, 1),
        SecureChannel(KEY, OTHER, NONCE, 1),
        SecureChannel(KEY, NONCE, NONCE, 1),
    ):
        with pytest.raises(AuthenticationError, match="code of the command"):
            other.open_command(command)
    assert SecureChannel(KEY, NONCE, OTHER, 1).open_command(command) == b"\0\0\1"


def test_no_flipped_bit_of_a_response_survives() -> None:
    card = SecureChannel(KEY, NONCE, OTHER, 1)
    card.open_command(SecureChannel(KEY, NONCE, OTHER, 1).secure(0xB0, 0x81, 0, b"\0\0\1"))
    whole = card.secure_response(ResponseApdu(b"contents of a file")).encode()
    for response in [*flips(whole), *(whole[i:] for i in range(1, len(whole) - 1)), b"\x90\x00"]:
        terminal = SecureChannel(KEY, NONCE, OTHER, 1)
        terminal.secure(0xB0, 0x81, 0, b"\0\0\1")
        with pytest.raises(AuthenticationError, match="code of the response"):
            terminal.open_response(ResponseApdu.decode(response))
    terminal = SecureChannel(KEY, NONCE, OTHER, 1)
    terminal.secure(0xB0, 0x81, 0, b"\0\0\1")
    assert terminal.open_response(ResponseApdu.decode(whole)) == b"contents of a file"


def test_a_response_of_an_earlier_command_does_not_hold() -> None:
    terminal, card = SecureChannel(KEY, NONCE, OTHER, 1), SecureChannel(KEY, NONCE, OTHER, 1)
    responses = []
    for _ in range(3):
        card.open_command(terminal.secure(0xB0, 0x81, 0, b"\0\0\1"))
        responses.append(card.secure_response(ResponseApdu(b"same")))
    for old in responses[:2]:
        with pytest.raises(AuthenticationError):
            terminal.open_response(old)
    assert terminal.open_response(responses[2]) == b"same"


def test_codes_are_alike_or_not() -> None:
    assert same(b"12345678", b"12345678")
    assert not same(b"12345678", b"12345679")
    assert not same(b"12345678", b"1234567")
    assert not same(b"12345678", b"")


# ---- against a card


@transmissions
@references
def test_commands_in_their_order_are_carried_out(
    transmission: Transmission, reference: KeyReference
) -> None:
    card = issued(transmission)
    session = authenticate(card, reference)
    for text in (b"one", b"two", b"three"):
        response = card.apdu(write(session, text))
        if transmission is Transmission.T0:
            assert response == b"\x61\x08"
            response = card.apdu(bytes.fromhex("00C0000008"))
        assert session.open_response(ResponseApdu.decode(response)) == b""
        assert card.state.file(CardFile.RETURN).startswith(text)


@transmissions
@references
def test_a_flipped_bit_in_any_byte_is_refused_and_ends_the_session(
    transmission: Transmission, reference: KeyReference
) -> None:
    """A class without its secured bits has no code; a changed Lc may not fit; Le has no content."""
    length = len(write(SecureChannel(KEY, NONCE, OTHER, 1), b"text"))
    for at in range(8 * (length - 1)):
        card = issued(transmission)
        session = authenticate(card, reference)
        answer = card.apdu(flips(write(session, b"text"))[at])
        byte = at // 8
        if byte == 0:
            assert answer == b"\x69\x87"
        elif byte == 4:
            assert answer in (b"\x67\x00", b"\x69\x88")
        else:
            assert answer == b"\x69\x88"
        assert_session_is_gone(card, session)


@transmissions
def test_a_command_without_room_for_a_code_is_refused(transmission: Transmission) -> None:
    for size in range(SHORT_CODE + 1):
        card = issued(transmission)
        session = authenticate(card, KeyReference.VENDING)
        assert card.apdu(CommandApdu(SECURED, *WRITE, bytes(size), 0).encode()) == b"\x69\x88"
        assert_session_is_gone(card, session)


@transmissions
@references
def test_a_dropped_command_is_missed(transmission: Transmission, reference: KeyReference) -> None:
    card = issued(transmission)
    session = authenticate(card, reference)
    write(session, b"lost")
    assert card.apdu(write(session, b"next")) == b"\x69\x88"
    assert_session_is_gone(card, session)


@transmissions
@references
def test_a_repeated_command_is_refused(transmission: Transmission, reference: KeyReference) -> None:
    card = issued(transmission)
    session = authenticate(card, reference)
    command = write(session, b"once")
    assert status(card.apdu(command)) in (0x9000, 0x6108)
    assert card.apdu(command) == b"\x69\x88"
    assert_session_is_gone(card, session, b"once")


@transmissions
@references
def test_reordered_commands_are_refused(
    transmission: Transmission, reference: KeyReference
) -> None:
    card = issued(transmission)
    session = authenticate(card, reference)
    first, second = write(session, b"first"), write(session, b"second")
    assert card.apdu(second) == b"\x69\x88"
    assert card.apdu(first) == b"\x69\x82"
    assert_session_is_gone(card, session)


@transmissions
@pytest.mark.parametrize(
    ("inserted", "word"),
    [
        ("0CD68400100000666F72676564000000000000000000", 0x6988),
        ("0CB084000B000001000000000000000000", 0x6988),
        ("00D6840003616263", 0x6987),
        ("00B0840010", 0x6987),
        ("00B2012C18", 0x6987),
        ("80440000", 0x6987),
        ("80D8000210" + "00" * 16, 0x6987),
        ("008200021000000000000000000000000000000000", 0x6987),
        ("04D6840003616263", 0x6987),
        ("00FF0000", 0x6987),
        ("0084000008", 0x9000),
        ("00A4000C02EF04", 0x9000),
        ("0CD6", 0x6700),
        ("0CD68400000010", 0x6700),
    ],
)
def test_an_inserted_command_ends_the_session(
    transmission: Transmission, inserted: str, word: int
) -> None:
    card = issued(transmission)
    session = authenticate(card, KeyReference.VENDING)
    assert status(card.apdu(bytes.fromhex(inserted))) == word
    assert_session_is_gone(card, session)


def test_a_command_of_an_earlier_session_is_refused() -> None:
    card = issued()
    old = write(authenticate(card, KeyReference.VENDING), b"old")
    session = authenticate(card, KeyReference.VENDING)
    assert card.apdu(old) == b"\x69\x88"
    assert_session_is_gone(card, session)


def test_a_session_of_another_card_is_refused() -> None:
    mine, other = issued(seed=1), issued(seed=50)
    session = authenticate(mine, KeyReference.VENDING)
    gone = authenticate(other, KeyReference.VENDING)
    assert other.apdu(write(session, b"hijacked")) == b"\x69\x88"
    assert_session_is_gone(other, gone)


@transmissions
def test_a_refusal_is_proved_and_the_session_goes_on(transmission: Transmission) -> None:
    card = issued(transmission)
    session = authenticate(card, KeyReference.METER)
    answer = card.apdu(session.secure(Instruction.UPDATE_BINARY, 0x82, 0, b"\0\0not mine").encode())
    if transmission is Transmission.T0:
        assert answer == b"\x69\x82"
    else:
        response = ResponseApdu.decode(answer)
        assert (session.open_response(response), response.status) == (b"", 0x6982)
    for ins in set(range(256)) - set(Instruction):
        assert status(card.apdu(session.secure(ins, 0, 0, b"").encode())) == 0x6D00
    assert status(card.apdu(write(session, b"mine"))) in (0x9000, 0x6108)
    assert card.state.file(CardFile.RETURN).startswith(b"mine")


@modest
@given(
    st.lists(st.sampled_from(["write", "drop", "repeat", "flip", "plain"]), min_size=1, max_size=8)
)
def test_a_card_holds_exactly_what_was_sent_before_the_first_attack(steps: list[str]) -> None:
    card = issued()
    session = authenticate(card, KeyReference.METER)
    expected, attacked, last = b"", False, b""
    for number, step in enumerate(steps):
        text = f"text {number}".encode()
        if step == "write":
            last = write(session, text)
            word = status(card.apdu(last))
            assert (word == 0x9000) is not attacked
            expected = expected if attacked else text
            continue
        if step == "drop":
            write(session, text)
        elif step == "repeat" and last:
            assert status(card.apdu(last)) != 0x9000
        elif step == "flip":
            assert status(card.apdu(flips(write(session, text))[80])) != 0x9000
        elif step == "plain":
            card.apdu(bytes.fromhex("00B0810010"))
        attacked = attacked or step != "repeat" or bool(last)
    assert card.state.file(CardFile.RETURN)[: len(expected)] == expected
