"""T=0 and T=1: data in two steps or in one, length correction, and a terminal for both."""

from __future__ import annotations

import pytest

from protocols.card.answer_to_reset import ANSWERS, Transmission
from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu
from protocols.card.applet import Card
from protocols.card.files import CardFile
from protocols.card.keys import KeyReference
from protocols.card.secure_messaging import SHORT_CODE
from protocols.card.terminal import Terminal
from protocols.errors import CardFormatError, CardRefusedError
from tests.support.cards import (
    CARD_KEYS,
    METER_ACCESS,
    Contacts,
    Numbers,
    authenticate,
    drive,
    fill,
    issued,
    play,
    read,
    select,
    sell,
    status,
)

SELECT = bytes.fromhex("00A4040006F0505043310100")


def get_response(card: Card, size: int) -> bytes:
    """Fetch the waiting data of a response."""
    return card.apdu(bytes((0, 0xC0, 0, 0, size)))


@pytest.mark.parametrize("transmission", Transmission)
def test_a_card_says_how_it_speaks(transmission: Transmission) -> None:
    card = issued(transmission)
    assert card.power_on() == card.answer_to_reset == ANSWERS[transmission]


def test_with_t_1_data_comes_at_once() -> None:
    card = issued(Transmission.T1)
    assert status(card.apdu(SELECT)) == 0x9000
    assert get_response(card, 28) == b"\x69\x85"


def test_with_t_0_data_waits_to_be_fetched_once() -> None:
    whole = issued(Transmission.T1).apdu(SELECT)
    card = issued(Transmission.T0)
    assert card.apdu(SELECT) == b"\x61" + bytes((len(whole) - 2,))
    assert get_response(card, len(whole) - 2) == whole
    assert get_response(card, len(whole) - 2) == b"\x69\x85"


@pytest.mark.parametrize("size", range(1, 28))
def test_with_t_0_data_is_fetched_in_pieces_of_any_size(size: int) -> None:
    whole = issued(Transmission.T1).apdu(SELECT)[:-2]
    card = issued(Transmission.T0)
    card.apdu(SELECT)
    found = b""
    while len(found) < len(whole):
        answer = get_response(card, min(size, len(whole) - len(found)))
        found += answer[:-2]
        left = len(whole) - len(found)
        assert answer[-2:] == (b"\x61" + bytes((left,)) if left else b"\x90\x00")
    assert found == whole


def test_with_t_0_too_much_is_answered_by_the_length_and_nothing_is_lost() -> None:
    whole = issued(Transmission.T1).apdu(SELECT)
    card = issued(Transmission.T0)
    card.apdu(SELECT)
    for wanted in range(len(whole) - 1, 256):
        assert get_response(card, wanted) == b"\x6c" + bytes((len(whole) - 2,))
    assert get_response(card, 0) == whole


@pytest.mark.parametrize(
    "command", ["00B0810010", "0084000008", "00FF0000", "00", "0CB08100080000000000000000"]
)
def test_with_t_0_what_waits_is_gone_after_any_other_command(command: str) -> None:
    card = issued(Transmission.T0)
    card.apdu(SELECT)
    card.apdu(bytes.fromhex(command))
    assert get_response(card, 1) == b"\x69\x85"


def test_with_t_0_what_waits_is_gone_after_a_reset() -> None:
    card = issued(Transmission.T0)
    card.apdu(SELECT)
    card.power_on()
    assert get_response(card, 1) == b"\x69\x85"


def test_with_t_0_data_in_one_direction_needs_no_second_step() -> None:
    card = issued(Transmission.T0)
    select(card)
    assert len(card.apdu(bytes.fromhex("0084000008"))) == 10
    assert len(card.apdu(bytes.fromhex("00B0810010"))) == 18
    assert card.apdu(bytes.fromhex("00A4000C02EF01")) == b"\x90\x00"


