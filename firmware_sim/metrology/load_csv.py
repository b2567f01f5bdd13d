"""Load rows from CSV text: a time stamp or an offset, powers, optionally a power factor.

    time,power_w              2026-01-01T00:00:00Z,123.4      time stamps
    time,power_w              2026-01-01T00:00,123.4          time stamps in local time
    offset,power_kw           15m,2.345                       offsets as durations
    offset_s,power_l1_w,power_l2_w,power_l3_w,power_factor    offsets in seconds

A row holds until the next one. Rows rise in time. Cells are separated as spreadsheets do it
(`protocols/csv_text.py`). The text is read in pieces and column by column; a piece that is not
plain is read row by row, so that an error names its line.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import lt

from firmware_sim.metrology.load import Load, LoadRows, OnEnd
from firmware_sim.metrology.load_columns import (
    Column,
    NotPlainError,
    TimeStamps,
    factor_column,
    phase_names,
    power_columns,
    time_column,
)
from firmware_sim.metrology.load_points import Points
from firmware_sim.metrology.load_zone import UTC, Zone, in_zone
from protocols.csv_text import Header, cells, find_header, is_empty, trimmed, with_decimal_point
from protocols.errors import QuantityError
from protocols.quantities import HOUR

_WRONG_LINES_NAMED = 5
"""Wrong lines that an error names; the others are counted."""
_COMMA_HINT = "; commas separate the cells here: write 1.5, or separate cells by semicolons"
_REPEATED_HINT = "; where local time repeats an hour, write offsets after all times"
_PIECE = 1 << 16
"""Characters that are read at once: columns of a piece are lists, those of a file are packed."""


def parse_load(
    text: str,
    phases: int,
    start_clock_ms: int,
    on_end: OnEnd = OnEnd.REPEAT,
    origin_ms: int = 0,
    zone: Zone = UTC,
) -> Load:
    """Return the load of a CSV file at one meter; the arguments are those of `place`.

    Raises:
        QuantityError: names the line and what is allowed.
    """
    return place(parse_rows(text), phases, start_clock_ms, on_end, origin_ms, zone)


def place(
    rows: LoadRows,
    phases: int,
    start_clock_ms: int,
    on_end: OnEnd,
    origin_ms: int = 0,
    zone: Zone = UTC,
) -> Load:
    """Return shared rows as the load of one meter.

    Args:
        phases: phases of the meter; a total is split equally, odd milliwatts on L1.
        start_clock_ms: the meter's clock (ms UTC) at the elapsed time `origin_ms`.
        origin_ms: the elapsed time at which offsets begin.
        zone: the meter's local time, in which time stamps without an offset are.

    Raises:
        QuantityError: rows with a column for each phase of another number of phases, or a time that
            the meter's local time skips.
    """
    if not rows.is_total and len(rows.columns) != phases:
        raise QuantityError(
            f"power columns of {len(rows.columns)} phases: allowed are power_w or "
            f"{', '.join(phase_names(phases, 'w'))}"
        )
    if rows.is_local:
        rows = in_zone(rows, zone)
    shift_ms = origin_ms - start_clock_ms if rows.is_dated else origin_ms
    return Load.of_rows(rows, shift_ms, phases, on_end)


def parse_rows(text: str | Iterable[str]) -> LoadRows:
    """Return the rows of a CSV file; raises QuantityError, which names the line.

    Args:
        text: the whole text, or its pieces of whole lines.
    """
    pieces = _pieces(text) if isinstance(text, str) else (each.splitlines() for each in text)
    number = 1
    for lines in pieces:
        header = find_header(lines, number)
        if header is None:
            number += len(lines)
            continue
        try:
            reader = _Reader(header)
        except QuantityError as error:
            raise QuantityError(f"line {header.line}: {error}") from error
        for rest in chain([lines[header.line - number + 1 :]], pieces):
            reader.take(rest)
        return reader.rows()
    raise QuantityError("the file is empty: the first line names the columns: time,power_w")


def _pieces(text: str) -> Iterator[list[str]]:
    """Yield the lines of a text, about `_PIECE` characters at once."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + _PIECE) + 1 or len(text)
        yield text[begin:end].splitlines()
        begin = end


