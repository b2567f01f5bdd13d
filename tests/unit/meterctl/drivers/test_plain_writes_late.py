"""Writes without a seal on a slow serial line to a device without function 8."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from meterctl.drivers.modbus import ModbusDriver
from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section, Span
from protocols.modbus.value_layout import Layout, ValueType
from tests.support.racks import rtu_server
from tests.support.wire import PipeTransport

ADDRESS = 0x2000
TIMEOUT_MS = 1000


class SlowTransport(PipeTransport):
    """A transport on which replies to reads come late; a device answers in order."""

    def __init__(self, delay_ms: int) -> None:
        super().__init__(Line(rtu_server(Rack([(1, build(MeterDescription()))], 0))))
        self.delay_ms = delay_ms
        self.due: list[tuple[int, bytes]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.came: list[tuple[int, bytes]] = []

    def send(self, data: bytes, timeout_ms: int) -> None:
        self.sent.append((self.clock(), data))
        reply = self.line.receive(data, self.now_us)
        is_read = data[1] <= Function.READ_INPUT_REGISTERS
        at = self.clock() + (self.delay_ms if is_read else 0)
        self.due.append((max(at, *(time for time, _ in self.due), 0), reply))

    def receive(self, timeout_ms: int) -> bytes:
        if self.due and self.due[0][0] <= self.clock() + timeout_ms:
            at, data = self.due.pop(0)
            self.now_us = max(self.now_us, at * 1000)
            self.came.append((self.clock(), data))
            return data
        self.now_us += timeout_ms * 1000
        return b""

    def prepare(self, timeout_ms: int) -> None:
        pass


def driver_of(transport: PipeTransport, room: int) -> ModbusDriver:
    """Return a driver of a map without function 8 with some registers beside the written one."""
    place = Register(Area.HOLDING, ADDRESS, items.TRIP_MODE, Layout(ValueType.U16), writable=True)
    register_map = RegisterMap(
        "tried",
        (Section("All", (place,)),),
        zeros=(Span(Area.HOLDING, ADDRESS + 1, room),) if room else (),
        functions=frozenset(Function) - {Function.DIAGNOSTICS},
    )
    return ModbusDriver(transport, 1, TIMEOUT_MS, transport.clock, None, register_map)


def write_and_read_back(driver: ModbusDriver, number: int) -> tuple[Sequence[int], bool]:
    """Read, write and read back, as the command does."""
    driver.read_numbers(Area.HOLDING, ADDRESS, 1)
    driver.write_once(Area.HOLDING, ADDRESS, (number,))
    back = driver.read_back(Area.HOLDING, ADDRESS, 1)
    return back.numbers, back.is_certain


@pytest.mark.parametrize("room", [0, 8])
@pytest.mark.parametrize("delay_ms", [0, 900, 1500, 2400, 2800])
def test_a_late_reply_to_the_read_before_a_write_is_not_taken_for_the_read_back(
    delay_ms: int, room: int
) -> None:
    transport = SlowTransport(delay_ms)
    assert write_and_read_back(driver_of(transport, room), 1) == ((1,), True)


@pytest.mark.parametrize("room", [0, 8])
def test_a_write_follows_all_replies_to_a_read_that_was_repeated(room: int) -> None:
    transport = SlowTransport(2400)
    write_and_read_back(driver_of(transport, room), 1)
    is_write = [data[1] == Function.WRITE_MULTIPLE_REGISTERS for _, data in transport.sent]
    at = is_write.index(True)
    before = [data for time, data in transport.came if time < transport.sent[at][0]]
    assert len(before) == at, "each request was answered before the write was sent"


def test_a_read_back_has_a_length_that_no_read_before_had() -> None:
    transport = SlowTransport(0)
    driver = driver_of(transport, 8)
    for number in (1, 2):
        assert write_and_read_back(driver, number) == ((number,), True)
    lengths = [data[5] for _, data in transport.sent if data[1] == Function.READ_HOLDING_REGISTERS]
    assert len({*lengths[1:]}) == len(lengths[1:]) - 1, "the second read before may repeat one"


def test_without_room_for_another_length_a_lost_reply_makes_the_read_back_uncertain() -> None:
    transport = SlowTransport(0)
    driver = driver_of(transport, 0)
    driver.read_numbers(Area.HOLDING, ADDRESS, 1)
    answer = transport.line.receive

    def lost(data: bytes, now_us: int) -> bytes:
        transport.line.receive = answer  # type: ignore[method-assign]
        return b""

    transport.line.receive = lost  # type: ignore[method-assign]
    began = transport.clock()
    _, is_certain = write_and_read_back(driver, 1)
    assert not is_certain, "the reply that is missing may still come"
    assert transport.clock() - began >= 4 * TIMEOUT_MS, "it is awaited for two time-outs"
