"""The tariff window: what a meter shows of its tariff sets, byte by byte."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from firmware_sim.assembly import build_lost
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.settings import Settings
from firmware_sim.state import PendingPart
from protocols.data_model.tariff import (
    DayTables,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
)
from protocols.modbus import tcp
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import read_request, write_request
from protocols.quantities import HOUR, LocalMoment
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, make
from tests.support.racks import tcp_server

WINDOW, READ = 0x1A00, 0x1A02
TARIFF = Tariff(
    Seasons(((1, 1, 1), (7, 1, 2)), (0,) * 5 + (2, 2), ((20_500, 1),)),
    DayTables((((0, 1), (480, 2)), ((0, 1),))),
    Prices((3000, 6500)),
    Steps((200_000_000,), (0, 500)),
)
LARGEST = Tariff(
    Seasons(
        tuple((1, day, 1) for day in range(1, 15)),
        (8,) * 7,
        tuple((20_000 + day, 2) for day in range(64)),
    ),
    DayTables((tuple((100 * entry, 4) for entry in range(14)),) * 8),
    Prices((1, 2, 3, 99_999_999)),
    Steps(tuple(10**9 * step for step in range(1, 7)), tuple(range(7)), True),
)


class Wire:
    """A session of Modbus TCP with a meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        rack = Rack([(1, meter)], 0)
        self.servers = tcp_server(rack), tcp_server(rack)

    def send(self, pdu: bytes, session: int = 0) -> bytes:
        """Return the reply PDU to a request of a session."""
        return self.servers[session].receive(tcp.encode(7, 1, pdu), 0)[tcp.HEADER_SIZE :]

    def ask(self, which: int, offset: int = 0, session: int = 0) -> bytes:
        """Return the 125 registers of a question, asked by function 23."""
        question = which.to_bytes(2, "big") + offset.to_bytes(2, "big")
        head = b"".join(word.to_bytes(2, "big") for word in (READ, 125, WINDOW, 2))
        reply = self.send(b"\x17" + head + b"\x04" + question, session)
        assert reply[:2] == b"\x17\xfa"
        return reply[2:]


def head_of(encoding: bytes, which: int, offset: int = 0) -> bytes:
    """Return the ten bytes before a part."""
    numbers = b"".join(number.to_bytes(2, "big") for number in (which, offset, len(encoding)))
    return numbers + zlib.crc32(encoding).to_bytes(4, "big")


def current(tariff: Tariff) -> bytes:
    """Return the encoding of a whole set in force."""
    return TariffChange(tuple((0, part) for part in tariff.parts)).encode()


def test_the_set_in_force_is_shown_in_the_encoding_of_a_sealed_message() -> None:
    wire = Wire(make(tariff=TARIFF))
    encoding = current(TARIFF)
    assert wire.ask(0) == (head_of(encoding, 0) + encoding).ljust(250, b"\0")
    assert TariffChange.decode(encoding).parts == tuple((0, part) for part in TARIFF.parts)


def test_a_set_without_parts_that_wait_is_the_byte_0() -> None:
    assert Wire(make(tariff=TARIFF)).ask(1) == (head_of(b"\0", 1) + b"\0").ljust(250, b"\0")


def test_parts_that_wait_are_shown_with_their_instants_until_they_are_in_force() -> None:
    meter = make(tariff=TARIFF)
    clock = meter.clock
    change = TariffChange(((clock + HOUR, Prices((4000, 7000))), (clock + 2 * HOUR, Steps())))
    assert Host(meter).send(MessageKind.TARIFF, parameters=change.encode()).outcome is (
        Outcome.ACCEPTED
    )
    wire = Wire(meter)
    assert wire.ask(1) == (head_of(change.encode(), 1) + change.encode()).ljust(250, b"\0")
    assert wire.ask(0)[:10] == head_of(current(TARIFF), 0)
    meter.advance(HOUR)
    left = TariffChange(change.parts[1:]).encode()
    assert wire.ask(1)[: 10 + len(left)] == head_of(left, 1) + left
    assert wire.ask(0)[:10] == head_of(current(replace(TARIFF, prices=Prices((4000, 7000)))), 0)
    meter.advance(2 * HOUR)
    assert wire.ask(1)[:11] == head_of(b"\0", 1) + b"\0"


def test_an_activation_in_local_time_is_shown_as_the_instant_that_the_meter_made_of_it() -> None:
    meter = make(tariff=TARIFF, settings=Settings(utc_offset_minutes=480))
    moment = LocalMoment(meter.clock + 8 * HOUR + HOUR)
    sent = TariffChange(((moment, Prices((4000, 7000))),)).encode()
    assert Host(meter).send(MessageKind.TARIFF, parameters=sent).outcome is Outcome.ACCEPTED
    shown = TariffChange(((meter.clock + HOUR, Prices((4000, 7000))),)).encode()
    assert sent != shown
    assert Wire(meter).ask(1)[: 10 + len(shown)] == head_of(shown, 1) + shown


