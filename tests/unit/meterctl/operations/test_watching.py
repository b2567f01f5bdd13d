"""The pace of a watch, in virtual time, and its silences."""

from __future__ import annotations

import itertools

import pytest

from meterctl.errors import CorruptAnswerError, RefusedError
from meterctl.operations.meter_watch import MeterWatch, Plan, Wanted
from meterctl.operations.observations import Failure, Reading
from meterctl.operations.watching import SILENT_MS, Pace, watch
from protocols.data_model import items
from tests.support.watched import BEGAN_MS, TRIES_MS, FakeMeter, VirtualTime, observed

WANTED = Wanted((items.ACTIVE_POWER,))


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def meter(time: VirtualTime) -> FakeMeter:
    return FakeMeter(time, {items.ACTIVE_POWER: 1000})


def starts(seen: list[object]) -> list[int]:
    """Return the instants of the readings, ms from the begin."""
    return [one.at_ms - BEGAN_MS for one in seen if isinstance(one, Reading)]


def test_a_reading_begins_at_each_beat(meter: FakeMeter, time: VirtualTime) -> None:
    meter.takes_ms = 30
    seen: list[object] = [*observed(meter, WANTED, time, 4)]
    assert [at // 1000 for at in starts(seen)] == [0, 1, 2, 3]


def test_a_line_that_is_slower_than_the_beat_skips_beats(
    meter: FakeMeter, time: VirtualTime
) -> None:
    meter.takes_ms = 150  # two reads a reading, and five more at contact
    seen: list[object] = [*observed(meter, WANTED, time, 4, every_ms=200)]
    assert starts(seen) == [1200, 1700, 2100, 2500]


def test_it_ends_after_its_time(meter: FakeMeter, time: VirtualTime) -> None:
    watched = MeterWatch(1, meter.open, Plan.of(meter, WANTED))
    seen: list[object] = [*watch([watched], Pace(1000, None, 3500), time.host)]
    assert starts(seen) == [0, 1000, 2000, 3000]
    assert time.ms == 3500


def test_a_watch_that_is_shorter_than_its_beat_lasts_its_time(
    meter: FakeMeter, time: VirtualTime
) -> None:
    watched = MeterWatch(1, meter.open, Plan.of(meter, WANTED))
    assert len([*watch([watched], Pace(60_000, None, 2500), time.host)]) == 1
    assert time.ms == 2500


def test_a_silence_tells_since_when(meter: FakeMeter, time: VirtualTime) -> None:
    seen: list[object] = []
    for one in observed(meter, WANTED, time, 5):
        seen.append(one)
        if len(seen) == 2:
            meter.silent()
    failures = [one for one in seen if isinstance(one, Failure)]
    assert [one.since_ms - BEGAN_MS for one in failures] == [1000, 1000, 1000]
    assert failures[-1].at_ms > failures[0].at_ms


def test_a_meter_that_never_answered_is_silent_since_the_first_try(
    meter: FakeMeter, time: VirtualTime
) -> None:
    meter.silent()
    failures = [one for one in observed(meter, WANTED, time, 3) if isinstance(one, Failure)]
    assert [one.since_ms for one in failures] == [BEGAN_MS] * 3


def test_between_two_tries_of_a_silent_meter_the_line_is_free_for_a_beat(
    meter: FakeMeter, time: VirtualTime
) -> None:
    meter.silent()
    list(observed(meter, WANTED, time, 3))
    assert time.pauses == [1000, 1000]
    assert time.ms == 3 * TRIES_MS + 2 * 1000


@pytest.mark.parametrize("error", [CorruptAnswerError("a"), RefusedError("b")])
def test_no_answer_of_a_meter_ends_a_watch(
    meter: FakeMeter, time: VirtualTime, error: CorruptAnswerError | RefusedError
) -> None:
    seen: list[object] = []
    for one in observed(meter, WANTED, time, 3):
        seen.append(one)
        meter.failure = error if len(seen) == 1 else None
    assert [type(one) for one in seen] == [Reading, Failure, Reading]


def test_a_silent_meter_among_several_is_tried_seldom(meter: FakeMeter, time: VirtualTime) -> None:
    silent = FakeMeter(time, {items.ACTIVE_POWER: 1})
    silent.silent()
    meters = [
        MeterWatch(1, meter.open, Plan.of(meter, WANTED)),
        MeterWatch(2, silent.open, Plan.of(silent, WANTED)),
    ]
    seen = [*watch(meters, Pace(1000, None, 60_000), time.host)]
    tries = [one.at_ms for one in seen if isinstance(one, Failure)]
    assert all(later - sooner >= SILENT_MS for sooner, later in itertools.pairwise(tries))
    assert len([one for one in seen if isinstance(one, Reading)]) > 40
