"""Requests to many units of one wire, each sent once, with a short time-out.

A reply is that of the unit, or the transaction, that it names; one that comes after its time-out
is kept as a late one, and never taken for that of the unit that is asked then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from meterctl.drivers import Trace
from meterctl.drivers.exchange import SHOWN_BYTES
from meterctl.drivers.strays import LEAST_FRAME
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.transports import LineTiming, MonotonicClock, Transport
from protocols.errors import FrameError
from protocols.modbus import rtu, tcp
from protocols.modbus.crc import crc16
from protocols.modbus.pdu import check_reply, reply_length, request_length

REQUEST_BYTES = 8
"""Characters of a request of a scan on a serial line."""
GAP_MS = 50
"""Longest gap in a reply that has begun: adapters hand bytes over every 16 ms."""
MOST_CLOSINGS = 4
"""Connections in a row that a host may close before any answer."""
LONGEST_MS = 5000
"""Limit of a time-out that grows with a slow gateway."""
GATEWAY = frozenset({0x0A, 0x0B})
"""Exceptions of a gateway that has no such unit."""


def is_no_unit(reply: bytes) -> bool:
    """Return whether a reply says that a gateway has no such unit."""
    return len(reply) == 2 and bool(reply[0] & 0x80) and reply[1] in GATEWAY


def silent_ms(timing: LineTiming, timeout_ms: int) -> int:
    """Return how long a unit takes that does not answer."""
    request_ms = -(-timing.character_us * REQUEST_BYTES // 1000)
    return timing.silence_ms + timing.pause_ms + request_ms + timeout_ms


class ProbeExchange(ABC):
    """One request after another, to any unit.

    `late` holds the units whose replies came late, with the time after the request in ms; `unasked`
    counts whole frames that nothing sent here explains, `noise` bytes that belong to no frame.
    `names_requests`: whether a reply names its request, and not only its unit.
    """

    names_requests = False

    def __init__(
        self, wire: Transport, timeout_ms: int, clock: MonotonicClock, trace: Trace | None
    ) -> None:
        self._wire, self.timeout_ms, self._now, self._trace = wire, timeout_ms, clock, trace
        self.late: dict[int, int] = {}
        self.unasked = self.noise = 0
        self._buffer = b""

    @abstractmethod
    def ask(self, unit: int, pdu: bytes, timeout_ms: int) -> bytes | None:
        """Send a request once; return the PDU of its reply, None for silence.

        Raises:
            CorruptAnswerError: bytes came that cannot be the reply.
            NoAnswerError: the wire broke.
        """

    @abstractmethod
    def wait(self, milliseconds: int) -> None:
        """Receive late replies for some time."""

    @property
    def silent_ms(self) -> int:
        """How long a unit takes that does not answer."""
        wire = self._wire
        timing = LineTiming(wire.character_us, wire.silence_ms, wire.pause_ms)
        return silent_ms(timing, self.timeout_ms)

    def _show(self, direction: str, data: bytes) -> None:
        if self._trace is not None and data:
            self._trace(direction, data)


class SerialProbes(ProbeExchange):
    """Requests on a serial line. What an adapter hands back of them is skipped."""

    def __init__(
        self, wire: Transport, timeout_ms: int, clock: MonotonicClock, trace: Trace | None = None
    ) -> None:
        super().__init__(wire, timeout_ms, clock, trace)
        self._asked_at: dict[int, int] = {}
        self._last_byte_at = clock()
        self._echo = b""

    def ask(self, unit: int, pdu: bytes, timeout_ms: int) -> bytes | None:
        """Send a request and return its reply; see ProbeExchange."""
        self._wire.prepare(timeout_ms)
        self._be_silent(timeout_ms)
        request = rtu.encode(unit, pdu)
        self._show("->", request)
        self._wire.send(request, timeout_ms)
        sent_at = self._asked_at[unit] = self._now()
        self._echo = request
        of_line = self._wire.character_us * (len(request) + rtu.MAX_FRAME) // 1000
        last = sent_at + timeout_ms + of_line + GAP_MS
        deadline = sent_at + timeout_ms + self._wire.character_us * len(request) // 1000
        damaged = None
        while True:
            for frame in self._frames():
                if frame[0] == unit:
                    try:
                        check_reply(pdu, frame[1:-2])
                    except FrameError as error:
                        damaged = error
                        continue
                    self._show("<-", frame)
                    return frame[1:-2]
                self._note(frame)
            left = min(deadline, last) - self._now()
            if left <= 0:
                break
            if data := self._wire.receive(left):
                self._take(data)
                deadline = max(deadline, self._now() + GAP_MS)
        rest, self._buffer = self._buffer, b""
        self.noise += len(rest)
        self._show("<?", rest)
        if damaged is not None:
            raise CorruptAnswerError(str(damaged))
        if len(rest) >= LEAST_FRAME:
            raise CorruptAnswerError(
                f"no frame in what was received: {rest[:SHOWN_BYTES].hex(' ')}"
            )
        return None

    def wait(self, milliseconds: int) -> None:
        """Receive late replies for some time."""
        end = self._now() + milliseconds
        while (left := end - self._now()) > 0:
            if data := self._wire.receive(left):
                self._take(data)
                self._note_all()

    def _take(self, data: bytes) -> None:
        self._buffer += data
        self._last_byte_at = self._now()

    def _be_silent(self, timeout_ms: int) -> None:
        """Wait for the silence between two frames, and for the pause."""
        give_up = self._now() + timeout_ms + GAP_MS
        while True:
            wait_ms = self._last_byte_at + self._wire.silence_ms - self._now()
            if data := self._wire.receive(max(wait_ms, 0)):
                self._take(data)
            elif wait_ms <= 0:
                break
            if self._now() > give_up:
                self._note_all()
                raise CorruptAnswerError("the line is never silent; nothing was sent")
        self._note_all()
        if self._wire.pause_ms:
            self.wait(self._wire.pause_ms)

    def _note_all(self) -> None:
        """Note the frames that wait, and drop the rest."""
        for frame in self._frames():
            self._note(frame)
        self.noise += len(self._buffer)
        self._buffer = b""

    def _note(self, frame: bytes) -> None:
        """Note a frame that is not the reply to the request before it."""
        self._show("<?", frame)
        unit = frame[0]
        if unit not in self._asked_at:
            self.unasked += 1
        elif not is_no_unit(frame[1:-2]):
            self.late.setdefault(unit, self._now() - self._asked_at[unit])

    def _frames(self) -> Iterator[bytes]:
        """Take whole frames out of the buffer; what stands before one is noise."""
        while True:
            if self._echo and (at := self._buffer.find(self._echo)) >= 0:
                size = len(self._echo)
                self._buffer = self._buffer[:at] + self._buffer[at + size :]
                self._echo = b""
            found = _whole_frame(self._buffer)
            if found is None:
                return
            self.noise += found.start
            frame = self._buffer[found.start : found.stop]
            self._buffer = self._buffer[found.stop :]
            yield frame


def _whole_frame(data: bytes) -> range | None:
    """Return where the first frame with a right CRC stands; requests of others are frames too."""
    for start in range(len(data) - LEAST_FRAME + 1):
        pdu = data[start + 1 :]
        for length in (reply_length(pdu), request_length(pdu)):
            end = start + length + 3
            if length > 0 and end <= len(data) and crc16(data[start:end]) == 0:
                return range(start, end)
    return None


class TcpProbes(ProbeExchange):
    """Requests on Modbus TCP. A connection that the host closes is made again.

    The unit that was asked then is asked once more: a host may close after some replies.

    The time-out grows with a gateway whose own is longer.
    """

    names_requests = True

    def __init__(
        self, wire: Transport, timeout_ms: int, clock: MonotonicClock, trace: Trace | None = None
    ) -> None:
        super().__init__(wire, timeout_ms, clock, trace)
        self._sent: dict[int, tuple[int, int]] = {}
        self._transaction = 0
        self._closings = 0
        self._stream = bytearray()

    def ask(self, unit: int, pdu: bytes, timeout_ms: int) -> bytes | None:
        """Send a request and return its reply; see ProbeExchange."""
        had_answers = not self._closings
        reply = self._asked(unit, pdu, timeout_ms)
        if had_answers and self._closings:
            reply = self._asked(unit, pdu, timeout_ms)
            self._closings = min(self._closings, 1)  # of one unit, as on a connection without any
        return reply

    def _asked(self, unit: int, pdu: bytes, timeout_ms: int) -> bytes | None:
        """Return the reply to a request that is sent once; None where the host closed, too."""
        self._transaction = self._transaction % 0xFFFF + 1
        transaction = self._transaction
        request = tcp.encode(transaction, unit, pdu)
        self._show("->", request)
        try:
            self._wire.send(request, timeout_ms)
            sent_at = self._now()
            self._sent[transaction] = unit, sent_at
            reply = self._reply(transaction, pdu, sent_at, timeout_ms)
        except NoAnswerError:
            self._closings += 1
            if self._closings > MOST_CLOSINGS:
                raise
            self._stream.clear()
            self._wire.prepare(timeout_ms)
            return None
        self._closings = 0
        return reply

    def _reply(self, transaction: int, pdu: bytes, sent_at: int, timeout_ms: int) -> bytes | None:
        unit, _ = self._sent[transaction]
        while (left := sent_at + max(timeout_ms, self.timeout_ms) - self._now()) > 0:
            for frame in self._received(left):
                if (frame.transaction, frame.unit) != (transaction, unit):
                    self._note(frame)
                    continue
                try:
                    check_reply(pdu, frame.pdu)
                except FrameError as error:
                    raise CorruptAnswerError(str(error)) from error
                return frame.pdu
        return None

    def wait(self, milliseconds: int) -> None:
        """Receive late replies for some time."""
        end = self._now() + milliseconds
        while (left := end - self._now()) > 0:
            for frame in self._received(left):
                self._note(frame)

    def _received(self, timeout_ms: int) -> list[tcp.TcpFrame]:
        """Return the frames that come next; raises CorruptAnswerError for another protocol."""
        data = self._wire.receive(timeout_ms)
        self._stream += data
        frames, lost = tcp.take(self._stream)
        self._show("<?" if lost else "<-", data)
        if lost:
            self.noise += len(data)
            raise CorruptAnswerError(f"no Modbus TCP was received: {data[:SHOWN_BYTES].hex(' ')}")
        return frames

    def _note(self, frame: tcp.TcpFrame) -> None:
        """Note a reply to an earlier request.

        A gateway that says later than the time-out that it has no such unit gets more time.
        """
        if frame.transaction not in self._sent:
            self.unasked += 1
            return
        unit, sent_at = self._sent[frame.transaction]
        waited_ms = self._now() - sent_at
        if is_no_unit(frame.pdu):
            if waited_ms > self.timeout_ms:
                self.timeout_ms = min(waited_ms * 5 // 4, LONGEST_MS)
        elif frame.unit == unit:
            self.late.setdefault(unit, waited_ms)
