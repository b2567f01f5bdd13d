"""What a watch reads of one meter, and what it says of another one in its place."""

from __future__ import annotations

from random import Random

import pytest

from meterctl.errors import CorruptAnswerError, UsageError
from meterctl.operations.meter_watch import CONTACT_CHECKS, KEPT_MS, Plan, Wanted
from meterctl.operations.observations import EventsSeen, Failure, Observation, OtherMeter, Reading
from protocols.data_model import items
from protocols.data_model.items import Item
from tests.support.watched import OTHER, FakeMeter, TwoMeters, VirtualTime, observed

POWER, PRICE, NUMBER = items.ACTIVE_POWER, items.CURRENT_PRICE, items.EVENT_NUMBER


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def meter(time: VirtualTime) -> FakeMeter:
    made = FakeMeter(time, {NUMBER: 0, POWER: 1000, PRICE: 5283, items.CLOCK: 1, items.DEBT: 0})
    made.groups = [frozenset({items.SERIAL_NUMBER, items.EPOCH, NUMBER, items.CLOCK})]
    return made


def readings(seen: list[Observation]) -> list[dict[Item, object]]:
    """Return the values of the readings."""
    return [one.values for one in seen if isinstance(one, Reading)]


def numbers(seen: list[Observation]) -> list[int]:
    """Return the numbers of the events, in the order in which they were seen."""
    return [event.number for one in seen if isinstance(one, EventsSeen) for event in one.events]


def test_a_reading_has_the_items_that_were_asked_for_and_no_others(
    meter: FakeMeter, time: VirtualTime
) -> None:
    (reading,) = readings([*observed(meter, Wanted((POWER, items.MORATORIUM)), time, 1)])
    assert reading == {POWER: 1000}


def test_a_map_that_has_nothing_of_it_is_refused(meter: FakeMeter) -> None:
    with pytest.raises(UsageError, match="nothing was sent"):
        Plan.of(meter, Wanted((items.MORATORIUM,)))
    assert meter.reads == []


def test_the_identity_is_read_after_the_values_with_what_shares_its_answer(
    meter: FakeMeter, time: VirtualTime
) -> None:
    list(observed(meter, Wanted((NUMBER, items.CLOCK, POWER)), time, 2))
    last = {items.SERIAL_NUMBER, items.EPOCH, NUMBER, items.CLOCK}
    identity = {items.SERIAL_NUMBER, items.EPOCH}
    at_contact = [last, *[identity] * CONTACT_CHECKS]
    assert meter.reads == [*at_contact, {POWER}, last, {POWER}, last]


