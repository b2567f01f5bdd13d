"""Offset changes of a zone: to the second, from 1970 on, at every clock that a meter can have."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest

from firmware_sim.clock import LAST_CLOCK, Transitions, local_time
from firmware_sim.description.zones import LAST_YEAR, transitions
from protocols.quantities import DAY, HOUR, MINUTE, SECOND, parse_moment
from protocols.toml_values import ConfigurationError

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
SAMPLED = 60
"""Zones of one run beside the hard ones; with another seed the test holds for the others too."""
HARD = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Boa_Vista",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
)


def offset_minutes(zone: ZoneInfo, clock: int) -> int:
    """Return the zone's offset by the library, in whole minutes."""
    delta = datetime.fromtimestamp(clock // SECOND, UTC).astimezone(zone).utcoffset()
    assert delta is not None
    return int(delta.total_seconds()) // 60


def wrong_clocks(name: str, changes: Transitions, draw: Random) -> list[int]:
    """Return clocks at which the changes differ from the zone: around each, and anywhere."""
    zone = ZoneInfo(name)
    edges = [at for at, _ in changes]
    clocks = [at + by for at in edges for by in (-SECOND, 0, SECOND - 1, HOUR)]
    clocks += [draw.randrange(LAST_CLOCK) for _ in range(200)]
    clocks += [draw.choice(edges) + draw.randrange(-DAY, DAY) for _ in range(50)]
    return [
        clock
        for clock in clocks
        if 0 <= clock < LAST_CLOCK
        and local_time(clock, 0, changes).offset_ms // MINUTE != offset_minutes(zone, clock)
    ]


def test_local_time_is_that_of_the_zone_at_every_clock_of_many_zones() -> None:
    draw = Random(13)
    for name in {*HARD, *draw.sample(ZONES, SAMPLED)}:
        changes = transitions(name)
        assert changes[0][0] == 0, name
        assert list(changes) == sorted(set(changes)), name
        assert not wrong_clocks(name, changes, draw), name


def test_daylight_saving_begins_and_ends_at_its_second() -> None:
    found = transitions("Europe/Berlin")
    assert found[:3] == (
        (0, 60),
        (parse_moment("1980-04-06T01:00:00Z"), 120),
        (parse_moment("1980-09-28T01:00:00Z"), 60),
    )
    assert found[-1] == (parse_moment(f"{LAST_YEAR}-10-31T01:00:00Z"), 60)


def test_a_zone_without_changes_has_its_offset_alone() -> None:
    assert transitions("Africa/Abidjan") == ((0, 0),)


@pytest.mark.parametrize(
    ("name", "at", "offset"),
    [
        ("Asia/Kathmandu", "1985-12-31T18:30:00Z", 345),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 630),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", 840),
        ("Africa/Cairo", "2026-04-23T22:00:00Z", 180),
    ],
)
def test_a_change_that_is_no_whole_hour_is_found(name: str, at: str, offset: int) -> None:
    assert (parse_moment(at), offset) in transitions(name)


def test_a_change_of_less_than_a_minute_counts_whole_minutes() -> None:
    assert transitions("Africa/Monrovia")[0] == (0, -45)


@pytest.mark.parametrize("name", ["Nowhere", "../etc", "Europe", ""])
def test_a_zone_that_there_is_not_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no such time zone is known here"):
        transitions(name)


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory"])
def test_a_name_for_the_zone_of_the_machine_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"time_zone = '{name}': it is another zone on an"):
        transitions(name)
