"""A power cut at each byte of each write of a card's life leaves the state before or after it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.applet import Card
from protocols.card.keys import KeyReference
from protocols.card.memory import PAGE, TRIES, BytesMemory, CardMemory, CardState, Life, make_blank
from protocols.card.terminal import Exchange, Terminal
from protocols.errors import CardImageError
from tests.support.cards import (
    SERIAL,
    FragileMemory,
    Numbers,
    PowerLossError,
    blank,
    fill,
    issue,
    issued,
    issued_image,
    kept,
    memory_of,
    play,
    read,
    sell,
)

modest = settings(deadline=None, max_examples=100, database=None)


def whole_life(terminal: Terminal) -> Exchange[None]:
    """Issue a card, bind it, sell, write back, and sell again."""
    yield from issue(terminal)
    yield from sell(terminal, 1)
    yield from fill(terminal)
    yield from sell(terminal, 2)


@pytest.fixture(scope="module")
def writes() -> list[tuple[int, bytes, bytes]]:
    """Return every write of a whole life: offset, data, and the memory before it."""
    memory = FragileMemory(bytes(blank().data))
    play(Card(memory, Numbers()), whole_life(Terminal(Numbers(1))))
    return memory.writes


def test_the_life_of_a_card_has_all_kinds_of_writes(writes: list[tuple[int, bytes, bytes]]) -> None:
    states = [kept(BytesMemory(before)) for _, _, before in writes]
    assert len(writes) == 25
    assert {state.life for state in states} == set(Life)
    assert {key.tries for state in states for key in state.keys} == {TRIES - 1, TRIES}
    assert len({state.files for state in states}) > 8
    assert max(state.logged for state in states) == 1


def test_a_cut_at_every_byte_of_every_write_leaves_the_state_before_or_after(
    writes: list[tuple[int, bytes, bytes]],
) -> None:
    told_apart = 0
    for offset, data, image in writes:
        before = kept(BytesMemory(image))
        whole = BytesMemory(image)
        whole.write(offset, data)
        after = kept(whole)
        told_apart += before != after
        for cut in range(len(data) + 1):
            torn = BytesMemory(image)
            torn.write(offset, data[:cut])
            found = CardMemory(torn).state
            same_anyway = image[offset + cut : offset + len(data)] == data[cut:]
            assert found == (after if same_anyway else before)
    assert told_apart > 20


def test_a_write_goes_to_the_page_that_does_not_count(
    writes: list[tuple[int, bytes, bytes]],
) -> None:
    for earlier, later in pairwise(writes):
        assert earlier[0] + later[0] == PAGE
        assert len(earlier[1]) == len(later[1]) <= PAGE


@pytest.mark.parametrize(
    "exchange", [lambda terminal: sell(terminal, 1), fill], ids=["sale", "filling"]
)
def test_an_exchange_that_was_torn_is_done_again(
    exchange: Callable[[Terminal], Exchange[None]],
) -> None:
    whole = issued()
    play(whole, exchange(Terminal(Numbers(9))))
    written = sum(len(data) for _, data, _ in memory_of(whole).writes)
    for cut in range(1, written, 611):
        memory = FragileMemory(issued_image())
        memory.cut_after = cut
        with pytest.raises(PowerLossError):
            play(Card(memory, Numbers(2)), exchange(Terminal(Numbers(9))))
        again = Card(BytesMemory(bytes(memory.data)), Numbers(3))
        play(again, exchange(Terminal(Numbers(9))))
        contents, wanted = (play(card, read(Terminal(Numbers(4)))) for card in (again, whole))
        assert (contents.parameters, contents.return_slots) == (
            wanted.parameters,
            wanted.return_slots,
        )
        assert (contents.credit is None) is (wanted.credit is None)
        assert contents.credit is None or (
            wanted.credit and contents.credit.message == wanted.credit.message
        )
        assert again.state.key(KeyReference.VENDING).tries == TRIES


@modest
@given(number=st.integers(0, 24), there=st.lists(st.booleans(), min_size=7, max_size=7))
def test_sectors_that_are_written_in_any_order_leave_no_third_state(
    writes: list[tuple[int, bytes, bytes]], number: int, there: list[bool]
) -> None:
    offset, written, image = writes[number]
    torn, whole = BytesMemory(image), BytesMemory(image)
    whole.write(offset, written)
    for sector, is_there in enumerate(there):
        if is_there:
            torn.write(offset + 512 * sector, written[512 * sector : 512 * (sector + 1)])
    is_a_state = kept(torn) in (kept(BytesMemory(image)), kept(whole))
    assert is_a_state


def test_a_cut_while_a_blank_card_is_made_leaves_no_card_or_a_blank_one() -> None:
    size = len(blank().data)
    for cut in range(1, size + 1):
        memory = FragileMemory()
        memory.cut_after = cut
        with pytest.raises(PowerLossError):
            make_blank(memory, SERIAL)
        if cut < size:
            with pytest.raises(CardImageError, match="there is no card in it"):
                kept(memory)
        else:
            assert kept(memory) == CardState(SERIAL)
