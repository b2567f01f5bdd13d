"""A cut at any command and any byte of a sale and of an insertion: one credit in the meter.

A card's memory is torn in two steps here: every byte of every write leaves the card in the state
before or after it, and a cut at every such state is run to its end. `make cuts` runs every byte
itself, and the pairs of cuts.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from protocols.card.memory import PAGE, CardMemory
from tests.attacks.cuts import NO_CUT, Cut, CutSetup, Where, cuts_of, places, play, stage

PARTS = 8


@pytest.fixture(scope="module")
def staged(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[CutSetup, tuple[bytes, bytes, bytes]]]:
    cut_setup, kept = stage(tmp_path_factory.mktemp("street"))
    yield cut_setup, kept
    cut_setup.setup.journal.close()


Staged = tuple[CutSetup, tuple[bytes, bytes, bytes]]


class RecordingMemory(SimulatedNvram):
    """A memory that records every write with the content before it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.writes: list[tuple[bytes, int, bytes]] = []

    def write(self, offset: int, data: bytes) -> None:
        self.writes.append((bytes(self.data), offset, data))
        super().write(offset, data)


def recorded(staged: Staged) -> list[tuple[bytes, int, bytes]]:
    """Return every write of the card in a sale and the insertion after it."""
    cut_setup, kept = staged
    cut_setup.restore(kept)
    memory = cut_setup.chip = RecordingMemory(kept[1])
    cut_setup.card = type(cut_setup.card)(memory, cut_setup.setup.random)
    cut_setup.setup.sell(cut_setup.card, 1000)
    cut_setup.setup.insert(cut_setup.card)
    return memory.writes


def test_without_a_cut_it_is_taken_once(staged: Staged) -> None:
    play(*staged, NO_CUT, NO_CUT)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_command_of_a_sale_with_every_command_of_the_insertion_after_it(
    staged: Staged, part: int
) -> None:
    sales, insertions = places(*staged, Where.COMMAND)
    assert sales > 15
    assert insertions > 10
    for sale in list(cuts_of(Where.COMMAND, sales))[part::PARTS]:
        for insertion in cuts_of(Where.COMMAND, insertions):
            play(*staged, sale, insertion)


@pytest.mark.parametrize("part", range(PARTS))
def test_row_10_every_byte_that_the_meter_writes(staged: Staged, part: int) -> None:
    _, written = places(*staged, Where.METER_BYTE)
    assert written > 500
    for cut in list(cuts_of(Where.METER_BYTE, written))[part::PARTS]:
        play(*staged, NO_CUT, cut)


def test_every_byte_that_the_card_writes_leaves_the_state_before_or_after(staged: Staged) -> None:
    writes = recorded(staged)
    assert len(writes) > 10
    for before, offset, data in writes:
        whole = SimulatedNvram(before)
        whole.write(offset, data)
        old, new = CardMemory(SimulatedNvram(before)).state, CardMemory(whole).state
        assert old != new
        torn = bytearray(before.ljust(2 * PAGE, b"\0"))
        for at in range(len(data)):
            assert CardMemory(SimulatedNvram(bytes(torn))).state == old
            torn[offset + at] = data[at]
        assert CardMemory(SimulatedNvram(bytes(torn))).state == new


@pytest.mark.parametrize("part", range(2))
def test_row_08_and_09_a_cut_before_in_and_after_every_write_of_the_card(
    staged: Staged, part: int
) -> None:
    writes = recorded(staged)
    sale_bytes = places(*staged, Where.CARD_BYTE)[0]
    ends, total = [], 0
    for _, _, data in writes:
        total += len(data)
        ends.append(total)
    for end in ends:
        for after in (end - 1, end, end + 1)[part::2]:
            if after <= sale_bytes:
                play(*staged, Cut(Where.CARD_BYTE, after), NO_CUT)
            else:
                play(*staged, NO_CUT, Cut(Where.CARD_BYTE, after - sale_bytes))


def test_the_audit_finds_a_sale_that_was_made_twice(staged: Staged) -> None:
    """Positive control."""
    cut_setup, kept = staged
    play(cut_setup, kept, NO_CUT, NO_CUT)
    cut_setup.setup.sell(cut_setup.card, 1000)
    cut_setup.setup.insert(cut_setup.card)
    with pytest.raises(AssertionError, match="credit 5000"):
        cut_setup.audit()
