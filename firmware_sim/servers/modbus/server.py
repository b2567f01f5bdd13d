"""The meters' end of Modbus, on a serial line (RTU) and on a TCP connection: bytes to bytes.

Bytes off a wire are one of four things: incomplete (wait), corrupt (count, resynchronise, stay
silent), not for us (ignore), refused (answer with an exception).
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_sim.rack.stations import Station
from firmware_sim.servers.modbus.bank import Bank, bank_of
from firmware_sim.servers.modbus.echo import Echo, EchoState
from firmware_sim.servers.modbus.execute import execute
from firmware_sim.servers.modbus.plan import plan_of
from firmware_sim.servers.modbus.reply_faults import FramedPdu, faulty_replies
from firmware_sim.servers.modbus.windows import SessionWindows
from firmware_sim.servers.reply_faults import Sender, TimedReply
from firmware_sim.servers.seam import Group, Stations, WireOptions
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import exception_reply

GATEWAY_TARGET_FAILED = 0x0B
_RTU_READ = 8
_TCP_READ = tcp.HEADER_SIZE + 5
"""Bytes of a request to read registers, whole."""
_AFTER_TRANSACTION, _UNIT = 2, 6
"""Offsets in a TCP frame: after its transaction identifier, and of its unit."""
_TCP_ALONE = (0, 255)
"""Units that address the meter of a TCP wire that has one (TCP guide 4.4.2.1)."""
_NO_REQUESTS = frozenset({rtu.FrameRole.REPLY, rtu.FrameRole.ECHO})


class _Requests:
    """The requests of one connection or line: its windows by unit, and the stations it reaches."""

    def __init__(self, stations: Stations, options: WireOptions) -> None:
        self.stations, self.options, self.faults = stations, options, options.faults
        self._windows: dict[int, SessionWindows] = {}

    def replies(
        self, station: Station, pdu: bytes, at_us: int
    ) -> tuple[TimedReply[FramedPdu], ...]:
        """Execute a request; return the replies to send."""
        return faulty_replies(
            self.faults, station.unit, pdu, at_us, lambda: self.answer(station, pdu)
        )

    def answer(self, station: Station, pdu: bytes) -> bytes | None:
        """Return the reply of a station; None without power, stopped, or where the power failed."""
        meter = station.meter
        if meter.stopped or not meter.state.powered:
            return None
        windows = self._windows.get(station.unit)
        if windows is None:
            windows = self._windows[station.unit] = SessionWindows(station.register_map)
        reply = execute(station, station.image(bank_of), windows, pdu)
        return reply if station.meter is meter and not meter.stopped else None

    def broadcast(self, station: Station, pdu: bytes) -> None:
        """Execute a broadcast; a plain write is not executed: no meter would answer for it."""
        if not plan_of(station.register_map).plain.concern(pdu):
            self.answer(station, pdu)

    def cache_of(self, station: Station, pdu: bytes, reply: bytes) -> Bank | None:
        """Return the bank that may cache a reply; None as well while replies can have faults."""
        if self.faults.reply:
            return None
        bank = station.image(bank_of)
        return bank if bank.is_cacheable(pdu, reply) else None


class ModbusRtuServer:
    """The meters of one serial line. A broadcast is executed by each and never answered.

    Only `wake` ends a frame by silence: bytes that were received late may have waited in the port
    while this process was busy.
    """

    closed = False

    def __init__(self, stations: Stations, options: WireOptions | None = None) -> None:
        options = options or WireOptions()
        self._requests = _Requests(stations, options)
        self._sender = Sender()
        self._silence_us = options.silence_us
        self._quiet_at: int | None = None
        self._at_us = 0
        self._echo = Echo(options.baud, options.real, options.delay_us)
        self.receiver = rtu.RtuReceiver(self._is_here, self._echo.match)

    def _is_here(self, unit: int) -> bool:
        return bool(self._requests.stations.select(unit, self._at_us))

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit of the frame that begins here."""
        return data[0] if data else None

    def receive(self, data: bytes, at_us: int) -> bytes:
        """Take bytes; return the replies to the requests that are whole, and what else is due."""
        self._at_us, echo = at_us, self._echo
        if len(data) == _RTU_READ and not (
            self.receiver.pending or self._sender.holds or self._requests.faults.reply or echo.waits
        ):
            found = self._requests.stations.select(data[0], at_us)
            known = found[0].image(bank_of).known(data) if found else None
            if known is not None:
                if echo.state is EchoState.CLEAR:
                    echo.last = known  # as `sent` does, without the call
                else:
                    echo.sent(known, False, at_us)
                return known
        if echo.waits and not self.receiver.pending:
            echo.expire(at_us)
        out = self._sender.due(at_us)
        out += self._answers(self.receiver.receive(data))
        self._quiet_at = at_us + self._silence_us if self.receiver.pending else None
        return out

    def wake(self, at_us: int) -> bytes:
        """Return the bytes that are due; a silence that is long enough ends an unfinished frame."""
        self._at_us = at_us
        out = self._sender.due(at_us)
        if self._quiet_at is None or at_us < self._quiet_at:
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
        requests = [frame for frame in frames if frame.role not in _NO_REQUESTS]
        if requests and self._echo.waits:
            self._echo.asked(rtu.encode(requests[0].unit, requests[0].pdu))
        return b"".join([self._answer(frame) for frame in requests])

    def _answer(self, frame: rtu.RtuFrame) -> bytes:
        requests, at_us = self._requests, self._at_us
        if frame.unit == rtu.BROADCAST:
            for each in requests.stations.select(Group.ALL, at_us):
                requests.broadcast(each, frame.pdu)
            return b""
        out = b""
        for station in requests.stations.select(frame.unit, at_us):
            for (pdu, unit_shift, _), delay_us, gap_us in requests.replies(
                station, frame.pdu, at_us
            ):
                whole = rtu.encode((frame.unit + unit_shift) % 256, pdu)
                cache = requests.cache_of(station, frame.pdu, pdu)
                if cache is not None:
                    cache.keep(rtu.encode(frame.unit, frame.pdu), whole)
                is_request = pdu == frame.pdu and not unit_shift
                if requests.faults.meter_hears_itself:
                    self._echo.know()
                self._echo.sent(whole, is_request, at_us, delay_us + gap_us * len(whole))
                out += self._sender.send(whole, at_us, delay_us, gap_us)
        return out


