"""Targets of the host: any bytes as a reply, and valid frames with any contents."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.rtu_exchange import RtuExchange
from meterctl.drivers.tcp_exchange import TcpExchange
from meterctl.errors import CorruptAnswerError, MeterctlError, NoAnswerError
from protocols.data_model.items import ITEMS
from protocols.data_model.tables import PURCHASES, TABLES
from protocols.data_model.tariff import TariffSet
from protocols.keys import MessageClass
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import MAX_PDU, check_reply, read_request, write_request
from protocols.modbus.sealed_windows import ANSWER_REGISTERS
from tests.fuzz.source import Source, cut, has_words
from tests.support.maps import MAGIC, SCRATCH, WINDOWS

TIMEOUT_MS = 1_000
REQUESTS = (
    read_request(3, 0, 2),
    read_request(4, 0, 60),
    read_request(1, 0, 9),
    write_request(SCRATCH.address, b"1234"),
    pack(">BHH", 6, SCRATCH.address, 5),
    pack(">BHHHHB", 23, WINDOWS.answer, ANSWER_REGISTERS, WINDOWS.message, 4, 8) + bytes(8),
    bytes((43, 14, 1, 0)),
)


class FakeWire:
    """A transport with given pieces, then silence; its clock advances by sending and waiting."""

    name = "fuzz"
    character_us = silence_ms = pause_ms = 0

    def __init__(
        self, framed: bool, pieces: list[bytes], reply: Callable[[bytes], bytes] | None = None
    ) -> None:
        self.framed = framed
        self.now = 0
        self._pieces, self._reply = list(pieces), reply
        self._asked = False

    def clock(self) -> int:
        """Return virtual milliseconds."""
        return self.now

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Take a request; queue the reply if there is a reply function."""
        self.now += 1
        self._asked = True
        if self._reply is not None:
            self._pieces = [self._reply(data)]

    def receive(self, timeout_ms: int) -> bytes:
        """Return the next piece, or no bytes after the whole time-out."""
        while self._asked and self._pieces:
            piece = self._pieces.pop(0)
            if piece:
                return piece
        self.now += timeout_ms
        return b""

    def prepare(self, timeout_ms: int) -> None:
        """Do nothing: all input follows the request."""

    def close(self) -> None:
        """Do nothing: no resource is held."""


def any_reply(framed: bool, data: bytes) -> None:
    """Receive bytes whole, byte by byte and in pieces: an accepted reply matches the request."""
    source = Source(data)
    asked = source.choice(REQUESTS)
    request = tcp.encode(1, 1, asked) if framed else rtu.encode(1, asked)
    points = source.take(source.number() % 8)
    stream = (request if source.number() % 4 == 0 else b"") + source.rest()  # an adapter's echo
    for way in ([stream], [bytes((byte,)) for byte in stream], cut(stream, points)):
        wire = FakeWire(framed, way)
        exchange = (TcpExchange if framed else RtuExchange)(wire, TIMEOUT_MS, wire.clock)
        try:
            frame = exchange.ask(request, 15 * TIMEOUT_MS, is_recognised=True)
        except NoAnswerError as silence:
            echo = b"" if framed else request
            if stream.replace(echo, b"", 1) and "not for us" not in str(silence):
                raise AssertionError("bytes came, and it says that there were none") from silence
            continue
        except CorruptAnswerError:
            continue
        assert frame in stream
        check_reply(asked, frame[tcp.HEADER_SIZE :] if framed else frame[1:-2])


def any_contents(framed: bool, data: bytes) -> None:
    """Make every kind of request of a driver; replies are valid frames with any contents."""
    source = Source(data)
    what = source.number() % 6
    wire = FakeWire(framed, [], lambda request: _reply(framed, request, source))
    driver = ModbusDriver(wire, 1, TIMEOUT_MS, wire.clock)
    try:
        if what == 0:
            driver.read(ITEMS)
        elif what == 1:
            driver.rows(PURCHASES)
        elif what == 2:
            driver.rows(source.choice(tuple(TABLES.values())), source.number())
        elif what == 3:
            delivery = driver.deliver(bytes(source.number() + 1))
            assert isinstance(delivery.receipt, bytes)
        elif what == 4:
            driver.receipt(MessageClass.CREDIT, source.number())
        else:
            driver.tariff(source.choice(tuple(TariffSet)))
    except MeterctlError as error:
        has_words(error)


def _reply(framed: bool, request: bytes, source: Source) -> bytes:
    """Return a reply of the right form with any contents, sometimes a refusal or any bytes."""
    asked = request[tcp.HEADER_SIZE :] if framed else request[1:-2]
    transaction = int.from_bytes(request[:2], "big") if framed else 0
    way = source.number() % 16
    if way == 0:
        reply = bytes((asked[0] | 0x80, source.number()))
    elif way == 1:
        reply = source.sized()[:MAX_PDU] or b"\0"
    elif asked[0] == 8:
        reply = asked
    elif asked[0] == 16:
        reply = asked[:5]
    else:
        size = min(2 * int.from_bytes(asked[3:5], "big"), MAX_PDU - 2)
        magic = MAGIC if asked[1:5] == bytes((0, 0, 0, 2)) else b""
        reply = bytes((asked[0], size)) + (magic or source.take(size)).ljust(size, b"\0")
    return tcp.encode(transaction, 1, reply) if framed else rtu.encode(1, reply)
