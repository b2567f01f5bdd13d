"""The table of drivers: the values of --protocol.

A new protocol is a row here and a driver beside it, imported when it is first opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meterctl.drivers import Driver, Trace
    from meterctl.drivers.probing import ProberKind
    from meterctl.drivers.register_blocks import ReadableMap
    from meterctl.transports import MonotonicClock, Transport
    from protocols.decoded_frames import CaptureFormat, DecoderOptions, FrameDecoder
    from protocols.modbus.register_map import RegisterMap


@dataclass(frozen=True, slots=True)
class DriverKind:
    """One protocol of the host: its name, and how a driver is opened on a transport.

    The arguments of `open` are the transport, the unit number, the time-out of one try in ms, the
    clock, and what --trace sees. `prober` returns how its devices are found,
    `decoder` what shows the frames of a line or connection; `framings` are the words that its
    options take. `captures` reads and writes capture files.
    """

    name: str
    open: Callable[[Transport, int, int, MonotonicClock, Trace | None], Driver]
    prober: Callable[[], ProberKind]
    framings: Sequence[str]
    decoder: Callable[[DecoderOptions], FrameDecoder]
    captures: Callable[[], CaptureFormat]


def modbus(
    register_map: RegisterMap | None = None,
    map_name: str | None = None,
    unit_maps: Mapping[int, RegisterMap] | None = None,
) -> DriverKind:
    """Return Modbus with a register map, by default the native one.

    `map_name` is the name under which a user knows the map. `unit_maps` are those of single units
    in the frames of a line.
    """

    def open_driver(
        transport: Transport, unit: int, timeout_ms: int, clock: MonotonicClock, trace: Trace | None
    ) -> Driver:
        from meterctl.drivers.modbus import ModbusDriver

        return ModbusDriver(transport, unit, timeout_ms, clock, trace, register_map, readable())

    @cache
    def readable() -> ReadableMap:
        from meterctl.drivers.register_blocks import ReadableMap
        from protocols.modbus.native_map import NATIVE_MAP

        return ReadableMap(register_map or NATIVE_MAP)

    def prober() -> ProberKind:
        from meterctl.drivers.modbus_prober import prober_kind

        return prober_kind(register_map, map_name)

    def decoder(options: DecoderOptions) -> FrameDecoder:
        from protocols.modbus.dissection.decoder import ModbusDecoder

        return ModbusDecoder(register_map, options, unit_maps)

    def captures() -> CaptureFormat:
        from meterctl.drivers.modbus_captures import ModbusCaptures

        return ModbusCaptures()

    return DriverKind("modbus", open_driver, prober, ("rtu", "tcp", "ascii"), decoder, captures)


MODBUS = modbus()
DRIVERS: Mapping[str, DriverKind] = {kind.name: kind for kind in (MODBUS,)}
