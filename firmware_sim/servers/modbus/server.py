"""The meter's end of Modbus, on a serial line (RTU) and on a TCP connection: bytes in, bytes out,
no socket.

What comes off a wire is one of four things: incomplete (wait), corrupt (count, resynchronise, stay
silent), not for us (ignore), refused (answer with an exception).
"""

from __future__ import annotations

from firmware_sim.hal.nvram import PowerCutError
from firmware_sim.meter import MeterStoppedError
from firmware_sim.servers.modbus.bank import Bank
from firmware_sim.servers.modbus.execute import execute
from firmware_sim.servers.modbus.spoil import FaultyReply, spoil
from firmware_sim.servers.modbus.windows import SessionWindows
from firmware_sim.servers.outbox import Outbox
from firmware_sim.servers.seam import Station, Stations
from protocols.modbus import rtu, tcp
from protocols.modbus.native_map import MAP_END
from protocols.modbus.pdu import exception_reply

GATEWAY_TARGET_FAILED = 0x0B
_READS = (3, 4)
_RTU_READ = 8
_TCP_READ = tcp.HEADER_SIZE + 5
"""Bytes of a request to read registers, whole."""
_AFTER_TRANSACTION, _UNIT = 2, 6
"""Where a TCP frame goes on after its transaction identifier, and where its unit is."""
PTY_SILENCE_US = 20_000
"""A pty has no wire timing: a host that writes a frame in two goes must not be cut."""


def t35_us(baud: int) -> int:
    """Return the inter-frame silence of a real line, us (Serial Line V1.02, section 2.5.1.1)."""
    return 1_750 if baud > 19_200 else 3_500_000 * 11 // baud


class _Session:
    """The banks and windows of one connection or line, by unit."""

    def __init__(self, stations: Stations) -> None:
        self.stations = stations
        self._windows: dict[int, SessionWindows] = {}

    def answer(self, station: Station, pdu: bytes, at: int) -> bytes | None:
        """Return the reply of a station at line time `at`, None where it is without power or
        stopped.
        """
        meter = station.meter
        if meter.stopped or not meter.state.powered:
            return None
        windows = self._windows.get(station.unit)
        if windows is None:
            windows = self._windows[station.unit] = SessionWindows()
        try:
            return execute(meter, bank_of(station), windows, pdu)
        except MeterStoppedError:
            return None
        except PowerCutError:
            self.stations.power_lost(station, at)
            return None

    def replies(self, station: Station, pdu: bytes, at: int) -> tuple[FaultyReply, ...]:
        """Return what is sent in reply: nothing, one reply, or what faults make of it."""
        faults = self.stations.faults
        if faults.reply:
            return spoil(faults, station.unit, pdu, at, lambda: self.answer(station, pdu, at))
        reply = self.answer(station, pdu, at)
        return (FaultyReply(reply),) if reply else ()


def bank_of(station: Station) -> Bank:
    """Return the bank of a station, which all its wires share."""
    bank = station.images.get("modbus")
    if bank is None:
        bank = station.images["modbus"] = Bank(station.meter)
    assert isinstance(bank, Bank)
    return bank


def _only_the_meter_decides(pdu: bytes, reply: bytes) -> bool:
    """Say whether a reply holds for every connection until the meter changes: a read of the map
    that was done.
    """
    return (
        reply[0] in _READS
        and int.from_bytes(pdu[1:3], "big") + int.from_bytes(pdu[3:5], "big") <= MAP_END
    )


class _Sender:
    """Frames on their way out: at once where nothing holds them, else in order when they are
    due.
    """

    def __init__(self) -> None:
        self._outbox = Outbox()

    def send(self, frame: bytes, spoilt: FaultyReply, at: int) -> bytes:
        """Return a frame that is due now; hold one that is not, byte by byte where a pause is
        wanted.
        """
        if not (spoilt.delay_us or spoilt.gap_us or self._outbox):
            return frame
        pieces = [frame[i : i + 1] for i in range(len(frame))] if spoilt.gap_us else [frame]
        for index, piece in enumerate(pieces):
            self._outbox.put(at + spoilt.delay_us + index * spoilt.gap_us, piece)
        return b""

    @property
    def holds(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._outbox)

    def due(self, at: int) -> bytes:
        """Return what is due by now."""
        return b"".join([data for _, data in self._outbox.take(at)])

    def next(self) -> int | None:
        """Return when anything is due next."""
        return self._outbox.next()


