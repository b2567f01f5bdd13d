"""Output: JSON Lines for scripts, tables for people; results on stdout, all else on stderr.

A stdout that cannot be written never hides a result about money: `print_result` then reports it on
stderr, and the exit code stays that of the outcome (METER.md 8).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from meterctl.cli.forms import TableForm
from protocols.command_line import StdoutError
from protocols.command_line.tables import Screen, Table, drawn
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.json_lines import line
from protocols.data_model.kinds import MONEY_EXACT, Fixed, Moment, Optional
from protocols.data_model.tables import OffsetAt, moment_json
from protocols.quantities import CENT, format_money
from protocols.replacements import encodable, escaped_json, printable_lines
from protocols.sealed_message import Receipt

if TYPE_CHECKING:
    from meterctl.journal import Entry

RESULTS = {
    0: "done", 2: "usage", 3: "refused", 4: "no_answer", 5: "corrupt", 6: "not_permitted",
    7: "unknown", 130: "usage",
}  # fmt: skip
"""Exit code -> the word of `result` (DESIGN.md 5.3); an internal fault is `unknown`."""
PLANNED = "planned"
BATCH = 500
"""Lines of a list that are written at once."""
AnyText = TypeVar("AnyText", str, bytes)


class OutputError(StdoutError):
    """Stdout cannot be written: a closed pipe, or a full disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.is_pipe = isinstance(error, BrokenPipeError)


def emit(text: str) -> None:
    """Write and flush lines on stdout; raises OutputError if they cannot be written.

    What would steer the terminal is escaped, but colours.
    """
    if sys.stdout is None:  # it was closed before the program began
        raise OutputError(OSError(0, "stdout is closed"))
    shown = printable_lines(text, coloured=True)
    _written(sys.stdout.write, f"{shown}\n")


def _written(write: Callable[[AnyText], object], text: AnyText) -> None:
    """Write on stdout and flush it; raises OutputError."""
    try:
        write(text)
        sys.stdout.flush()
    except OSError as error:
        discard_stdout()
        raise OutputError(error) from error


def discard_stdout() -> None:
    """Discard what stdout did not take: it would fail again when the program ends."""
    if sys.stdout is None:  # it was closed before the program began, and holds nothing
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def emit_csv(records: Iterable[Mapping[str, str]], names: Sequence[str], form: TableForm) -> None:
    """Write records of JSON values as CSV on stdout, in constant memory; raises OutputError.

    A file and a pipe get UTF-8 in every locale, and in the form for spreadsheets a byte order mark;
    a terminal gets its own characters.
    """
    from meterctl.cli.csv_lines import BYTE_ORDER_MARK, csv_lines

    lines = csv_lines(records, names, form)
    to_terminal = sys.stdout is not None and sys.stdout.isatty()
    if form is TableForm.CSV_EXCEL and not to_terminal:
        lines = chain((BYTE_ORDER_MARK,), lines)
    while batch := "".join(islice(lines, BATCH)):
        if to_terminal:
            _written(sys.stdout.write, batch)
        else:
            emit_utf8(batch)


def emit_utf8(text: str) -> None:
    """Write a text as it is on stdout, in UTF-8 in every locale; raises OutputError."""
    out = getattr(sys.stdout, "buffer", None)
    if out is None:  # stdout was closed, or is a text stream of a program that runs this one
        emit(text.removesuffix("\n"))
    else:
        _written(out.write, encodable(text, "utf-8").encode())


def say(text: str) -> None:
    """Print a message on stderr, if it can be written; what would steer the terminal is escaped."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{printable_lines(text)}\n")
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
    records: Sequence[Mapping[str, str]], form: TableForm, table: Table, empty: str = ""
) -> None:
    """Print records of JSON values: a line each with --json and --csv, else their table.

    Args:
        records: they have the same keys, which are the columns of CSV.
        empty: the message on stderr in place of a table without rows.

    Raises:
        OutputError: stdout cannot be written.
    """
    match form:
        case TableForm.JSON:
            for record in records:
                print_json(record)
        case TableForm.CSV | TableForm.CSV_EXCEL:
            from meterctl.cli.csv_lines import csv_names

            emit_csv(records, csv_names(records[0]) if records else table.columns, form)
        case TableForm.PEOPLE:
            if table.rows or not empty:
                print_table(table)
            else:
                say(empty)


def print_items(
    shown: Sequence[Item],
    values: Mapping[Item, Any],
    form: TableForm,
    offset: int | OffsetAt,
    unknown: Collection[Item] = (),
) -> None:
    """Print items as one record, or a table with their units; raises OutputError.

    Items without a value are null in the record. In the table they are "-" if they are `unknown`,
    and left out otherwise.
    """
    record = {item.name: item_json(item, values.get(item), offset) for item in shown}
    rows = [
        (item.name, item_text(item, values[item], offset) if item in values else "-")
        for item in shown
        if item in values or item in unknown
    ]
    print_rows([record], form, Table(("item", "value"), rows, ("value",)))


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
            form = TableForm.JSON if as_json else TableForm.PEOPLE
            print_rows([{**fragments, **result}], form, table)


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


EXACT = tuple(
    f"{name}_exact"
    for name in ("to_overdraft", "to_debt", "credit_before", "credit_after", "settlement")
)
"""Keys of a receipt to the last unit: those in 0.01 are cut, and need not add up."""


def exact_fragments(receipt: Receipt) -> dict[str, str]:
    """Return the amounts of a receipt to the last ledger unit as JSON values, by EXACT."""
    return {name: MONEY_EXACT.json(getattr(receipt, name.removesuffix("_exact"))) for name in EXACT}
