"""Lists: the newest rows for people, all rows for programs; what is left out is told."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from meterctl.cli import lists
from meterctl.cli.forms import TableForm
from meterctl.cli.lists import Columns, Extent, listing_of, print_list, since_s
from meterctl.errors import UsageError

COLUMNS = Columns(("id", "note"), ("id",), ("id", "note"))
NOW = 1_767_225_600


def records(count: int) -> list[dict[str, str]]:
    return [{"id": str(n), "note": f'"row {n}"'} for n in range(1, count + 1)]


def extent(
    limit: int | None = None, *, every: bool = False, csv: bool = False, json: bool = False
) -> Extent:
    form = TableForm.CSV if csv else TableForm.JSON if json else TableForm.PEOPLE
    return Extent(limit, every, form)


def numbers(out: str) -> list[int]:
    """Return the numbers of the rows that were printed, in any form."""
    words = (line.strip("│ {").split() for line in out.splitlines() if "row" in line)
    return [int(next(w for w in line if w.strip(",").isdigit()).strip(",")) for line in words]


def test_people_see_the_newest_rows_and_how_many_more_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_list(extent(), listing_of(records(53)), COLUMNS)
    shown = capsys.readouterr()
    assert numbers(shown.out) == list(range(4, 54)), "the newest last"
    assert shown.err == "3 older rows are not shown: --all shows all\n"
    print_list(extent(), listing_of(records(51)[::-1], newest_first=True), COLUMNS)
    shown = capsys.readouterr()
    assert numbers(shown.out) == list(range(51, 1, -1)), "the newest first"
    assert shown.err == "1 older row is not shown: --all shows all\n"
    print_list(extent(), listing_of(records(50)), COLUMNS)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_program_gets_all_rows_unless_it_asks_for_fewer(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    def printed(limit: int | None = None, *, every: bool = False) -> tuple[list[int], str]:
        wanted = extent(limit, every=every, csv=form == "csv", json=form == "json")
        print_list(wanted, listing_of(records(700)), COLUMNS)
        shown = capsys.readouterr()
        if form == "csv":
            return [int(row["id"]) for row in csv.DictReader(io.StringIO(shown.out))], shown.err
        return [json.loads(line)["id"] for line in shown.out.splitlines()], shown.err

    assert printed() == (list(range(1, 701)), "")
    assert printed(every=True) == (list(range(1, 701)), "")
    assert printed(5) == (
        [696, 697, 698, 699, 700],
        "695 older rows are not shown: --all shows all\n",
    )


def test_a_long_table_has_every_row_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(extent(every=True), listing_of(records(lists.LONGEST_TABLE + 5)), COLUMNS)
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:2] == ["  id  note", "   1  row 1"]
    assert shown.out.splitlines()[-1] == "1005  row 1005"
    assert shown.err == ""


def test_csv_quotes_and_keeps_numbers_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "1.00", "note": json.dumps('a, "b"\n')}, {"id": "2.50", "note": "null"}]
    print_list(extent(csv=True), listing_of(rows), COLUMNS)
    out = capsys.readouterr().out
    assert list(csv.reader(io.StringIO(out))) == [
        ["id", "note"],
        ["1.00", 'a, "b"\n'],
        ["2.50", ""],
    ]
    print_list(extent(csv=True), listing_of([]), COLUMNS)
    assert capsys.readouterr().out == "id,note\n"


def test_a_list_of_json_is_escaped_where_the_output_lacks_a_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    print_list(extent(json=True), listing_of([{"id": "1", "note": '"表"'}]), COLUMNS)
    assert json.loads(raw.getvalue()) == {"id": 1, "note": "表"}


def test_an_empty_list_is_a_heading_or_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(extent(), listing_of([]), COLUMNS, "nothing")
    assert capsys.readouterr() == ("", "nothing\n")
    print_list(extent(json=True), listing_of([]), COLUMNS, "nothing")
    assert capsys.readouterr() == ("", "")
    print_list(extent(), listing_of([]), COLUMNS)
    assert "note" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limit", "every", "form"),
    [
        (5, True, TableForm.PEOPLE),
        (10**20, False, TableForm.PEOPLE),
        (0, False, TableForm.PEOPLE),
        (-1, False, TableForm.CSV),
    ],
)
def test_options_that_do_not_fit_are_refused(
    limit: int | None, every: bool, form: TableForm
) -> None:
    with pytest.raises(UsageError):
        Extent(limit, every, form)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("2d", NOW - 172_800),
        ("1500ms", NOW - 1),
        ("100000d", 0),
        ("2026-01-01", NOW),
        ("2026-01-01T01:00+01:00", NOW),
        ("2026-01-01T00:00:00.001Z", NOW + 1),
    ],
)
def test_since_is_a_moment_or_a_duration(text: str | None, expected: int | None) -> None:
    assert since_s(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2", "-2d", "2026-13-01"])
def test_since_something_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since .*duration"):
        since_s(text, NOW)
