"""The proofs at the end of the demo, on a meter whose registers are set by the test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from meterctl.demo.books import EXPECTED, exact_instant, missing_events, print_books
from meterctl.demo.household import Agreement
from meterctl.demo.watched_meter import StepPrinter, WatchedMeter
from meterctl.session import Session
from protocols.data_model import items
from protocols.data_model.events import EVENTS
from protocols.data_model.items import Item
from protocols.data_model.tables import Event
from protocols.quantities import CENT


class Registers:
    """A driver and its session: reads the values of a table, 0 for any other item."""

    def __init__(self, values: dict[Item, int]) -> None:
        self.values, self.driver = values, self

    def read(self, wanted: Iterable[Item]) -> dict[Item, int]:
        return {item: self.values.get(item, 0) for item in wanted}


def meter_with(values: dict[Item, int], *seen: Event) -> tuple[WatchedMeter, list[str]]:
    """Return a meter with these values that has shown these events, and its printed lines."""
    lines: list[str] = []
    session = cast(Session, Registers(values))
    return WatchedMeter(session, lambda *_: "", StepPrinter(lines.append, list(seen))), lines


def event(name: str, **details: int) -> Event:
    kind = EVENTS[name]
    a, b = ([details.get(word, 0) for word, _ in kind.details] + [0, 0])[:2]
    return Event(1, 0, 0, kind.code, a, b)


ALL = [event(name, **details) for name, details in EXPECTED]


def test_no_event_is_missing_when_all_occur_in_their_order() -> None:
    assert missing_events([event("events_cleared"), *ALL]) == []


@pytest.mark.parametrize("left_out", range(len(ALL)))
def test_an_event_that_did_not_occur_is_named(left_out: int) -> None:
    assert EXPECTED[left_out][0] in missing_events(ALL[:left_out] + ALL[left_out + 1 :])


@pytest.mark.parametrize(
    ("credit", "exact"), [(-100, True), (-101, True), (-99, False), (-110, False)]
)
def test_the_trip_is_exact_at_the_first_mwh_at_or_below_the_limit(credit: int, exact: bool) -> None:
    values = {items.AVAILABLE_CREDIT_EXACT: credit, items.OVERDRAFT_LIMIT: 100}
    meter, lines = meter_with(values, event("supply_disconnected", cause=1))
    assert exact_instant(meter, Agreement(0, 10, "1kW")) is exact
    assert ("NOT the first" in lines[0]) is not exact


def test_the_books_balance_to_the_last_unit() -> None:
    values = {
        items.CREDITED: 500 * CENT,
        items.CONSUMPTION_CHARGED: 123,
        items.AVAILABLE_CREDIT_EXACT: 500 * CENT - 123,
    }
    meter, lines = meter_with(values)
    assert print_books(meter)
    assert lines[-1] == "books: balanced to the last unit"
    meter, lines = meter_with({**values, items.AVAILABLE_CREDIT_EXACT: 500 * CENT - 122})
    assert not print_books(meter)
    assert lines[-1] == "books: OUT OF BALANCE by 1"


def test_a_debt_that_does_not_match_its_entries_is_out_of_balance() -> None:
    values = {items.DEBT_ENTERED: 200 * CENT, items.DEBT: 100 * CENT}
    assert not print_books(meter_with(values)[0])
    assert print_books(meter_with({**values, items.DEBT_FROM_TOP_UPS: 100 * CENT})[0])
