"""The stations that one wire reaches, by unit, by serial number and as a group."""

from __future__ import annotations

import pytest

from firmware_sim.rack.rack import Rack
from firmware_sim.servers.seam import Address, Group, WireStations
from tests.support.meters import make


def rack_of(count: int) -> Rack:
    """Return a rack of meters with unit and serial number 1, 2 and so on."""
    units = range(1, count + 1)
    return Rack([(unit, make(unit=unit, serial_number=f"{unit:012d}")) for unit in units], 0)


@pytest.mark.parametrize(
    ("address", "units"),
    [
        (2, [2]),
        (9, []),
        ("000000000003", [3]),
        ("000000000009", []),
        (Group.ALL, [1, 2, 3]),
        (Group.ONLY, []),
    ],
)
def test_stations_are_selected_by_address(address: Address, units: list[int]) -> None:
    wire = WireStations(rack_of(3).stations)
    assert [station.unit for station in wire.select(address, 0)] == units


def test_the_only_station_of_a_wire_is_a_group_of_its_own() -> None:
    wire = WireStations(rack_of(3).stations[1:2])
    assert [station.unit for station in wire.select(Group.ONLY, 0)] == [2]
    assert list(wire.select("000000000001", 0)) == []