def test_the_largest_set_is_read_in_four_parts() -> None:
    wire = Wire(make(tariff=LARGEST))
    encoding = current(LARGEST)
    assert (len(encoding), LARGEST.problem()) == (844, None)
    found = b""
    for offset in (0, 240, 480, 720):
        part = wire.ask(0, offset)
        assert part[:10] == head_of(encoding, 0, offset)
        found += part[10:]
    assert found == encoding.ljust(960, b"\0")
    for behind in (844, 960, 0xFFFF):
        assert wire.ask(0, behind) == head_of(encoding, 0, behind).ljust(250, b"\0")


def test_the_question_is_written_and_the_part_read_apart_as_well() -> None:
    wire = Wire(make(tariff=TARIFF))
    assert wire.send(write_request(WINDOW, bytes.fromhex("0001 0000")))[0] == 16
    assert wire.send(read_request(3, WINDOW, 3)) == bytes.fromhex("03 06 0001 0000 0001")
    assert wire.send(read_request(4, READ, 125))[2:] == wire.ask(1)
    assert wire.ask(0, session=1)[:2] == b"\0\0"
    assert wire.send(read_request(3, READ, 1)) == bytes.fromhex("03 02 0001"), "its own question"


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (write_request(WINDOW, bytes.fromhex("0002 0000")), 3),
        (write_request(WINDOW, bytes.fromhex("ffff 0000")), 3),
        (write_request(WINDOW, bytes(2)), 3),
        (write_request(WINDOW, bytes(6)), 3),
        (write_request(READ, bytes(4)), 2),
        (write_request(WINDOW + 1, bytes(2)), 2),
        (read_request(3, WINDOW + 3, 125), 2),
        (read_request(3, READ + 125, 1), 2),
        (read_request(3, READ, 126), 3),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else str(value),
)
def test_any_other_request_is_refused(pdu: bytes, code: int) -> None:
    wire = Wire(make(tariff=TARIFF))
    assert wire.send(pdu) == bytes([pdu[0] | 0x80, code])
    assert wire.ask(0)[:10] == head_of(current(TARIFF), 0)


def test_reading_has_no_effect_and_needs_no_permission_in_any_state() -> None:
    lost = build_lost(MeterDescription(tariff=TARIFF))
    closed, unopened, suspended = make(tariff=TARIFF), make(tariff=TARIFF, opened=False), make()
    assert Host(closed).send(MessageKind.CLOSE).outcome is Outcome.ACCEPTED
    for _ in range(6):
        Host(suspended).deliver(bytes([2]) + Host(suspended).seal(MessageKind.VOID)[1:-1] + b"\0")
    for meter in (lost, closed, unopened, suspended):
        before = meter.revision, meter.state.clone(), meter.state.numbers[:]
        wire = Wire(meter)
        shown = current(meter.state.tariff)
        assert wire.ask(0) == (head_of(shown, 0) + shown).ljust(250, b"\0")
        assert wire.ask(1)[10] == 0
        assert (meter.revision, meter.state, meter.state.numbers) == before


def test_values_that_no_message_can_hold_are_a_failure_of_the_device_and_nothing_else() -> None:
    """A state of an older build may hold a holiday before 1970, and an activation past 2106."""
    meter = make(tariff=replace(TARIFF, seasons=Seasons(holidays=((-1, 1),))))
    question = b"\x17" + b"".join(word.to_bytes(2, "big") for word in (READ, 125, WINDOW, 2))
    wire = Wire(meter)
    assert wire.send(question + b"\x04" + bytes(4)) == b"\x97\x04"
    meter.state.tariff = TARIFF
    meter.state.pending = (PendingPart(10**16 + 1, Prices((1, 2))),)
    shown = TariffChange.decode(wire.ask(1)[10 : 10 + 17])
    assert shown.parts == ((0xFFFF_FFFF * 1000, Prices((1, 2))),)


def test_the_windows_of_freezes_show_whole_rows_and_those_of_older_builds_side_by_side() -> None:
    meter = make(credit=10**12)
    meter.advance(5 * 24 * HOUR)
    wire = Wire(meter)
    assert wire.send(write_request(0x1800, (2).to_bytes(4, "big")))[0] == 16
    whole = wire.send(read_request(3, 0x1802, 117))[2:]
    newest = wire.send(read_request(3, 0x1202, 105))[2:]
    assert newest[:6] == bytes.fromhex("00000003 0003"), "it has a cursor of its own"
    assert wire.send(write_request(0x1200, (2).to_bytes(4, "big")))[0] == 16
    narrow = wire.send(read_request(3, 0x1202, 105))[2:]
    rows = [whole[6 + 76 * row :][:76] for row in range(3)]
    assert narrow == whole[:6] + b"".join(row[:68] for row in rows)
    assert all(row[68:] == bytes(8) for row in rows), "nothing was charged"
    assert wire.send(read_request(3, 0x1902, 117))[2:8] == bytes.fromhex("00000001 0000")


def test_the_map_names_its_windows_by_address() -> None:
    assert NATIVE_MAP.tariff is not None
    assert NATIVE_MAP.tariff.extent == range(WINDOW, READ + 125)