def test_kept_items_are_read_when_an_event_has_come_and_once_a_minute(
    meter: FakeMeter, time: VirtualTime
) -> None:
    wanted = Wanted((NUMBER, POWER, PRICE), kept=frozenset({PRICE}))
    seen: list[Observation] = []
    for one in observed(meter, wanted, time, 2 + KEPT_MS // 1000):
        seen.append(one)
        if len(readings(seen)) == 3 and not meter.events:
            meter.happens("tariff_switched", 2)
            meter.values[PRICE] = 9999
    prices = [values[PRICE] for values in readings(seen)]
    assert prices == [5283] * 3 + [9999] * (len(prices) - 3)
    assert sum(PRICE in read for read in meter.reads) == 2
    list(observed(meter, wanted, time, 2, every_ms=KEPT_MS))
    assert sum(PRICE in read for read in meter.reads) == 4


def test_a_price_that_changes_within_a_reading_is_not_shown_beside_the_number_before(
    meter: FakeMeter, time: VirtualTime
) -> None:
    wanted = Wanted((NUMBER, POWER, PRICE), kept=frozenset({PRICE}))

    def switch() -> None:
        meter.happens("tariff_switched", 2)
        meter.values[PRICE] = 9999

    at = CONTACT_CHECKS + 4
    meter.before_read[at] = switch  # identity at contact, power, price, | identity
    (values,) = readings([*observed(meter, wanted, time, 1)])
    assert (values[NUMBER], values[PRICE]) == (1, 9999)


def test_without_an_event_number_every_item_is_read_each_time(time: VirtualTime) -> None:
    meter = FakeMeter(time, {POWER: 1, PRICE: 2})
    list(observed(meter, Wanted((POWER, PRICE), kept=frozenset({PRICE})), time, 3))
    assert sum(PRICE in read for read in meter.reads) == 3


@pytest.mark.parametrize(("count", "is_read"), [(1, True), (2, False)])
def test_further_items_are_read_where_they_need_no_third_answer(
    meter: FakeMeter, time: VirtualTime, count: int, is_read: bool
) -> None:
    wanted = (items.SERIAL_NUMBER, *(POWER,) * (count - 1), items.DEBT)
    (values,) = readings([*observed(meter, Wanted(wanted, further={items.DEBT: None}), time, 1)])
    assert (items.DEBT in values) == is_read


def test_an_item_in_the_place_of_another_is_read_where_the_map_lacks_that(
    meter: FakeMeter, time: VirtualTime
) -> None:
    for other, is_read in ((items.AVAILABLE_CREDIT, True), (POWER, False)):
        wanted = Wanted((PRICE, POWER, items.DEBT), further={items.DEBT: other})
        (values,) = readings([*observed(meter, wanted, time, 1)])
        assert (items.DEBT in values) == is_read


def test_all_events_between_two_readings_are_seen_by_number_and_once(
    meter: FakeMeter, time: VirtualTime
) -> None:
    meter.happens("restart")
    seen: list[Observation] = []
    for one in observed(meter, Wanted((NUMBER,)), time, 4):
        seen.append(one)
        if len(readings(seen)) == 2 and len(meter.events) == 1:
            for _ in range(20):
                meter.happens("cover_opened")
    assert numbers(seen) == list(range(2, 22))


def test_events_before_the_watch_are_seen_only_where_they_are_wanted(
    meter: FakeMeter, time: VirtualTime
) -> None:
    for _ in range(9):
        meter.happens("restart")
    assert numbers([*observed(meter, Wanted((NUMBER,)), time, 2)]) == []
    seen = [*observed(meter, Wanted((NUMBER,), past_events=6), time, 2)]
    assert numbers(seen) == [4, 5, 6, 7, 8, 9]
    assert [one.is_past for one in seen if isinstance(one, EventsSeen)] == [True]


def test_events_that_the_meter_does_not_keep_any_more_are_named(
    meter: FakeMeter, time: VirtualTime
) -> None:
    meter.happens("restart")
    seen: list[Observation] = []
    for one in observed(meter, Wanted((NUMBER,)), time, 3):
        seen.append(one)
        if len(meter.events) == 1:
            for _ in range(9):
                meter.happens("restart")
            del meter.events[:6]
    assert numbers(seen) == [7, 8, 9, 10]
    assert [one.lost for one in seen if isinstance(one, EventsSeen)] == [range(2, 7)]


def test_events_of_a_silence_are_seen_after_it(meter: FakeMeter, time: VirtualTime) -> None:
    meter.happens("restart")
    seen: list[Observation] = []
    for one in observed(meter, Wanted((NUMBER, POWER)), time, 6):
        seen.append(one)
        if isinstance(one, Failure):
            meter.happens("power_lost")
            meter.failure = None
        elif len(readings(seen)) == 2 and meter.opened == 1:
            meter.silent()
    assert numbers(seen) == [2]
    assert not any(isinstance(one, OtherMeter) for one in seen)


def test_a_map_with_a_number_and_no_events_has_none(meter: FakeMeter, time: VirtualTime) -> None:
    meter.has_events_table = False
    seen: list[Observation] = []
    for one in observed(meter, Wanted((NUMBER,)), time, 3):
        seen.append(one)
        meter.happens("restart")
    assert len(readings(seen)) == 3


def test_a_meter_that_returns_has_to_show_again_what_it_is(
    meter: FakeMeter, time: VirtualTime
) -> None:
    seen: list[Observation] = []
    for one in observed(meter, Wanted((POWER,)), time, 3):
        seen.append(one)
        meter.failure = None
        if len(seen) == 1:
            meter.silent()
    assert [type(one) for one in seen] == [Reading, Failure, Reading]
    assert meter.opened == 2


@pytest.mark.parametrize("read", range(1, CONTACT_CHECKS + 6))
def test_values_of_two_meters_are_never_mixed_at_whatever_read_they_change(
    meter: FakeMeter, time: VirtualTime, read: int
) -> None:
    def change() -> None:
        meter.values.update({items.SERIAL_NUMBER: OTHER, POWER: 2000, items.CLOCK: 2})

    meter.before_read[read] = change
    seen = [*observed(meter, Wanted((items.SERIAL_NUMBER, items.CLOCK, POWER)), time, 3)]
    found = {(v[items.SERIAL_NUMBER], v[items.CLOCK], v[POWER]) for v in readings(seen)}
    assert found <= {("000000000001", 1, 1000), (OTHER, 2, 2000)}
    assert found
    told = [one.now.serial_number for one in seen if isinstance(one, OtherMeter)]
    assert told == ([OTHER] if len(found) == 2 else [])


def test_another_meter_begins_with_its_own_events(meter: FakeMeter, time: VirtualTime) -> None:
    seen: list[Observation] = []
    for one in observed(meter, Wanted((NUMBER,)), time, 4):
        seen.append(one)
        if len(seen) == 2:
            meter.values[items.EPOCH] = 2
            for _ in range(3):
                meter.happens("restart")
    assert numbers(seen) == []
    assert [str(one.now) for one in seen if isinstance(one, OtherMeter)] == [
        "meter 000000000001 (storage 00000002)"
    ]


def test_two_meters_of_one_unit_number_are_named(meter: FakeMeter, time: VirtualTime) -> None:
    def flip() -> None:
        serial = meter.values[items.SERIAL_NUMBER]
        meter.values[items.SERIAL_NUMBER] = OTHER if serial != OTHER else "000000000001"

    meter.before_read = dict.fromkeys(range(1, 99, 2), flip)
    (seen,) = observed(meter, Wanted((items.DEBT,)), time, 1)
    assert isinstance(seen, Failure)
    assert isinstance(seen.error, CorruptAnswerError)
    assert "two meters may have this unit number" in str(seen.error)


NAMED = Wanted((items.SERIAL_NUMBER, POWER), identity_twice=True)


def mixed(seen: list[Observation]) -> int:
    """Return the number of readings with the serial number of one and the power of the other."""
    return sum(
        (values[items.SERIAL_NUMBER] == OTHER) != (values[POWER] == 2000)
        for values in readings(seen)
    )


@pytest.mark.parametrize("begin", [0, 1, 2, 7, 8, 9, 10, 11, 12, 13])
def test_two_meters_in_turn_are_never_one_reading_of_named_items(
    time: VirtualTime, begin: int
) -> None:
    meter = TwoMeters(time, POWER, lambda number: number > begin and number % 2)
    seen = [*observed(meter, NAMED, time, 6)]
    assert mixed(seen) == 0
    assert isinstance(seen[-1], Failure)
    assert "two meters may have this unit number" in str(seen[-1].error)


def test_two_meters_that_answer_by_chance_are_hardly_ever_one_reading(time: VirtualTime) -> None:
    wrong = 0
    for seed in range(200):
        random = Random(seed)
        meter = TwoMeters(time, POWER, lambda _, random=random: random.randrange(2))  # type: ignore[misc]
        wrong += mixed([*observed(meter, NAMED, time, 3)])
    assert wrong < 6
