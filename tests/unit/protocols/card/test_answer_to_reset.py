"""The answer to reset: of this project's cards, of real cards, and malformed."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.answer_to_reset import (
    ANSWERS,
    HISTORICAL,
    MAX_SIZE,
    AnswerToReset,
    Transmission,
    parse_answer,
)
from protocols.errors import ApduError
from tests.support.cards import flips

modest = settings(deadline=None, max_examples=300, database=None)


def answer(interface: list[tuple[int, bytes]], historical: bytes) -> bytes:
    """Compose an answer from (protocol, TA TB TC before its TD) pairs (ISO 7816-3 section 8)."""
    indicators = [(0x80 if i < len(interface) else 0) for i in range(len(interface) + 1)]
    body = bytearray((indicators[0] | len(historical),))
    last = 0
    for (protocol, before), more in zip(interface, indicators[1:], strict=True):
        body[last] |= ((1 << len(before)) - 1) << 4
        body += before
        last = len(body)
        body.append(more | protocol)
    body += historical
    if any(protocol for protocol, _ in interface):
        body.append(reduce(xor, body))
    return b"\x3b" + bytes(body)


INTERFACES = st.lists(st.tuples(st.sampled_from([0, 1, 14, 15]), st.binary(max_size=3)), max_size=3)


def test_our_answers_are_these_bytes_and_offer_what_they_say() -> None:
    assert HISTORICAL == b"PPC1\x01"
    assert ANSWERS[Transmission.T0].hex() == "3b055050433101"
    assert ANSWERS[Transmission.T1].hex() == "3b858001505043310177"
    assert parse_answer(ANSWERS[Transmission.T0]) == AnswerToReset((0,), HISTORICAL)
    assert parse_answer(ANSWERS[Transmission.T1]) == AnswerToReset((0, 1), HISTORICAL)


@pytest.mark.parametrize(
    ("text", "transmissions", "historical"),
    [
        ("3B00", (0,), ""),
        ("3F055050434431", (0,), "5050434431"),
        (
            "3B6F0000805A080608201223C1D95A43829000",
            (0,),
            "805A080608201223C1D95A43829000",
        ),  # OPUS, a transport card
        ("3BFA1300FF813180450031C173C00100009000B1", (1,), "0031C173C00100009000"),  # OpenPGP
        (
            "3BFD1300008131FE158073C021C057597562694B657940",
            (1,),
            "8073C021C057597562694B6579",
        ),  # YubiKey
        (
            "3B8F8001804F0CA000000306030001000000006A",
            (0, 1),
            "804F0CA00000030603000100000000",
        ),  # MIFARE, by PC/SC
        ("3B8180018080", (0, 1), "80"),  # DESFire, by PC/SC
    ],
)
def test_answers_of_real_cards_are_read(
    text: str, transmissions: tuple[int, ...], historical: str
) -> None:
    assert parse_answer(bytes.fromhex(text)) == AnswerToReset(
        transmissions, bytes.fromhex(historical)
    )


@modest
@given(INTERFACES, st.binary(max_size=15))
def test_whatever_iso_7816_3_composes_is_read(
    interface: list[tuple[int, bytes]], historical: bytes
) -> None:
    data = answer(interface, historical)
    assert len(data) <= MAX_SIZE
    offered = tuple(dict.fromkeys(protocol for protocol, _ in interface if protocol != 15))
    assert parse_answer(data) == AnswerToReset(offered or (0,), historical)


@modest
@given(INTERFACES, st.binary(max_size=15), st.data())
def test_a_flipped_bit_under_a_check_byte_is_never_read_as_the_same(
    interface: list[tuple[int, bytes]], historical: bytes, data: st.DataObject
) -> None:
    whole = answer([*interface, (1, b"")][-4:], historical)
    flipped = data.draw(st.sampled_from(flips(whole)))
    if flipped[0] == 0x3F:
        assert parse_answer(flipped) == parse_answer(whole)
        return
    try:
        assert parse_answer(flipped) != parse_answer(whole)
    except ApduError:
        pass


@pytest.mark.parametrize("transmission", Transmission)
def test_an_answer_cut_short_or_with_a_byte_too_many_is_none(transmission: Transmission) -> None:
    whole = ANSWERS[transmission]
    for size in range(len(whole)):
        with pytest.raises(ApduError):
            parse_answer(whole[:size])
    for surplus in range(256):
        with pytest.raises(ApduError):
            parse_answer(whole + bytes((surplus,)))


@pytest.mark.parametrize("check", sorted(set(range(256)) - {0x77}))
def test_a_wrong_check_byte_is_refused(check: int) -> None:
    with pytest.raises(ApduError, match="check byte"):
        parse_answer(ANSWERS[Transmission.T1][:-1] + bytes((check,)))


@pytest.mark.parametrize("first", sorted(set(range(256)) - {0x3B, 0x3F}))
def test_a_convention_that_is_none_is_refused(first: int) -> None:
    with pytest.raises(ApduError, match="is no answer to reset"):
        parse_answer(bytes((first,)) + ANSWERS[Transmission.T0][1:])


def test_silence_is_named() -> None:
    with pytest.raises(ApduError, match=r"^silence is no answer to reset"):
        parse_answer(b"")


@pytest.mark.parametrize("fill", [0x00, 0x11, 0x3B, 0x80, 0xFF])
def test_garbage_of_every_length_is_an_answer_or_an_error(fill: int) -> None:
    for size in range(301):
        for data in (bytes((fill,)) * size, (b"\x3b" + bytes((fill,)) * size)[:size]):
            try:
                parse_answer(data)
            except ApduError:
                continue
            assert 2 <= size <= MAX_SIZE


@modest
@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"\x3b" + data))
def test_any_bytes_are_an_answer_or_an_error(data: bytes) -> None:
    try:
        found = parse_answer(data)
    except ApduError:
        return
    assert found.historical in data
    assert found.transmissions
