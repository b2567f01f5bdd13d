"""Output: JSON Lines for scripts, tables for people; results on stdout, all else on stderr.

A stdout that cannot be written never hides a result about money: `print_result` then reports it on
stderr, and the exit code stays that of the outcome (METER.md 8).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from protocols.command_line import StdoutError
from protocols.command_line.tables import Screen, Table, drawn
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.json_lines import line
from protocols.data_model.kinds import Fixed, Moment, Optional
from protocols.data_model.tables import OffsetAt, moment_json
from protocols.quantities import CENT, format_money
from protocols.replacements import escaped_json
from protocols.sealed_message import Receipt

if TYPE_CHECKING:
    from meterctl.journal import Entry

RESULTS = {
    0: "done", 2: "usage", 3: "refused", 4: "no_answer", 5: "corrupt", 6: "not_permitted",
    7: "unknown", 130: "usage",
}  # fmt: skip
"""Exit code -> the word of `result` (DESIGN.md 5.3); an internal fault is `unknown`."""
PLANNED = "planned"


class OutputError(StdoutError):
    """Stdout cannot be written: a closed pipe, or a full disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.is_pipe = isinstance(error, BrokenPipeError)


def emit(text: str) -> None:
    """Write and flush a line on stdout; raises OutputError if it cannot be written."""
    if sys.stdout is None:  # it was closed before the program began
        raise OutputError(OSError(0, "stdout is closed"))
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        discard_stdout()
        raise OutputError(error) from error


def discard_stdout() -> None:
    """Discard what stdout did not take: it would fail again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print a message on stderr, if it can be written."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        return


def print_json(fragments: Mapping[str, str]) -> None:
    """Print one object, one line, in characters of the output; raises OutputError."""
    emit(escaped_json(line(fragments), stdout_encoding()))


def stdout_encoding() -> str:
    """Return the encoding of stdout."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def result_fragments(
    exit_code: int = 0,
    *,
    outcome: str | None = None,
    serial_number: str | None = None,
    entry: int | None = None,
    message: str = "",
    planned: bool = False,
) -> dict[str, str]:
    """Return the keys that end every command with an effect (DESIGN.md 5.3)."""
    return {
        "result": json.dumps(PLANNED if planned else RESULTS.get(exit_code, "unknown")),
        "outcome": json.dumps(outcome),
        "serial_number": json.dumps(serial_number),
        "entry": json.dumps(entry),
        "exit_code": str(exit_code),
        "message": json.dumps(message, ensure_ascii=False),
    }


def table_of(
    records: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    right: Sequence[str] = (),
    *,
    absent: str = "-",
) -> Table:
    """Return the table of records of JSON values, a row each; `absent` stands for null."""
    rows = [[_cell(record[name], absent) for name in columns] for record in records]
    return Table(columns, rows, right)


def table_of_fields(
    record: Mapping[str, str], right: Sequence[str] = (), *, heading: str = "field", title: str = ""
) -> Table:
    """Return the table of one record of JSON values, a row for each of its fields."""
    rows = [(name, _cell(value, "-")) for name, value in record.items()]
    return Table((heading, "value"), rows, right, title)


def _cell(value: str, absent: str) -> str:
    """Return a JSON value as people read it."""
    return value.strip('"').replace("null", absent)


def print_rows(
    records: Iterable[Mapping[str, str]], as_json: bool, table: Table, empty: str = ""
) -> None:
    """Print records of JSON values: with --json a line each, else their table.

    Args:
        empty: the message on stderr in place of a table without rows.

    Raises:
        OutputError: stdout cannot be written.
    """
    if as_json:
        for record in records:
            print_json(record)
    elif table.rows or not empty:
        print_table(table)
    else:
        say(empty)


def print_items(
    shown: Sequence[Item],
    values: Mapping[Item, Any],
    as_json: bool,
    offset: int | OffsetAt,
    unknown: Collection[Item] = (),
) -> None:
    """Print items as one object, or a table with their units; raises OutputError.

    Items without a value are null in the object. In the table they are "-" if they are `unknown`,
    and left out otherwise.
    """
    record = {item.name: item_json(item, values.get(item), offset) for item in shown}
    rows = [
        (item.name, item_text(item, values[item], offset) if item in values else "-")
        for item in shown
        if item in values or item in unknown
    ]
    print_rows([record], as_json, Table(("item", "value"), rows, ("value",)))


