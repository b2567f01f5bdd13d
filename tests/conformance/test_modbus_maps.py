"""A meter with a map that is not the native one, on real ports: our driver and pymodbus's client.

pymodbus's client knows nothing of maps: addresses, types and orders are written down here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient

from firmware_sim import PrepaidMeter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.settings import Settings
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import UsageError
from meterctl.transports.wires import monotonic_ms, open_transport
from protocols.data_model import items
from protocols.errors import IllegalAddressError
from protocols.quantities import CENT, LEDGER
from protocols.sealed_status import StatusQuestion
from tests.support.maps import SMALL_MAP

DESCRIPTION = MeterDescription(
    credit=200 * LEDGER,
    settings=Settings(low_credit_threshold_1=500 * CENT, trip_mode=1),
    load=Load.constant((123_456_000,)),
    register_map=SMALL_MAP,
)


@pytest.fixture(scope="module")
def meter() -> Iterator[PrepaidMeter]:
    """Yield a meter with the small map after an hour at 123.456 kW."""
    with PrepaidMeter(DESCRIPTION) as live:
        live.advance("1h")
        yield live


@pytest.fixture
def client(meter: PrepaidMeter) -> Iterator[ModbusTcpClient]:
    """Yield pymodbus's client, connected."""
    host, port = meter.tcp
    made = ModbusTcpClient(host, port=port, timeout=3, retries=0)
    assert made.connect()
    yield made
    made.close()  # type: ignore[no-untyped-call]


def test_pymodbus_reads_the_energy_low_word_first(client: ModbusTcpClient) -> None:
    words = client.read_input_registers(1000, count=4).registers
    assert words == [1234, 0, 0, 0]
    high_first = words[1::-1]  # the first releases of pymodbus 3.8 know no other order
    assert client.convert_from_registers(high_first, client.DATATYPE.UINT32) == 1234


def test_pymodbus_reads_areas_that_differ(client: ModbusTcpClient) -> None:
    assert client.read_holding_registers(40, count=4).registers == [0, 0xF401, 1, 0xCAFE]
    credit = client.read_input_registers(40, count=2).registers
    assert 0 < client.convert_from_registers(credit, client.DATATYPE.INT32) < 2000
    assert client.read_input_registers(65_532, count=4).registers == [0, 0, 0, 1]
    assert client.read_discrete_inputs(7, count=2).bits[:2] == [True, False]


def test_pymodbus_is_refused_in_gaps(client: ModbusTcpClient) -> None:
    for reply in (
        client.read_input_registers(1004, count=1),
        client.read_input_registers(1002, count=4),
        client.read_holding_registers(0, count=2),
        client.read_holding_registers(0x1600, count=1),
        client.write_registers(0x1500, [0, 0, 0, 0]),
    ):
        assert reply.isError()
        assert vars(reply)["exception_code"] == IllegalAddressError.code


@pytest.mark.parametrize("serial", [False, True])
def test_the_driver_reads_every_item_of_the_map(meter: PrepaidMeter, serial: bool) -> None:
    host, port = meter.tcp
    transport = open_transport(meter.port if serial else f"tcp://{host}:{port}")
    try:
        driver = ModbusDriver(transport, 1, 3000, monotonic_ms, None, SMALL_MAP)
        values = driver.read(SMALL_MAP.best_registers)
        assert values[items.ENERGY_IMPORT] == 123_400_000
        assert values[items.LOW_CREDIT_1] == 500 * CENT
        assert values[items.SERIAL_NUMBER] == "000000000001"
        with pytest.raises(UsageError, match="no windows for sealed messages; nothing was sent"):
            driver.status(StatusQuestion(bytes(8), 1, 0))
    finally:
        transport.close()
