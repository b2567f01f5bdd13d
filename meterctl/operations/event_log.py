"""The event log, and what it proves of a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meterctl.drivers import Reader
from meterctl.operations.paging import OLDEST, numbered
from protocols.data_model.events import EVENTS as EVENT_KINDS
from protocols.data_model.tables import EVENTS, Event
from protocols.quantities import DAY

_CLOCK_SET = EVENT_KINDS["clock_set"].code
_SUPPLY_OPENS, _SUPPLY_CLOSES = "supply_disconnected", "supply_connected"
_POWER_FAILS, _POWER_RETURNS = "power_lost", "power_restored"


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events in the order in which they were made, the newest last, none missing between them.

    `is_read` is False where the meter shows no event log. `from_start`: the first event that the
    meter ever made is among them, or it made none.
    """

    events: Sequence[Event] = ()
    is_read: bool = False
    from_start: bool = False

    def reaches(self, begin: int | None) -> bool:
        """Return whether all events since an instant are known; None is the meter's start."""
        if self.from_start:
            return True
        return begin is not None and bool(self.events) and self.events[0].at <= begin

    def within(self, begin: int | None, end: int) -> Iterator[Event]:
        """Yield the events after a begin, None for the meter's start, and before an end."""
        for event in self.events:
            if (begin is None or event.at > begin) and event.at < end:
                yield event

    def earliest(self, begin: int, end: int) -> int:
        """Return the earliest time of what the meter did between a begin and an end.

        That is the begin, unless the clock was set back between them to a time before it.
        """
        found = min(begin, end)
        last = end if end > begin else begin + DAY
        for event in self.events:
            if event.code == _CLOCK_SET and found <= event.a < last:
                found = min(found, event.b)
        return found

    def started_at(self, clock: int, elapsed: int) -> int | None:
        """Return when the meter started, by its clock of then; None where the log has forgotten."""
        if not self.from_start or any(event.name == "clock_invalid" for event in self.events):
            return None
        moved = sum(event.b - event.a for event in self.events if event.code == _CLOCK_SET)
        return clock - elapsed - moved

    def without_supply(self) -> list[tuple[int | None, int | None]]:
        """Return the times in which the supply was interrupted, or the meter had no power.

        A time that began before the first event, or lasts yet, has None for that end.
        """
        return [
            *self._between(_SUPPLY_OPENS, _SUPPLY_CLOSES),
            *self._between(_POWER_FAILS, _POWER_RETURNS),
        ]

    def _between(self, begins: str, ends: str) -> Iterator[tuple[int | None, int | None]]:
        begin: int | None = None
        is_open, is_first = False, True
        for event in self.events:
            if event.name == begins and not is_open:
                begin, is_open = event.at, True
            elif event.name == ends and (is_open or is_first):
                yield begin, event.at
                begin, is_open = None, False
            is_first = is_first and event.name not in (begins, ends)
        if is_open:
            yield begin, None


def read_event_log(reader: Reader) -> EventLog:
    """Read the event log; a meter whose map has none is asked for nothing.

    It is read whole: after the clock was set back, the moment of an event does not tell how many
    older ones are to come.
    """
    if not reader.has_rows(EVENTS):
        return EventLog()
    rows = list(numbered(reader, EVENTS))
    return EventLog([row for _, row in rows], True, not rows or rows[0][0] == OLDEST)
