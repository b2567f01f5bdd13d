"""Settings in words: values by item, and refusals that name the setting."""

from __future__ import annotations

import pytest

from protocols.data_model.items import MAX_CREDIT, SETTINGS, TRIP_MODE
from protocols.data_model.setting_words import parse_setting_words
from protocols.data_model.words import TripMode
from protocols.errors import QuantityError


def test_values_are_given_by_item_in_the_order_of_the_words() -> None:
    wanted = parse_setting_words(["trip_mode=direct", "max_credit=off"])
    assert list(wanted.items()) == [(TRIP_MODE, TripMode.DIRECT), (MAX_CREDIT, None)]


@pytest.mark.parametrize("word", ["foo=1", "clock=0", "=1", ""])
def test_a_word_that_names_no_setting_is_refused_with_all_names(word: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_setting_words([word])
    name = word.partition("=")[0]
    assert str(caught.value).startswith(f"{name!r} is no setting: write NAME=VALUE")
    assert all(item.name in str(caught.value) for item in SETTINGS.values())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["low_credit_threshold_1", "10"],
            "low_credit_threshold_1 has no value: write low_credit_threshold_1=10, with one =",
        ),
        (["max_credit"], "max_credit has no value: write max_credit=VALUE, with one ="),
        (
            ["max_credit", "trip_mode=direct"],
            "max_credit has no value: write max_credit=VALUE, with one =",
        ),
        (["max_credt=4"], "'max_credt' is no setting (did you mean max_credit?)"),
        (
            ["credit=1"],
            "'credit' is no setting (did you mean low_credit_threshold_1, "
            "low_credit_threshold_2 or max_credit?)",
        ),
    ],
)
def test_a_setting_that_is_nearly_right_is_told_in_one_short_sentence(
    words: list[str], told: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_setting_words(words)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["max_credit=1", "max_credit=2"], "max_credit is given twice"),
        (["max_credit=1.001"], "max_credit: "),
        (["trip_mode=never"], "trip_mode: "),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(words: list[str], told: str) -> None:
    with pytest.raises(QuantityError, match=told):
        parse_setting_words(words)
