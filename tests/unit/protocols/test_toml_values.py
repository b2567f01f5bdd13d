"""Values of a TOML text: words, lists and tables, and the place of each wrong one."""

from __future__ import annotations

import pytest

from protocols.errors import QuantityError
from protocols.toml_values import ConfigurationError, Words, list_of, parsed, read_all, table_of

WORDS = Words({"month": False, "year": True})


def test_a_word_stands_for_a_value() -> None:
    assert WORDS.parse("year") is True
    assert WORDS.text(False) == "month"
    with pytest.raises(QuantityError, match="allowed is 'month' or 'year'"):
        WORDS.parse("week")


def test_every_wrong_value_is_named_with_its_place_and_the_others_are_kept() -> None:
    readers = {"a": list_of(parsed(int)), "b": table_of({"c": parsed(int)}), "d": parsed(int)}
    with pytest.raises(ConfigurationError) as caught:
        read_all((readers, {"a": [1, "x"], "b": {"c": 1, "e": 2}, "d": 5}), place="t")
    told = str(caught.value).splitlines()
    assert [line.split()[0] for line in told] == ["t.a.2", "t.b.e:"]
    assert caught.value.values == {"d": 5}
    assert caught.value.draft == {"a": (1, None), "b": {"c": 1}, "d": 5}
