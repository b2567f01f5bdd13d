"""Requests that reach a meter in the packets of a USB adapter are answered at every speed."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.modbus.server import ModbusRtuServer
from firmware_sim.servers.seam import WireOptions, WireStations
from firmware_sim.wire_kinds import MODBUS_RTU
from protocols.modbus import rtu
from protocols.modbus.pdu import exception_reply, read_request, write_request
from tests.support.meter_adapters import packets

READ = rtu.encode(1, read_request(3, 0, 10))
WRITE = rtu.encode(1, write_request(0x2000, bytes(246)))
REFUSED = rtu.encode(1, exception_reply(16, 2))
"""There are 16 scratch registers; the request is whole and understood."""
STALL_US = 50_000


def serve(baud: int) -> ModbusRtuServer:
    assert MODBUS_RTU.silence_us is not None
    options = WireOptions(MODBUS_RTU.silence_us(baud), real=True, baud=baud)
    return ModbusRtuServer(
        WireStations(Rack([(1, build(MeterDescription()))], 0).stations), options
    )


def deliver(server: ModbusRtuServer, pieces: list[tuple[int, bytes]]) -> bytes:
    """Return what the server sends while pieces arrive, each at its time."""
    out = b""
    for at_us, piece in pieces:
        while (due := server.next_wake()) is not None and due <= at_us:
            out += server.wake(due)
        out += server.receive(piece, at_us)
    return out


@pytest.mark.parametrize("baud", [300, 1200, 2400, 9600, 19_200, 38_400, 57_600, 115_200])
@pytest.mark.parametrize(("size", "every_us"), [(62, 16_000), (62, 1_000), (64, 90_000), (1, 1)])
def test_a_request_in_packets_is_answered(baud: int, size: int, every_us: int) -> None:
    server, start_us = serve(baud), 0
    for phase_us in range(0, every_us, max(1, every_us // 7)):
        for request in (READ, WRITE):
            pieces = [
                (start_us + at_us, piece)
                for at_us, piece in packets(request, baud, phase_us, size, every_us)
            ]
            out = deliver(server, pieces)
            assert out == REFUSED if request is WRITE else out[:3] == b"\1\3\x14"
            start_us = pieces[-1][0] + 1_000_000


@pytest.mark.parametrize("baud", [1200, 9600, 19_200, 115_200])
def test_a_stall_of_the_adapter_between_packets_does_not_cut_a_request(baud: int) -> None:
    pieces = list(packets(WRITE, baud, 5_000))
    for stalled in range(1, len(pieces)):
        late = [(at + STALL_US * (n >= stalled), piece) for n, (at, piece) in enumerate(pieces)]
        assert deliver(serve(baud), late) == REFUSED


@pytest.mark.parametrize("baud", [1200, 9600, 115_200])
def test_a_gap_that_a_busy_process_sees_before_bytes_is_no_silence(baud: int) -> None:
    for cut in range(1, len(READ)):
        server = serve(baud)
        assert server.receive(READ[:cut], 0) == b""
        assert server.receive(READ[cut:], 60_000_000)[:3] == b"\1\3\x14"


@pytest.mark.parametrize("baud", [1200, 9600, 115_200])
def test_a_silence_of_the_line_ends_a_request(baud: int) -> None:
    for cut in range(1, len(READ)):
        server = serve(baud)
        assert deliver(server, [(0, READ[:cut]), (2_000_000, READ[cut:])]) == b""
        assert deliver(server, [(3_000_000, READ)])[:3] == b"\1\3\x14"
