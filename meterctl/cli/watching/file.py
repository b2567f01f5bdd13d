"""The CSV file of a watch: a row for each reading, also for one that failed; it may be continued.

A file that takes no more rows, such as on a full disk, ends no watch: it ends with its last whole
row, which is told at once, and the watch ends with exit code 2.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from meterctl.cli.csv_lines import BYTE_ORDER_MARK, csv_lines
from meterctl.cli.forms import TableForm
from meterctl.cli.watching.values import (
    answer_word,
    columns_of,
    head,
    value_fragments,
)
from meterctl.errors import UsageError
from meterctl.operations.observations import Failure, Observation, Reading
from meterctl.written_files import GrowingFile
from protocols.data_model import items
from protocols.data_model.items import Item

_FIRST = ("at", "unit", "answer", items.SERIAL_NUMBER.name)
_LONGEST_HEADING = 1 << 16
_OPTIONS = {TableForm.CSV: "--csv", TableForm.CSV_EXCEL: "--csv-excel"}
_MARK = BYTE_ORDER_MARK.encode()


class CsvFile:
    """A file of rows.

    Attributes:
        failure: why it takes no more rows, None while it does.
    """

    def __init__(
        self, path: Path, form: TableForm, shown: Sequence[Item], notice: Callable[[str], None]
    ) -> None:
        """Open the file; a new one gets the heading.

        Args:
            notice: is told that the file takes no more rows.

        Raises:
            UsageError: it cannot be written, it has other columns, or is of the other form.
        """
        self._form, self._shown, self._notice = form, shown, notice
        rest = [item.name for item in columns_of(shown) if item.name not in _FIRST]
        self._names = (*_FIRST, *rest)
        self.failure: UsageError | None = None
        self._file = GrowingFile(path, append=True)
        try:
            self._begin(path)
        except BaseException:
            self._file.close()
            raise

    def _begin(self, path: Path) -> None:
        heading, _ = self._lines(dict.fromkeys(self._names, "null"))
        if not self._file.size:
            mark = _MARK if self._form is TableForm.CSV_EXCEL else b""
            self._file.write(mark + heading.encode())
            return
        first, ends_whole = _first_line_of(path)
        if first.removeprefix(_MARK).strip() != heading.encode().strip():
            raise _refusal(path, "its first line is not the heading of this watch")
        for_spreadsheet = first.startswith(_MARK) or first.endswith(b"\r\n")
        form = TableForm.CSV_EXCEL if for_spreadsheet else TableForm.CSV
        if form is not self._form:
            raise _refusal(path, f"it has the form of {_OPTIONS[form]}, not {_OPTIONS[self._form]}")
        if not ends_whole:  # a power failure cut its last row
            self._file.write(self._line_end)

    @property
    def _line_end(self) -> bytes:
        return b"\r\n" if self._form is TableForm.CSV_EXCEL else b"\n"

    def take(self, seen: Observation) -> None:
        """Write the row of a reading."""
        if self.failure is not None:
            return
        match seen:
            case Reading():
                values = value_fragments(seen, self._shown)
                self._write(seen.unit, seen.at_ms, "done", {**values, **_serial(seen)})
            case Failure():
                self._write(seen.unit, seen.at_ms, answer_word(seen), {})
            case _:
                return

    def _write(self, unit: int, at_ms: int, answer: str, values: dict[str, str]) -> None:
        known = {**head(unit, at_ms, "reading"), "answer": f'"{answer}"', **values}
        _, row = self._lines({name: known.get(name, "null") for name in self._names})
        try:
            self._file.write(row.encode())
        except UsageError as error:
            self.failure = error
            self._notice(f"{error}; the watch goes on without it")

    def _lines(self, record: dict[str, str]) -> list[str]:
        return [*csv_lines([record], self._names, self._form)]

    def close(self) -> None:
        """Close the file.

        Raises:
            UsageError: not all rows are in it.
        """
        self._file.close()
        if self.failure is not None:
            raise self.failure


def _serial(reading: Reading) -> dict[str, str]:
    return {items.SERIAL_NUMBER.name: json.dumps(reading.meter.serial_number)}


def _refusal(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"file {path}: {reason}; give a new file. It is as it was, and nothing was sent"
    )


def _first_line_of(path: Path) -> tuple[bytes, bool]:
    """Return the first line of a file, and whether its last is whole."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_HEADING)
            file.seek(-1, os.SEEK_END)
            return first, file.read(1) == b"\n"
    except OSError as error:
        raise UsageError(f"file {path}: {error.strerror or error}; nothing was sent") from error
