"""Card memory: refused writes, damaged pages, and images without a card."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.files import SIZES, CardFile
from protocols.card.keys import KeyReference
from protocols.card.memory import (
    PAGE,
    PAGES,
    TRIES,
    BytesMemory,
    CardMemory,
    CardState,
    Life,
    StoredKey,
    make_blank,
)
from protocols.card.terminal import Terminal
from protocols.errors import CardImageError, CardMemoryError
from tests.support.cards import (
    SERIAL,
    FragileMemory,
    Numbers,
    authenticate,
    blank,
    issued,
    issued_image,
    kept,
    memory_of,
    play,
    read,
)

modest = settings(deadline=None, max_examples=100, database=None)


# ---- refusals


@pytest.mark.parametrize("transmission", Transmission)
def test_a_write_that_the_device_refuses_is_a_memory_failure_and_nothing_changed(
    transmission: Transmission,
) -> None:
    for file, reference in (
        (CardFile.CREDIT, KeyReference.VENDING),
        (CardFile.RETURN, KeyReference.METER),
    ):
        card = issued(transmission, sold=True)
        session = authenticate(card, reference)
        before, image = card.state, bytes(memory_of(card).data)
        memory_of(card).refuses = True
        assert (
            card.apdu(session.secure(0xD6, 0x80 | file, 0, b"\0\0changed").encode()) == b"\x65\x81"
        )
        assert card.state is before
        assert bytes(memory_of(card).data) == image
        memory_of(card).refuses = False
        assert (
            card.apdu(session.secure(0xD6, 0x80 | file, 0, b"\0\0changed").encode()) == b"\x69\x82"
        )
        session = authenticate(card, reference)
        card.apdu(session.secure(0xD6, 0x80 | file, 0, b"\0\0changed").encode())
        assert kept(memory_of(card)).file(file).startswith(b"changed")


@pytest.mark.parametrize("command", ["80D8000110" + "55" * 16, "80440000"])
def test_a_blank_card_whose_device_refuses_stays_what_it_was(command: str) -> None:
    memory = FragileMemory(bytes(blank().data))
    card = Card(memory, Numbers())
    card.apdu(bytes.fromhex("00A4040006F0505043310100"))
    if command == "80440000":
        for reference in ("01", "02"):
            assert card.apdu(bytes.fromhex(f"80D800{reference}10" + "55" * 16)) == b"\x90\x00"
    before = card.state
    memory.refuses = True
    assert card.apdu(bytes.fromhex(command)) == b"\x65\x81"
    assert card.state is before
    assert kept(memory) == before
    memory.refuses = False
    assert card.apdu(bytes.fromhex(command)) == b"\x90\x00"


def test_nothing_is_written_where_nothing_changed() -> None:
    memory = FragileMemory(issued_image())
    CardMemory(memory).commit(CardMemory(memory).state)
    kept_memory = CardMemory(memory)
    count = len(memory.writes)
    kept_memory.commit(kept_memory.state)
    assert len(memory.writes) == count
    card = issued(sold=True)
    play(card, read(Terminal(Numbers(3))))
    assert {offset for offset, _, _ in memory_of(card).writes} <= {0, PAGE}
    assert len(memory_of(card).writes) == 2


def test_a_blank_card_is_not_made_over_something() -> None:
    for data in (b"\0", bytes(blank().data), b"a text"):
        memory = BytesMemory(data)
        with pytest.raises(CardImageError, match="it is not empty"):
            make_blank(memory, SERIAL)
        assert bytes(memory.data) == data
    refusing = FragileMemory()
    refusing.refuses = True
    with pytest.raises(CardMemoryError):
        make_blank(refusing, SERIAL)


def test_a_write_far_beyond_the_end_is_refused() -> None:
    with pytest.raises(CardMemoryError):
        BytesMemory().write(PAGES * PAGE + 1, b"x")


# ---- damage


@modest
@given(st.data())
def test_damage_of_one_page_leaves_the_other(data: st.DataObject) -> None:
    card = issued(sold=True)
    play(card, read(Terminal(Numbers(3))))
    offset, written, image = memory_of(card).writes[-1]
    older, newer = kept(BytesMemory(image)), card.state
    assert older != newer
    for page, left in ((offset, older), (PAGE - offset, newer)):
        damaged = bytearray(memory_of(card).data)
        for _ in range(data.draw(st.integers(1, 4))):
            at = page + data.draw(st.integers(0, len(written) - 1))
            damaged[at] ^= data.draw(st.integers(1, 255))
        if damaged != memory_of(card).data:
            assert kept(BytesMemory(bytes(damaged))) == left


def test_no_flipped_bit_of_a_page_counts() -> None:
    card = issued(sold=True)
    play(card, read(Terminal(Numbers(3))))
    offset, written, image = memory_of(card).writes[-1]
    older, whole = kept(BytesMemory(image)), bytearray(memory_of(card).data)
    for at in range(offset, offset + len(written)):
        whole[at] ^= 1 << at % 8
        assert CardMemory(BytesMemory(whole)).state == older
        whole[at] ^= 1 << at % 8
    assert kept(BytesMemory(bytes(whole))) == card.state


def test_damage_of_both_pages_leaves_no_card() -> None:
    data = bytearray(issued_image())
    for page in range(PAGES):
        data[page * PAGE + 100] ^= 1
    with pytest.raises(CardImageError):
        CardMemory(BytesMemory(bytes(data)))
    data[100] ^= 1
    CardMemory(BytesMemory(bytes(data)))


@modest
@given(
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: (data * 9000)[: PAGES * PAGE])
)
def test_arbitrary_bytes_hold_no_card(data: bytes) -> None:
    for image in (data, b"PPC1CARD" + data, b"PPC1CARD\1\1\1\0" + data):
        with pytest.raises(CardImageError):
            Card(BytesMemory(image), Numbers())


@modest
@given(st.integers(0, 2 * PAGE))
def test_a_memory_cut_short_is_a_state_that_was_or_no_card(size: int) -> None:
    image = issued_image(sold=True)
    states = (kept(BytesMemory(image)), kept(BytesMemory(image[:PAGE])))
    try:
        assert kept(BytesMemory(image[:size])) in states
    except CardImageError:
        assert size < PAGE


# ---- values


FILE_SIZES = list(SIZES.values())
STATES = st.builds(
    CardState,
    st.binary(min_size=8, max_size=8),
    st.sampled_from(Transmission),
    st.sampled_from(Life),
    st.tuples(
        *[
            st.builds(
                StoredKey,
                st.binary(min_size=16, max_size=16),
                st.integers(0, 255),
                st.booleans(),
                st.integers(0, TRIES),
            )
        ]
        * len(KeyReference)
    ),
    st.tuples(
        *[
            st.binary(max_size=40).map(lambda text, size=size: (text * size)[:size].ljust(size))
            for size in SIZES.values()
        ]
    ),
    st.integers(0, 2**32 - 1),
)


@modest
@given(st.lists(STATES, min_size=1, max_size=4))
def test_what_was_made_to_last_comes_back(states: list[CardState]) -> None:
    memory = blank()
    keeper = CardMemory(memory)
    for state in states:
        keeper.commit(state)
        assert kept(memory) == keeper.state == state


@pytest.mark.parametrize("file", CardFile)
@pytest.mark.parametrize("reference", KeyReference)
def test_a_state_is_replaced_in_one_place(file: CardFile, reference: KeyReference) -> None:
    state = CardState(SERIAL)
    key = StoredKey(b"k" * 16, 1, True, 3)
    changed = state.with_file(file, b"new").with_key(reference, key)
    assert (changed.file(file), changed.key(reference)) == (b"new", key)
    assert [changed.file(one) for one in CardFile if one is not file] == [
        state.file(one) for one in CardFile if one is not file
    ]
    assert replace(changed, files=state.files, keys=state.keys) == state


def test_a_commit_raises_the_generation_by_one_and_the_keys_of_a_blank_card_have_version_0() -> (
    None
):
    memory = BytesMemory()
    make_blank(memory, bytes(8))
    card = CardMemory(memory)
    assert {key.version for key in card.state.keys} == {0}
    begun = card._generation
    for number in (1, 2, 3):
        card.commit(replace(card.state, logged=number))
        assert card._generation == begun + number
        assert CardMemory(memory)._generation == begun + number


def test_the_pages_begin_at_0_and_4096() -> None:
    card = issued(sold=True)
    play(card, read(Terminal(Numbers(3))))
    assert {offset for offset, _, _ in memory_of(card).writes} == {0, 4096}


def test_a_new_card_is_blank_and_has_eight_tries_for_each_key() -> None:
    state = kept(blank())
    assert (state.life, state.transmission, state.logged) == (Life.BLANK, Transmission.T1, 0)
    assert state.keys == (StoredKey(bytes(16), 0, False, 8),) * len(KeyReference)
    assert [len(state.file(file)) for file in CardFile] == list(SIZES.values())
    assert not any(map(any, state.files))


def test_a_new_card_is_flushed_before_it_is_used() -> None:
    class CountedMemory(BytesMemory):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    memory = CountedMemory()
    make_blank(memory, SERIAL)
    assert memory.flushes == 1
    state = CardMemory(memory).state
    CardMemory(memory).commit(replace(state, logged=1))
    assert memory.flushes == 2
