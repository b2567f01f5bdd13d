"""Time stamps without an offset are local time of the meter that draws the load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.description.zones import transitions
from firmware_sim.metrology.load import OnEnd
from firmware_sim.metrology.load_csv import parse_load, parse_rows, place
from firmware_sim.metrology.load_zone import Zone, in_zone
from protocols.errors import QuantityError
from protocols.quantities import HOUR, MINUTE, parse_moment

BERLIN = Zone(0, transitions("Europe/Berlin"))
FIRST = datetime(1975, 1, 1, tzinfo=UTC).replace(tzinfo=None)
NAMES = ("Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo")


def starts(text: str, zone: Zone) -> list[int]:
    return [*in_zone(parse_rows(f"time,power_w\n{text}"), zone).starts_ms]


def test_a_fixed_offset_moves_all_rows() -> None:
    text = "2026-01-01T08:00,1\n2026-01-01 08:15:00,2\n2026-01-01T08:30,3\n"
    first = parse_moment("2026-01-01T00:00:00Z")
    assert starts(text, Zone(480)) == [first, first + 15 * MINUTE, first + 30 * MINUTE]


def test_rows_over_a_change_of_the_offset_keep_their_local_time() -> None:
    text = "2026-03-28T12:00,1\n2026-03-29T12:00,2\n2026-10-25T02:30,3\n2026-10-25T12:00,4\n"
    moments = ("2026-03-28T11:00Z", "2026-03-29T10:00Z", "2026-10-25T00:30Z", "2026-10-25T11:00Z")
    assert starts(text, BERLIN) == [parse_moment(moment) for moment in moments]


def test_a_time_that_the_meter_skips_is_refused_by_name() -> None:
    with pytest.raises(
        QuantityError, match=r"^2026-03-29T02:30:00\.000: the meter's local time sk"
    ):
        starts("2026-03-29T01:30,1\n2026-03-29T02:30,1\n", BERLIN)
    assert starts("2026-03-29T01:30,1\n2026-03-29T03:00,1\n", BERLIN)


def test_a_load_in_local_time_flows_by_the_clock_of_its_meter() -> None:
    text = "time,power_w\n2026-01-01T08:00,1\n2026-01-01T09:00,2\n"
    start = parse_moment("2026-01-01T00:00:00Z")
    load = parse_load(text, 1, start, OnEnd.HOLD, 0, Zone(480))
    assert load.at(HOUR - 1)[0].phases == (1000,)
    assert load.at(HOUR)[0].phases == (2000,)


def test_meters_of_a_zone_share_the_rows_and_those_of_another_the_powers() -> None:
    rows = parse_rows("time,power_w\n2026-01-01T08:00,1\n2026-01-02T08:00,2\n")
    one, two, other = (place(rows, 1, 0, OnEnd.HOLD, 0, zone) for zone in (BERLIN, BERLIN, Zone(0)))
    assert one.rows is two.rows
    assert one.rows is not other.rows
    assert one.rows.columns is other.rows.columns


@given(
    name=st.sampled_from(NAMES),
    begin=st.integers(0, 120 * 365 * 24 * 60),
    steps=st.lists(st.integers(1, 90 * 24 * 60), min_size=1, max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_each_instant_is_that_of_the_zone_database(name: str, begin: int, steps: list[int]) -> None:
    local, wanted, lines = FIRST + timedelta(minutes=begin), [], []
    zone = ZoneInfo(name)
    for step in steps:
        local += timedelta(minutes=step)
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) != local:
            continue  # it is skipped
        wanted.append(int(instant.timestamp()) * 1000)
        lines.append(f"{local.isoformat()},1")
    if lines:
        assert starts("\n".join(lines), Zone(0, transitions(name))) == wanted
