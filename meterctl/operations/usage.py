"""Consumption and its cost by day and month, as far as the meter's records tell them.

The cost of a time is the difference of what was charged for energy at its two ends. It is never
estimated: where an end was not kept, there is no cost. Standing charges and instalments are no part
of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from meterctl.operations.local_time import Offsets
from meterctl.operations.snapshots import Consumption, Registers, Snapshot, between, start_of
from meterctl.operations.time_span import Span
from protocols.quantities import MINUTE, format_date

_READ_WITHIN = MINUTE
"""The clock and the elapsed time, which tell the start, may be of two instants."""


@dataclass(frozen=True, slots=True)
class Dated:
    """What was consumed on the local dates from `begin` up to, and without, `end` (days of 1970).

    `begin` is None where nothing tells it. A row of several days has no freeze between them.
    `earliest` is the instant to which the clock was set back meanwhile, if that is before the
    begin, and `earliest_date` its date: the row has what was consumed in the repeated time too.
    """

    part: Consumption
    begin: int | None
    end: int
    earliest: int | None = None
    earliest_date: int | None = None

    @property
    def days(self) -> int | None:
        """The number of dates; None where the clock was set back, or the begin is not known."""
        if self.begin is None or self.end < self.begin or self.earliest is not None:
            return None
        return self.end - self.begin

    @property
    def first(self) -> int | None:
        """The earliest instant that the row has something of; None where nothing tells it."""
        if self.part.begin is None:
            return None
        found = min(self.part.begin, self.part.end)
        return found if self.earliest is None else min(found, self.earliest)

    @property
    def last(self) -> int:
        """The latest instant that the row has something of."""
        return max(self.part.end, self.part.begin or 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of consumption in the order of time, and times that a bound of the span cuts."""

    rows: Sequence[Dated]
    cut: Sequence[Dated]


def by_day(registers: Registers, offsets: Offsets, span: Span) -> Usage:
    """Return a row for each day of a span; the last is the present one, which is not complete."""
    return _chosen(_dated(registers, registers.daily, offsets), span, registers.started_at)


def by_freeze(registers: Registers, offsets: Offsets, span: Span) -> Usage:
    """Return a row for each day, and for the times of billing freezes before the first day."""
    rows = _dated(registers, (*registers.older, *registers.daily), offsets)
    return _chosen(rows, span, registers.started_at)


def by_month(registers: Registers, offsets: Offsets, span: Span) -> Usage:
    """Return a row for each local month; one that is not known from end to end is not complete.

    Months before the oldest daily freeze are known from the billing freezes. A row that lies in
    two months is shown by itself: nothing tells what of it belongs to which.
    """
    found = by_freeze(registers, offsets, span)
    rows: list[Dated] = []
    month: list[Dated] = []
    for row in found.rows:
        if month and month_of(month[0]) != month_of(row):
            rows.append(_sum(month))
            month = []
        if month_of(row) is None:
            rows.append(replace(row, part=replace(row.part, is_complete=False)))
        else:
            month.append(row)
    if month:
        rows.append(_sum(month))
    return Usage(rows, found.cut)


def _dated(registers: Registers, freezes: Sequence[Snapshot], offsets: Offsets) -> list[Dated]:
    """Return what was consumed up to the first freeze of all, between freezes, and since then."""
    present = registers.present
    rows = [_between(registers, first, last, offsets) for first, last in pairwise(freezes)]
    if freezes and freezes[0].number == 1:
        rows.insert(0, _since_start(freezes[0], offsets.date(freezes[0].at)))
    if present is None:
        return rows
    end = offsets.date(present.at) + 1
    if not freezes:
        return [_since_start(present, end, is_complete=False)]
    row = _between(registers, freezes[-1], present, offsets)
    return [*rows, replace(row, part=replace(row.part, is_complete=False), end=end)]


def _between(registers: Registers, first: Snapshot, last: Snapshot, offsets: Offsets) -> Dated:
    """Return what was consumed between two snapshots; the event log tells of a clock set back."""
    row = Dated(between(first, last), offsets.date(first.at), offsets.date(last.at))
    earliest = registers.log.earliest(first.at, last.at)
    if earliest >= min(first.at, last.at):
        return row
    return replace(row, earliest=earliest, earliest_date=offsets.date(earliest))


def _since_start(snapshot: Snapshot, end: int, *, is_complete: bool = True) -> Dated:
    """Return what was consumed since the meter's start, when all its registers were 0."""
    part = between(start_of(snapshot), snapshot, is_complete=is_complete)
    return Dated(replace(part, begin=None), None, end)


def _chosen(rows: Sequence[Dated], span: Span, started_at: int | None) -> Usage:
    """Return the rows that lie in a span, and those that a bound cuts."""
    inside: list[Dated] = []
    cut: list[Dated] = []
    for row in rows:
        first = started_at if row.begin is None else row.first
        if (span.begin is not None and row.last <= span.begin) or (
            span.end is not None and first is not None and first >= span.end
        ):
            continue
        is_cut = (
            span.begin is not None and (first is None or first + _READ_WITHIN < span.begin)
        ) or (span.end is not None and row.last > span.end)
        (cut if is_cut else inside).append(row)
    return Usage(inside, cut)


def month_of(row: Dated) -> str | None:
    """Return the month of all dates of a row; None for several."""
    if row.begin is None or row.end < row.begin:
        return None
    begin = row.begin if row.earliest_date is None else row.earliest_date
    first, last = format_date(begin)[:7], format_date(max(row.end - 1, row.begin))[:7]
    return first if first == last else None


def _sum(rows: Sequence[Dated]) -> Dated:
    """Return the sum of rows of one month that follow each other."""
    first, last = rows[0], rows[-1]
    assert first.begin is not None
    whole = format_date(first.begin).endswith("-01") and format_date(last.end).endswith("-01")
    part = total([row.part for row in rows])
    assert part is not None
    return Dated(replace(part, is_complete=whole and part.is_complete), first.begin, last.end)


def total(parts: Sequence[Consumption]) -> Consumption | None:
    """Return the sum of parts, None of none; its cost is None where that of one is not known."""
    if not parts:
        return None
    costs = [part.cost for part in parts if part.cost is not None]
    return Consumption(
        parts[0].begin,
        parts[-1].end,
        sum(part.import_mwh for part in parts),
        sum(part.export_mwh for part in parts),
        tuple(map(sum, zip(*(part.rates_mwh for part in parts), strict=True))),
        sum(costs) if len(costs) == len(parts) else None,
        all(part.is_complete for part in parts),
    )
