"""Racks of tests: their commands and their servers."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.hal.nvram import NvramFlushError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.values import Value
from firmware_sim.servers.modbus.server import ModbusRtuServer, ModbusTcpServer
from firmware_sim.servers.seam import WireOptions, WireStations
from protocols.control import Command


class FailingNvram(SimulatedNvram):
    """A storage whose flushes fail once it is told so."""

    fails = False

    def flush(self) -> None:
        """Flush, or fail."""
        if self.fails:
            raise NvramFlushError("the device failed to flush")
        super().flush()


def one_kilowatt(_: str, meter: Meter) -> Load:
    """Return 1 kW for whatever load a command names."""
    return Load.constant((1_000_000,) + (0,) * (len(meter.demand.phases) - 1))


def operate(
    rack: Rack, command: Command, at_us: int = 0, serial_number: str | None = None
) -> Mapping[str, Value]:
    """Execute a command on a rack at a line time."""
    return Operator(rack, one_kilowatt, lambda: at_us).execute(command, serial_number)


def rtu_server(rack: Rack) -> ModbusRtuServer:
    """Return a server of a serial line that reaches all meters of a rack."""
    return ModbusRtuServer(WireStations(rack.stations), WireOptions(faults=rack.faults))


def tcp_server(rack: Rack) -> ModbusTcpServer:
    """Return a server of a connection that reaches all meters of a rack."""
    return ModbusTcpServer(WireStations(rack.stations), WireOptions(faults=rack.faults))
