"""A wire in one process: host driver and meter server, in virtual time.

`fault(n, direction, data)` may change, drop or repeat the bytes of the n-th exchange: it returns
the bytes that arrive.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.meter import Meter
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from meterctl.drivers.modbus import ModbusDriver
from meterctl.key_ring import KeyRing, development_ring
from meterctl.session import Session
from tests.support.racks import rtu_server, tcp_server

Fault = Callable[[int, str, bytes], bytes]
LINE_MS = 1_000


class PipeTransport:
    """A transport to a server's line; its clock moves only when it sends and waits."""

    name = "pipe"
    silence_ms = pause_ms = 0

    def __init__(self, line: Line, fault: Fault | None = None, framed: bool = False) -> None:
        self.line, self.fault, self.framed = line, fault, framed
        self.now_us = self.character_us = 0
        self.exchanges = 0
        self._arrived = b""

    def clock(self) -> int:
        """Virtual milliseconds."""
        return self.now_us // 1000

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send a request to the server and queue its reply, both changed by the fault."""
        self.exchanges += 1
        self.now_us += LINE_MS
        data = self.fault(self.exchanges, "request", data) if self.fault else data
        reply = self.line.receive(data, self.now_us) if data else b""
        if reply and self.fault:
            reply = self.fault(self.exchanges, "reply", reply)
        self._arrived += reply

    def receive(self, timeout_ms: int) -> bytes:
        """Return the bytes that arrive first; silence takes the whole time-out."""
        deadline = self.now_us + timeout_ms * 1000
        while not self._arrived:
            due = self.line.next_wake()
            if due is None or due > deadline:
                self.now_us = deadline
                break
            self.now_us = max(self.now_us, due)
            self._arrived = self.line.wake(self.now_us)
        data, self._arrived = self._arrived, b""
        return data

    def prepare(self, timeout_ms: int) -> None:
        """Drop all received bytes."""
        self.line.wake(self.now_us)
        self._arrived = b""

    def close(self) -> None:
        """Do nothing: there is no resource to release."""


def connect(
    meter: Meter,
    fault: Fault | None = None,
    unit: int = 1,
    ring: KeyRing | None = None,
    framed: bool = False,
) -> tuple[Session, PipeTransport]:
    """Return a session with a meter over a pipe; meter time stands still."""
    rack = Rack([(unit, meter)], 0)
    server = tcp_server(rack) if framed else rtu_server(rack)
    transport = PipeTransport(Line(server), fault, framed)
    driver = ModbusDriver(transport, unit, 1000, transport.clock)
    return Session(
        driver, ring or development_ring(), lambda: 1_767_225_600, transport.clock
    ), transport
