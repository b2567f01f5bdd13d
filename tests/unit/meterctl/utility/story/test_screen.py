"""How the story is told: what was not proved is named, and every line fits."""

from __future__ import annotations

import pytest

from meterctl.utility.story.screen import WIDTH, Teller


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are told, on a wide screen."""
    monkeypatch.setenv("COLUMNS", "200")
    return []


def test_what_was_not_proved_is_named_with_what_was_found(told: list[str]) -> None:
    teller = Teller(told.append)
    teller.proved("a sale is delivered", True)
    teller.proved("the till is right", False, "1.00 short")
    assert teller.end() is False
    assert told[:2] == [
        "  proved: a sale is delivered",
        "  NOT PROVED: the till is right: 1.00 short",
    ]
    assert told[-2].startswith("NOT PROVED, after ")
    assert told[-1] == "  - the till is right"


def test_proofs_that_all_hold_are_listed_at_the_end(told: list[str]) -> None:
    teller = Teller(told.append)
    teller.proved("a sale is delivered", True)
    assert teller.end() is True
    assert told[-2] == "  - a sale is delivered"
    assert told[-1].startswith("All 1 proofs hold, after ")


def test_a_command_is_shown_with_who_typed_it_and_a_drawn_key_once(told: list[str]) -> None:
    teller = Teller(told.append)
    said = "key 0123456789abcdef (the same command)\ndone"
    teller.typed("v1", ("sell", "A1"), "whole\n", said, 7)
    teller.typed("v1", ("sell", "A1"), "", said, -9)
    assert told == [
        "v1$ meterctl desk sell A1",
        "whole",
        "  key 0123456789abcdef (the same command)",
        "  done",
        "  exit code 7",
        "v1$ meterctl desk sell A1",
        "  done",
        "  killed by SIGKILL",
    ]


def test_sentences_fit_the_screen_and_go_on_below(told: list[str]) -> None:
    teller = Teller(told.append)
    teller.say("  proved: " + "word " * 40)
    first, *others = told[0].splitlines()
    assert max(map(len, told[0].splitlines())) <= WIDTH
    assert first.startswith("  proved: word")
    assert {line[:5] for line in others} == {"    w"}
