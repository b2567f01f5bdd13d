"""Meters on a rack whose time does not advance, and the check of unchanged state."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from firmware_sim.assembly import build
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.servers.modbus.server import ModbusRtuServer, ModbusTcpServer
from firmware_sim.servers.seam import Server
from protocols.data_model.tables import Event
from protocols.data_model.words import MeterType
from protocols.keys import MeterKeys, development_keys
from protocols.modbus import rtu, tcp
from protocols.modbus.crc import crc16
from protocols.modbus.pdu import MAX_PDU, reply_length
from protocols.quantities import LEDGER

SERIAL_NUMBERS = ("000000000001", "000000000002")
_MAY_CHANGE = {"security", "numbers", "tail"}
"""Fields of a state that a refused message may change, checked one by one below."""


@cache
def keys_of(serial_number: str) -> MeterKeys:
    """Return a meter's development keys, derived once."""
    return development_keys(serial_number)


def make_meter(serial_number: str = SERIAL_NUMBERS[0]) -> Meter:
    """Return an open meter with credit and debt; the second one is three-phase and unopened."""
    keys = keys_of(serial_number)
    described = MeterDescription(serial_number, keys={keys.version: keys}, debt=5 * LEDGER)
    if serial_number != SERIAL_NUMBERS[0]:
        described = MeterDescription(
            serial_number,
            2,
            MeterType.THREE_PHASE,
            keys={keys.version: keys},
            opened=False,
            epoch=7,
        )
    return build(described)


class Bench:
    """One or two meters on a rack whose time does not advance."""

    def __init__(self, meters: int = 1) -> None:
        self.meters = [make_meter(serial_number) for serial_number in SERIAL_NUMBERS[:meters]]
        self.rack = Rack(enumerate(self.meters, 1), 0)
        self._before = [standing(meter) for meter in self.meters]
        self._events = [meter.state.numbers[EVENT_RING] for meter in self.meters]

    def check(self) -> None:
        """Fail if anything changed but the count of wrong codes and its event."""
        for meter, before, first in zip(self.meters, self._before, self._events, strict=True):
            after = standing(meter)
            moved = [name for name, value in after.items() if value != before[name]]
            assert not moved, (
                f"meter {meter.state.identity.serial_number}: {', '.join(moved)} moved"
            )
            assert not meter.stopped
            assert meter.state.account.imbalance() == (0, 0)
            new = meter.state.numbers[EVENT_RING] - first
            names = [Event.unpack(row).name for row in meter.rings[EVENT_RING].newest(new)]
            assert set(names) <= {"authentication_attack"}, names

    def counts(self) -> list[object]:
        """Return the values that may change, to compare two deliveries of the same bytes."""
        return [
            (meter.state.security.failures, meter.state.numbers[EVENT_RING])
            for meter in self.meters
        ]


def standing(meter: Meter) -> dict[str, object]:
    """Return the values that unsealed bytes must not change: books, sequences, settings, keys."""
    state = meter.state.clone()
    out: dict[str, object] = {
        name: getattr(state, name) for name in state.__dataclass_fields__ if name not in _MAY_CHANGE
    }
    security = state.security
    out["sequences"] = (
        security.credit_sequence,
        security.command_sequence,
        security.journals,
        security.forgotten,
    )
    out["last"] = (security.last_code, security.last_at)
    out["keys"] = (security.key_version, security.opening_code)
    out["rows"] = [number for ring, number in enumerate(state.numbers) if ring != EVENT_RING]
    out["switch"] = meter.switch.closed
    return out


MakeServer = Callable[[Rack], Server]


def at_once(server: Server, pieces: list[bytes]) -> bytes:
    """Deliver pieces at one instant; return the output, with that of a long silence at the end."""
    out = b"".join(server.receive(piece, 0) for piece in pieces)
    return out + _wake(server, 1_000_000)


def with_silences(server: Server, pieces: list[bytes]) -> bytes:
    """Deliver pieces with silences between them, every second one long enough to end a frame."""
    out, at = b"", 0
    for index, piece in enumerate(pieces):
        out += server.receive(piece, at)
        at += 30_000 if index % 2 else 5_000
        out += _wake(server, at)
    return out + _wake(server, at + 1_000_000)


def _wake(server: Server, at: int) -> bytes:
    due = server.next_wake()
    if due is None or due > at:
        return b""
    out = server.wake(at)
    later = server.next_wake()
    assert later is None or later > at, "a wake stays due"
    return out


def check_replies(server: Server, out: bytes) -> None:
    """Fail unless the output is a sequence of valid replies of our units."""
    if isinstance(server, ModbusTcpServer):
        buffer = bytearray(out)
        _, lost = tcp.take(buffer)
        assert not lost, f"{out.hex()} is no Modbus TCP"
        assert not buffer, f"{bytes(buffer).hex()} is left over"
        return
    assert isinstance(server, ModbusRtuServer)
    while out:
        size = reply_length(out[1:]) + 3
        assert 5 <= size <= min(len(out), MAX_PDU + 3), f"{out.hex()} is no reply"
        assert crc16(out[:size]) == 0, f"{out[:size].hex()} has a wrong CRC"
        assert out[0] != rtu.BROADCAST, "a broadcast was answered"
        out = out[size:]
