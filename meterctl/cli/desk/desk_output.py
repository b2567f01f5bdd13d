"""How the desk's commands print: a table for people, with --json one object a line.

A record is a mapping of names to JSON fragments, as in the rest of meterctl; the functions below
`print_done` make them of the desk's values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from meterctl.cli.desk.desk_options import DeskOptions
from meterctl.cli.output import (
    print_json,
    print_table,
    reporting_unprinted,
    result_fragments,
    say,
)
from meterctl.utility.rules.calendar import moment_text
from protocols.command_line.tables import Table
from protocols.quantities import CENT, format_money

Record = Mapping[str, str]
ABSENT = "-"


def print_records(
    given: DeskOptions,
    records: Sequence[Record],
    columns: Sequence[str],
    right: Sequence[str] = (),
    empty: str = "there is none",
) -> None:
    """Print a list; raises OutputError.

    Args:
        given: the options of the command.
        records: with --json each is printed whole.
        columns: the names in the table, in their order.
        right: those that are flushed right, such as amounts.
        empty: the message on stderr in place of a table without rows.
    """
    if given.json:
        for record in records:
            print_json(record)
    elif records:
        rows = [[_cell(record[name]) for name in columns] for record in records]
        print_table(Table(columns, rows, right))
    else:
        say(empty)


def print_record(given: DeskOptions, record: Record, title: str = "") -> None:
    """Print what one thing is: a row for each field; raises OutputError."""
    if given.json:
        print_json(record)
        return
    rows = [(name, _cell(value)) for name, value in record.items()]
    print_table(Table(("field", "value"), rows, ("value",), title))


def print_done(
    given: DeskOptions,
    record: Record,
    message: str,
    *,
    exit_code: int = 0,
    outcome: str | None = None,
    serial_number: str | None = None,
    entry: int | None = None,
) -> None:
    """Print the end of a command with an effect: its record, its message, the object of --json.

    Never raises OutputError: the command had its effect, which stands. In a dry run the result is
    `planned`.
    """
    say(f"dry run, nothing is changed: {message}" if given.dry_run else message)
    result = result_fragments(
        exit_code,
        outcome=outcome,
        serial_number=serial_number,
        entry=entry,
        message=message,
        planned=given.dry_run,
    )
    with reporting_unprinted(serial_number, entry):
        if given.json:
            print_json({**record, **result})
        elif record:
            print_record(given, record)


def amount_json(value: int | None) -> str:
    """Return an amount in 0.01 as a JSON number with two decimals."""
    return "null" if value is None else format_money(value * CENT)


def text_json(value: str | None) -> str:
    """Return a text, or a word of an enum."""
    return json.dumps(None if value is None else str(value), ensure_ascii=False)


def whole_json(value: int | None) -> str:
    """Return a count or a number."""
    return "null" if value is None else str(int(value))


def flag_json(value: bool | None) -> str:
    """Return a fact that holds or not."""
    return json.dumps(value)


def date_json(value: date | None) -> str:
    """Return a date of the company."""
    return "null" if value is None else f'"{value.isoformat()}"'


def moment_json(instant_ms: int | None, zone: ZoneInfo) -> str:
    """Return an instant in the company's zone, with its offset."""
    if instant_ms is None:
        return "null"
    return f'"{moment_text(instant_ms, zone)}"'


def fragments(values: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Return a record of JSON values that holds no money: texts, facts, whole numbers, lists.

    A field named `..._at` is an instant.
    """
    return {
        name: moment_json(value, zone)
        if name.endswith("_at") and isinstance(value, int)
        else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def _cell(fragment: str) -> str:
    """Return a JSON fragment as people read it; a list as its members."""
    if fragment == "null":
        return ABSENT
    if fragment.startswith("["):
        return ", ".join(map(str, json.loads(fragment))) or ABSENT
    return str(json.loads(fragment)) if fragment.startswith('"') else fragment
