"""Requests on Modbus TCP: the transaction identifier names the reply."""

from __future__ import annotations

from meterctl.drivers.exchange import Exchange
from protocols.errors import FrameError
from protocols.modbus import tcp
from protocols.modbus.pdu import check_reply


class TcpExchange(Exchange):
    """Requests on a TCP connection. A reply with another transaction or unit is passed over."""

    def ask(self, request: bytes, until_ms: int, *, is_recognised: bool = False) -> bytes:
        """Send a request and return its reply; see Exchange."""
        self._wire.prepare(max(1, until_ms - self._now()))
        self._send(request, until_ms)
        began = self._now()
        deadline = min(until_ms, began + self._timeout_ms)
        buffer = bytearray()
        while (left := deadline - self._now()) > 0:
            data = self._wire.receive(left)
            self._received += data
            buffer += data
            try:
                reply = self._reply_to(request, buffer)
            except FrameError as error:
                self._corrupt = error
                continue
            if reply is not None:
                self._show("<?", self._received.replace(reply, b"", 1))
                self._show("<-", reply)
                return reply
        raise self._failure(deadline - began, is_incomplete=bool(buffer))

    def pass_over_late(self, silence_ms: int, until_ms: int) -> None:
        """Do nothing: a late reply names its request."""

    def _reply_to(self, request: bytes, buffer: bytearray) -> bytes | None:
        transaction, _, _, unit = tcp.HEADER.unpack_from(request)
        frames, lost = tcp.take(buffer)
        for frame in frames:
            if (frame.transaction, frame.unit) != (transaction, unit):
                self._passed_over = True
                continue
            check_reply(request[tcp.HEADER_SIZE :], frame.pdu)
            return tcp.encode(*frame)
        if lost:
            raise FrameError("the stream is no Modbus TCP")
        return None
