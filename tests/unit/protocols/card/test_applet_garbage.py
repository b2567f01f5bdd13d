"""Any command in any state gets a status word, never an exception or a change (attack 27)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import Instruction, StatusWord
from protocols.card.applet import Card
from protocols.card.keys import KeyReference
from tests.support import cards
from tests.support.cards import (
    KEYS,
    authenticate,
    challenge,
    issued,
    kept,
    memory_of,
    select,
    status,
)

modest = settings(deadline=None, max_examples=60, database=None)
transmissions = pytest.mark.parametrize("transmission", Transmission)


def challenged(card: Card) -> None:
    select(card)
    challenge(card)


STATES: dict[str, Callable[[Card], object]] = {
    "power on": lambda card: card.power_on(),
    "selected": select,
    "challenged": challenged,
    "file current": lambda card: (select(card), card.apdu(bytes.fromhex("00B0820010"))),
    "authenticated to issue": lambda card: authenticate(card, KeyReference.ISSUING),
    "authenticated to vend": lambda card: authenticate(card, KeyReference.VENDING),
    "authenticated as meter": lambda card: authenticate(card, KeyReference.METER),
}
states = pytest.mark.parametrize("state", STATES)
WORDS = (
    {int(word) for word in StatusWord}
    | {0x6100 + n for n in range(256)}
    | {0x6C00 + n for n in range(256)}
)
WORDS |= {0x63C0 + n for n in range(1, 8)}


def assert_answers(card: Card, state: str, command: bytes) -> bytes:
    """Send a command in a state; return a response of legal length with a known status word."""
    STATES[state](card)
    response = card.apdu(command)
    assert 2 <= len(response) <= 258
    assert status(response) in WORDS
    return response


@transmissions
@states
def test_every_class_and_instruction_answers_a_status_word_and_changes_nothing(
    transmission: Transmission, state: str
) -> None:
    card = issued(transmission, sold=True)
    before = kept(memory_of(card))
    bodies = [b"", b"\0", b"\x02\xef\x01", b"\x10" + bytes(16), b"\x18" + bytes(24) + b"\0"]
    near = {0x00, 0x0C, 0x80, 0x01, 0x04, 0x0D, 0x8C, 0x90, 0xFF}
    STATES[state](card)
    for ins in range(256):
        for cla in near if state != "power on" else range(256):
            known = ins in tuple(Instruction)
            if known:
                STATES[state](card)
            for body in bodies if known else bodies[:1]:
                response = card.apdu(bytes((cla, ins, 0, 0)) + body)
                assert status(response) in WORDS
                assert known or (len(response) == 2 and status(response) != StatusWord.OK)
    assert kept(memory_of(card)) == card.state == before


@transmissions
@states
def test_every_parameter_of_every_known_instruction_answers_a_status_word(
    transmission: Transmission, state: str
) -> None:
    card = issued(transmission, sold=True)
    before = card.state.files
    STATES[state](card)
    for cla in (0x00, 0x0C, 0x80):
        for ins in Instruction:
            for p in range(256):
                for tail in (bytes((p, 0)), bytes((0, p)), bytes((p, p, 0)), bytes((p, 4, 24))):
                    assert status(card.apdu(bytes((cla, ins)) + tail)) in WORDS
    assert card.state.files == before


@transmissions
@states
def test_garbage_of_every_length_answers_a_status_word(
    transmission: Transmission, state: str
) -> None:
    random = Random(27)
    card = issued(transmission, sold=True)
    before = kept(memory_of(card))
    for size in range(301):
        response = assert_answers(card, state, random.randbytes(size))
        assert len(response) == 2 or status(response) == StatusWord.OK
        assert_answers(card, state, bytes(size))
        head = bytes(
            (random.choice((0, 0x0C, 0x80)), random.choice(tuple(Instruction)), 0x82, 0x02)
        )
        assert_answers(
            card,
            state,
            (head + bytes((min(255, max(0, size - 6)),)) + random.randbytes(size))[:size],
        )
    after = kept(memory_of(card))
    assert (after.files, after.life, after.logged) == (before.files, before.life, before.logged)
    assert [key.key for key in after.keys] == [key.key for key in before.keys]


COMMANDS = st.builds(
    lambda cla, ins, p1, p2, data, le: (
        bytes((cla, ins, p1, p2)) + (bytes((len(data),)) + data if data else b"") + le
    ),
    st.sampled_from([0x00, 0x0C, 0x80]) | st.integers(0, 255),
    st.sampled_from([int(one) for one in Instruction]) | st.integers(0, 255),
    st.sampled_from([0, 2, 4, 0x81, 0x82, 0x83, 0x84, 0x85]) | st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 0x0C, 0x28, 0x2C]) | st.integers(0, 255),
    st.sampled_from([b"", b"\x3f\x00", b"\xef\x02", bytes(16), bytes(24)])
    | st.binary(max_size=255),
    st.binary(max_size=1),
)


@transmissions
@states
@modest
@given(commands=st.lists(COMMANDS | st.binary(max_size=300), max_size=12))
def test_any_commands_one_after_the_other_answer_status_words_and_write_nothing(
    transmission: Transmission, state: str, commands: list[bytes]
) -> None:
    card = issued(transmission, sold=True)
    before = card.state
    STATES[state](card)
    for command in commands:
        response = card.apdu(command)
        assert 2 <= len(response) <= 258
        assert status(response) in WORDS
    assert (card.state.files, card.state.life) == (before.files, before.life)
    assert [key.key for key in card.state.keys] == [key.key for key in before.keys]
    assert kept(memory_of(card)) == card.state


@modest
@given(commands=st.lists(COMMANDS, max_size=12))
def test_a_blank_card_answers_any_commands_too(commands: list[bytes]) -> None:
    card = Card(cards.blank(), cards.Numbers())
    select(card)
    for command in commands:
        assert status(card.apdu(command)) in WORDS


@transmissions
@states
@pytest.mark.parametrize("size", range(4))
def test_less_than_a_header_is_a_wrong_length(
    transmission: Transmission, state: str, size: int
) -> None:
    card = issued(transmission)
    for fill in range(256):
        assert assert_answers(card, state, bytes((fill,)) * size) == b"\x67\x00"


@transmissions
@states
def test_an_extended_length_is_a_wrong_length_and_ends_the_session(
    transmission: Transmission, state: str
) -> None:
    card = issued(transmission)
    for ins in (
        Instruction.SELECT,
        Instruction.READ_BINARY,
        Instruction.UPDATE_BINARY,
        Instruction.PUT_KEY,
    ):
        for cla in (0x00, 0x0C, 0x80):
            for tail in (
                b"\0\0\x10",
                b"\0\0\x10" + bytes(16),
                b"\0\1\0" + bytes(256),
                b"\0\0\x02ab\0\0",
            ):
                assert assert_answers(card, state, bytes((cla, ins, 0, 0)) + tail) == b"\x67\x00"
                assert status(card.apdu(bytes.fromhex("0CB08100080000000000000000"))) == 0x6982


@transmissions
def test_random_reads_see_what_is_there_so_the_states_are_what_they_say(
    transmission: Transmission,
) -> None:
    card = issued(transmission)
    assert status(assert_answers(card, "power on", bytes.fromhex("00B0810010"))) == 0x6985
    assert status(assert_answers(card, "selected", bytes.fromhex("00B0810010"))) == 0x9000
    assert status(assert_answers(card, "file current", bytes.fromhex("00B0000010"))) == 0x9000
    assert status(assert_answers(card, "selected", bytes.fromhex("00B0000010"))) == 0x6986
    for reference, name in zip(KEYS, ("to issue", "to vend", "as meter"), strict=True):
        STATES["power on"](card)
        session = authenticate(card, reference)
        response = card.apdu(session.secure(Instruction.READ_BINARY, 0x81, 0, b"\0\0\x04").encode())
        assert status(response) >> 8 in (0x90, 0x61), name
