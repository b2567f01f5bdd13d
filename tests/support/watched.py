"""A meter behind a reader of tests, in virtual time: silent, replaced, or with new events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from meterctl.drivers import Page
from meterctl.errors import MeterctlError, NoAnswerError
from meterctl.operations.meter_watch import MeterWatch, Plan, Wanted
from meterctl.operations.observations import Observation
from meterctl.operations.watching import HostTime, Pace, watch
from protocols.data_model import items
from protocols.data_model.events import EVENTS as EVENT_KINDS
from protocols.data_model.items import Item
from protocols.data_model.tables import EVENTS, UTC_OFFSETS, Event, OffsetChange, Table
from protocols.data_model.tariff import TariffChange, TariffSet

BEGAN_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
TRIES_MS = 3_000
"""What a silent meter costs."""
PAGE = 6
OTHER = "000000000002"


class VirtualTime:
    """The host's clocks, which move by pauses and by what reads cost."""

    def __init__(self) -> None:
        self.ms = 0
        self.pauses: list[int] = []

    def pause(self, milliseconds: int) -> None:
        """Wait."""
        self.pauses.append(milliseconds)
        self.ms += milliseconds

    @property
    def host(self) -> HostTime:
        """The clocks as an operation takes them."""
        return HostTime(lambda: BEGAN_MS + self.ms, lambda: self.ms, self.pause)


class FakeMeter:
    """A meter as its drivers show it; `groups` are the items that come in one answer."""

    name = "fake"

    def __init__(self, time: VirtualTime, values: Mapping[Item, Any]) -> None:
        self.time = time
        self.values: dict[Item, Any] = {items.SERIAL_NUMBER: "000000000001", items.EPOCH: 1}
        self.values.update(values)
        self.groups: Sequence[frozenset[Item]] = ()
        self.events: list[Event] = []
        self.has_events_table = True
        self.failure: MeterctlError | None = None
        self.takes_ms = 0
        self.reads: list[frozenset[Item]] = []
        self.opened = 0
        self.before_read: dict[int, Any] = {}
        """Number of a read -> what happens just before it."""

    def open(self) -> FakeMeter:
        """Open a reader."""
        self.opened += 1
        return self

    def happens(self, name: str, a: int = 0) -> None:
        """Add an event."""
        number = len(self.events) + 1
        at = BEGAN_MS + self.time.ms
        self.events.append(Event(number, at, self.time.ms, EVENT_KINDS[name].code, a, 0))
        self.values[items.EVENT_NUMBER] = number

    def silent(self) -> None:
        """Answer no more."""
        self.failure = NoAnswerError("fake unit 1: no answer within 1000 ms")

    def read(self, wanted: Iterable[Item]) -> Mapping[Item, Any]:
        """Return values, or fail."""
        asked = frozenset(wanted)
        self.reads.append(asked)
        if (event := self.before_read.get(len(self.reads))) is not None:
            event()
        self._fail_if_silent()
        self.time.ms += self.takes_ms
        return {item: self.values[item] for item in asked}

    def read_at_once(self, wanted: Iterable[Item]) -> Mapping[Item, Any]:
        """Return values, or fail."""
        return self.read(wanted)

    def _fail_if_silent(self) -> None:
        if self.failure is not None:
            self.time.ms += TRIES_MS
            raise self.failure

    def holds(self, item: Item) -> bool:
        """Return whether it has an item."""
        return item in self.values

    def answers(self, wanted: Iterable[Item]) -> int:
        """Return how many groups some items are of."""
        return len({next((g for g in self.groups if i in g), frozenset({i})) for i in wanted})

    def has_rows(self, table: Table) -> bool:
        """Return whether it has a table."""
        return self.has_events_table or table is not EVENTS

    def has_tariff(self) -> bool:
        """Return whether the parts of a tariff can be read."""
        return False

    def tariff(self, which: TariffSet) -> TariffChange:
        """Return a tariff set, which this meter does not show."""
        raise AssertionError(f"{which}: nothing reads a tariff that is not there")

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return a page."""
        self._fail_if_silent()
        if table is UTC_OFFSETS:
            return [OffsetChange(1, 1, self.values.get(items.UTC_OFFSET, 0))], False
        assert self.has_rows(table)
        if first == 0:
            return self.events[-PAGE:], True
        rows = [event for event in self.events if event.number >= first][:PAGE]
        return rows, len(rows) == PAGE

    def page(self, table: Table, first: int = 0) -> Page:
        """Return a page with the number of its first row."""
        rows, is_full = self.rows(table, first)
        return Page(rows[0].number if rows else first, rows, is_full)


class TwoMeters(FakeMeter):
    """Two meters at one unit number; by the number of the answer it is one or the other."""

    def __init__(self, time: VirtualTime, item: Item, choice: Callable[[int], int]) -> None:
        super().__init__(time, {item: 1000})
        self.groups = [frozenset({items.SERIAL_NUMBER, items.EPOCH})]
        self.item, self.choice, self.answered = item, choice, 0

    def _fail_if_silent(self) -> None:
        self.answered += 1
        other = self.choice(self.answered)
        self.values[items.SERIAL_NUMBER] = OTHER if other else "000000000001"
        self.values[self.item] = 2000 if other else 1000


def observed(
    meter: FakeMeter, wanted: Wanted, time: VirtualTime, rounds: int, every_ms: int = 1000
) -> Iterator[Observation]:
    """Watch a meter for some rounds."""
    watched = MeterWatch(1, meter.open, Plan.of(meter, wanted))
    return watch([watched], Pace(every_ms, rounds), time.host)
