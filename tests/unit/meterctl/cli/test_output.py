"""Rows, records and results on stdout; a stdout that fails never hides a result."""

from __future__ import annotations

import json

import pytest

from meterctl.cli import output
from meterctl.cli.forms import TableForm
from meterctl.cli.output import (
    OutputError,
    Table,
    print_result,
    print_rows,
    reporting_unprinted,
    table_of,
    table_of_fields,
)
from meterctl.cli.program import run

RECORDS = [{"id": "1", "name": '"a"', "note": "null"}, {"id": "12", "name": '"b"', "note": '"x"'}]


def test_no_text_of_others_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    steering = "k\x1b]0;x\x07\x9b2J\u202e"
    output.say(f"file {steering}: refused\nas it was")
    output.emit(steering)
    records = [{"name": json.dumps(steering)}]
    for form in TableForm:
        print_rows(records, form, table_of(records, ("name",)))
    out, err = capsys.readouterr()
    assert err == "file k\\x1b]0;x\\x07\\x9b2J\\u202e: refused\nas it was\n"
    assert "k\\x1b]0;x" in out
    for letter in "\x1b\x07\x9b\u202e":
        assert letter not in out


def test_a_stdout_that_was_closed_is_told_with_the_code_of_a_local_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    for words in (["items"], ["items", "--csv"], ["frames", "decode", "010300400002c5df"]):
        assert run(words) == 2
        assert capsys.readouterr().err == "meterctl: stdout cannot be written: stdout is closed\n"


def test_the_table_of_records_has_the_named_columns_and_a_word_for_absent_values() -> None:
    assert table_of(RECORDS, ("id", "note")).rows == [["1", "-"], ["12", "x"]]
    assert table_of(RECORDS, ("note",), absent="").rows == [[""], ["x"]]
    assert table_of([], ("id",)).rows == []


def test_the_table_of_a_record_has_a_row_for_each_field() -> None:
    table = table_of_fields(RECORDS[0], ("value",), heading="item", title="entry")
    assert table == Table(
        ("item", "value"), [("id", "1"), ("name", "a"), ("note", "-")], ("value",), "entry"
    )


def test_rows_are_json_lines_or_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = table_of(RECORDS, ("id", "name"), ("id",))
    print_rows(RECORDS, TableForm.JSON, table)
    assert capsys.readouterr().out == (
        '{"id": 1, "name": "a", "note": null}\n{"id": 12, "name": "b", "note": "x"}\n'
    )
    print_rows(RECORDS, TableForm.PEOPLE, table)
    assert capsys.readouterr().out == (
        "┏━━━━┳━━━━━━┓\n┃ id ┃ name ┃\n┡━━━━╇━━━━━━┩\n│  1 │ a    │\n│ 12 │ b    │\n└────┴──────┘\n"
    )


def test_no_rows_are_an_empty_table_or_a_message_for_people_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = table_of([], ("id",))
    for message in ("none", ""):
        print_rows([], TableForm.JSON, empty, message)
        assert capsys.readouterr() == ("", "")
    print_rows([], TableForm.PEOPLE, empty, "none")
    assert capsys.readouterr() == ("", "none\n")
    print_rows([], TableForm.PEOPLE, empty)
    assert "id" in capsys.readouterr().out


def test_a_result_has_its_outcome_with_json_and_its_fields_alone_in_a_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_result({"id": "7"}, True, outcome="accepted", serial_number="42", entry=7, exit_code=3)
    assert json.loads(capsys.readouterr().out) == {
        "id": 7,
        "result": "refused",
        "outcome": "accepted",
        "serial_number": "42",
        "entry": 7,
        "exit_code": 3,
        "message": "",
    }
    print_result({"id": "7"}, False, "receipt", entry=7)
    printed = capsys.readouterr().out
    assert printed.startswith("receipt")
    assert "│ id    │     7 │" in printed
    assert "exit_code" not in printed
    print_result({}, False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_result_that_cannot_be_printed_is_told_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    def full(_: str) -> None:
        raise OutputError(OSError(28, "No space left on device"))

    monkeypatch.setattr(output, "emit", full)
    print_result({"id": "7"}, as_json, serial_number="42", entry=7)
    assert capsys.readouterr() == (
        "",
        "meterctl: it was done on meter 42, journal entry 7, but the result cannot be printed: "
        "No space left on device\n",
    )
    with reporting_unprinted(None):
        full("")
    assert capsys.readouterr().err == (
        "meterctl: it was done, but the result cannot be printed: No space left on device\n"
    )
