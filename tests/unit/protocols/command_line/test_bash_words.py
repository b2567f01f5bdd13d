"""Words that bash has split at `=` and `:` are whole again."""

from __future__ import annotations

import pytest

from protocols.command_line.bash_words import joined


@pytest.mark.parametrize(
    ("words", "current", "wanted", "index"),
    [
        (["m", "--keys", "=", "ke"], 3, ["m", "--keys=ke"], 1),
        (["m", "--keys", "="], 2, ["m", "--keys="], 1),
        (["m", "--keys", "=", "k.json"], 4, ["m", "--keys=k.json", ""], 2),
        (["m", "--port", "tcp", ":", "//h", ":", "502", "re"], 7,
         ["m", "--port", "tcp://h:502", "re"], 3),
        (["m", "--port", "/dev/ttyS0?baud", "=", "9600", ""], 5,
         ["m", "--port", "/dev/ttyS0?baud=9600", ""], 3),
        (["m", "set", "trip_mode", "=", "de"], 4, ["m", "set", "trip_mode", "=", "de"], 4),
        (["m", "a", "=", "1", "trip_mode", "="], 5, ["m", "a=1", "trip_mode", "="], 3),
        (["m"], 1, ["m", ""], 1),
    ],
)  # fmt: skip
def test_words_are_joined_but_for_the_current_item(
    words: list[str], current: int, wanted: list[str], index: int
) -> None:
    assert joined(words, current) == (wanted, index)
