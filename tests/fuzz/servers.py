"""Targets of the meter's servers: any bytes, valid frames with any contents, altered messages."""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from protocols.data_model.tariff import Tariff, TariffChange
from protocols.data_model.words import Carrier
from protocols.modbus import rtu, tcp
from protocols.modbus.native_map import MAP_END, NATIVE_MAP
from protocols.modbus.pdu import MAX_PDU, write_request
from protocols.modbus.sealed_windows import (
    ANSWER_REGISTERS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    RECEIPT_REGISTERS,
    STATUS_REGISTERS,
)
from protocols.modbus.tariff_window import TARIFF_REGISTERS
from protocols.sealed_message import (
    MessageKind,
    Origin,
    Outcome,
    SealedMessage,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.fuzz.benches import Bench, MakeServer, at_once, check_replies, keys_of, with_silences
from tests.fuzz.source import Source, cut, damaged
from tests.support.maps import PURCHASE_LIST, SCRATCH, TARIFF_WINDOW, WINDOWS
from tests.support.meters import Host
from tests.support.racks import rtu_server, tcp_server

ADDRESSES = (
    0,
    MAP_END - 1,
    PURCHASE_LIST.address,
    WINDOWS.receipt,
    WINDOWS.receipt_read,
    WINDOWS.message,
    WINDOWS.answer,
    SCRATCH.address,
    WINDOWS.status,
    WINDOWS.status_read,
    0xFFFF,
    *(window.address for window in NATIVE_MAP.row_windows),
    *(window.read_address for window in NATIVE_MAP.row_windows),
    TARIFF_WINDOW.address,
    TARIFF_WINDOW.read_address,
)
UNITS = (1, 2, 0, 3, 255)
_READINGS = (
    (0, 0),
    (WINDOWS.answer, ANSWER_REGISTERS),
    (WINDOWS.receipt_read, RECEIPT_REGISTERS),
    (WINDOWS.status_read, STATUS_REGISTERS),
    (TARIFF_WINDOW.read_address, TARIFF_REGISTERS),
)
MOST_REQUESTS = 12
"""Limit of requests in one input: enough for a message in parts, with others between them."""


def any_bytes(make: MakeServer, meters: int, data: bytes) -> None:
    """Deliver bytes whole, byte by byte and in pieces, then with silences between the pieces.

    Without silences the output and the counts must be the same in all three ways.
    """
    source = Source(data)
    points = source.take(source.number() % 8)
    stream = source.rest()
    pieces = cut(stream, points)
    deliver_every_way(make, meters, stream, pieces)
    bench = Bench(meters)
    server = make(bench.rack)
    check_replies(server, with_silences(server, pieces))
    bench.check()


def deliver_every_way(make: MakeServer, meters: int, stream: bytes, pieces: list[bytes]) -> None:
    """Fail unless a stream has the same effect whole, byte by byte and in these pieces."""
    outcomes = []
    for way in ([stream], [bytes((byte,)) for byte in stream], pieces):
        bench = Bench(meters)
        server = make(bench.rack)
        out = at_once(server, way)
        check_replies(server, out)
        bench.check()
        outcomes.append((out, server.closed, bench.counts()))
    whole, *others = outcomes
    assert all(other == whole for other in others), "the same bytes in pieces do something else"


def right_frames(make: MakeServer, data: bytes) -> None:
    """Deliver valid frames, with contents from the data, to two meters."""
    framed = [frame(make, index, *request) for index, request in enumerate(_requests(Source(data)))]
    deliver_every_way(make, 2, b"".join(framed), framed)


def frame(make: MakeServer, index: int, unit: int, pdu: bytes) -> bytes:
    """Return the frame of a PDU for the kind of server."""
    return tcp.encode(index, unit, pdu) if make is tcp_server else rtu.encode(unit, pdu)


def _requests(source: Source) -> Iterator[tuple[int, bytes]]:
    for _ in range(MOST_REQUESTS):
        if not source:
            return
        unit, what = source.choice(UNITS), source.number() % 8
        if what == 0:
            pdu = source.sized()[:MAX_PDU] or b"\0"
        elif what == 1:
            pdu = pack(">BHH", source.choice((3, 4)), _address(source), source.number() % 140)
        elif what == 2:
            pdu = write_request(_address(source), _even(source.sized())[:246])
        elif what == 3:
            pdu = _read_write(
                _address(source), source.number() % 130, _address(source), _even(source.sized())
            )
        elif what == 4:
            head = MESSAGE_HEAD.pack(
                source.number(2), source.number(2), source.number() % 210, source.number() % 3
            )
            pdu = _write_or_both(source, WINDOWS.message, head + source.sized()[:MESSAGE_PART])
        elif what == 5:
            yield from ((unit, part) for part in parts(source, source.sized()))
            continue
        elif what == 6:
            pdu = _write_or_both(
                source, source.choice(ADDRESSES), source.take(source.choice((4, 6, 14)))
            )
        else:
            pdu = (
                bytes((source.choice((1, 2, 5, 6, 7, 8, 15, 17, 22, 24, 43)),))
                + source.sized()[: MAX_PDU - 1]
            )
        yield unit, pdu


def parts(source: Source, message: bytes) -> Iterator[bytes]:
    """Yield the requests that write a message through the window; the last one commits it."""
    cuts = range(0, max(len(message), 1), MESSAGE_PART)
    for offset in cuts:
        part = message[offset : offset + MESSAGE_PART]
        head = MESSAGE_HEAD.pack(len(message), offset, len(part), offset == cuts[-1])
        yield _write_or_both(source, WINDOWS.message, head + part)


def _write_or_both(source: Source, address: int, data: bytes) -> bytes:
    """Write by function 16, or by 23 with a read of answer, receipt or status."""
    data = _even(data)
    reading = source.choice(_READINGS)
    return _read_write(*reading, address, data) if reading[1] else write_request(address, data)


def _read_write(read_address: int, count: int, address: int, data: bytes) -> bytes:
    data = data[:242]
    return pack(">BHHHHB", 23, read_address, count, address, len(data) // 2, len(data)) + data


def _address(source: Source) -> int:
    return (source.choice(ADDRESSES) + source.number() - 128) % 0x10000


def _even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)


_PARAMETERS = {
    MessageKind.LIMITS: encode_limits({1: 5, 2: 3}),
    MessageKind.TARIFF: TariffChange(((0, Tariff().prices), (0, Tariff().steps))).encode(),
    MessageKind.CLOCK: encode_number(MessageKind.CLOCK, 1_767_225_600_000),
    MessageKind.SWITCH: encode_number(MessageKind.SWITCH, SwitchAction.INTERRUPT),
    MessageKind.GUARANTEE: encode_number(MessageKind.GUARANTEE, 1),
    MessageKind.MORATORIUM: encode_number(MessageKind.MORATORIUM, 30_000),
}


def touched_messages(data: bytes) -> None:
    """Deliver altered sealed messages, directly and through both servers: none is accepted."""
    source = Source(data)
    bench = Bench(2)
    servers = [rtu_server(bench.rack), tcp_server(bench.rack)]
    for _ in range(MOST_REQUESTS):
        if not source:
            break
        unit = 1 + source.number() % 2
        meter = bench.meters[unit - 1]
        kind = source.choice(tuple(MessageKind))
        keys = keys_of(meter.state.identity.serial_number)
        right = Host(meter, keys).seal(
            kind, amount=source.number(2), parameters=_PARAMETERS.get(kind, b"")
        )
        message = _touched(right, source, keys.key(kind.message_class))
        if message == right:
            continue
        way = source.number() % 4
        if way == 0:
            answer = Host(meter).deliver(message, source.choice(tuple(Carrier)))
            assert not answer.outcome.applied, (
                f"a touched {kind.word} message was {answer.outcome.name}"
            )
            assert answer.credit_before == answer.credit_after
            assert answer.outcome is not Outcome.STORAGE_FAULT
        else:
            make, server = ((rtu_server, servers[0]), (tcp_server, servers[1]))[way % 2]
            for pdu in parts(source, message):
                check_replies(server, at_once(server, [frame(make, 0, unit, pdu)]))
        bench.check()


def _touched(right: bytes, source: Source, key: bytes) -> bytes:
    """Return a forgery: damaged bytes, other fields under a right code, or a wrong key."""
    what = source.number() % 4
    if what < 2:
        return damaged(right, source, 3)
    other = SealedMessage.decode(right)
    fields = {name: getattr(other, name) for name in other.__dataclass_fields__}
    name = source.choice(("epoch", "sequence", "amount", "issued_at", "expires_at"))
    fields[name] = source.number(4)
    fields["origin"] = Origin(source.number(), source.number())
    body = SealedMessage(**fields)
    if what == 2:
        return body.encode() + right[-16:]
    return body.seal(key[::-1])
