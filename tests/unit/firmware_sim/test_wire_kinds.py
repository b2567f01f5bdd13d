"""The table of wires: options, the ready line and servers derive from it."""

from __future__ import annotations

import importlib
import inspect

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.seam import WireOptions, WireStations
from firmware_sim.wire_kinds import MODBUS_RTU, READY_KEYS, WIRE_KINDS, WireKind
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import read_request
from tests.support.maps import MAGIC


@pytest.mark.parametrize(("module", "command"), [("program", "run"), ("scenario", "scenario_run")])
def test_every_kind_is_an_option_of_the_commands_that_serve(module: str, command: str) -> None:
    commands = importlib.import_module(f"firmware_sim.cli.{module}")
    names = inspect.signature(getattr(commands, command)).parameters
    assert [kind.name for kind in WIRE_KINDS if kind.name not in names] == []
    assert "wires" not in names


def test_every_kind_has_a_key_in_the_ready_line() -> None:
    assert [kind.name for kind in WIRE_KINDS if kind.name not in READY_KEYS] == []
    assert len(set(READY_KEYS)) == len(READY_KEYS)


@pytest.mark.parametrize("kind", WIRE_KINDS, ids=lambda kind: kind.name)
def test_every_kind_serves_stations(kind: WireKind) -> None:
    rack = Rack([(1, build(MeterDescription()))], 0)
    server = kind.serve(WireStations(rack.stations), WireOptions(faults=rack.faults))
    request = read_request(3, 0, 2)
    frame = rtu.encode(1, request) if kind is MODBUS_RTU else tcp.encode(7, 1, request)
    assert MAGIC[:4] in server.receive(frame, 0)
    assert server.unit_of(frame) == 1
    assert not server.closed


@pytest.mark.parametrize("baud", [50, 300, 1200, 2400, 9600, 19_200, 115_200, 4_000_000])
def test_the_silence_of_a_real_line_is_longer_than_a_pause_of_a_usb_adapter(baud: int) -> None:
    assert MODBUS_RTU.silence_us is not None
    silence_us = MODBUS_RTU.silence_us(baud)
    packet_of_62_us = 62 * 11 * 1_000_000 // baud  # with parity
    stalled_us, timer_us = 50_000, 16_000
    assert silence_us >= max(packet_of_62_us, stalled_us + 2 * timer_us)
