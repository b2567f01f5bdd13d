"""The words that a person may have meant."""

from __future__ import annotations

import pytest

from protocols.data_model.items import BY_NAME
from protocols.suggestions import did_you_mean, nearest, one_of

COMMANDS = ["status", "read", "items", "switch", "topup", "card", "demo", "limits"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("swich", ["switch"]),
        ("watch", ["switch"]),
        ("statsu", ["status"]),
        ("TOPUP", ["topup"]),
        ("decode", []),
        ("", []),
        ("--", []),
    ],
)
def test_each_suggestion_is_made_once_and_only_where_it_is_near(
    word: str, found: list[str]
) -> None:
    assert nearest(word, [*COMMANDS, *COMMANDS]) == found


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("credit", "available_credit"),
        ("available_credt", "available_credit"),
        ("voltage", "voltage_l1_v"),
        ("Active-Power", "active_power_kw"),
        ("clok", "clock"),
    ],
)
def test_an_item_that_has_the_word_as_a_part_comes_first(word: str, first: str) -> None:
    assert nearest(word, BY_NAME)[0] == first


def test_an_enumeration_ends_with_or_and_a_question_is_asked_once() -> None:
    assert [one_of("a"), one_of("ab"), one_of("abc")] == ["a", "a or b", "a, b or c"]
    assert did_you_mean("swich", COMMANDS) == "did you mean switch?"
    assert did_you_mean("xyz", COMMANDS, "see below") == "see below"
