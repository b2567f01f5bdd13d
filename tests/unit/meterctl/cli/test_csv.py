"""CSV of every table: for programs, and for spreadsheets, which change what they open."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterctl.cli import forms
from meterctl.cli.csv_lines import BYTE_ORDER_MARK, csv_lines
from meterctl.cli.forms import TableForm
from meterctl.cli.output import OutputError, emit_csv
from meterctl.cli.program import add_commands, app
from meterctl.errors import UsageError
from protocols.command_line import command_of
from tests.support.setup import METER
from tests.unit.meterctl.cli.conftest import Run

TABLES = {
    ("status",): "reading",
    ("read",): "reading",
    ("items",): "item_list",
    ("purchases",): "records",
    ("events",): "records",
    ("clock", "show"): "clock",
    ("account", "show"): "account",
    ("limits", "show"): "limits",
    ("keys", "show"): "keys",
    ("journal", "list"): "journal",
    ("journal", "show"): "journal",
    ("journal", "audit"): "journal",
    ("card", "readers"): "card",
    ("card", "read"): "card",
    ("card", "history"): "card",
    ("frames", "decode"): "frames",
}
"""Commands that print a table of facts, and their modules."""
NO_TABLE = {
    *((name,) for name in ("demo", "topup", "guarantee", "write", "receipt", "shell")),
    *(("account", name) for name in ("open", "refund", "debt", "close")),
    *(("card", name) for name in ("format", "open", "sell", "replace", "preset", "service")),
    *(("card", "erase"), ("clock", "set"), ("limits", "set"), ("tamper", "clear")),
    *(("journal", name) for name in ("renew", "resolve")),
    *(("keys", name) for name in ("init", "export", "retire", "advance")),
    *(("switch", name) for name in ("interrupt", "permit", "restore")),
    *(("moratorium", name) for name in ("until", "off")),
    *(("tariff", name) for name in ("check", "set")),
    ("monitor",),
}
"""Commands that change something, or tell a story: their result is one object with --json.
`monitor` prints what passes until it is ended.
"""
ELSEWHERE = {
    ("ports",),
    ("scan",),
    ("profile",),
    ("freezes",),
    ("usage",),
    ("tariff", "show"),
    ("watch",),
}
"""Commands that print a table of facts, whose CSV has tests beside their own."""
WORDS = {
    ("frames", "decode"): ("01 03 00 40 00 02 c5 df 01 03 04 00 00 07 d0 f9 9f",),
    ("journal", "show"): ("1",),
    ("read",): ("available_credit", "supply_causes"),
}
EXPECTED_WORDS = {**dict.fromkeys(TABLES, ()), **WORDS}


def _commands(
    command: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    children = getattr(command, "commands", None)
    if children is None:
        options = {option for each in command.params for option in each.opts}  # type: ignore[attr-defined]
        yield path, options
        return
    for name, each in children.items():
        yield from _commands(each, (*path, name))


def test_every_command_that_prints_a_table_prints_it_as_csv_too() -> None:
    add_commands(None)
    found = dict(_commands(command_of(app)))
    unknown = found.keys() - TABLES.keys() - NO_TABLE - ELSEWHERE
    assert not unknown, "a new command belongs into TABLES or NO_TABLE above"
    for path, names in found.items():
        assert ({"--csv", "--csv-excel"} <= names) is (path in TABLES or path in ELSEWHERE), path


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_has_the_values_of_json(run: Run) -> None:
    for command in TABLES:
        _compare_with_json(command, run)


def _compare_with_json(command: tuple[str, ...], run: Run) -> None:
    words = (*command, *EXPECTED_WORDS[command])
    printed = run(TABLES[command], *words, json=True).out.splitlines()
    objects = [json.loads(line, parse_float=str, parse_int=str) for line in printed]
    heading, *rows = rows_of(run(TABLES[command], *words, "--csv").out)
    assert len(set(heading)) == len(heading), f"{command}: each column once"
    assert len(rows) == len(objects) > 0, command
    for row, record in zip(rows, objects, strict=True):
        for name, cell in zip(heading, row, strict=True):
            value = record.get(name)
            if name == "details":  # of events: their own keys in one text
                continue
            if (*command, name) == ("card", "read", "outcome"):  # the key of the result in JSON
                continue
            if isinstance(value, bool):
                assert cell == str(value).lower(), name
            elif isinstance(value, str) or value is None:
                assert cell == (value or ""), name


def test_the_form_for_spreadsheets_has_a_mark_and_the_ends_of_lines_of_windows(run: Run) -> None:
    for command, module in TABLES.items():
        words = (*command, *EXPECTED_WORDS[command])
        printed = run(module, *words, "--csv-excel").out
        assert printed.startswith(BYTE_ORDER_MARK), command
        assert printed.endswith("\r\n"), command
        assert printed.count("\n") == printed.count("\r\n"), command
        plain = rows_of(run(module, *words, "--csv").out)
        marked = rows_of(printed.removeprefix(BYTE_ORDER_MARK))
        assert marked[0] == plain[0], command
        assert [len(row) for row in marked] == [len(row) for row in plain], command


def test_two_forms_at_once_are_refused_before_the_port_is_opened(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("session", "presented", "open_journal", "ring"):
        monkeypatch.setattr(f"meterctl.cli.options.Options.{name}", None)
    pairs = ((("--csv",), True), (("--csv-excel",), True), (("--csv", "--csv-excel"), False))
    for command, module in TABLES.items():
        words = (*command, *EXPECTED_WORDS[command])
        for flags, as_json in pairs:
            with pytest.raises(UsageError, match=r"^give one of --json, --csv and --csv-excel$"):
                run(module, *words, *flags, json=as_json)


def test_the_options_are_declared_once() -> None:
    declared = "Print comma-separated values"
    sources = [each.read_text() for each in Path(forms.__file__).parent.glob("*.py")]
    assert sum(text.count(declared) for text in sources) == 1


def test_a_record_is_a_heading_and_one_row(run: Run) -> None:
    printed = run("reading", "read", "available_credit", "max_credit", "supply_causes", "--csv")
    assert printed.out == "available_credit,max_credit,supply_causes\n30.00,,\n"
    assert run("limits", "limits", "show", "--csv").out.count("\n") == 2


def test_null_is_empty_and_numbers_keep_their_decimals() -> None:
    record = {"a": "null", "b": "-1.50", "c": "0.0000000000", "d": "true", "e": '"x, \\"y\\""'}
    assert [*csv_lines([record], list(record), TableForm.CSV)] == [
        "a,b,c,d,e\n",
        ',-1.50,0.0000000000,true,"x, ""y"""\n',
    ]


