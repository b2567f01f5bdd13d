"""Moments without an offset: local time of the meter, with the offset of that moment (METER.md 1).

In a skipped hour they are refused, of a repeated hour it is the first.
"""

from __future__ import annotations

import pytest

from firmware_sim.description.zones import transitions
from firmware_sim.meter import Meter
from firmware_sim.readings import utc_offset_minutes
from firmware_sim.settings import Settings
from firmware_sim.vending import Order, Vending, parse_order
from protocols.data_model.tariff import Prices, TariffChange
from protocols.quantities import format_moment, parse_moment, parse_written_moment
from protocols.sealed_message import MessageKind, Outcome, encode_limits
from tests.support.meters import make

ALLOWED_AND_NOT = [
    ("Europe/Berlin", "2026-07-10T12:00", "2026-07-10T12:00:00.000+02:00"),
    ("Europe/Berlin", "2026-01-10", "2026-01-10T00:00:00.000+01:00"),
    ("Europe/Berlin", "2026-07-10T12:00Z", "2026-07-10T14:00:00.000+02:00"),
    ("Europe/Berlin", "2026-03-29T02:00", None),
    ("Europe/Berlin", "2026-03-29T02:59:59", None),
    ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T03:00:00.000+02:00"),
    ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30:00.000+02:00"),
    ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00.000+03:00"),
    ("Africa/Cairo", "2026-04-24T00:30", None),
    ("Africa/Cairo", "2026-04-24T01:00", "2026-04-24T01:00:00.000+03:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", None),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45:00.000+11:00"),
    ("Pacific/Apia", "2011-12-30T12:00", None),
    (480, "2027-01-01", "2027-01-01T00:00:00.000+08:00"),
    (-210, "2027-01-01T00:00:00.5", "2027-01-01T00:00:00.500-03:30"),
]


def meter_in(zone: str | int) -> Meter:
    start = parse_moment("2011-06-01T00:00:00Z")
    if isinstance(zone, str):
        return make(start=start, transitions=transitions(zone))
    return make(start=start, settings=Settings(utc_offset_minutes=zone))


def outcome(meter: Meter, order: Order) -> Outcome:
    reply = Vending().send(meter, order)
    assert reply is not None
    assert reply.answer is not None
    return reply.answer.outcome


@pytest.mark.parametrize(("zone", "moment", "shown"), ALLOWED_AND_NOT)
def test_a_clock_is_set_to_local_time_with_the_offset_of_that_moment(
    zone: str | int, moment: str, shown: str | None
) -> None:
    meter = meter_in(zone)
    before = meter.clock
    done = outcome(meter, parse_order(["clock", moment]))
    assert done is (Outcome.OUT_OF_RANGE if shown is None else Outcome.ACCEPTED)
    if shown is None:
        assert meter.clock == before
    else:
        assert format_moment(meter.clock, utc_offset_minutes(meter, meter.clock)) == shown


@pytest.mark.parametrize(("zone", "moment", "shown"), ALLOWED_AND_NOT[:-1])
def test_a_tariff_is_activated_at_local_time_with_the_offset_of_that_moment(
    zone: str | int, moment: str, shown: str | None
) -> None:
    meter = meter_in(zone)
    change = TariffChange(((parse_written_moment(moment), Prices((1,))),))
    assert TariffChange.decode(change.encode()) == change
    done = outcome(meter, Order(MessageKind.TARIFF, parameters=change.encode()))
    assert done is (Outcome.OUT_OF_RANGE if shown is None else Outcome.ACCEPTED)
    assert [one.activation_ms for one in meter.state.pending] == (
        [] if shown is None else [parse_moment(shown)]
    )


@pytest.mark.parametrize("moment", ["1969-12-31T23:00", "1970-01-01", "2100-01-01T01:00"])
def test_local_time_outside_the_range_of_a_clock_is_refused(moment: str) -> None:
    order = parse_order(["clock", moment])
    assert outcome(meter_in("Europe/Berlin"), order) is Outcome.OUT_OF_RANGE


def test_local_time_before_1970_is_no_other_moment() -> None:
    order = parse_order(["clock", "1969-12-31T23:00"])
    assert outcome(meter_in(-300), order) is Outcome.OUT_OF_RANGE


def test_a_record_keeps_the_offset_under_which_it_was_made() -> None:
    meter = meter_in(0)
    first = meter.clock
    meter.advance(3_600_000)
    offset = {22: 480}
    done = outcome(meter, Order(MessageKind.LIMITS, parameters=encode_limits(offset)))
    assert done is Outcome.ACCEPTED
    assert utc_offset_minutes(meter, first) == 0
    assert utc_offset_minutes(meter, meter.clock) == 480
    assert outcome(meter, parse_order(["clock", format_moment(first)])) is Outcome.ACCEPTED
    assert utc_offset_minutes(meter, meter.clock) == 480, "the present offset, set back or not"


def test_of_many_corrected_offsets_the_newest_are_kept() -> None:
    meter = meter_in(0)
    for minutes in range(1, 40):
        meter.advance(minutes * 1_000)
        outcome(meter, Order(MessageKind.LIMITS, parameters=encode_limits({22: minutes})))
    clock = meter.clock
    assert [utc_offset_minutes(meter, clock - n * 1_000) for n in (0, 1, 15)] == [39, 38, 24]
    assert utc_offset_minutes(meter, clock - 39_000) == 23
