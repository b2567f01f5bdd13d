"""The table of wires that `run`, the ready line, fixtures and scenarios serve.

A new wire is a row here and a server in servers/. Servers are imported when they are first made:
the options of every command derive from this table, and most commands serve nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from protocols.port_settings import HELP

if TYPE_CHECKING:
    from firmware_sim.servers.seam import Server, Stations, WireOptions


class Medium(Enum):
    """The medium of a wire; the value explains the argument of its option."""

    SERIAL = (
        f"PATH is a serial port ({HELP}); where there is none, a virtual one is made and linked "
        "there."
    )
    TCP = "Port 0 takes a free one, which the ready line names."

    @property
    def placeholder(self) -> str:
        """The word for the argument of its option."""
        return "PATH" if self is Medium.SERIAL else "HOST:PORT"


@dataclass(frozen=True, slots=True)
class WireKind:
    """One kind of wire.

    `name` is its key in the ready line; the option of `run` is made of it. `baud` and `parity` are
    the defaults of a serial port; `silence_us` returns the silence that ends a frame on a real
    line at a speed where none is given, None where the kind has no silence.
    """

    name: str
    title: str
    medium: Medium
    serve: Callable[[Stations, WireOptions], Server]
    silence_us: Callable[[int], int] | None = None
    baud: int = 9600
    parity: str = "N"

    @property
    def flag(self) -> str:
        """The option of `meter-sim run`."""
        return "--" + self.name.replace("_", "-")


def _modbus_rtu(stations: Stations, options: WireOptions) -> Server:
    from firmware_sim.servers.modbus.server import ModbusRtuServer

    return ModbusRtuServer(stations, options)


def _modbus_tcp(stations: Stations, options: WireOptions) -> Server:
    from firmware_sim.servers.modbus.server import ModbusTcpServer

    return ModbusTcpServer(stations, options)


def _usb_silence_us(baud: int) -> int:
    """Return a silence that is longer than any pause within a frame that a USB adapter makes.

    An adapter hands bytes over when a packet of 62 is full or its timer (16 ms) ends. The 3.5
    characters of Serial Line V1.02 (2.5.1.1) are shorter. A whole frame is answered at once, so a
    longer silence delays only the recovery from a frame that was cut.
    """
    return max(100_000, 64 * 11 * 1_000_000 // baud + 40_000)


MODBUS_RTU = WireKind("modbus_rtu", "Modbus RTU", Medium.SERIAL, _modbus_rtu, _usb_silence_us)
MODBUS_TCP = WireKind("modbus_tcp", "Modbus TCP", Medium.TCP, _modbus_tcp)

WIRE_KINDS = (MODBUS_RTU, MODBUS_TCP)
READY_KEYS = (*(kind.name for kind in WIRE_KINDS), "dlt645")
"""Keys of the ready line, in order; one that no kind serves yet has an empty list."""

Wires = Mapping[WireKind, tuple[str, ...]]
"""The paths of ports or the addresses that a person gave for each kind."""