def test_with_t_0_the_session_survives_the_second_step() -> None:
    card = issued(Transmission.T0)
    session = authenticate(card, KeyReference.METER)
    for offset in range(5):
        command = session.secure(Instruction.READ_BINARY, 0x81, 0, bytes((0, offset, 4)))
        assert card.apdu(command.encode()) == b"\x61\x0c"
        opened = session.open_response(ResponseApdu.decode(get_response(card, 12)))
        assert opened == card.state.file(CardFile.IDENTITY)[offset : offset + 4]


def test_both_ways_lead_to_the_same_card() -> None:
    cards = [issued(transmission) for transmission in Transmission]
    for card in cards:
        play(card, sell(Terminal(Numbers(1)), 1))
        play(card, fill(Terminal(Numbers(1))))
    assert cards[0].state.files == cards[1].state.files
    assert play(cards[0], read(Terminal(Numbers(5)))) == play(cards[1], read(Terminal(Numbers(5))))


def test_the_terminal_fetches_what_waits_and_only_then() -> None:
    for transmission in Transmission:
        contacts = Contacts(issued(transmission, sold=True))
        drive(read(Terminal(Numbers(5))), contacts)
        fetched = [command[1] for command in contacts.commands].count(Instruction.GET_RESPONSE)
        assert (fetched > 0) is (transmission is Transmission.T0)


def test_the_terminal_asks_again_with_the_length_that_is_right() -> None:
    terminal, card = Terminal(Numbers(5)), issued()
    drive(terminal.select(), Contacts(card))
    contacts = Contacts(card, lambda number, response: b"\x6c\x08" if number == 0 else response)
    select(card)
    drive(terminal.authenticate(KeyReference.METER, METER_ACCESS), contacts)
    assert contacts.commands[0] == contacts.commands[1] == bytes.fromhex("0084000008")


@pytest.mark.parametrize("response", [b"\x61\x10", b"\x61\x00", b"more\x61\x04"])
def test_more_data_without_end_is_no_card(response: bytes) -> None:
    asked: list[bytes] = []
    with pytest.raises(CardFormatError, match="without end"):
        drive(Terminal(Numbers()).select(), lambda command: asked.append(command) or response)
    assert len(asked) == 17


def test_a_wrong_length_without_end_is_refused() -> None:
    asked: list[bytes] = []
    with pytest.raises(CardRefusedError, match="the length is 5") as refused:
        drive(Terminal(Numbers()).select(), lambda command: asked.append(command) or b"\x6c\x05")
    assert refused.value.status == 0x6C05
    assert len(asked) == 2
    assert CommandApdu.decode(asked[1]).le == 5


def test_refusals_have_their_status_with_both() -> None:
    for transmission in Transmission:
        terminal, contacts = Terminal(Numbers(5)), Contacts(issued(transmission))
        drive(terminal.select(), contacts)
        drive(terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending), contacts)
        with pytest.raises(
            CardRefusedError, match=r"UPDATE BINARY identity, secured: .* 6982"
        ) as refused:
            drive(terminal.update(CardFile.IDENTITY, 0, b"mine"), contacts)
        assert refused.value.status == 0x6982
        drive(terminal.read_identity(), contacts)


@pytest.mark.parametrize("wanted", [0, 1, 255])
def test_with_t_0_a_response_of_256_bytes_is_fetched_whole_or_in_pieces(wanted: int) -> None:
    card = issued(Transmission.T0)
    session = authenticate(card, KeyReference.METER)
    longest = bytes((0, 0, 256 - SHORT_CODE))
    command = session.secure(Instruction.READ_BINARY, 0x80 | CardFile.RETURN, 0, longest)
    assert card.apdu(command.encode()) == b"\x61\x00"
    answer = get_response(card, wanted)
    if wanted:
        left = 256 - wanted
        assert (len(answer), answer[-2:]) == (wanted + 2, bytes((0x61, left)))
        answer = answer[:-2] + get_response(card, left)
    opened = session.open_response(ResponseApdu.decode(answer))
    assert opened == card.state.file(CardFile.RETURN)[: 256 - SHORT_CODE]
