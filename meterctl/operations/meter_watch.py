"""One meter that is watched: its readings, its new events, and whether it is still the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from meterctl.drivers import Reader
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NotFiniteValuesError,
    UsageError,
)
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.observations import (
    AnsweringMeter,
    EventsSeen,
    Observation,
    OtherMeter,
    Reading,
)
from meterctl.operations.paging import paged
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import Moment
from protocols.data_model.tables import EVENTS, OffsetAt
from protocols.quantities import MINUTE

KEPT_MS = MINUTE
"""Longest time for which items that change by events only are not read."""
ANSWERS = 2
"""Answers of a reading that are not too many for items that were not asked for by name."""
_PASSES = 4
"""Most readings in a row until the meter and its event number were the same before and after."""
CONTACT_CHECKS = 5
"""Further reads of the identity at the begin, and after a failure: all have to be equal."""
DOUBT_CHECKS = 8
"""Further reads of the identity after each reading, for a minute after it was another one."""
_IDENTITY = (items.SERIAL_NUMBER, items.EPOCH)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The items of a reading, in their order, as far as the meter's map has them.

    Those of them that are `kept` change by events only: they are read when the event number has
    moved, and once a minute. The `further` ones are read where no reading needs more answers for
    them, or than `ANSWERS`; also where the map lacks the item in whose place they are, if any.
    Those `instead` of another are read only where the map lacks that one. `past_events`: so many of
    the newest events are read at the begin. `identity_twice`: after each reading the identity is
    read once more.
    """

    items: tuple[Item, ...]
    kept: frozenset[Item] = frozenset()
    further: Mapping[Item, Item | None] = field(default_factory=dict)
    instead: Mapping[Item, Item] = field(default_factory=dict)
    past_events: int = 0
    identity_twice: bool = False

    def held(self, reader: Reader) -> list[Item]:
        """Return those that can be read and are wanted there; no byte is sent."""
        others = self.instead
        return [
            item
            for item in self.items
            if reader.holds(item) and not (item in others and reader.holds(others[item]))
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of a reading, in their order: the `last` items come in one answer with the
    identity. `shown` are those that were asked for.
    """

    shown: tuple[Item, ...]
    before: tuple[Item, ...]
    kept: tuple[Item, ...]
    last: tuple[Item, ...]
    has_events: bool
    past_events: int
    identity_twice: bool

    @classmethod
    def of(cls, reader: Reader, wanted: Wanted) -> Self:
        """Return the plan for what can be read; no byte is sent.

        Raises:
            UsageError: nothing can.
        """
        held = wanted.held(reader)
        if not held:
            raise UsageError("the map has none of the items of a watch; nothing was sent")
        kept = wanted.kept if items.EVENT_NUMBER in held else frozenset[Item]()
        each_time = _each_time(reader, wanted, held, kept)
        last = [item for item in (*_IDENTITY, items.EVENT_NUMBER) if item in each_time]
        answers = reader.answers(last) if last else 0
        for item in each_time:
            if last and item not in last and reader.answers([*last, item]) == answers:
                last.append(item)
        return cls(
            tuple(item for item in held if item in each_time or item in kept),
            tuple(item for item in each_time if item not in last),
            tuple(item for item in held if item in kept),
            tuple(last),
            items.EVENT_NUMBER in held and reader.has_rows(EVENTS),
            wanted.past_events,
            wanted.identity_twice,
        )


def _each_time(
    reader: Reader, wanted: Wanted, held: Sequence[Item], kept: frozenset[Item]
) -> list[Item]:
    """Return the items of every reading, also those that are not shown."""
    further = {
        item for item, other in wanted.further.items() if other is None or reader.holds(other)
    }
    found = [item for item in held if item not in kept | further]
    hidden = list(_IDENTITY)
    if any(isinstance(item.kind, Moment) for item in held):
        hidden.append(items.UTC_OFFSET)
    found += [item for item in hidden if reader.holds(item) and item not in found]
    room = max(ANSWERS, reader.answers(found))
    for item in held:
        if item in further - kept and reader.answers([*found, item]) <= room:
            found.append(item)
    return found


Mark = tuple[AnsweringMeter, int | None]
"""The meter that answers, and the number of its newest event: kept items hold for a mark."""


@dataclass(slots=True)
class _Known:
    """What was read of the meter that answers; it is forgotten when another one does."""

    identity: AnsweringMeter
    event: int | None = None
    """Number of the last event that was seen."""
    mark: Mark | None = None
    kept: _Pass | None = None
    kept_tick_ms: int = 0
    offsets: Offsets | None = None


@dataclass(slots=True)
class _Pass:
    """Values, and the items without a finite number."""

    values: dict[Item, Any] = field(default_factory=dict)
    unknown: frozenset[Item] = frozenset()

    def add(self, reader: Reader, wanted: Sequence[Item]) -> None:
        """Read items, if there are any."""
        if not wanted:
            return
        try:
            self.values.update(reader.read(wanted))
        except NotFiniteValuesError as error:
            self.values.update(error.values)
            self.unknown |= error.items

    @property
    def mark(self) -> Mark:
        """The meter that answered, and its newest event."""
        serial_number, epoch, event = map(self.values.get, (*_IDENTITY, items.EVENT_NUMBER))
        return AnsweringMeter(serial_number, epoch), event


class MeterWatch:
    """A meter at one unit number. `open_reader` opens a reader, which makes contact again."""

    def __init__(self, unit: int, open_reader: Callable[[], Reader], plan: Plan) -> None:
        self.unit, self._open_reader, self._plan = unit, open_reader, plan
        self._reader: Reader | None = None
        self._is_sure = False
        """Whether the meter that answers now was known by the reading before."""
        self._known: _Known | None = None
        self._doubted_tick_ms: int | None = None
        """When the identity was another one than before."""
        self._identity = [item for item in _IDENTITY if item in plan.last]
        self._answered_ms: int | None = None
        self._failed_ms: int | None = None

    def silent_since(self, began_ms: int) -> int:
        """Return since when there is no answer, for a try that began then and failed."""
        if self._failed_ms is None:
            self._failed_ms = began_ms
        return self._failed_ms if self._answered_ms is None else self._answered_ms

    def observe(self, now_ms: Callable[[], int], ticks: Callable[[], int]) -> Iterator[Observation]:
        """Yield what one reading gives: another meter first, the values, then new events.

        Raises:
            MeterctlError: there is no right answer.
        """
        try:
            if self._reader is None:
                self._reader = self._open_reader()
            yield from self._observed(self._reader, now_ms, ticks)
        except MeterctlError:
            self._reader, self._is_sure = None, False
            raise

    def _observed(
        self, reader: Reader, now_ms: Callable[[], int], ticks: Callable[[], int]
    ) -> Iterator[Observation]:
        known = self._known
        found, kept = self._read(reader, known, ticks())
        meter, newest = found.mark
        before = meter if known is None else known.identity
        if known is None or meter != before:
            known = _Known(meter)
        if kept is not None:
            known.mark, known.kept, known.kept_tick_ms = found.mark, kept, ticks()
        values = {**(known.kept or _Pass()).values, **found.values}
        unknown = found.unknown | (known.kept or _Pass()).unknown
        offset_at = _offset_at(reader, known, values)
        self._known, self._is_sure, self._answered_ms = known, True, now_ms()
        if meter != before:
            yield OtherMeter(self.unit, self._answered_ms, before, meter)
        shown = {item: values[item] for item in self._plan.shown if item in values}
        yield Reading(
            self.unit,
            self._answered_ms,
            ticks(),
            meter,
            shown,
            unknown & {*self._plan.shown},
            offset_at,
        )
        if newest is not None and self._plan.has_events:
            yield from self._events(reader, known, newest, self._answered_ms)

    def _read(
        self, reader: Reader, known: _Known | None, tick_ms: int
    ) -> tuple[_Pass, _Pass | None]:
        """Return values of one meter, and the kept ones where they were read.

        The identity is read last, and where that is wanted once more if the values needed further
        answers: two meters that answer in turn differ in that. Where it or the event number is not
        as before, all are read again: the first values may be those of the meter, or of the
        instant, before.
        """
        plan, kept = self._plan, _Pass()
        if known is None or not self._is_sure:
            first = _Pass()
            first.add(reader, plan.last)
            mark = first.mark
            self._check(reader, mark[0], CONTACT_CHECKS, tick_ms)
        else:
            mark = known.mark or (known.identity, None)
        is_old = known is None or tick_ms - known.kept_tick_ms >= KEPT_MS
        reads_kept = is_old or (known is not None and known.mark != mark)
        for _ in range(_PASSES):
            found, kept, expected = _Pass(), _Pass(), mark
            found.add(reader, plan.before)
            if reads_kept:
                kept.add(reader, plan.kept)
            found.add(reader, plan.last)
            mark = found.mark
            if mark[0] != expected[0]:
                self._doubted_tick_ms = tick_ms
            elif plan.before or (reads_kept and plan.kept):
                self._check(reader, mark[0], self._checks(tick_ms), tick_ms)
            if mark == expected:
                return found, kept if reads_kept else None
            reads_kept = True
        if mark[0] != expected[0]:
            raise self._two_meters(expected[0], mark[0])
        return found, kept

    def _checks(self, tick_ms: int) -> int:
        """Return how often the identity is read once more after a reading."""
        doubted = self._doubted_tick_ms
        if doubted is not None and tick_ms - doubted < KEPT_MS:
            return DOUBT_CHECKS
        return int(self._plan.identity_twice)

    def _check(self, reader: Reader, expected: AnsweringMeter, times: int, tick_ms: int) -> None:
        """Read the identity some times more.

        Raises:
            CorruptAnswerError: it is another one.
        """
        for _ in range(times if self._identity else 0):
            found = reader.read(self._identity)
            meter = AnsweringMeter(*map(found.get, _IDENTITY))
            if meter != expected:
                self._doubted_tick_ms = tick_ms
                raise self._two_meters(expected, meter)

    def _two_meters(self, one: AnsweringMeter, other: AnsweringMeter) -> CorruptAnswerError:
        return CorruptAnswerError(
            f"unit {self.unit}: {one} and {other} answer in turn: two meters may have this unit "
            f"number"
        )

    def _events(
        self, reader: Reader, known: _Known, newest: int, at_ms: int
    ) -> Iterator[EventsSeen]:
        """Yield the events since those that were seen; at the begin only if they are wanted."""
        is_past = known.event is None or known.event > newest
        if is_past and not self._plan.past_events:
            known.event = newest
            return
        if not is_past and known.event == newest:
            return
        first = newest - self._plan.past_events if is_past else known.event or 0
        rows = [*paged(reader, EVENTS, first + 1)]
        found = tuple(row for row in rows if row.number <= newest)
        lost = range(0)
        if not is_past and found:
            lost = range((known.event or 0) + 1, found[0].number)
        if is_past or found:
            known.event = newest if is_past else found[-1].number
        if found:
            offsets = read_offsets(reader, [each for row in found for each in row.moments()])
            yield EventsSeen(self.unit, at_ms, known.identity, found, offsets.at, lost, is_past)


def _offset_at(reader: Reader, known: _Known, values: Mapping[Item, Any]) -> OffsetAt:
    """Return the offset of each moment among some values, minutes."""
    present: int = values.get(items.UTC_OFFSET) or 0
    moments = [
        values[item]
        for item in values
        if isinstance(item.kind, Moment) and item is not items.CLOCK and values[item]
    ]
    if not moments:
        return lambda _: present
    clock = values.get(items.CLOCK) or max(moments)
    offsets = known.offsets
    is_held = offsets is not None and min(moments) >= offsets.changes[0][0]
    if offsets is None or not is_held or offsets.at(clock) != present:
        offsets = known.offsets = read_offsets(reader, [*moments, clock])
    return offsets.at
