"""What the desk's commands print: tables for people, JSON Lines for programs."""

from __future__ import annotations

import json
from datetime import date
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from meterctl.cli.desk import desk_output as output
from meterctl.cli.desk.desk_options import DeskOptions
from meterctl.cli.options import Options
from meterctl.drivers.table import MODBUS

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Word(StrEnum):
    TAKEN = "taken"


def given(as_json: bool = False, dry_run: bool = False) -> DeskOptions:
    path = Path("/state/journal.sqlite")
    common = Options(None, MODBUS, 1, None, path, 1000, as_json, False, True, dry_run, False)
    return DeskOptions(common)


def test_values_become_json_fragments() -> None:
    assert [output.amount_json(value) for value in (5000, 5, -1050, 0, None)] == [
        "50.00", "0.05", "-10.50", "0.00", "null",
    ]  # fmt: skip
    assert output.text_json('a "b" 电') == '"a \\"b\\" 电"'
    assert output.text_json(Word.TAKEN) == '"taken"'
    assert output.text_json(None) == output.whole_json(None) == output.date_json(None) == "null"
    assert output.whole_json(7) == "7"
    assert [output.flag_json(value) for value in (True, False)] == ["true", "false"]
    assert output.date_json(date(2026, 11, 30)) == '"2026-11-30"'
    assert output.moment_json(0, SHANGHAI) == '"1970-01-01T08:00:00.000+08:00"'
    assert output.moment_json(-1, SHANGHAI) == '"1970-01-01T07:59:59.999+08:00"'
    assert output.moment_json(None, SHANGHAI) == "null"


def test_a_list_is_a_table_or_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    records = [
        {"name": output.text_json(name), "amount": output.amount_json(5000), "note": "null"}
        for name in ('the "null" inn', "华")
    ]
    output.print_records(given(), records, ("name", "amount", "note"), ("amount",))
    shown = capsys.readouterr()
    assert '│ the "null" inn │  50.00 │ -    │' in shown.out
    assert shown.err == ""
    output.print_records(given(as_json=True), records, ("name",))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ['the "null" inn', "华"]


def test_an_empty_list_is_a_message_for_people_and_nothing_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_records(given(), [], ("name",), empty="no customer yet")
    assert capsys.readouterr() == ("", "no customer yet\n")
    output.print_records(given(as_json=True), [], ("name",))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("dry_run", "result"), [(False, "done"), (True, "planned")])
def test_an_effect_ends_with_the_object_of_its_result(
    dry_run: bool, result: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"receipt_number": '"A-1-1"'}
    output.print_done(given(True, dry_run), record, "sold 50.00", serial_number="000000000001")
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "receipt_number": "A-1-1",
        "result": result,
        "outcome": None,
        "serial_number": "000000000001",
        "entry": None,
        "exit_code": 0,
        "message": "sold 50.00",
    }
    assert shown.err == ("dry run, nothing is changed: sold 50.00\n" if dry_run else "sold 50.00\n")