class ModbusRtuServer:
    """All meters of one serial line. A broadcast is executed by every one and never answered."""

    closed = False

    def __init__(self, stations: Stations, silence_us: int = PTY_SILENCE_US) -> None:
        self._session = _Session(stations)
        self._sender = _Sender()
        self._silence_us = silence_us
        self._quiet_at: int | None = None
        self._at = 0
        self.receiver = rtu.RtuReceiver(self._ours)

    def _ours(self, unit: int) -> bool:
        return self._session.stations.find(unit, self._at) is not None

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit of the frame that begins here."""
        return data[0] if data else None

    def receive(self, data: bytes, at: int) -> bytes:
        """Take bytes; a gap in line time before them ends whatever was not whole."""
        self._at = at
        if len(data) == _RTU_READ and not (
            self.receiver.pending or self._sender.holds or self._session.stations.faults.reply
        ):
            station = self._session.stations.find(data[0], at)
            known = bank_of(station).known(data) if station is not None else None
            if known is not None:
                return known
        out = self.wake(at)
        out += self._answers(self.receiver.receive(data))
        self._quiet_at = at + self._silence_us if self.receiver.pending else None
        return out

    def wake(self, at: int) -> bytes:
        """Give what is due, and end what is not whole when the line has been silent long enough."""
        self._at = at
        out = self._sender.due(at)
        if self._quiet_at is None or at < self._quiet_at:
            return out
        self._quiet_at = None
        return out + self._answers(self.receiver.silence())

    def next_wake(self) -> int | None:
        """Return when the silence is long enough, or a late reply due."""
        late = self._sender.next()
        if late is None or self._quiet_at is None:
            return self._quiet_at if late is None else late
        return min(late, self._quiet_at)

    def _answers(self, frames: list[rtu.RtuFrame]) -> bytes:
        return b"".join([self._answer(frame) for frame in frames])

    def _answer(self, frame: rtu.RtuFrame) -> bytes:
        if frame.role is rtu.FrameRole.REPLY:
            return b""
        if frame.unit == rtu.BROADCAST:
            for every in self._session.stations.everyone(self._at):
                self._session.answer(every, frame.pdu, self._at)
            return b""
        station = self._session.stations.find(frame.unit, self._at)
        if station is None:
            return b""
        out = b""
        for spoilt in self._session.replies(station, frame.pdu, self._at):
            whole = rtu.encode((frame.unit + spoilt.unit_shift) % 256, spoilt.pdu)
            if not self._session.stations.faults.reply and _only_the_meter_decides(
                frame.pdu, spoilt.pdu
            ):
                bank_of(station).keep(rtu.encode(frame.unit, frame.pdu), whole)
            out += self._sender.send(whole, spoilt, self._at)
        return out


class ModbusTcpServer:
    """One TCP connection. Pipelined requests are answered in order; units 0 and 255 address a meter
    that is alone.
    """

    def __init__(self, stations: Stations, unknown_unit_silent: bool = False) -> None:
        self._session = _Session(stations)
        self._sender = _Sender()
        self._unknown_unit_silent = unknown_unit_silent
        self._buffer = bytearray()
        self.closed = False

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit of the frame that begins here."""
        return data[_UNIT] if len(data) > _UNIT else None

    def receive(self, data: bytes, at: int) -> bytes:
        """Take bytes and return all replies that they complete; a stream that lost its step is
        closed.
        """
        if self.closed:
            return b""
        if not (self._buffer or self._sender.holds or self._session.stations.faults.reply):
            known = self._known(data, at)
            if known is not None:
                return known
        self._buffer += data
        frames, self.closed = tcp.take(self._buffer)
        if len(frames) == 1:
            return self._answer(frames[0], at)
        return b"".join([self._answer(frame, at) for frame in frames])

    def wake(self, at: int) -> bytes:
        """Give replies that faults made late."""
        return self._sender.due(at)

    def next_wake(self) -> int | None:
        """Return when a late reply is due."""
        return self._sender.next()

    def _answer(self, frame: tcp.TcpFrame, at: int) -> bytes:
        stations = self._session.stations
        station = stations.find(frame.unit, at)
        if station is None and frame.unit in (0, 255):
            station = stations.alone(at)
        if station is None:
            if self._unknown_unit_silent:
                return b""
            return tcp.encode(
                frame.transaction, frame.unit, exception_reply(frame.pdu[0], GATEWAY_TARGET_FAILED)
            )
        out = b""
        for spoilt in self._session.replies(station, frame.pdu, at):
            transaction = (frame.transaction + spoilt.transaction_shift) % 65_536
            whole = tcp.encode(transaction, (frame.unit + spoilt.unit_shift) % 256, spoilt.pdu)
            if not stations.faults.reply and _only_the_meter_decides(frame.pdu, spoilt.pdu):
                asked = tcp.encode(0, frame.unit, frame.pdu)
                bank_of(station).keep(asked[_AFTER_TRANSACTION:], whole[_AFTER_TRANSACTION:])
            out += self._sender.send(whole, spoilt, at)
        return out

    def _known(self, data: bytes, at: int) -> bytes | None:
        """Return the replies to reads that were replied to before, None where one of them must be
        looked at.
        """
        if len(data) == _TCP_READ:
            station = self._session.stations.find(data[_UNIT], at)
            known = (
                bank_of(station).known(data[_AFTER_TRANSACTION:]) if station is not None else None
            )
            return data[:_AFTER_TRANSACTION] + known if known is not None else None
        if len(data) % _TCP_READ:
            return None
        replies = []
        for start in range(
            0, len(data), _TCP_READ
        ):  # a known read says its own length, so the next begins behind it
            reply = self._known(data[start : start + _TCP_READ], at)
            if reply is None:
                return None
            replies.append(reply)
        return b"".join(replies)