class ModbusTcpServer:
    """One TCP connection. Pipelined requests are answered in order."""

    def __init__(self, stations: Stations, options: WireOptions | None = None) -> None:
        self._requests = _Requests(stations, options or WireOptions())
        self._sender = Sender()
        self._buffer = bytearray()
        self.closed = False

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit of the frame that begins here."""
        return data[_UNIT] if len(data) > _UNIT else None

    def receive(self, data: bytes, at_us: int) -> bytes:
        """Take bytes; return the replies to all requests that are whole.

        A stream whose frames cannot be followed any more is closed.
        """
        if self.closed:
            return b""
        if not (self._buffer or self._sender.holds or self._requests.faults.reply):
            known = self._known(data, at_us)
            if known is not None:
                return known
        self._buffer += data
        frames, self.closed = tcp.take(self._buffer)
        if len(frames) == 1:
            return self._answer(frames[0], at_us)
        return b"".join([self._answer(frame, at_us) for frame in frames])

    def wake(self, at_us: int) -> bytes:
        """Return replies that faults delayed."""
        return self._sender.due(at_us)

    def next_wake(self) -> int | None:
        """Return when a late reply is due."""
        return self._sender.next()

    def _answer(self, frame: tcp.TcpFrame, at_us: int) -> bytes:
        requests = self._requests
        found = requests.stations.select(frame.unit, at_us) or self._alone(frame.unit, at_us)
        if not found:
            if requests.options.silent_unknown_units:
                return b""
            refusal = exception_reply(frame.pdu[0], GATEWAY_TARGET_FAILED)
            return tcp.encode(frame.transaction, frame.unit, refusal)
        out = b""
        for framed, delay_us, gap_us in requests.replies(found[0], frame.pdu, at_us):
            pdu, unit_shift, transaction_shift = framed
            transaction = (frame.transaction + transaction_shift) % 65_536
            whole = tcp.encode(transaction, (frame.unit + unit_shift) % 256, pdu)
            cache = requests.cache_of(found[0], frame.pdu, pdu)
            if cache is not None:
                asked = tcp.encode(0, frame.unit, frame.pdu)[_AFTER_TRANSACTION:]
                cache.keep(asked, whole[_AFTER_TRANSACTION:])
            out += self._sender.send(whole, at_us, delay_us, gap_us)
        return out

    def _alone(self, unit: int, at_us: int) -> Sequence[Station]:
        """Return the meter that is alone, where it answers to a unit that is not its own."""
        alone = self._requests.stations.select(Group.ONLY, at_us)
        return [one for one in alone if unit in _TCP_ALONE or one.register_map.any_unit]

    def _known(self, data: bytes, at_us: int) -> bytes | None:
        """Return the cached replies to whole reads, None where one of them is not cached."""
        if len(data) == _TCP_READ:
            found = self._requests.stations.select(data[_UNIT], at_us)
            if not found:
                return None
            known = found[0].image(bank_of).known(data[_AFTER_TRANSACTION:])
            return None if known is None else data[:_AFTER_TRANSACTION] + known
        if len(data) % _TCP_READ:
            return None
        replies = []
        for start in range(0, len(data), _TCP_READ):
            # a cached read names its own length, so the next request begins after it
            reply = self._known(data[start : start + _TCP_READ], at_us)
            if reply is None:
                return None
            replies.append(reply)
        return b"".join(replies)
