"""Moments that people write and read: local time of the meter, each with its own offset."""

from __future__ import annotations

import json

import pytest

from firmware_sim.description.zones import transitions
from meterctl.errors import RefusedError
from protocols.data_model.tariff import DayTables, Prices, Tariff
from protocols.quantities import HOUR, parse_moment
from tests.support.meters import make
from tests.support.setup import METER, Setup
from tests.unit.meterctl.cli.conftest import Run


@pytest.fixture
def berlin(setup: Setup, run: Run) -> Setup:
    """Put a meter in Berlin, ten hours into the day on which summer time begins."""
    state = setup.meter.state
    meter = make(
        serial_number=METER,
        epoch=state.identity.epoch + 1,
        customer_number=state.account.customer_number,
        keys=dict(setup.meter.authenticator._keys),
        transitions=transitions("Europe/Berlin"),
        start=parse_moment("2026-03-28T20:30:00Z"),
        tariff=Tariff(day_tables=DayTables((((0, 1), (1320, 2)),)), prices=Prices((1, 2))),
    )
    meter.advance(12 * HOUR)
    setup.meter = meter
    return setup


def test_events_carry_the_offset_of_their_own_instant(berlin: Setup, run: Run) -> None:
    told = run("records", "events", json=True).out.splitlines()
    assert [json.loads(line)["at"] for line in told[:2]] == [
        "2026-03-28T22:00:00.000+01:00",
        "2026-03-29T00:00:00.000+01:00",
    ]
    run("clock", "clock", "set", "2026-07-10T12:00")
    changed = json.loads(run("records", "events", json=True).out.splitlines()[-2])
    assert (changed["event"], changed["old"]) == ("clock_set", "2026-03-29T10:30:00.000+02:00")
    assert changed["at"] == changed["new"] == "2026-07-10T12:00:00.000+02:00"


def test_a_clock_set_without_offset_has_the_offset_of_the_moment_that_is_set(
    berlin: Setup, run: Run
) -> None:
    for moment, shown in (
        ("2026-07-10T12:00", "2026-07-10T12:00:00.000+02:00"),
        ("2026-12-10T12:00", "2026-12-10T12:00:00.000+01:00"),
        ("2026-10-25T02:30", "2026-10-25T02:30:00.000+02:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25T02:30:00.000+01:00"),
    ):
        done = json.loads(run("clock", "clock", "set", moment, json=True).out)
        assert done["clock"] == shown
        assert json.loads(run("reading", "read", "clock", json=True).out)["clock"] == shown


def test_a_clock_set_to_a_skipped_hour_is_refused_in_words(berlin: Setup, run: Run) -> None:
    with pytest.raises(RefusedError, match=r"local time of the meter.* in an hour that its zone"):
        run("clock", "clock", "set", "2026-03-29T02:30")
    assert berlin.meter.clock == parse_moment("2026-03-29T08:30:00Z")
