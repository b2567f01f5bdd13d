"""The witness finds a reading that its meter never showed, and no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from protocols.control import Advance
from protocols.data_model import items
from protocols.data_model.tables import EVENTS, PROFILE, PURCHASES, Table
from protocols.modbus.crc import with_crc
from protocols.quantities import HOUR
from tests.simulation.lines import AuditError
from tests.simulation.witness import Witness, WitnessedDriver, WitnessedServer
from tests.support.maps import MAGIC
from tests.support.racks import operate, rtu_server
from tests.support.wire import Fault, PipeTransport

SERIAL = MeterDescription().serial_number


def driver_on(fault: Fault | None = None, speed: int = 0) -> tuple[WitnessedDriver, Witness]:
    """Return a driver whose witness trusts a line on which replies are changed by a fault."""
    meter = build(MeterDescription(load=Load.constant((2_000_000,))))
    rack = Rack([(1, meter)], speed)
    operate(rack, Advance(20 * HOUR), 0)
    witness = Witness(lambda serial: rack.station(serial).meter)
    witness.trusts_the_line = True
    pipe = PipeTransport(Line(WitnessedServer(witness, rtu_server(rack))), fault)
    return WitnessedDriver(witness, SERIAL, pipe, 1, 1000, pipe.clock), witness


def changed_reply(size: int, change: Callable[[bytes], bytes]) -> Fault:
    """Return a fault that changes the data of the replies of a size; their CRC is right again."""

    def fault(_: int, way: str, data: bytes) -> bytes:
        if way == "reply" and data[1] in (3, 23) and data[2] == size and data[3:7] != MAGIC[:4]:
            return with_crc(data[:3] + change(data[3:-2]))
        return data

    return fault


def one_bit_of_a_row(data: bytes) -> bytes:
    """Return the data of a window with another bit in its first row."""
    return data[:17] + bytes((data[17] ^ 1,)) + data[18:]


def test_what_a_meter_shows_is_compared_and_right() -> None:
    driver, witness = driver_on()
    driver.read([items.AVAILABLE_CREDIT, items.VOLTAGES[0], items.CLOCK])
    for table in (PURCHASES, EVENTS, PROFILE):
        driver.rows(table)
    driver.rows(EVENTS, 1)
    assert witness.compared == 3 + 4


def test_values_that_change_while_they_are_read_are_right() -> None:
    driver, witness = driver_on(speed=60_000)
    driver.read([items.ENERGY_IMPORT, items.AVAILABLE_CREDIT_EXACT, items.ELAPSED])
    assert witness.compared == 3


def test_the_value_of_another_register_is_found() -> None:
    driver, _ = driver_on(changed_reply(4, lambda data: data[::-1]))
    with pytest.raises(AuditError, match=r"voltage_l1_v was read as .*; the meter showed"):
        driver.read([items.VOLTAGES[0]])


@pytest.mark.parametrize("table", [EVENTS, PROFILE])
def test_rows_that_the_meter_does_not_hold_are_found(table: Table) -> None:
    sizes = {EVENTS: 234, PROFILE: 246}
    driver, _ = driver_on(changed_reply(sizes[table], one_bit_of_a_row))
    with pytest.raises(AuditError, match=f"{table.name} from 0 was read as"):
        driver.rows(table)


def test_a_line_that_is_not_trusted_may_show_anything() -> None:
    driver, witness = driver_on(changed_reply(4, lambda data: data[::-1]))
    witness.trusts_the_line = False
    driver.read([items.VOLTAGES[0]])
    assert not witness.compared
