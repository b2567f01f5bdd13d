"""Kinds: storage, display, JSON, parsing and refusal of values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.data_model import kinds as k
from protocols.data_model.kinds import (
    Boolean,
    Choice,
    Date,
    Digits,
    Fixed,
    Flags,
    Hex,
    Kind,
    Moment,
    Optional,
)
from protocols.errors import QuantityError
from protocols.quantities import CENT, LEDGER

LIMIT = Fixed("kW", 6, 2, grain=2, low=0, high=5_000_000)
FLAGS = Flags(("cover", "terminal_cover", "magnet"))
CHOICE = Choice(("two_stage", "direct", "delayed"))


@pytest.mark.parametrize(
    ("kind", "value", "text", "fragment"),
    [
        (k.MONEY, 50 * LEDGER, "50.00", "50.00"),
        (k.MONEY, -CENT, "-0.01", "-0.01"),
        (k.MONEY_EXACT, -1, "-0.0000000001", "-0.0000000001"),
        (k.PRICE, 5283, "0.5283", "0.5283"),
        (k.ENERGY, 1, "0.000001", "0.000001"),
        (k.POWER, -1_500_000, "-1.500000", "-1.500000"),
        (k.COUNT, 17, "17", "17"),
        (LIMIT, 1_230_000, "1.23", "1.23"),
        (Optional(LIMIT), None, "off", "null"),
        (Optional(LIMIT), 0, "0.00", "0.00"),
        (Optional(LIMIT, "none"), None, "none", "null"),
        (CHOICE, 0, "two_stage", '"two_stage"'),
        (CHOICE, 2, "delayed", '"delayed"'),
        (FLAGS, 0, "none", "[]"),
        (FLAGS, 4, "magnet", '["magnet"]'),
        (FLAGS, 5, "cover magnet", '["cover", "magnet"]'),
        (Digits(12), "000000000017", "000000000017", '"000000000017"'),
        (Hex(8), 0xBEEF, "0000beef", '"0000beef"'),
        (Hex(6), 0xABCDEF, "abcdef", '"abcdef"'),
        (Moment(), 1_767_225_600_000, "2026-01-01T00:00:00.000Z", '"2026-01-01T00:00:00.000Z"'),
        (Date(), 20_454, "2026-01-01", '"2026-01-01"'),
        (Date(), 0, "off", "null"),
        (Boolean(), 1, "on", "true"),
        (Boolean(), 0, "off", "false"),
    ],
)
def test_a_value_is_shown_written_and_read_back(
    kind: Kind, value: Any, text: str, fragment: str
) -> None:
    assert kind.text(value) == text
    assert kind.json(value) == fragment
    json.loads(fragment)
    assert kind.parse(text) == value
    assert kind.parse(f" {text} ") == value


# ---- Fixed


@pytest.mark.parametrize("text", ["0", "5", "5.00", "0.01"])
def test_both_ends_of_a_range_belong_to_it(text: str) -> None:
    assert LIMIT.holds(LIMIT.parse(text))


@pytest.mark.parametrize("text", ["-0.01", "5.01", "500"])
def test_out_of_range_is_refused_with_the_value_and_the_range(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        LIMIT.parse(text)
    assert str(caught.value) == f"{text} is out of range: allowed is 0.00 to 5.00 kW"


def test_finer_than_the_grain_is_refused() -> None:
    with pytest.raises(QuantityError, match=r"'0\.001' has more than 2 decimals"):
        LIMIT.parse("0.001")
    with pytest.raises(QuantityError, match="'1e3' is not a number"):
        LIMIT.parse("1e3")


def test_a_range_may_be_open_at_either_end() -> None:
    assert Fixed("V", 0, 0).allowed() == "any to any V"
    assert Fixed("", 0, 0, low=3).allowed() == "3 to any"
    assert Fixed("", 0, 0, high=3).allowed() == "any to 3"
    assert Fixed("V", 0, 0).holds(-(10**30))
    assert not Fixed("", 0, 0, low=3).holds(2)
    assert not Fixed("", 0, 0, high=3).holds(4)


# ---- Optional


@pytest.mark.parametrize("text", ["off", "OFF", " Off ", "none", "null"])
def test_off_is_read_in_each_spelling(text: str) -> None:
    assert Optional(LIMIT).parse(text) is None


def test_off_is_always_allowed_and_a_number_in_its_range() -> None:
    kind = Optional(LIMIT)
    assert kind.holds(None)
    assert kind.holds(0)
    assert not kind.holds(-1)
    assert kind.allowed() == "off or 0.00 to 5.00 kW"
    assert kind.parse("1.5") == 1_500_000
    with pytest.raises(QuantityError, match=r"^6 is out of range: allowed is 0\.00 to 5\.00 kW"):
        kind.parse("6")


# ---- Choice


def test_a_choice_is_read_whatever_its_case() -> None:
    assert [CHOICE.parse(word.upper()) for word in CHOICE.words] == [0, 1, 2]
    assert [CHOICE.holds(value) for value in (-1, 0, 2, 3)] == [False, True, True, False]
    assert CHOICE.allowed() == "two_stage, direct, delayed"


@pytest.mark.parametrize("text", ["", "two stage", "0", "unknown_3"])
def test_a_word_that_is_no_choice_is_refused_with_all_that_are(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        CHOICE.parse(text)
    assert str(caught.value) == f"{text!r} is not one of two_stage, direct, delayed"


@pytest.mark.parametrize("value", [3, 65_535, -1])
def test_a_number_without_a_word_is_shown_as_its_number(value: int) -> None:
    assert CHOICE.text(value) == f"unknown_{value}"
    assert CHOICE.json(value) == f'"unknown_{value}"'


# ---- Flags


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("none", 0),
        ("", 0),
        ("cover,magnet", 5),
        ("magnet cover", 5),
        ("COVER, cover", 1),
        ("none magnet", 4),
    ],
)
def test_flags_are_read_in_any_order_with_spaces_or_commas(text: str, value: int) -> None:
    assert FLAGS.parse(text) == value


def test_every_set_of_flags_comes_back() -> None:
    for value in range(8):
        assert FLAGS.holds(value)
        assert FLAGS.parse(FLAGS.text(value)) == value
        assert json.loads(FLAGS.json(value)) == FLAGS.names(value)
    assert not FLAGS.holds(8)
    assert not FLAGS.holds(-1)


def test_a_word_that_is_no_flag_is_refused_with_all_that_are() -> None:
    with pytest.raises(QuantityError) as caught:
        FLAGS.parse("cover,lid")
    assert str(caught.value) == "'lid' is not one of cover, terminal_cover, magnet"
    assert FLAGS.allowed() == "none or any of cover, terminal_cover, magnet"


# ---- Digits, Hex


@pytest.mark.parametrize(
    "text", ["", "1", "00000000001", "0000000000017", "00000000001a", "-00000000017", "٠" * 12]
)
def test_another_count_of_digits_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        Digits(12).parse(text)
    assert str(caught.value) == f"{text!r} is not 12 decimal digits"


@pytest.mark.parametrize(
    "text", ["", "xyz", "12 34", "1.5", "0x10", "1_0", "-1", "123456789", "ffffffffff", "٣"]
)
def test_what_is_not_hexadecimal_or_too_long_is_refused_with_the_count_of_digits(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        Hex(8).parse(text)
    assert repr(text) in str(caught.value)
    assert "hexadecimal" in str(caught.value)
    assert "at most 8" in str(caught.value)


@pytest.mark.parametrize("text", ["DEADBEEF", "deadbeef"])
def test_hexadecimal_digits_are_read_in_either_case(text: str) -> None:
    assert Hex(8).parse(text) == 0xDEADBEEF


# ---- Moment, Date, Truth


def test_a_moment_carries_the_offset_and_zero_is_never() -> None:
    moment = Moment()
    assert moment.text(1_767_225_600_000, 480) == "2026-01-01T08:00:00.000+08:00"
    assert moment.json(1_767_225_600_000, 480) == '"2026-01-01T08:00:00.000+08:00"'
    assert moment.text(0) == moment.text(0, 480) == "never"
    assert moment.json(0, 480) == "null"
    with pytest.raises(QuantityError, match="'soon' is not a date and time"):
        moment.parse("soon")


def test_a_date_can_be_off() -> None:
    assert Date().parse("OFF") == 0
    with pytest.raises(QuantityError, match="'2026-02-30' is not a date: write it as 2026-01-31"):
        Date().parse("2026-02-30")


@pytest.mark.parametrize(
    ("words", "value"), [("on true yes 1 ON True", 1), ("off false no 0 OFF False", 0)]
)
def test_truth_is_read_in_each_spelling(words: str, value: int) -> None:
    assert {Boolean().parse(word) for word in words.split()} == {value}


def test_what_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(QuantityError, match="'maybe' is neither on nor off"):
        Boolean().parse("maybe")
    assert [Boolean().holds(value) for value in (-1, 0, 1, 2)] == [False, True, True, False]
    assert Boolean().allowed() == "on, off"
