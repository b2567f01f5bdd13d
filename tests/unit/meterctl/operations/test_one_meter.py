"""Reports are of one meter, also where two answer at one unit number."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from meterctl.drivers import Reader
from meterctl.errors import CorruptAnswerError
from meterctl.operations.one_meter import of_one_meter
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import EVENTS
from tests.support.watched import OTHER, FakeMeter, TwoMeters, VirtualTime

CREDIT = items.AVAILABLE_CREDIT


def two_meters(choice: Callable[[int], int]) -> TwoMeters:
    """Return two meters at one unit number; `choice` says which of them gives an answer."""
    return TwoMeters(VirtualTime(), CREDIT, choice)


def report(reader: Reader, pages: int = 1) -> None:
    """Read as a report does."""
    with of_one_meter(reader) as one:
        one.read([CREDIT])
        for _ in range(pages):
            one.page(EVENTS)


def test_a_report_of_one_meter_is_read() -> None:
    report(two_meters(lambda _: 0))
    report(two_meters(lambda _: 1))


def test_two_meters_in_turn_are_no_report_whatever_is_read_between() -> None:
    for pages in range(4):
        with pytest.raises(CorruptAnswerError, match="two meters answer at this unit"):
            report(two_meters(lambda number: number % 2), pages)


def test_two_meters_that_answer_by_chance_are_hardly_ever_a_report() -> None:
    wrong = 0
    for seed in range(500):
        random = Random(seed)
        meter = two_meters(lambda _, random=random: random.randrange(2))  # type: ignore[misc]
        try:
            report(meter)
        except CorruptAnswerError:
            continue
        wrong += 1
    assert wrong < 15


def test_a_meter_that_is_replaced_within_a_long_report_and_returns_is_noticed() -> None:
    with pytest.raises(CorruptAnswerError, match=f"000000000001 .*{OTHER}"):
        report(two_meters(lambda number: 20 < number < 40), 60)


def test_a_map_without_a_serial_number_is_read_as_it_is() -> None:
    meter = FakeMeter(VirtualTime(), {CREDIT: 1})
    del meter.values[items.SERIAL_NUMBER]
    with of_one_meter(meter) as one:
        assert one is meter


def test_a_report_shows_the_items_of_the_meter_that_it_began_with() -> None:
    meter = two_meters(lambda _: 0)
    wanted: list[Item] = [CREDIT, items.SERIAL_NUMBER]
    with of_one_meter(meter) as one:
        assert one.read(wanted) == {CREDIT: 1000, items.SERIAL_NUMBER: "000000000001"}
