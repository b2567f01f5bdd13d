"""Lists that grow: the newest rows for people, all rows for programs, as JSON Lines or CSV.

A program that sums a list must never get a part of it unasked: with --json and --csv a list is
whole unless --limit is given. It is written as it is read, in constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, TypeVar

from meterctl.cli.forms import TableForm
from meterctl.cli.output import (
    BATCH,
    emit,
    emit_csv,
    print_table,
    say,
    stdout_encoding,
    table_of,
)
from meterctl.errors import UsageError
from protocols.command_line import Option
from protocols.command_line.tables import Screen, streamed
from protocols.data_model.json_lines import line
from protocols.errors import QuantityError
from protocols.quantities import parse_duration, parse_moment
from protocols.replacements import escaped_json

if TYPE_CHECKING:
    from meterctl.journal.lists import Filter, Row, RowList

NEWEST = 50
"""Rows of a table without --limit and --all."""
LONGEST_TABLE = 1000
"""Rows of a table that is drawn whole; a longer one is written in lines as it is read."""
LONGEST_LIST = 1_000_000_000
"""Largest --limit: no journal has more rows, and SQLite counts in 8 bytes."""

LimitOption = Annotated[
    int | None,
    Option("--limit", metavar="N", help=f"Show the newest N rows, instead of {NEWEST} in a table."),
]
AllOption = Annotated[
    bool,
    Option("--all", help="Show every row, as --json and --csv do without --limit."),
]
SinceOption = Annotated[
    str | None,
    Option(
        "--since",
        metavar="MOMENT|TIME",
        help="Only rows since a moment (2026-01-31T08:00, in UTC), or in the last 2d.",
    ),
]


AnyFilter = TypeVar("AnyFilter", bound="Filter")
AnyRow = TypeVar("AnyRow", bound="Row")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a list is asked for, and in which form."""

    limit: int | None
    all: bool
    form: TableForm

    def __post_init__(self) -> None:
        if self.limit is not None and self.all:
            raise UsageError("give --limit or --all, not both")
        if self.limit is not None and not 1 <= self.limit <= LONGEST_LIST:
            raise UsageError(f"--limit {self.limit}: allowed is 1 to {LONGEST_LIST}")

    @property
    def newest(self) -> int | None:
        """The number of the newest rows that are asked for; None for all."""
        if self.limit is not None or self.all:
            return self.limit
        return NEWEST if self.form is TableForm.PEOPLE else None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a list: of its table, and of its CSV."""

    shown: Sequence[str]
    right: Sequence[str]
    csv: Sequence[str]
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: how many rows it has, its newest ones oldest first, and all of them oldest first."""

    count: Callable[[], int]
    newest: Callable[[int], Iterable[Mapping[str, str]]]
    all: Callable[[], Iterator[Mapping[str, str]]]

    @classmethod
    def of(
        cls,
        rows: RowList[AnyFilter, AnyRow],
        wanted: AnyFilter,
        fragments: Callable[[AnyRow], Mapping[str, str]],
    ) -> Listing:
        """Return a list of a journal's rows; `fragments` makes JSON values of a row."""
        return cls(
            lambda: rows.count(wanted),
            lambda limit: map(fragments, rows.newest(wanted, limit)),
            lambda: map(fragments, rows.listed(wanted)),
        )


def listing_of(records: Sequence[Mapping[str, str]], *, newest_first: bool = False) -> Listing:
    """Return the list of records that are at hand."""

    def newest(limit: int) -> Sequence[Mapping[str, str]]:
        return records[:limit] if newest_first else records[-limit:]

    return Listing(lambda: len(records), newest, lambda: iter(records))


def since_s(text: str | None, now_s: int) -> int | None:
    """Return the instant of --since, s since 1970 UTC; None without it.

    Raises:
        UsageError: it is neither a moment nor a duration.
    """
    if text is None:
        return None
    try:
        return max(now_s - parse_duration(text) // 1000, 0)
    except QuantityError:
        pass
    try:
        return -(-parse_moment(text) // 1000)
    except QuantityError as error:
        raise UsageError(f"--since {error}, or a duration such as 2d or 12h") from error


def print_list(extent: Extent, listing: Listing, columns: Columns, empty: str = "") -> None:
    """Print a list; raises OutputError.

    Args:
        empty: the message on stderr in place of a table without rows.
    """
    newest = extent.newest
    rows = listing.all() if newest is None else iter(listing.newest(newest))
    match extent.form:
        case TableForm.JSON:
            _write(escaped_json(line(record), stdout_encoding()) for record in rows)
        case TableForm.CSV | TableForm.CSV_EXCEL:
            emit_csv(rows, columns.csv, extent.form)
        case TableForm.PEOPLE:
            _print_people(rows, columns, empty)
    if newest is not None and (left := listing.count() - newest) > 0:
        say(f"{left} older {'row is' if left == 1 else 'rows are'} not shown: --all shows all")


def _print_people(rows: Iterator[Mapping[str, str]], columns: Columns, empty: str) -> None:
    first = list(islice(rows, LONGEST_TABLE))
    if not first and empty:
        say(empty)
        return
    table = table_of(first, columns.shown, columns.right, absent=columns.absent)
    more = next(rows, None)
    if more is None:
        print_table(table)
        return
    after = (_cells(record, columns) for record in chain((more,), rows))
    _write(streamed(table, after, Screen.of_stdout()))


def _cells(record: Mapping[str, str], columns: Columns) -> Sequence[str]:
    return table_of([record], columns.shown, absent=columns.absent).rows[0]


def _write(lines: Iterable[str]) -> None:
    """Write lines in batches; raises OutputError."""
    source = iter(lines)
    while batch := list(islice(source, BATCH)):
        emit("\n".join(batch))
