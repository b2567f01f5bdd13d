"""Rows of CSV files; each mistake is told with its line."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.csv_rows import MISTAKES_NAMED, Columns, Mistakes, parse_rows

COLUMNS = Columns(("code", "name"), ("note",))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_stand_in_any_order_and_optional_ones_may_be_left_out(delimiter: str) -> None:
    lines = ["", delimiter.join(("name", "code")), delimiter.join((" A  station ", "0101")), ""]
    (row,) = parse_rows("\ufeff" + "\n".join(lines), COLUMNS)
    assert (row.line, row.cells) == (3, {"code": "0101", "name": "A station", "note": ""})


def test_a_quoted_cell_over_two_lines_keeps_the_lines_of_later_rows() -> None:
    rows = parse_rows('code,name\n1,"a\nb"\n\n2,c\n', COLUMNS)
    assert [(row.line, row.cells["name"]) for row in rows] == [(2, "a b"), (5, "c")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "there is no line with code,name"),
        ("code,nam\n1,2", "line 1: there is no column 'nam'; did you mean name?"),
        ("code,name,name\n1,2,3", "line 1: column name stands there twice"),
        ("code,note\n1,2", "line 1: name is missing"),
        ("code,name\n", "there is no row in it; nothing was changed"),
        ("code,name\n1,2,3\n4,5\n6,7,8", "line 2: it has 3 cells, and there are 2 columns\nline 4"),
        ('code,name\n1,"2', "line 2: a quotation mark is not closed; nothing was changed"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(text: str, error: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_rows(text, COLUMNS)
    assert str(refused.value).startswith(error)


def test_many_mistakes_are_named_and_the_rest_counted() -> None:
    mistakes = Mistakes()
    mistakes.refuse_any()
    for line in range(2, MISTAKES_NAMED + 5):
        mistakes.add(line, "wrong")
    with pytest.raises(Invalid) as refused:
        mistakes.refuse_any()
    told = str(refused.value).splitlines()
    assert told[0] == "line 2: wrong"
    assert told[-2:] == ["3 more lines are wrong", "nothing was changed"]
