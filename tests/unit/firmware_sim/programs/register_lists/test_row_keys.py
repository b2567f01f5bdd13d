"""Cells that hold keys of registers as map files write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.programs.register_lists.row_keys import keys_text, parse_keys
from protocols.errors import QuantityError

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.text('abc_"\\\n,={} ', max_size=8),
    st.dictionaries(st.text("ab ", max_size=3), st.integers(0, 9), max_size=3),
)


@given(st.dictionaries(st.sampled_from(["off", "absent", "sign_of", "values", "wraps"]), VALUES))
def test_keys_that_are_written_are_read(keys: dict[str, object]) -> None:
    text = keys_text(keys)
    assert ", ".join(f"{key} = {value}" for key, value in parse_keys(text).items()) == text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("off", "are no keys of a map"),
        ("off = 1 }\nitem = 2", "are no keys of a map"),
        ("item = 2", "'item' is no key of a cell; allowed are off, absent"),
        ("off = 1.5", "1.5 is no value of a key"),
        ("values = [1]", r"\[1\] is no value of a key"),
    ],
)
def test_other_texts_are_refused(text: str, told: str) -> None:
    with pytest.raises(QuantityError, match=told):
        parse_keys(text)
