"""pymodbus's client over our Transport (ADR 0004).

pymodbus builds the requests and decodes the values of the replies. `protocols.modbus` checks the
received bytes first, so that silence, corrupt, refused and not-for-us stay four results and
pymodbus gets valid frames only. Nothing is repeated here: retries are the driver's decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymodbus.client.base import ModbusBaseSyncClient
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.transport import CommParams, CommType

from meterctl.drivers import Trace
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.transports import MonotonicClock, Transport
from protocols.errors import FrameError
from protocols.modbus import tcp
from protocols.modbus.crc import crc16
from protocols.modbus.pdu import INCOMPLETE, UNKNOWN, check_reply, reply_length

GRACE_MS = 1_000
"""Added to our time-out, so that pymodbus's own never expires first."""


class TransportClient(ModbusBaseSyncClient):
    """A pymodbus client whose bytes go through a Transport; one request at a time, sent once."""

    def __init__(
        self,
        transport: Transport,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None = None,
    ) -> None:
        framer = FramerType.SOCKET if transport.framed else FramerType.RTU
        kind = CommType.TCP if transport.framed else CommType.SERIAL
        parameters = CommParams(
            comm_type=kind, comm_name="meterctl", timeout_connect=(timeout_ms + GRACE_MS) / 1000
        )
        super().__init__(framer, 0, parameters, None, None, None)
        self._wire, self._timeout_ms, self._now, self._trace_frame = (
            transport,
            timeout_ms,
            clock,
            trace,
        )
        self._sent = b""
        self.kept = b""
        self._passed_over = False

    def connect(self) -> bool:
        """Return True: the transport is open already."""
        return True

    def close(self) -> None:
        """Do nothing: the session closes the transport."""

    def send(self, request: bytes, addr: Any = None) -> int:
        """Send a request, after discarding bytes that were received before."""
        self._wire.discard_input()
        self._sent, self.kept, self._passed_over = bytes(request), b"", False
        if self._trace_frame:
            self._trace_frame("->", self._sent)
        self._wire.send(self._sent)
        return len(request)

    def recv(self, size: int | None) -> bytes:
        """Return the complete, valid reply to the request that was sent.

        Raises:
            NoAnswerError: silence, or only complete frames that are not for us.
            CorruptAnswerError: bytes that cannot be the reply.
        """
        deadline = self._now() + self._timeout_ms
        buffer = b""
        corrupt: FrameError | None = None
        while (left := deadline - self._now()) > 0:
            data = self._wire.receive(left)
            self.kept += data
            buffer += data
            try:
                frame, buffer = self._tcp(buffer) if self._wire.framed else self._rtu(buffer)
            except FrameError as error:
                corrupt, buffer = error, b""
                continue
            if frame:
                if self._trace_frame:
                    self._trace_frame("<-", frame)
                return frame
        if self._trace_frame and self.kept:
            self._trace_frame("<?", self.kept)
        if self._passed_over and not corrupt and not buffer:
            raise NoAnswerError(f"only replies not for us were received: {self.kept[:40].hex(' ')}")
        if corrupt or self.kept:
            raise CorruptAnswerError(
                f"{corrupt or 'the reply is incomplete'}; received: {self.kept[:40].hex(' ')}"
            )
        raise NoAnswerError(f"no answer within {self._timeout_ms} ms")

    def _tcp(self, buffer: bytes) -> tuple[bytes, bytes]:
        pending = bytearray(buffer)
        sent_transaction, _, _, sent_unit = tcp.HEADER.unpack_from(self._sent)
        frames, lost = tcp.take(pending)
        for frame in frames:
            if (frame.transaction, frame.unit) != (sent_transaction, sent_unit):
                self._passed_over = True
                continue  # a late reply, or another request's: not for us
            check_reply(self._sent[tcp.HEADER_SIZE :], frame.pdu)
            return tcp.encode(*frame), bytes(pending)
        if lost:
            raise FrameError("the stream is no Modbus TCP")
        return b"", bytes(pending)

    def _rtu(self, buffer: bytes) -> tuple[bytes, bytes]:
        """Find the reply; skip an adapter's echo of the request and frames of other units."""
        if buffer.startswith(self._sent) and self._sent[1] not in (5, 6, 8):
            buffer = buffer[len(self._sent) :]
        while len(buffer) >= 4:
            length = reply_length(buffer[1:])
            if length == INCOMPLETE or (length != UNKNOWN and len(buffer) < length + 3):
                return b"", buffer
            if length == UNKNOWN or crc16(buffer[: length + 3]) != 0:
                raise FrameError("the CRC is wrong")
            frame, buffer = buffer[: length + 3], buffer[length + 3 :]
            if frame[0] == self._sent[0]:
                check_reply(self._sent[1:-2], frame[1:-2])
                return frame, buffer
            self._passed_over = True
        return b"", buffer

    def ask(self, call: Callable[..., ModbusPDU], **arguments: Any) -> ModbusPDU:
        """Make a request by a method of pymodbus and return its reply PDU."""
        return call(**arguments)
