"""The table of drivers: the values of --protocol.

A new protocol is a row here and a driver beside it, imported when it is first opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meterctl.drivers import Driver, Trace
    from meterctl.transports import MonotonicClock, Transport
    from protocols.modbus.register_map import RegisterMap


@dataclass(frozen=True, slots=True)
class DriverKind:
    """One protocol of the host: its name, and how a driver is opened on a transport.

    The arguments of `open` are the transport, the unit number, the time-out of one try in ms, the
    clock, and what --trace sees.
    """

    name: str
    open: Callable[[Transport, int, int, MonotonicClock, Trace | None], Driver]


def modbus(register_map: RegisterMap | None = None) -> DriverKind:
    """Return Modbus with a register map, by default the native one."""

    def open_driver(
        transport: Transport, unit: int, timeout_ms: int, clock: MonotonicClock, trace: Trace | None
    ) -> Driver:
        from meterctl.drivers.modbus import ModbusDriver

        return ModbusDriver(transport, unit, timeout_ms, clock, trace, register_map)

    return DriverKind("modbus", open_driver)


MODBUS = modbus()
DRIVERS: Mapping[str, DriverKind] = {kind.name: kind for kind in (MODBUS,)}
