"""Entries of a journal as values: open states, code, format, key version, epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.journal import Entry, EntryState
from protocols.keys import development_keys
from protocols.sealed_message import FORMER_VERSION, MessageKind, SealedMessage

METER = "000000000042"
MESSAGE = SealedMessage(MessageKind.CREDIT, METER, 0xE0, 7, 5000, key_version=3)


def entry_of(message: SealedMessage = MESSAGE) -> Entry:
    sealed = message.seal(development_keys(METER).credit)
    kind, state = message.kind.word, EntryState.PREPARED
    return Entry(
        1,
        METER,
        message.epoch,
        message.sequence,
        kind,
        message.amount,
        state,
        "",
        0,
        0,
        sealed,
        b"",
    )


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        (EntryState.PREPARED, True),
        (EntryState.ON_CARD, True),
        (EntryState.UNKNOWN, True),
        (EntryState.CONFIRMED, False),
        (EntryState.REFUSED, False),
    ],
)
def test_an_entry_is_open_until_it_is_settled(state: EntryState, is_open: bool) -> None:
    assert replace(entry_of(), state=state).is_open is is_open


def test_an_entry_decodes_the_message_that_was_sealed() -> None:
    assert entry_of().sealed == MESSAGE
    assert entry_of().key_version == 3


def test_the_code_is_the_first_four_bytes_of_the_seal() -> None:
    assert entry_of().code == entry_of().message[-16:-12]


@pytest.mark.parametrize("message", [b"", b"\2", b"\2" * 60])
def test_malformed_bytes_have_no_message_and_open_no_epoch(message: bytes) -> None:
    entry = replace(entry_of(), message=message)
    assert entry.sealed is None
    assert not entry.opens_any_epoch
    assert entry.key_version == (2 if len(message) > 1 else 0)


def test_the_former_format_is_known_by_its_first_byte() -> None:
    assert entry_of(replace(MESSAGE, version=FORMER_VERSION)).is_former
    assert not entry_of().is_former
    assert not replace(entry_of(), message=b"").is_former


def test_an_opening_for_epoch_0_lives_in_every_epoch_until_one_took_it() -> None:
    opening = entry_of(replace(MESSAGE, kind=MessageKind.OPEN, epoch=0, sequence=1))
    assert opening.opens_any_epoch
    assert opening.lives_in(0xE0)
    assert opening.lives_in(0xE1)
    taken = replace(opening, epoch=0xE0)
    assert taken.opens_any_epoch, "the bytes are the same"
    assert not taken.lives_in(0xE1)


def test_any_other_entry_lives_in_its_own_epoch_only() -> None:
    assert entry_of().lives_in(0xE0)
    assert not entry_of().lives_in(0xE1)
