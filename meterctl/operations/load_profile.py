"""The load profile: its records as intervals of time, with the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from meterctl.drivers import Reader
from meterctl.errors import CorruptAnswerError
from meterctl.operations.paging import OLDEST, OnRead, Pages, numbered
from meterctl.operations.time_span import Span
from protocols.data_model.events import EVENTS as EVENT_KINDS
from protocols.data_model.tables import EVENTS, PROFILE, ProfileRecord
from protocols.quantities import MINUTE, MWH_IN_MW_MS, SECOND

PERIOD = 15 * MINUTE
"""Of the profile, on the grid of UTC (METER.md 1)."""
_CLOCK_SET = EVENT_KINDS["clock_set"].code


class GapReason(StrEnum):
    """Why the profile has no record of a time."""

    POWER_DOWN = "power_down"
    """The meter had no power."""
    CLOCK_SET = "clock_set"
    """The clock was set forward over it."""
    NOT_KEPT = "not_kept"
    """The meter keeps newer records only."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Interval:
    """The energy of a time by the meter's clock, ms since 1970 UTC.

    `begin` is None after the clock was set, where nothing tells to which time. `time_repeated`: the
    clock was set back, and an earlier record is of this time too.
    """

    number: int
    begin: int | None
    record: ProfileRecord
    time_repeated: bool = False
    ended: int | None = None
    """The end to the ms; the record of a set clock ends with whole seconds."""

    @property
    def end(self) -> int:
        """The end of the interval."""
        return self.record.end

    @property
    def is_saturated(self) -> bool:
        """Whether the energy is the largest that a record holds: it was that much or more."""
        return ProfileRecord.SATURATED in (self.record.import_mwh, self.record.export_mwh)

    @property
    def mean_mw(self) -> int | None:
        """The mean import power less the mean export power.

        None for no or an unknown duration, and for an energy that is saturated.
        """
        if self.is_saturated:
            return None
        duration = (self.ended or self.end) - (self.end if self.begin is None else self.begin)
        if duration <= 0:
            return None
        mwh = self.record.import_mwh - self.record.export_mwh
        power: int = abs(mwh) * MWH_IN_MW_MS // duration
        return power if mwh >= 0 else -power


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without records."""

    begin: int
    end: int
    reason: GapReason


class ClockSet(NamedTuple):
    """A clock that was set: its time before and after, ms since 1970 UTC."""

    at: int
    to: int


class NumberedRecord(NamedTuple):
    """A record with its running number."""

    number: int
    record: ProfileRecord


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Records in the order in which they were made, with their neighbours outside the span.

    `kept_from` is the begin of the oldest record where the meter had older ones, ms since 1970 UTC;
    `clock_sets` are the times at and to which the clock was set, by the whole second of the first.
    """

    records: Sequence[NumberedRecord]
    kept_from: int | None = None
    clock_sets: Mapping[int, ClockSet] = field(default_factory=dict)

    def parts(self, span: Span) -> Iterator[Interval | Gap]:
        """Yield intervals that end within a span (after its begin, up to its end) and the gaps.

        Gaps are cut at the bounds of the span.
        """
        intervals = list(self._intervals())
        if self.kept_from is not None and span.begin is not None and span.begin < self.kept_from:
            yield from _cut(Gap(span.begin, self.kept_from, GapReason.NOT_KEPT), span)
        for place, one in enumerate(intervals):
            if place:
                gap = self._gap(intervals[place - 1], one)
                if gap is not None:
                    yield from _cut(gap, span)
            if is_inside(one.end, span):
                yield one

    def _intervals(self) -> Iterator[Interval]:
        latest = None
        before: NumberedRecord | None = None
        for row in self.records:
            end = row.record.end
            follows = before if before is not None and before.number == row.number - 1 else None
            begin = self._begin(row.record, follows.record if follows else None)
            began = end - 1 if begin is None else begin
            repeated = latest is not None and began < latest
            set_clock = self.clock_sets.get(end // SECOND) if row.record.clock_set else None
            yield Interval(
                row.number, begin, row.record, repeated, set_clock.at if set_clock else None
            )
            latest = end if latest is None else max(latest, end)
            before = row

    def _begin(self, record: ProfileRecord, before: ProfileRecord | None) -> int | None:
        """Return the begin of a record that follows another, or none that is known."""
        on_grid = _period_begin(record.end)
        if before is None or not before.clock_set:
            if before is not None and record.clock_set and before.end == record.end:
                return record.end  # it was set at the very end of a period
            return on_grid
        set_clock = self.clock_sets.get(before.end // SECOND)
        if set_clock is None or set_clock.to > record.end:
            return None
        return max(on_grid, set_clock.to)

    def _gap(self, before: Interval, after: Interval) -> Gap | None:
        """Return the gap between two intervals that are neighbours in the order of numbers."""
        begin = after.begin
        if begin is None:
            begin = _period_begin(after.end)
        if begin <= before.end:
            return None
        if after.number != before.number + 1:
            reason = GapReason.NOT_KEPT
        elif before.record.clock_set:
            reason = GapReason.CLOCK_SET
        elif before.record.power_down:
            reason = GapReason.POWER_DOWN
        else:
            reason = GapReason.UNKNOWN
        return Gap(before.end, begin, reason)


def is_inside(end: int, span: Span) -> bool:
    """Return whether an interval with this end belongs to a span."""
    return (span.begin is None or end > span.begin) and (span.end is None or end <= span.end)


def _cut(gap: Gap, span: Span) -> Iterator[Gap]:
    begin = gap.begin if span.begin is None else max(gap.begin, span.begin)
    end = gap.end if span.end is None else min(gap.end, span.end)
    if begin < end:
        yield Gap(begin, end, gap.reason)


def read_profile(reader: Reader, span: Span, on_read: OnRead | None = None) -> LoadProfile:
    """Read the records of a span, and of an open one all that the meter keeps.

    Where a record marks a set clock, the event log is read too: it says to which time it was set.

    Raises:
        CorruptAnswerError: records that no meter makes.
    """
    if span == Span():
        rows = [NumberedRecord(*row) for row in numbered(reader, PROFILE, OLDEST, on_read)]
        oldest = rows[0] if rows else None
    else:
        search = _Search(reader, span, on_read)
        rows, oldest = search.found(), search.oldest
    check_records(rows)
    kept_from = None
    if oldest is not None and oldest.number > OLDEST:
        kept_from = _period_begin(oldest.record.end)
    is_set = any(row.record.clock_set for row in rows) and reader.has_rows(EVENTS)
    return LoadProfile(rows, kept_from, _set_clocks(reader) if is_set else {})


def check_records(rows: Sequence[NumberedRecord]) -> None:
    """Check that a meter can have made some records.

    Each ends with a period, or where the clock was set. It ends later than the one before, unless
    the clock was set there; at the same time only where it is the one that was cut by a set clock.

    Raises:
        CorruptAnswerError: it cannot.
    """
    before: NumberedRecord | None = None
    for row in rows:
        number, record = row
        if record.end % PERIOD and not record.clock_set:
            raise CorruptAnswerError(f"profile record {number} ends at no period's end")
        if before is not None and number == before.number + 1 and not before.record.clock_set:
            earlier = before.record.end
            if record.end < earlier or (record.end == earlier and not record.clock_set):
                raise CorruptAnswerError(
                    f"profile record {number} does not end after record {before.number}, and no "
                    f"clock was set there"
                )
        before = row


def _period_begin(end: int) -> int:
    """Return the begin of the period in which a record ends."""
    return (end - 1) // PERIOD * PERIOD


def _set_clocks(reader: Reader) -> Mapping[int, ClockSet]:
    """Return the settings of the clock in the event log, by the whole second of the time before."""
    events = (row for _, row in numbered(reader, EVENTS))
    return {
        event.a // SECOND: ClockSet(event.a, event.b)
        for event in events
        if event.code == _CLOCK_SET
    }


class _Search:
    """Finds the records of a span without reading all others.

    Between two records whose times differ as their numbers do, each number has its time. Where they
    do not, as after a power cut or a set clock, a page between them is read, and so on.
    """

    def __init__(self, reader: Reader, span: Span, on_read: OnRead | None) -> None:
        self._pages = Pages(reader, PROFILE)
        self._span, self._on_read = span, on_read
        self._records: dict[int, ProfileRecord] = {}
        self.oldest: NumberedRecord | None = None

    def found(self) -> list[NumberedRecord]:
        """Return the records of the span and the neighbours of each, by their numbers."""
        newest = self._pages.newest
        if not newest:
            return []
        first = self._read(OLDEST)
        if first is None:
            return []
        self.oldest = NumberedRecord(first[0], self._records[first[0]])
        last = self._read(newest)
        waiting = [(first[0], newest)] if last is not None else []
        while waiting:
            waiting += self._search(*waiting.pop())
        held = self._records
        inside = {n for n, one in held.items() if is_inside(one.end, self._span)}
        wanted = sorted(
            n for n in held if n in inside or n - 1 in inside or n + 1 in inside or self._spans(n)
        )
        return [NumberedRecord(number, held[number]) for number in wanted]

    def _spans(self, number: int) -> bool:
        """Return whether the gap before or after a record may cover the whole span."""
        return any(
            one in self._records
            and two in self._records
            and self._span.begin is not None
            and self._span.end is not None
            and self._records[one].end <= self._span.begin
            and self._records[two].end > self._span.end
            for one, two in ((number - 1, number), (number, number + 1))
        )

    def _read(self, number: int) -> tuple[int, int] | None:
        """Read a page; return its first and last number, None for a page without rows."""
        page = self._pages.at(number)
        for at, record in enumerate(page.rows, page.first):
            if at <= self._pages.newest:
                self._records[at] = record
        if self._on_read is not None:
            total = self._pages.newest + 1 - self._pages.oldest
            self._on_read(min(len(self._records), total), total)
        last = min(page.first + len(page.rows) - 1, self._pages.newest)
        return (page.first, last) if page.rows and page.first <= last else None

    def _search(self, first: int, last: int) -> list[tuple[int, int]]:
        """Read further between two records that are known; return the parts that are open yet."""
        held = self._records
        while first < last and first + 1 in held:
            first += 1
        while first < last and last - 1 in held:
            last -= 1
        if last - first < 2:
            return []
        begin, end = held[first].end, held[last].end
        if end - begin != (last - first) * PERIOD:
            return self._divided(first, last, (first + last) // 2)
        wanted = [n for n in self._numbers(first, last) if n not in held]
        if not wanted:
            return []
        return self._divided(first, last, wanted[0])

    def _numbers(self, first: int, last: int) -> range:
        """Return the numbers between two records that the span and its neighbours have."""
        begin = self._records[first].end
        low, high = first + 1, last - 1
        if self._span.begin is not None:
            low = max(low, first + (self._span.begin - begin) // PERIOD)
        if self._span.end is not None:
            high = min(high, first - (begin - self._span.end) // PERIOD + 1)
        return range(low, high + 1)

    def _divided(self, first: int, last: int, number: int) -> list[tuple[int, int]]:
        """Read the page at a number between two records; return the parts before and after it."""
        read = self._read(number)
        if read is None:
            return []
        low, high = read
        before = [(first, low)] if low == number else []
        return [*before, (high, last)] if high < last else before
