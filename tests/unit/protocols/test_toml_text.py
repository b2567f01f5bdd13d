"""TOML text: decimals keep their digits, whatever is no TOML is one error, places have lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import QuantityError
from protocols.toml_text import line_of, lines_of, parse_toml, with_lines


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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\nb = \n", "line 2, column 5: Invalid value"),
        ("credit = 20,00", 'write a text between " and ", and a number with a decimal point'),
        ("credit = 20.00 CNY", 'write a text between " and "'),
        ('load = "C:\\Users\\a.csv"', "write a path between ' and '"),
        ('load = "C:\\loads\\a.csv"', "write a path between ' and '"),
    ],
)
def test_an_error_names_its_line_and_what_was_meant(text: str, says: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_toml(text)
    assert says in str(caught.value)
    assert "(at " not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb = 1\na = [\n2,\n]\n", "line 3: a is given twice, first in line 1"),
        ("a = 1\r\n\r\na = 2", "line 3: a is given twice, first in line 1"),
        ("[t]\na = 1\nb = 1\na = 2\n[u]\na = 1", "line 4: t.a is given twice, first in line 2"),
        ("[t]\na = 1\n[t]\nb = 2", "line 3: t is given twice, first in line 1"),
        ("t = []\n[[t]]\nb = 2", "line 2: t is given twice, first in line 1"),
        ("[[t]]\nb = 2\n[t]\nb = 2", "line 3: t is given twice, first in line 1"),
        ("a = 1\na.b = 2", "line 2: a is given twice, first in line 1"),
        ("a = { b = 1, b = 2 }", "line 1: a.b is given twice, first in line 1"),
    ],
)
def test_a_key_that_is_given_twice_is_named_with_both_lines(text: str, told: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_toml(text)
    assert str(caught.value) == f"it is not TOML: {told}: write it once"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\n价格 = 1", "line 2, column 1: '价' is in a key: a bare key has Latin letters"),
        ("[价格]\na = 1", "line 1, column 2: '价' is in a key: a bare key has Latin letters"),
        ("a价 = 1", "line 1, column 2: '价' is in a key: a bare key has Latin letters"),
        ("a = 价格", "line 1, column 5: write a text with '价' between"),
        ("a = [“0.5”]", "line 1, column 6: '“' is no sign of TOML: write \""),
        ("a = [0.5，0.4]", "line 1, column 9: '，' is no sign of TOML: write ,"),
        ("a ＝ 1", "line 1, column 3: '＝' is no sign of TOML: write ="),
    ],
)
def test_a_sign_that_is_not_ascii_is_named_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_toml(text)
    assert str(caught.value).startswith(f"it is not TOML: {told}")


TEXT = '''# "x" = [
name = "a # b" # c
list = [
  "1", # one ]
  "2,]",
  {a = 1, b = [3,
    4]},
]
multi = """
[no]
x = 1
"""
start = 2026-01-01 00:00:00Z
a.b = 1
[tariff]
prices = ["1", "2"]
[[tariff.day_tables]]
entries = ["00:00 1",
 "x"]
[[tariff.day_tables]]
  entries = []
[tariff.day_tables.more]
q = 1
[x . "y z"]
r = \'\'
'''


def test_every_key_and_element_has_the_line_on_which_it_stands() -> None:
    assert lines_of(TEXT) == {
        "name": 2, "list": 3, "list.1": 4, "list.2": 5, "list.3": 6, "list.3.a": 6, "list.3.b": 6,
        "list.3.b.1": 6, "list.3.b.2": 7, "multi": 9, "start": 13, "a": 14, "a.b": 14,
        "tariff": 15, "tariff.prices": 16, "tariff.prices.1": 16, "tariff.prices.2": 16,
        "tariff.day_tables": 17, "tariff.day_tables.1": 17, "tariff.day_tables.1.entries": 18,
        "tariff.day_tables.1.entries.1": 18, "tariff.day_tables.1.entries.2": 19,
        "tariff.day_tables.2": 20, "tariff.day_tables.2.entries": 21,
        "tariff.day_tables.2.more": 22, "tariff.day_tables.2.more.q": 23, "x": 24, "x.y z": 24,
        "x.y z.r": 25,
    }  # fmt: skip


def test_a_place_that_is_not_written_has_the_line_of_what_is_around_it() -> None:
    lines = lines_of(TEXT)
    assert line_of(lines, "tariff.day_tables.1.rate") == 17
    assert line_of(lines, "nothing.at.all") == 0
    assert with_lines(["a.b = 1: wrong", "gone: missing", "tariff.prices.1: x"], TEXT) == [
        "line 14: a.b = 1: wrong", "gone: missing", "line 16: tariff.prices.1: x",
    ]  # fmt: skip


NAMES = st.from_regex(r"[a-z_]{1,4}", fullmatch=True)
SCALARS = st.sampled_from(['"a [#] = {b}"', "'c\"'", "1", "2.5", "true", "2026-01-01", '"\\""'])


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Return a text of TOML in the ways that people write it."""
    lines, used = [], set()
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        used.add(name)
        values = draw(st.lists(SCALARS, max_size=3))
        between = draw(st.sampled_from([", ", ",\n  ", ", # and, [\n"]))
        lines.append(f"{name} = [{between.join(values)}\n]" if values else f'{name} = "x"')
        lines.append(draw(st.sampled_from(["", "# comment = [", "\t"])))
    for name in draw(
        st.lists(NAMES.filter(lambda name: name not in used), max_size=3, unique=True)
    ):
        for _ in range(draw(st.integers(1, 2))):
            lines += [f"[[{name}]]", f"k = {{ v = {draw(SCALARS)} }}", ""]
    return "\n".join(lines)


def places(value: Any, place: str = "") -> list[str]:
    """Return the places of a table: every key and every element."""
    found = [place] if place else []
    pairs = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value, 1) if isinstance(value, list) else pairs
    for name, inner in pairs:
        found += places(inner, f"{place}.{name}" if place else str(name))
    return found


@given(tables())
@settings(max_examples=40, deadline=None)
def test_the_places_are_those_of_the_table(text: str) -> None:
    lines = lines_of(text)
    assert sorted(lines) == sorted(places(parse_toml(text)))
    rows = text.split("\n")
    for place, line in lines.items():
        name = place.rpartition(".")[2]
        assert name.isdigit() or name in rows[line - 1]
