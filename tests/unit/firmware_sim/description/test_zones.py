"""Offset changes of a zone: to the minute, from a day before the start, for 40 years."""

from __future__ import annotations

import pytest

from firmware_sim.description.toml import ConfigurationError
from firmware_sim.description.zones import YEARS_OF_TRANSITIONS, transitions
from firmware_sim.meter_description import DEFAULT_START
from protocols.quantities import DAY, parse_moment


def test_daylight_saving_begins_and_ends_at_its_minute() -> None:
    found = transitions("Europe/Berlin", DEFAULT_START)
    assert found[:3] == (
        (DEFAULT_START - DAY, 60),
        (parse_moment("2026-03-29T01:00:00Z"), 120),
        (parse_moment("2026-10-25T01:00:00Z"), 60),
    )
    assert len(found) == 1 + 2 * YEARS_OF_TRANSITIONS


def test_a_zone_without_changes_has_its_offset_alone() -> None:
    assert transitions("Asia/Shanghai", DEFAULT_START) == ((DEFAULT_START - DAY, 480),)


def test_a_change_that_is_no_whole_hour_is_found() -> None:
    assert transitions("Asia/Kathmandu", 0)[1] == (parse_moment("1985-12-31T18:30:00Z"), 345)


@pytest.mark.parametrize("name", ["Nowhere", "../etc", "Europe", ""])
def test_a_zone_that_there_is_not_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no such time zone is known here"):
        transitions(name, DEFAULT_START)
