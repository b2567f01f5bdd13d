"""Issuing, selling, taking back: a card torn at any command has its old or its new contents."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.card import issuing
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardType, CreditRecord, LogActor, LogRow
from protocols.card.keys import KeyReference
from protocols.card.memory import BytesMemory, Life
from protocols.card.terminal import Contents, Exchange, Terminal, drive
from protocols.card.write_back import WriteBack
from protocols.errors import CardGoneError
from tests.support.cards import (
    CARD_KEYS,
    IDENTITY,
    KEYS,
    METER_ACCESS,
    METER_CARD_KEY,
    Contacts,
    FragileMemory,
    Numbers,
    PowerLossError,
    authenticate,
    blank,
    fill,
    issue,
    issued,
    issued_image,
    memory_of,
    play,
    read,
    sale,
    sell,
    write_back,
)

executes = pytest.mark.parametrize("executes", [False, True])


def torn(
    image: bytes, exchange: Callable[[Terminal], Exchange[None]], executes: bool
) -> list[Card]:
    """Return the card after a cut at each command of an exchange, and after the whole exchange."""
    found = []
    for number in range(100):
        card = Card(BytesMemory(image), Numbers(number + 10))
        contacts = Contacts(card)
        contacts.dies_at, contacts.executes_last = number, executes
        found.append(card)
        try:
            drive(exchange(Terminal(Numbers(5))), contacts)
        except CardGoneError:
            continue
        return found
    raise AssertionError("an exchange without end")


def contents_of(card: Card) -> Contents:
    """Read a card with the vending key."""
    return play(card, read(Terminal(Numbers(999))))


def returned(contents: Contents) -> int | None:
    """Return the number of the newest write-back."""
    slot = contents.return_slots.newest
    return WriteBack.decode(slot).number if slot else None


def used_card() -> Card:
    """Return a card with two sales and two write-backs."""
    card = issued()
    play(card, sell(Terminal(Numbers(1)), 1))
    play(card, sell(Terminal(Numbers(2)), 2))

    def write(terminal: Terminal) -> Exchange[None]:
        yield from terminal.select()
        yield from terminal.authenticate(KeyReference.METER, METER_ACCESS)
        yield from terminal.update(CardFile.RETURN, 240, write_back(7).seal(METER_CARD_KEY))
        yield from terminal.update(CardFile.RETURN, 0, write_back(8).seal(METER_CARD_KEY))

    play(card, write(Terminal(Numbers(3))))
    return card


# ---- issuing


def test_an_issued_card_has_its_keys_and_is_bound() -> None:
    card = issued()
    assert card.state.life is Life.ISSUED
    assert [key.key for key in card.state.keys] == list(KEYS.values())
    assert contents_of(card).identity == IDENTITY
    for reference in KeyReference:
        authenticate(card, reference)


@executes
def test_issuing_that_was_torn_at_any_command_is_done_again(executes: bool) -> None:
    cards = torn(bytes(blank().data), issue, executes)
    lives = [card.state.life for card in cards]
    assert lives == sorted(lives)
    assert set(lives) == set(Life)
    for card in cards:
        if card.state.life is Life.BLANK:
            play(card, issue(Terminal(Numbers(6))))
        else:
            terminal, contacts = Terminal(Numbers(6)), Contacts(card)
            drive(terminal.select(), contacts)
            drive(issuing.bind(terminal, CARD_KEYS, IDENTITY, METER_ACCESS), contacts)
        assert card.state.files == issued().state.files
        assert card.state.keys == issued().state.keys


# ---- selling


def test_a_sale_empties_the_write_back_and_leaves_its_row_in_the_log() -> None:
    card = used_card()
    play(card, sell(Terminal(Numbers(4)), 3))
    contents = contents_of(card)
    assert contents.credit == sale(3, 3)
    assert returned(contents) is None
    assert contents.credit_slots.valid[1][0] == 2
    terminal, contacts = Terminal(Numbers(6)), Contacts(card)
    drive(terminal.select(), contacts)
    assert drive(terminal.read_log(), contacts) == [
        LogRow(1_767_225_600, LogActor.VENDING, CardType.PURCHASE, 0, sequence, 5000, 0)
        for sequence in (3, 2, 1)
    ]


def test_a_card_without_credit_leaves_a_row_without_any() -> None:
    card = issued()

    def open_account(terminal: Terminal) -> Exchange[None]:
        contents = yield from read(terminal)
        yield from issuing.write_sale(terminal, contents, CreditRecord(CardType.OPEN, 1, b"", 9))

    play(card, open_account(Terminal(Numbers(4))))
    assert contents_of(card).credit == CreditRecord(CardType.OPEN, 1, b"", 9)
    terminal, contacts = Terminal(Numbers(6)), Contacts(card)
    drive(terminal.select(), contacts)
    assert drive(terminal.read_log(), contacts) == [
        LogRow(9, LogActor.VENDING, CardType.OPEN, 0, 0, 0, 0)
    ]


@executes
def test_a_sale_that_was_torn_at_any_command_is_the_last_or_this_one(executes: bool) -> None:
    image = bytes(memory_of(used_card()).data)
    seen = []
    for card in torn(image, lambda terminal: sell(terminal, 3), executes):
        contents = contents_of(card)
        assert contents.credit in (sale(2, 2), sale(3, 3))
        assert returned(contents) in (8, None)
        assert returned(contents) is None or contents.credit == sale(2, 2)
        seen.append((contents.credit.number, returned(contents)) if contents.credit else None)
        play(card, sell(Terminal(Numbers(6)), 4))
        assert contents_of(card).credit == sale(4, contents.credit_slots.next_number)
        assert returned(contents_of(card)) is None
    assert list(dict.fromkeys(seen)) == [(2, 8), (2, None), (3, None)]


def test_a_sale_whose_power_goes_at_any_byte_is_the_last_or_this_one() -> None:
    card = used_card()
    image = bytes(memory_of(card).data)
    begin = len(memory_of(card).writes)
    play(card, sell(Terminal(Numbers(6)), 3))
    written = sum(len(data) for _, data, _ in memory_of(card).writes[begin:])
    seen = set()
    for cut in range(1, written, 257):
        memory = FragileMemory(image)
        memory.cut_after = cut
        with pytest.raises(PowerLossError):
            play(Card(memory, Numbers(7)), sell(Terminal(Numbers(6)), 3))
        contents = contents_of(Card(BytesMemory(bytes(memory.data)), Numbers(8)))
        assert contents.credit in (sale(2, 2), sale(3, 3))
        seen.add((contents.credit.number, returned(contents)) if contents.credit else None)
    assert seen == {(2, 8), (2, None), (3, None)}


@executes
@pytest.mark.parametrize(("older", "newer"), [(240, 0), (0, 240)])
def test_clearing_the_write_back_never_lets_an_older_one_count(
    executes: bool, older: int, newer: int
) -> None:
    card = issued()

    def write(terminal: Terminal) -> Exchange[None]:
        yield from terminal.select()
        yield from terminal.authenticate(KeyReference.METER, METER_ACCESS)
        yield from terminal.update(CardFile.RETURN, older, write_back(7).seal(METER_CARD_KEY))
        yield from terminal.update(CardFile.RETURN, newer, write_back(8).seal(METER_CARD_KEY))

    def clear(terminal: Terminal) -> Exchange[None]:
        contents = yield from read(terminal)
        yield from terminal.clear_write_back(contents.return_slots)

    play(card, write(Terminal(Numbers(3))))
    numbers = [
        returned(contents_of(one)) for one in torn(bytes(memory_of(card).data), clear, executes)
    ]
    assert list(dict.fromkeys(numbers)) == [8, None]
    assert not any(
        torn(bytes(memory_of(card).data), clear, executes)[-1].state.file(CardFile.RETURN)
    )


# ---- taking back


def test_a_card_that_was_taken_back_belongs_to_no_meter_and_carries_nothing() -> None:
    card = used_card()
    play(card, fill(Terminal(Numbers(4))))
    terminal, contacts = Terminal(Numbers(6)), Contacts(card)
    drive(terminal.select(), contacts)
    drive(issuing.erase(terminal, CARD_KEYS), contacts)
    contents = contents_of(card)
    assert (contents.identity, contents.credit, contents.parameters, returned(contents)) == (
        None,
        None,
        (),
        None,
    )
    assert card.state.life is Life.ISSUED
    assert [key.key for key in card.state.keys] == list(KEYS.values())
    play(card, sell(Terminal(Numbers(8)), 9))
    assert contents_of(card).credit == sale(9, 1)


@executes
def test_a_card_that_was_torn_while_it_was_taken_back_is_taken_back_again(executes: bool) -> None:
    def erase(terminal: Terminal) -> Exchange[None]:
        yield from terminal.select()
        yield from issuing.erase(terminal, CARD_KEYS)

    for card in torn(issued_image(sold=True), erase, executes):
        assert contents_of(card).credit in (sale(1, 1), None)
        play(card, erase(Terminal(Numbers(9))))
        contents = contents_of(card)
        assert (contents.identity, contents.credit, contents.parameters, returned(contents)) == (
            None,
            None,
            (),
            None,
        )
