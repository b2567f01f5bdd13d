"""Offsets of records as the meter shows them: few reads, and all that the instants need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.description.zones import transitions
from firmware_sim.meter import Meter
from firmware_sim.settings import Settings
from meterctl.errors import RefusedError
from meterctl.operations.local_time import read_offsets
from protocols.data_model.tables import UTC_OFFSETS
from protocols.modbus.native_map import NATIVE_MAP
from protocols.quantities import parse_moment
from tests.support.meters import make
from tests.support.wire import connect

BERLIN = {
    "1971-07-01T00:00:00Z": 60,
    "1985-07-01T00:00:00Z": 120,
    "2026-03-29T00:59:59.999Z": 60,
    "2026-03-29T01:00:00Z": 120,
    "2061-07-01T00:00:00Z": 120,
    "2099-12-31T00:00:00Z": 60,
}


def berlin() -> Meter:
    start = parse_moment("2026-05-01T00:00:00Z")
    return make(start=start, transitions=transitions("Europe/Berlin"))


@pytest.mark.parametrize("instants", [list(BERLIN), [*BERLIN][2:4], [*BERLIN][:1], [*BERLIN][-1:]])
def test_each_instant_has_the_offset_of_its_own(instants: list[str]) -> None:
    session, _ = connect(berlin())
    clocks = [parse_moment(instant) for instant in instants]
    offsets = read_offsets(session.driver, clocks)
    assert [offsets.at(clock) for clock in clocks] == [BERLIN[instant] for instant in instants]


@pytest.mark.parametrize("year", range(2027, 2099, 6))
def test_records_many_changes_before_the_clock_have_their_own_offsets(year: int) -> None:
    start = parse_moment(f"{year}-01-15T00:00:00Z")
    session, _ = connect(make(start=start, transitions=transitions("Europe/Berlin")))
    clocks = [parse_moment(f"{each}-0{month}-15T12:00:00Z") for each in range(1990, 2027, 4)
              for month in (1, 7)]  # fmt: skip
    offsets = read_offsets(session.driver, clocks)
    assert [offsets.at(clock) for clock in clocks] == [60, 120] * (len(clocks) // 2)


@pytest.mark.parametrize("clocks", [[], [0], [parse_moment("2026-03-01T00:00:00Z")]])
def test_records_of_the_last_years_need_one_read(clocks: list[int]) -> None:
    session, _ = connect(berlin())
    asked: list[int] = []
    inner = session.driver.rows

    def rows(table: object, first: int = 0) -> object:
        asked.append(first)
        return inner(table, first)  # type: ignore[arg-type]

    session.driver.rows = rows  # type: ignore[method-assign, assignment]
    read_offsets(session.driver, clocks)
    assert asked == [0]


def test_a_meter_without_a_zone_has_the_offset_that_is_set() -> None:
    session, _ = connect(make(settings=Settings(utc_offset_minutes=-210)))
    assert read_offsets(session.driver, [1, 2**41]).changes == ((0, -210),)


def test_a_map_without_the_table_has_the_present_offset() -> None:
    windows = tuple(one for one in NATIVE_MAP.row_windows if one.table != UTC_OFFSETS)
    session, _ = connect(make(settings=Settings(utc_offset_minutes=60)))
    session.driver._map = replace(NATIVE_MAP, row_windows=windows)  # type: ignore[attr-defined]
    assert read_offsets(session.driver, [5]).changes == ((0, 60),)


def test_a_meter_that_refuses_the_table_has_the_present_offset() -> None:
    session, _ = connect(make(settings=Settings(utc_offset_minutes=60)))

    def rows(*_: object) -> object:
        raise RefusedError("illegal address")

    session.driver.rows = rows  # type: ignore[method-assign, assignment]
    assert read_offsets(session.driver, [5]).changes == ((0, 60),)
