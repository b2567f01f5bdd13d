"""Targets of every decoder and parser in `protocols`: a value that encodes, or a ProtocolError."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from firmware_sim.storage import record
from firmware_sim.storage.layouts import LAYOUT
from protocols import control, quantities
from protocols import sealed_message as sealed
from protocols.data_model import json_lines
from protocols.data_model.items import ITEMS
from protocols.data_model.kinds import Kind
from protocols.data_model.tables import Event, Freeze, ProfileRecord, Purchase, Row
from protocols.data_model.tariff import TariffChange
from protocols.data_model.words import parse_account_unit
from protocols.errors import ProtocolError
from protocols.modbus import pdu, rtu, tcp
from protocols.sealed_message import Answer, MessageKind, Receipt, SealedMessage
from protocols.sealed_status import SealedStatus
from tests.fuzz.source import Source, cut, expanded, has_words, text_of
from tests.support.maps import PLACES


def sealed_message(data: bytes) -> None:
    """A sealed message has one encoding, and its code is wrong under an unused key."""
    message = _value(SealedMessage.decode, data)
    if message is not None:
        assert message.encode() + data[-16:] == data
        assert sealed.code_of(data) == data[-16:-12]
        _parameters(message.kind, message.parameters)
        try:
            sealed.verify(data, b"key of no meter.")
        except ProtocolError:
            return
        raise AssertionError("a code came out right under a key that was not used")


def answer(data: bytes) -> None:
    """An answer has one encoding."""
    value = _value(Answer.decode, data)
    assert value is None or value.encode() == data


def receipt(data: bytes) -> None:
    """A receipt has one encoding, and is no message."""
    value = _value(Receipt.decode, data)
    if value is not None:
        assert value.seal(bytes(16))[:-16] == data[:-16]
        assert _value(SealedMessage.decode, data) is None
        assert _value(SealedStatus.decode, data) is None


def sealed_status(data: bytes) -> None:
    """A sealed status has one encoding, and is neither a message nor a receipt."""
    value = _value(SealedStatus.decode, data)
    if value is not None:
        assert value.seal(bytes(16))[:-16] == data[:-16]
        assert _value(SealedMessage.decode, data) is None
        assert _value(Receipt.decode, data) is None


def parameters(data: bytes) -> None:
    """Parameters of every kind of message."""
    source = Source(data)
    kind = source.choice(tuple(MessageKind))
    _parameters(kind, source.rest())


def _parameters(kind: MessageKind, data: bytes) -> None:
    if kind is MessageKind.TARIFF:
        change = _value(TariffChange.decode, data)
        if change is not None:
            assert change.encode() == data
            for _, part in change.parts:
                part.problem()
    elif kind is MessageKind.LIMITS:
        limits = _value(sealed.decode_limits, data)
        assert limits is None or sealed.encode_limits(limits) == data
    elif kind in (
        MessageKind.CLOCK,
        MessageKind.SWITCH,
        MessageKind.GUARANTEE,
        MessageKind.MORATORIUM,
    ):
        number = _value(lambda some: sealed.decode_number(kind, some), data)
        assert number is None or sealed.encode_number(kind, number) == data


_ROWS: tuple[type[Row] | type[ProfileRecord], ...] = (Purchase, Event, Freeze, ProfileRecord)


def rows(data: bytes) -> None:
    """Rows of every table, and their JSON."""
    source = Source(data)
    kind = source.choice(_ROWS)
    offset = source.number(2) - 0x8000
    row = _value(kind.unpack, source.rest())
    if isinstance(row, Row):
        assert kind.unpack(row.pack()) == row
        shown = dict(row.fragments(offset))
        shown |= row.detail_fragments(offset) if isinstance(row, Event) else {}
        _object(json_lines.line(shown))
    elif row is not None:
        assert ProfileRecord.unpack(row.pack()) == row


def registers(data: bytes) -> None:
    """Registers of every place of the map, and the text and JSON of their values."""
    source = Source(data)
    place = (
        source.choice(PLACES) if source.number() % 2 else PLACES[-1 - source.number() % len(PLACES)]
    )
    value = _value(place.unpack, source.rest())
    if value is not None:
        place.packer()(value)
        _shown(place.item.kind, value)


def rtu_frames(data: bytes) -> None:
    """The frames of a serial line are the same whole, byte by byte and in pieces."""
    source = Source(data)
    units = source.number()
    points = source.take(source.number() % 8)
    stream = source.rest()
    found = []
    for way in ([stream], [bytes((byte,)) for byte in stream], cut(stream, points)):
        line = rtu.RtuReceiver(lambda unit: units >> unit % 8 & 1 == 1)
        frames = [frame for piece in way for frame in line.receive(piece)]
        assert len(stream) - line.corrupt <= rtu.MAX_FRAME + sum(
            len(frame.pdu) + 3 for frame in frames
        )
        found.append((frames, line.corrupt, line.silence(), line.corrupt))
        assert not line.pending
    assert found[1:] == found[:1] * 2


def tcp_frames(data: bytes) -> None:
    """The frames of a connection are the same whole, byte by byte and in pieces."""
    source = Source(data)
    points = source.take(source.number() % 8)
    stream = source.rest()
    found = []
    for way in ([stream], [bytes((byte,)) for byte in stream], cut(stream, points)):
        buffer, frames, lost = bytearray(), [], False
        for piece in way:
            buffer += piece
            some, lost = tcp.take(buffer)
            frames += some
            if lost:
                break
        found.append((frames, lost))
        assert all(1 <= len(frame.pdu) <= pdu.MAX_PDU for frame in frames)
    assert found[1:] == found[:1] * 2


def replies(data: bytes) -> None:
    """Any reply to any request: lengths from UNKNOWN up, and a match or a ProtocolError."""
    source = Source(data)
    asked = pdu.read_request(1 + source.number() % 43, source.number(2), source.number(2))
    reply = source.rest()
    assert pdu.reply_length(reply) >= pdu.UNKNOWN
    assert pdu.request_length(reply) >= pdu.UNKNOWN
    _value(lambda some: pdu.check_reply(asked, some), reply)


_PARSERS: tuple[Callable[[str], Any], ...] = (
    lambda text: quantities.parse_fixed(text, 3),
    quantities.parse_money,
    quantities.parse_price,
    quantities.parse_power,
    quantities.parse_duration,
    quantities.parse_moment,
    quantities.parse_date,
    control.parse_speed,
    parse_account_unit,
)


def texts(data: bytes) -> None:
    """Any text for every parser of quantities."""
    source = Source(data)
    parse = source.choice(_PARSERS)
    value = _value(parse, text_of(source.rest()))
    assert value is None or isinstance(value, int)


def kinds(data: bytes) -> None:
    """Any text for the kind of every item; a parsed value has a text and JSON."""
    source = Source(data)
    item = source.choice(ITEMS) if source.number() % 2 else ITEMS[-1 - source.number() % len(ITEMS)]
    value = _value(item.kind.parse, text_of(source.rest()))
    if value is not None:
        _shown(item.kind, value)


def control_words(data: bytes) -> None:
    """Any words for the grammar of commands, separated by zero bytes."""
    command = _value(control.parse_command, [text_of(word) for word in data.split(b"\0")])
    assert command is None or isinstance(command, control.Command)


def json_line(data: bytes) -> None:
    """Any names and any texts make one JSON object on one line."""
    words = [text_of(word) for word in data.split(b"\0")]
    names = dict(zip(words[::2], words[1::2], strict=False))
    written = json_lines.line((name, json.dumps(text)) for name, text in names.items())
    assert _object(written) == names
    listed = json_lines.array(json.dumps(word) for word in words)
    assert "\n" not in listed
    assert json.loads(listed) == words


def storage_record(data: bytes) -> None:
    """Any text as the record of a state: a state, or a RecordError."""
    try:
        state, _ = record.decode(expanded(data))
    except record.RecordError:
        return
    assert record.decode(record.encode(state)) == (state, LAYOUT)


def _value(decode: Callable[[Any], Any], what: Any) -> Any:
    """Return the value, or None if it was refused; fail if the refusal has no text."""
    try:
        return decode(what)
    except ProtocolError as error:
        has_words(error)
        return None


def _shown(kind: Kind, value: Any) -> None:
    assert isinstance(kind.text(value), str)
    json.loads(kind.json(value))


def _object(written: str) -> dict[str, Any]:
    assert "\n" not in written
    out = json.loads(written)
    assert isinstance(out, dict)
    return out
