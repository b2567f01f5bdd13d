"""The driver under maps that are not the native one, on the wire of a meter with such a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.assembly import build, rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.servers.line import Line
from firmware_sim.settings import Settings
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import CorruptAnswerError, UsageError
from protocols.data_model import items
from protocols.data_model.tables import PURCHASES, TABLES
from protocols.keys import MessageClass
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import Constant, RegisterMap
from protocols.quantities import CENT, HOUR, LEDGER
from protocols.sealed_message import MessageKind
from protocols.sealed_status import StatusQuestion
from tests.support.maps import SMALL_MAP
from tests.support.meters import Host
from tests.support.racks import rtu_server, tcp_server
from tests.support.wire import PipeTransport, connect

MISSING = (items.GUARANTEE, items.EPOCH, items.TRIP_MODE)
"""`guarantee` lies in a discrete input only, `trip_mode` in a register."""

CONSUMED = MeterDescription(
    credit=200 * LEDGER,
    settings=Settings(low_credit_threshold_1=500 * CENT, trip_mode=1),
    load=Load.constant((123_456_000,)),
    register_map=SMALL_MAP,
)
"""A meter that uses 123.456 kWh an hour."""


def with_map(register_map: RegisterMap, framed: bool = True) -> tuple[ModbusDriver, PipeTransport]:
    """Return a driver with a map on the wire of a meter with the small map, after an hour."""
    rack = rack_of(CONSUMED, 0)
    rack.stations[0].meter.advance(HOUR)
    transport = PipeTransport(Line(tcp_server(rack) if framed else rtu_server(rack)), framed=framed)
    return ModbusDriver(transport, 1, 1000, transport.clock, None, register_map), transport


@pytest.mark.parametrize("framed", [False, True])
def test_items_are_read_where_the_map_has_them_in_the_units_of_the_data_model(framed: bool) -> None:
    driver, transport = with_map(SMALL_MAP, framed)
    wanted = list(SMALL_MAP.best_registers)
    values = driver.read(wanted)
    assert values[items.ENERGY_IMPORT] == 123_400_000
    assert values[items.ENERGY_EXPORT] == 0
    assert values[items.SERIAL_NUMBER] == "000000000001"
    assert values[items.LOW_CREDIT_1] == 500 * CENT
    assert 0 < values[items.AVAILABLE_CREDIT] < 200 * LEDGER
    assert set(values) == set(wanted)
    assert transport.exchanges == driver.answers(wanted) + (not framed) == 5 + (not framed)


@pytest.mark.parametrize(
    "call",
    [
        lambda driver: driver.deliver(bytes(80)),
        lambda driver: driver.receipt(MessageClass.CREDIT, 1),
        lambda driver: driver.status(StatusQuestion(bytes(8), 1, 0)),
    ],
    ids=["deliver", "receipt", "status"],
)
def test_a_map_without_windows_refuses_sealed_messages_before_a_byte_is_sent(
    call: Callable[[ModbusDriver], object],
) -> None:
    driver, transport = with_map(SMALL_MAP)
    with pytest.raises(UsageError) as raised:
        call(driver)
    assert (
        str(raised.value) == "pipe unit 1: map small has no windows for sealed messages; "
        "nothing was sent"
    )
    assert transport.exchanges == 0


def test_items_and_tables_that_the_map_lacks_are_named_before_a_byte_is_sent() -> None:
    driver, transport = with_map(SMALL_MAP)
    for missing in (lambda: driver.read(MISSING), lambda: driver.answers(MISSING)):
        with pytest.raises(UsageError, match="map small has no epoch, guarantee; nothing was sent"):
            missing()
    for table in TABLES.values():
        with pytest.raises(UsageError, match=f"map small has no {table.name}; nothing was sent"):
            driver.rows(table)
    assert transport.exchanges == 0


def test_a_device_without_the_mark_of_the_map_is_not_read() -> None:
    mark = Constant(Area.HOLDING, 43, b"PP")
    marked = replace(SMALL_MAP, name="marked", mark=mark, constants=())
    driver, transport = with_map(marked)
    with pytest.raises(CorruptAnswerError, match="is no meter with the marked map"):
        driver.read([items.TRIP_MODE])
    assert transport.exchanges == 2
    right = replace(marked, mark=mark._replace(data=bytes.fromhex("cafe")))
    driver, transport = with_map(right)
    for _ in range(2):
        assert driver.read([items.TRIP_MODE])[items.TRIP_MODE] == 1
    assert transport.exchanges == 3  # the mark is read once


def test_rows_of_a_list_are_read_in_requests_that_the_map_allows() -> None:
    register_map = replace(NATIVE_MAP, largest_read=124)
    meter = build(MeterDescription())
    host = Host(meter)
    for _ in range(5):
        host.send(MessageKind.CREDIT, amount=5)
    _, transport = connect(meter, framed=True)
    driver = ModbusDriver(transport, 1, 1000, transport.clock, None, register_map)
    rows, more = driver.rows(PURCHASES, 3)
    assert ([row.number for row in rows], more) == ([3, 4, 5], False)