def test_a_list_and_an_object_are_one_text() -> None:
    record = {"causes": '["overload", "tamper"]', "codes": '{"0": "off", "1": "on"}', "none": "[]"}
    assert [*csv_lines([record], list(record), TableForm.CSV)][1] == (
        "overload; tamper,0=off; 1=on,\n"
    )


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('"=1+1"', "'=1+1"),
        ('"+86 10"', "'+86 10"),
        ('"-2"', "'-2"),
        ('"@SUM(A1)"', "'@SUM(A1)"),
        ('"\\u0009=1"', "'\t=1"),
        ('" =1"', "' =1"),
        ('"\\uff1d1"', "'\uff1d1"),
        ('["=1", "b"]', "'=1; b"),
        ("-2.50", "-2.50"),
        ("2.50", "2.50"),
        ('"000000000042"', '="000000000042"'),
        ('"000000e0"', '="000000e0"'),
        ('"00ff12"', "00ff12"),
        ('"1,5"', '="1,5"'),
        ('"2026-01-01T00:00:00.000Z"', "2026-01-01T00:00:00.000Z"),
        ('"表号"', "表号"),
        ("null", ""),
    ],
)
def test_a_spreadsheet_executes_no_text_and_changes_no_digits(value: str, cell: str) -> None:
    lines = csv_lines([{"x": value}], ("x",), TableForm.CSV_EXCEL)
    assert rows_of("".join(lines))[1] == [cell]


def test_serial_numbers_keep_their_zeros_in_a_spreadsheet(run: Run) -> None:
    printed = run("journal", "journal", "list", "--csv-excel").out
    assert f'="{METER}"' in rows_of(printed)[1]


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
def test_a_file_and_a_pipe_get_utf8_in_every_locale(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, encoding))
    emit_csv([{"term": '"表号"'}], ("term",), TableForm.CSV)
    assert pipe.getvalue() == "term\n表号\n".encode()
    emit_csv([{"term": '"表号"'}], ("term",), TableForm.CSV_EXCEL)
    assert pipe.getvalue().endswith("\ufeffterm\r\n表号\r\n".encode())
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", _Terminal(shown, "gbk", newline=""))
    emit_csv([{"term": '"表号"'}], ("term",), TableForm.CSV_EXCEL)
    assert shown.getvalue() == "term\r\n表号\r\n".encode("gbk"), "its own characters, no mark"


def test_a_stdout_that_takes_no_csv_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="closed"):
        emit_csv([], ("x",), TableForm.CSV)
