"""TOML text: decimals keep their digits, and whatever is no TOML is one error."""

from __future__ import annotations

import pytest

from protocols.errors import QuantityError
from protocols.toml_text import parse_toml


def test_decimals_stay_text() -> None:
    assert parse_toml("a = 0.10\nb = 3\n[c]\nd = true") == {"a": "0.10", "b": 3, "c": {"d": True}}


@pytest.mark.parametrize(
    "text",
    ["a = ", "a = 1\na = 2", f"a = {'1' * 5000}", f"a = {'[' * 5000}"],
    ids=["no value", "twice", "too many digits", "too deep"],
)
def test_what_is_not_toml_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match=r"^it is not TOML: "):
        parse_toml(text)