def print_result(
    fragments: Mapping[str, str],
    as_json: bool,
    title: str = "",
    *,
    exit_code: int = 0,
    outcome: str | None = "accepted",
    serial_number: str | None = None,
    entry: int | None = None,
    message: str = "",
) -> None:
    """Print the result of a command: one object with --json, else a table.

    Never raises OutputError: the command had its effect, which stands.
    """
    result = result_fragments(
        exit_code, outcome=outcome, serial_number=serial_number, entry=entry, message=message
    )
    with reporting_unprinted(serial_number, entry):
        if as_json or fragments:
            table = table_of_fields(fragments, ("value",), title=title)
            print_rows([{**fragments, **result}], as_json, table)


def print_receipt(entry: Entry, fragments: Mapping[str, str], as_json: bool) -> None:
    """Print the result of a settled journal entry; raises as `print_result`."""
    print_result(
        fragments,
        as_json,
        "receipt",
        outcome=entry.outcome,
        serial_number=entry.meter,
        entry=entry.id,
    )


@contextlib.contextmanager
def reporting_unprinted(
    serial_number: str | None = None, entry: int | None = None
) -> Iterator[None]:
    """Print the result of a command that had its effect; where stdout fails, say so on stderr."""
    try:
        yield
    except OutputError as error:
        where = f", journal entry {entry}" if entry is not None else ""
        whom = f" on meter {serial_number}" if serial_number else ""
        say(f"meterctl: it was done{whom}{where}, but the result cannot be printed: {error}")


def item_json(item: Item, value: Any, offset: int | OffsetAt) -> str:
    """Return a value as JSON; a moment has its own offset. A value that is not there is null."""
    if value is None:
        return "null"
    return moment_json(item.kind, value, offset)


def item_text(item: Item, value: Any, offset: int | OffsetAt) -> str:
    """Return a value for people, with its unit; a moment has its own offset.

    A value that is not there, such as that of a phase that the meter lacks, is "-".
    """
    kind = item.kind
    if value is None and not isinstance(kind, Optional):
        return "-"
    if isinstance(kind, Moment):
        return kind.text(value, offset if isinstance(offset, int) else offset(value))
    inner = kind.inner if isinstance(kind, Optional) else kind
    unit = f" {inner.unit}" if isinstance(inner, Fixed) and inner.unit and value is not None else ""
    return kind.text(value) + unit


def print_table(table: Table) -> None:
    """Print a table for people; raises OutputError."""
    emit(drawn(table, Screen.of_stdout()))


def message_fragments(entry: Entry) -> dict[str, str]:
    """Return the message of a journal entry as JSON values."""
    return {
        "meter": f'"{entry.meter}"',
        "epoch": items.EPOCH.kind.json(entry.epoch),
        "kind": f'"{entry.kind}"',
        "sequence": str(entry.sequence),
        "amount": format_money(entry.amount * CENT),
    }


def receipt_fragments(receipt: Receipt, utc_offset_minutes: int) -> dict[str, str]:
    """Return a proven receipt as JSON values."""
    money = items.AVAILABLE_CREDIT.kind
    return {
        "meter": f'"{receipt.serial_number}"',
        "epoch": items.EPOCH.kind.json(receipt.epoch),
        "kind": f'"{receipt.kind.word}"',
        "sequence": str(receipt.sequence),
        "amount": format_money(receipt.amount * CENT),
        "to_overdraft": money.json(receipt.to_overdraft),
        "to_debt": money.json(receipt.to_debt),
        "credit_before": money.json(receipt.credit_before),
        "credit_after": money.json(receipt.credit_after),
        "cumulative": money.json(receipt.cumulative),
        "settlement": money.json(receipt.settlement),
        "at": Moment().json(receipt.at, utc_offset_minutes),
    }
