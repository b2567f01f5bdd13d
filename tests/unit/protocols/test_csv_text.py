"""CSV as spreadsheets write it: delimiters, quotes, empty lines and cells, decimal commas."""

from __future__ import annotations

import pytest

from protocols.csv_text import (
    Header,
    Record,
    cells,
    find_header,
    is_empty,
    possible_delimiters,
    records,
    trimmed,
    with_decimal_point,
)
from protocols.errors import QuantityError


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b", Header(1, ["a", "b"], ",")),
        ("a;b;;", Header(1, ["a", "b"], ";")),
        ('\n  \n;;\n A \t"b"\t\n', Header(4, ["A", "b"], "\t")),
        ("sep=;\na;b", Header(2, ["a", "b"], ";")),
        ("SEP=|\n\na|b", Header(3, ["a", "b"], "|")),
        ("a", Header(1, ["a"], ",")),
        ("", None),
        ("\n,,\n", None),
    ],
)
def test_the_header_is_the_first_line_with_text(text: str, header: Header | None) -> None:
    assert find_header(text.split("\n")) == header


def test_lines_are_numbered_from_the_first_that_is_given() -> None:
    header = find_header(["", "a"], 7)
    assert header is not None
    assert header.line == 8


def test_cells_may_be_quoted_and_a_mark_that_is_not_closed_is_refused_by_line() -> None:
    assert cells('"a;b";"c ""d"""', ";", 1) == ["a;b", 'c "d"']
    assert cells("", ";", 1) == []
    with pytest.raises(QuantityError, match="line 9: a quotation mark is not closed"):
        cells('1;"2', ";", 9)
    with pytest.raises(QuantityError, match="line 9: "):
        cells('1;"2"x', ";", 9)


def test_empty_cells_at_the_end_are_no_cells() -> None:
    assert trimmed(["a", "", "b", " ", ""], 2) == ["a", "", "b"]
    assert trimmed(["a", "", ""], 2) == ["a", ""]
    assert is_empty([" ", ""])
    assert not is_empty(["0"])


@pytest.mark.parametrize("text", ["1.234,5", "1,234.5", "1,234,567"])
def test_separators_of_thousands_are_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="has separators of thousands"):
        with_decimal_point(text, ";")


def test_a_comma_is_the_decimal_sign_where_it_separates_no_cells() -> None:
    assert with_decimal_point("-1,5", ";") == with_decimal_point("-1.5", "\t") == "-1.5"
    assert with_decimal_point("1,5", ",") == "1,5"


def test_a_quoted_cell_of_a_record_may_hold_line_breaks() -> None:
    lines = ['a,"b', ' c"', "", ",,", '"d"']
    assert list(records(lines, ",")) == [Record(1, ["a", "b c"]), Record(5, ["d"])]


def test_a_mark_that_is_not_closed_is_refused_by_the_line_on_which_it_opens() -> None:
    with pytest.raises(QuantityError, match="line 2: a quotation mark is not closed"):
        list(records(["a", 'b,"c', "d"], ","))


def test_a_first_line_that_names_the_delimiter_is_obeyed_and_is_no_record() -> None:
    assert possible_delimiters(["sep=|", "a|b"]) == ("|",)
    assert list(records(["sep=|", "a|b"], "|")) == [Record(2, ["a", "b"])]
    assert possible_delimiters(["a;b"]) == possible_delimiters([]) == (",", ";", "\t")