class _Reader:
    """Reads the lines of a file into packed columns: time, powers, power factor."""

    def __init__(self, header: Header) -> None:
        names = [name.lower() for name in header.names]
        self._width, self._delimiter = len(names), header.delimiter
        self._decimal_sign = ""
        """The sign that numbers were seen with: a file has one."""
        self._points, self._doubtful_line = Points(), 0
        time = time_column(names[0])
        powers, self._is_total = power_columns(names[1:])
        columns = {0: time, **powers}
        self._has_factor = "power_factor" in names[1:]
        if self._has_factor:
            columns[names.index("power_factor", 1)] = factor_column()
        self._names = names
        self._columns = list(columns.items())
        self._times = time if isinstance(time, TimeStamps) else None
        self._found = [array("q") for _ in columns]
        self._line = header.line + 1
        self._last_ms = -(1 << 63)
        self._wrong: list[str] = []
        self._wrong_lines = 0

    def take(self, lines: list[str]) -> None:
        """Read the next lines; wrong ones are kept for `rows`."""
        try:
            values = self._by_column(lines)
        except NotPlainError:
            values = self._row_by_row(lines)
        if self._points.doubtful and not self._doubtful_line:
            numbers = enumerate(lines, self._line)
            self._doubtful_line = next(n for n, line in numbers if self._points.doubtful in line)
        for kept, read in zip(self._found, values, strict=bool(values)):
            kept.extend(read)
        self._line += len(lines)
        self._last_ms = self._found[0][-1] if self._found[0] else self._last_ms

    def rows(self) -> LoadRows:
        """Return the rows; raises QuantityError, a line for each wrong line, or without rows."""
        if self._wrong:
            unnamed = self._wrong_lines - len(self._wrong)
            more = [f"{unnamed} more lines are wrong"] if unnamed else []
            raise QuantityError("\n".join(self._wrong + more))
        if self._points.problem:
            raise QuantityError(f"line {self._doubtful_line}: {self._points.problem}")
        starts_ms, *powers = self._found
        if not starts_ms:
            raise QuantityError("the file has no rows")
        factors = powers.pop() if self._has_factor else None
        return LoadRows(
            starts_ms,
            powers,
            factors,
            is_total=self._is_total,
            is_dated=self._times is not None,
            is_local=self._times is not None and bool(self._times.is_local),
        )

    def _by_column(self, lines: list[str]) -> list[Sequence[int]]:
        """Return the values of plain lines; raises NotPlainError for others."""
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            raise NotPlainError from None
        if len(rows) != len(lines):
            raise NotPlainError
        width = self._width
        if any(len(row) != width for row in rows):
            rows = [trimmed(row, width) for row in rows if not is_empty(row)]
            if any(len(row) != width for row in rows):
                raise NotPlainError
        if not rows:
            return []
        texts = list(zip(*rows, strict=True))
        if self._delimiter != ",":
            texts = self._with_decimal_points(texts)
        values = [column.plain(texts[place]) for place, column in self._columns]
        if not all(map(lt, chain([self._last_ms], values[0]), values[0])):
            raise NotPlainError
        return values

    def _with_decimal_points(self, texts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return columns of numbers with decimal points; raises NotPlainError for both signs."""
        numbers = [place for place, column in self._columns if column.has_decimals]
        joined = {place: "\t".join(texts[place]) for place in numbers}
        signs = {sign for sign in ",." if any(sign in text for text in joined.values())}
        if len(signs | {self._decimal_sign} - {""}) > 1:
            raise NotPlainError
        if "," in signs:
            for place in numbers:
                texts[place] = tuple(joined[place].replace(",", ".").split("\t"))
        if "." in signs:
            for place in numbers:
                self._points.take(texts[place])
        self._decimal_sign = next(iter(signs), self._decimal_sign)
        return texts

    def _row_by_row(self, lines: list[str]) -> list[Sequence[int]]:
        """Return the values of the right lines, and keep what is wrong with the others."""
        found: list[list[int]] = [[] for _ in self._columns]
        last_ms = self._last_ms
        for number, line in enumerate(lines, self._line):
            try:
                row = trimmed(cells(line, self._delimiter, number), self._width)
                if is_empty(row):
                    continue
                values = self._row(number, row)
                if values[0] <= last_ms:
                    hint = _REPEATED_HINT if self._may_repeat(last_ms - values[0]) else ""
                    raise QuantityError(
                        f"line {number}: {row[0]} does not come after the row before it{hint}"
                    )
            except QuantityError as error:
                self._wrong_lines += 1
                if len(self._wrong) < _WRONG_LINES_NAMED:
                    self._wrong.append(str(error))
                continue
            last_ms = values[0]
            for kept, value in zip(found, values, strict=True):
                kept.append(value)
        return list(found)

    def _may_repeat(self, back_ms: int) -> bool:
        """Return whether a step back may be that of local time in autumn."""
        return self._times is not None and bool(self._times.is_local) and back_ms <= HOUR

    def _row(self, number: int, row: list[str]) -> list[int]:
        """Return the values of one row; raises QuantityError, which names line and column."""
        if len(row) != self._width:
            hint = _COMMA_HINT if len(row) > self._width and self._delimiter == "," else ""
            raise QuantityError(f"line {number}: {len(row)} values for {self._width} columns{hint}")
        values = []
        for place, column in self._columns:
            try:
                values.append(column.read(self._number(row[place], column)))
            except (QuantityError, ValueError) as error:
                hint = _COMMA_HINT if "," in row[place] and self._delimiter == "," else ""
                raise QuantityError(
                    f"line {number}: {error} ({self._names[place]}){hint}"
                ) from error
        return values

    def _number(self, text: str, column: Column) -> str:
        """Return a cell's number with a decimal point; raises QuantityError for another sign."""
        if self._delimiter == "," or not column.has_decimals:
            return text
        pointed = with_decimal_point(text, self._delimiter)
        sign = "," if pointed != text else "." if "." in text else ""
        if sign and self._decimal_sign not in ("", sign):
            raise QuantityError(
                f"{text!r} has the decimal sign {sign!r}, numbers before it {self._decimal_sign!r}"
            )
        self._decimal_sign = sign or self._decimal_sign
        self._points.take([text])
        return pointed
