"""Foreign replies: of another unit on a shared line, or to another request on a connection."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.modbus_requests import ModbusRequests
from meterctl.drivers.tcp_exchange import TcpExchange
from meterctl.errors import CorruptAnswerError, NoAnswerError
from protocols.data_model import items
from protocols.modbus import rtu, tcp
from protocols.modbus.areas import Area
from protocols.modbus.pdu import exception_reply
from tests.support.maps import MAGIC
from tests.support.scanned_lines import ScannedLine
from tests.support.wire import PipeTransport, connect


class Scripted:
    """A line whose every reply has the same shift of unit and transaction."""

    closed = False
    returns_at_us = None

    def __init__(self, framed: bool, unit_shift: int, transaction_shift: int) -> None:
        self.framed, self.unit_shift, self.transaction_shift = framed, unit_shift, transaction_shift

    def receive(self, data: bytes, at: int) -> bytes:
        """Answer a read with the identity mark and zeros, and function 8 with itself."""
        pdu = data[7:] if self.framed else data[1:-2]
        if pdu[0] == 8:
            return rtu.encode(data[0] + self.unit_shift, pdu)
        count = int.from_bytes(pdu[3:5], "big")
        reply = bytes((pdu[0], 2 * count)) + MAGIC[: 2 * count].ljust(2 * count, b"\0")
        if self.framed:
            return tcp.encode(
                int.from_bytes(data[:2], "big") + self.transaction_shift,
                data[6] + self.unit_shift,
                reply,
            )
        return rtu.encode(data[0] + self.unit_shift, reply)

    def wake(self, at: int) -> bytes:
        """Return no bytes: there is no later output."""
        return b""

    def next_wake(self) -> int | None:
        """Return None: there is no later output."""
        return None


def read(framed: bool, unit_shift: int = 0, transaction_shift: int = 0) -> object:
    """Read one item over a scripted line."""
    line = Scripted(framed, unit_shift, transaction_shift)
    transport = PipeTransport(line, framed=framed)  # type: ignore[arg-type]
    return ModbusDriver(transport, 1, 1000, transport.clock).read([items.EPOCH])[items.EPOCH]


@pytest.mark.parametrize("framed", [False, True])
def test_a_reply_that_is_for_us_is_taken(framed: bool) -> None:
    assert read(framed) is not None


@pytest.mark.parametrize("framed", [False, True])
def test_a_reply_of_another_unit_is_not(framed: bool) -> None:
    with pytest.raises((NoAnswerError, CorruptAnswerError)):
        read(framed, unit_shift=1)


def test_a_reply_to_another_request_is_not() -> None:
    with pytest.raises((NoAnswerError, CorruptAnswerError)):
        read(True, transaction_shift=1)


def test_of_several_failures_the_first_is_told() -> None:
    def damage(exchange: int, direction: str, data: bytes) -> bytes:
        return data if direction == "request" else b"HTTP/1.1 400 Bad Request" * (exchange == 1)

    session, _ = connect(build(MeterDescription()), damage, framed=True)
    with pytest.raises(CorruptAnswerError, match="the stream is no Modbus TCP"):
        session.driver.read([items.EPOCH])


def test_the_trace_shows_a_reply_of_another_transaction_before_the_right_one() -> None:
    shown: list[tuple[str, bytes]] = []
    right = bytes.fromhex("0001 0000 0005 01 03 02 0007")
    other = bytes.fromhex("0009 0000 0003 01 83 02")

    class Wire(PipeTransport):
        def receive(self, timeout_ms: int) -> bytes:
            return other + right

    wire = Wire(Scripted(True, 0, 0), framed=True)  # type: ignore[arg-type]
    exchange = TcpExchange(wire, 1000, wire.clock, lambda mark, data: shown.append((mark, data)))
    request = bytes.fromhex("0001 0000 0006 01 03 0000 0001")
    assert exchange.ask(request, wire.clock() + 1000) == right
    assert shown == [("->", request), ("<?", other), ("<-", right)]


def test_a_silent_meter_behind_a_gateway_is_told_as_silent() -> None:
    line = ScannedLine({}, framed=True, absent=exception_reply(3, 0x0B), absent_ms=10)
    requests = ModbusRequests(line, 7, 500, line.clock, None, has_diagnostics=False)
    with pytest.raises(NoAnswerError, match=r"unit 7: no answer.*the meter is silent"):
        requests.read(Area.HOLDING, 0, 2, requests.end())
