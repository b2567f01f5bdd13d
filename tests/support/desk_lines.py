"""Meters on a line in the process of a test, as the desk's gateway meets them; it may go wrong."""

from __future__ import annotations

from pathlib import Path

from firmware_sim.meter import Meter
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from meterctl.utility.meters.gateway import Clocks, Gateway, MeterPlace
from meterctl.utility.meters.gateway.cards import OpenCard, open_card
from protocols.modbus.native_map import NATIVE_MAP
from tests.support.racks import rtu_server, tcp_server
from tests.support.wire import Fault, PipeTransport

URL = "tcp://127.0.0.1:5020"
NOW_MS = 1_767_225_600_000
_EXCHANGE = 0x17
_PDU = 7
"""Offset of the function in a frame of TCP."""


class Killed(BaseException):
    """The process is killed here."""


class DeskLine:
    """Meters on one line, units from 1 on. `fault` may change the bytes of an exchange.

    `opened` counts how often the port was opened; `now_ms` is the desk's clock.
    """

    def __init__(self, *meters: Meter, framed: bool = True) -> None:
        self.fault: Fault | None = None
        self.opened, self.now_ms, self.framed = 0, NOW_MS, framed
        self.pauses: list[int] = []
        self.connect(*meters)

    def connect(self, *meters: Meter) -> None:
        """Put other meters on the line."""
        rack = Rack(list(enumerate(meters, 1)), 0)
        server = tcp_server(rack) if self.framed else rtu_server(rack)
        self.transport = PipeTransport(Line(server), self._changed, self.framed)

    @property
    def exchanges(self) -> int:
        """Requests that were sent so far."""
        return self.transport.exchanges

    def gateway(
        self, folder: Path, keys: Path | None = None, open_card: OpenCard = open_card
    ) -> Gateway:
        """Return a gateway whose ports are this line."""
        clocks = Clocks(lambda: self.now_ms, self._ticks, self.pauses.append)
        journal = folder / "journal.sqlite"
        return Gateway(journal, keys, clocks, open_wire=self._open, open_card=open_card)

    def _ticks(self) -> int:
        return self.transport.clock()

    def _open(self, _: str) -> PipeTransport:
        self.opened += 1
        return self.transport

    def _changed(self, number: int, way: str, data: bytes) -> bytes:
        return data if self.fault is None else self.fault(number, way, data)


def place_of(meter: Meter, unit: int = 1) -> MeterPlace:
    """Return the place of a meter on such a line."""
    return MeterPlace(meter.state.identity.serial_number, URL, unit=unit)


def is_delivery(data: bytes) -> bool:
    """Return whether a request of TCP hands over the last part of a sealed message."""
    windows = NATIVE_MAP.windows
    assert windows is not None
    address = int.from_bytes(data[_PDU + 5 : _PDU + 7], "big")
    return data[_PDU] == _EXCHANGE and address == windows.message


def silent(_: int, __: str, ___: bytes) -> bytes:
    """Lose everything."""
    return b""


class AtDelivery:
    """Lets everything pass until a message is handed over; from then on `fault` decides.

    Args:
        lost: whether the request of the delivery is lost, or else its reply.
        times: how many deliveries pass before.
    """

    def __init__(self, *, lost: bool = False, times: int = 0) -> None:
        self.lost, self.times, self.is_over = lost, times, False

    def __call__(self, _: int, way: str, data: bytes) -> bytes:
        """Return what arrives."""
        if self.is_over:
            return b""
        if way == "request" and is_delivery(data):
            if self.times:
                self.times -= 1
                return data
            self.is_over = True
            return b"" if self.lost else data
        return data


def killing_at_delivery(*, lost: bool) -> Fault:
    """Return a fault that kills the process at a delivery, before or after it was sent."""
    sent = False

    def fault(_: int, way: str, data: bytes) -> bytes:
        nonlocal sent
        if way == "request" and is_delivery(data):
            if lost:
                raise Killed
            sent = True
        elif sent:
            raise Killed
        return data

    return fault
