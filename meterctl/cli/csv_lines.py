"""Records of JSON values as lines of CSV, for programs and for spreadsheets. Pure text.

A spreadsheet changes what it opens: 000000000042 becomes 42, 000000e0 becomes 0, and a text that
begins with = is executed. Its form therefore writes such texts so that they stay what they are;
numbers are numbers in both forms, with their decimals.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from meterctl.cli.forms import TableForm
from protocols.replacements import printable_lines

BYTE_ORDER_MARK = "\ufeff"
_LIST_SEPARATOR = "; "
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""The beginning of a text that a spreadsheet may execute, full-width characters too."""
_NUMBER_LIKE = re.compile(r"\s*[0-9.,]*[0-9][0-9.,]*(e[0-9]+)?\s*", re.IGNORECASE)
"""A text that a spreadsheet takes for a number: it drops zeros, and 1e3 becomes 1000."""


def csv_lines(
    records: Iterable[Mapping[str, str]], names: Sequence[str], form: TableForm
) -> Iterator[str]:
    """Yield the lines of CSV with their ends, the heading first.

    Args:
        records: JSON values by name; null is an empty cell.
        names: the columns.
        form: one of the two forms of CSV.
    """
    buffer = io.StringIO()
    excel = form is TableForm.CSV_EXCEL
    writer = csv.writer(buffer, lineterminator="\r\n" if excel else "\n")
    rows = ([_cell(record[name], excel) for name in names] for record in records)
    for cells in chain((names,), rows):
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def csv_names(record: Mapping[str, str]) -> list[str]:
    """Return the columns of a record: its keys, without `meter` where it repeats serial_number."""
    return [name for name in record if name != "meter" or "serial_number" not in record]


def _cell(value: str, excel: bool) -> str:
    """Return a JSON value as CSV has it; numbers keep their decimals."""
    if value == "null":
        return ""
    if value[:1] not in ('"', "[", "{"):
        return value
    text = printable_lines(_text(json.loads(value)))
    return _protected(text) if excel else text


def _text(value: object) -> str:
    """Return a text, a list as its members, an object as its pairs."""
    if isinstance(value, Mapping):
        return _LIST_SEPARATOR.join(f"{name}={_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return _LIST_SEPARATOR.join(map(_text, value))
    return "" if value is None else str(value)


def _protected(text: str) -> str:
    """Return a text so that a spreadsheet shows it as it is, and executes nothing of it.

    Digits become a constant text: an apostrophe before them would be a part of every serial number.
    """
    if _FORMULA.match(text):
        return f"'{text}"
    if _NUMBER_LIKE.fullmatch(text):
        return f'="{text}"'
    return text
