"""`simulate`: events as they occur, top-ups at their instants, the end (DESIGN.md 5.1)."""

from __future__ import annotations

from firmware_sim.metrology.load import Load
from firmware_sim.programs.shown_events import ShownEvent
from firmware_sim.programs.simulation import simulate
from firmware_sim.settings import Settings
from protocols.data_model.tariff import Prices, Tariff
from protocols.quantities import HOUR, LEDGER
from tests.support.meters import make

DESCRIPTION = {
    "load": Load.constant((1_000_000,)),
    "credit": 2 * LEDGER,
    "tariff": Tariff(prices=Prices((10_000,))),
    "settings": Settings(low_credit_threshold_1=LEDGER),
}
"""1 kW at 1.0000: the warning after an hour, the trip after two."""


def run(duration: int, *top_ups: tuple[int, int], **changed: object) -> list[ShownEvent]:
    return list(simulate(make(**{**DESCRIPTION, **changed}), duration, top_ups))


def told(happened: list[ShownEvent]) -> list[tuple[str, int]]:
    return [(one.name, one.elapsed_ms) for one in happened]


def test_events_come_in_order_with_their_instants_and_the_end_comes_last() -> None:
    assert told(run(3 * HOUR)) == [
        ("low_credit_warning", HOUR),
        ("supply_disconnected", 2 * HOUR),
        ("end", 3 * HOUR),
    ]


def test_no_duration_is_the_end_alone() -> None:
    assert told(run(0)) == [("end", 0)]


def test_each_event_shows_how_the_meter_stood() -> None:
    warning, trip, end = run(3 * HOUR)
    assert warning.standing["available_credit"] == "1.00"
    assert trip.standing["available_credit"] == end.standing["available_credit"] == "0.00"
    assert (warning.standing["supply_state"], trip.standing["supply_state"]) == (
        '"connected"',
        '"disconnected"',
    )


def test_top_ups_go_in_at_their_instants_in_whatever_order_they_are_given() -> None:
    happened = run(3 * HOUR, (2 * HOUR + HOUR // 2, 300), (HOUR // 2, 100))
    accepted = [one for one in happened if one.name == "credit_accepted"]
    assert [one.elapsed_ms for one in accepted] == [HOUR // 2, 2 * HOUR + HOUR // 2]
    assert happened[-1].standing["available_credit"] == "3.00"


def test_a_top_up_at_the_end_still_goes_in_and_a_later_one_does_not() -> None:
    happened = told(run(HOUR // 2, (HOUR // 2, 100), (HOUR, 100)))
    assert happened == [("credit_accepted", HOUR // 2), ("end", HOUR // 2)]


def test_a_refused_top_up_is_told_with_its_outcome() -> None:
    refused, end = run(1, (0, 300), settings=Settings(max_credit=4 * LEDGER))
    assert (refused.name, refused.details) == (
        "credit_refused",
        {"outcome": '"exceeds_max_credit"'},
    )
    assert end.standing["available_credit"] == "2.00"


def test_a_meter_that_ran_before_is_simulated_from_now_on() -> None:
    meter = make(**DESCRIPTION)
    meter.advance(HOUR + 1)
    assert told(list(simulate(meter, HOUR)))[-2:] == [
        ("supply_disconnected", 2 * HOUR),
        ("end", 2 * HOUR + 1),
    ]


def test_a_fragment_has_the_local_time_of_its_instant() -> None:
    (end,) = run(0, settings=Settings(utc_offset_minutes=60))
    shown = end.fragments()
    assert shown["event"] == '"end"'
    assert shown["at"].startswith('"2026-01-01T01:00:00')
    assert shown["elapsed_ms"] == "0"
