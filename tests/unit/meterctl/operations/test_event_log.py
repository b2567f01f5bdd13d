"""The event log: no event is lost, and what it proves of a time."""

from __future__ import annotations

import pytest

from meterctl.operations.event_log import EventLog, read_event_log
from protocols.data_model.events import EVENTS
from protocols.data_model.tables import Event
from protocols.quantities import DAY, HOUR
from protocols.sealed_message import MessageKind
from tests.support.days import FAR, Days
from tests.support.meters import events
from tests.support.wire import connect


def switched(times: int) -> Days:
    """Return a meter whose power failed some times, an hour apart."""
    days = Days("2026-01-01T00:00:00Z", transitions=())
    for _ in range(times):
        days.cut(0.5)
        days.run(0.5)
    return days


def read(days: Days) -> EventLog:
    return read_event_log(connect(days.meter)[0].driver)


@pytest.mark.parametrize("times", [0, 1, 3, 4, 20, 127])
def test_all_events_are_read_in_their_order(times: int) -> None:
    days = switched(times)
    log = read(days)
    assert list(log.events) == events(days.meter)
    assert (log.is_read, log.from_start, log.reaches(None)) == (True, True, True)


def test_a_full_log_does_not_reach_back_to_the_start() -> None:
    days = switched(140)
    log = read(days)
    assert list(log.events) == events(days.meter)[-256:]
    assert not log.reaches(None)
    assert log.reaches(log.events[0].at)
    assert not log.reaches(log.events[0].at - 1)
    assert log.started_at(days.clock, days.meter.state.elapsed_ms) is None


def test_a_cleared_log_begins_where_it_was_cleared() -> None:
    days = switched(5)
    days.host.send(MessageKind.CLEAR_EVENTS, expires_at=FAR)
    cleared = days.clock
    days.run(5)
    log = read(days)
    assert [event.name for event in log.events] == ["events_cleared"]
    assert log.reaches(cleared)
    assert not log.reaches(cleared - 1)


def test_the_start_is_known_though_the_clock_was_set() -> None:
    days = Days("2026-01-01T06:00:00Z", transitions=())
    start = days.clock
    days.run(30)
    days.set_clock(7 * DAY)
    days.run(30)
    days.set_clock(-2 * DAY)
    assert read(days).started_at(days.clock, days.meter.state.elapsed_ms) == start


def test_the_earliest_time_of_a_day_in_which_the_clock_was_set_back() -> None:
    kind = EVENTS["clock_set"].code
    log = EventLog([Event(1, 3 * DAY, 0, kind, 5 * DAY + HOUR, 3 * DAY)], True, True)
    assert log.earliest(5 * DAY, 6 * DAY) == 3 * DAY
    assert log.earliest(4 * DAY, 5 * DAY) == 4 * DAY
    assert log.earliest(6 * DAY, 7 * DAY) == 6 * DAY
    forward = EventLog([Event(1, 3 * DAY, 0, kind, 5 * DAY + HOUR, 9 * DAY)], True, True)
    assert forward.earliest(5 * DAY, 10 * DAY) == 5 * DAY
