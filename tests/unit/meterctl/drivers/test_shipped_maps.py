"""Every shipped map is read whole by the driver, alike on TCP and on a serial line."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_sim.assembly import rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.readings import GETTERS
from firmware_sim.servers.line import Line
from meterctl.drivers.modbus import ModbusDriver
from protocols.data_model.items import ITEMS, Item
from protocols.data_model.kinds import Fixed
from protocols.data_model.words import MeterType
from protocols.modbus.named_maps import shipped_map, shipped_names
from protocols.quantities import HOUR
from tests.support.racks import rtu_server, tcp_server
from tests.support.wire import PipeTransport


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_map_is_read_whole_and_alike_on_every_wire(name: str) -> None:
    register_map = shipped_map(name)
    described = MeterDescription(
        meter_type=MeterType.THREE_PHASE,
        load=Load.constant((1_000_000, 2_000_000, 500_000)),
        register_map=register_map,
    )
    rack = rack_of(described, 0)
    meter = rack.stations[0].meter
    meter.advance(HOUR)
    found: list[dict[Item, Any]] = []
    for server, framed in ((tcp_server(rack), True), (rtu_server(rack), False)):
        transport = PipeTransport(Line(server), framed=framed)
        driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
        found.append(dict(driver.read([item for item in ITEMS if driver.holds(item)])))
    assert found[0] == found[1]
    placed = {place.item for place in register_map.registers}
    assert found[0].keys() == placed, "every item of the map can be read"
    for item, places in register_map.best_registers.items():
        exact = GETTERS[item](meter)
        if isinstance(item.kind, Fixed) and not item.kind.wraps and exact is not None:
            step = places[0].layout.resolution * 10**item.kind.decimals
            assert abs(abs(found[0][item]) - abs(exact)) <= max(step, 1), item.name
