"""Properties of every codec of `protocols`, for any value and any input.

decode(encode(x)) == x
any bytes or text give a value or a ProtocolError, never anything else
a stream gives the same frames whole, byte by byte and in any pieces
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protocols import control, quantities
from protocols import sealed_message as sealed
from protocols.data_model import json_lines
from protocols.data_model.items import ITEMS, SETTINGS, AccountUnit, Item, Windows
from protocols.data_model.kinds import (
    Boolean,
    Choice,
    Date,
    Digits,
    Fixed,
    Flags,
    Hex,
    Kind,
    Moment,
    Optional,
)
from protocols.data_model.tables import Event, Freeze, ProfileRecord, Purchase, Row
from protocols.data_model.tariff import (
    DayTables,
    Prices,
    Seasons,
    Steps,
    TariffChange,
    TariffSet,
)
from protocols.data_model.words import (
    AccountState,
    Cause,
    SupplyState,
    account_unit_text,
    parse_account_unit,
)
from protocols.errors import AuthenticationError, FrameError, ProtocolError
from protocols.keys import MessageClass, derive_key, verify_code
from protocols.modbus import pdu, rtu, tcp
from protocols.modbus.crc import crc16
from protocols.modbus.register_parts import Register
from protocols.modbus.tariff_window import TariffPart
from protocols.sealed_message import Answer, MessageKind, Origin, Outcome, Receipt, SealedMessage
from protocols.sealed_status import LastOfJournal, SealedStatus
from tests.support.maps import PLACES

modest = settings(deadline=None, max_examples=80)
many = settings(deadline=None, max_examples=200)

KEY = bytes(range(16))


def unsigned(bits: int) -> SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def signed(bits: int) -> SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def digits(count: int) -> SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


# ---- values of every codec


def messages(kind: MessageKind, version: int) -> SearchStrategy[SealedMessage]:
    """Return messages of a kind: credit of format 2 never expires, format 1 has no origin."""
    former = version == sealed.FORMER_VERSION
    expires = unsigned(32) if former or kind.message_class is MessageClass.COMMAND else st.just(0)
    most = sealed.MAX_PARAMETERS + (8 if former else 0)
    origin = st.just(sealed.NO_ORIGIN) if former else st.builds(Origin, unsigned(32), unsigned(32))
    return st.builds(
        SealedMessage,
        st.just(kind),
        digits(12),
        unsigned(32),
        unsigned(32),
        unsigned(32),
        unsigned(16),
        digits(12),
        unsigned(32),
        expires,
        st.binary(max_size=64) | st.binary(max_size=most),
        unsigned(8),
        origin,
        st.just(version),
    )


VERSIONS = st.sampled_from((sealed.FORMER_VERSION, sealed.FORMAT_VERSION))
MESSAGES = st.tuples(st.sampled_from(MessageKind), VERSIONS).flatmap(lambda drawn: messages(*drawn))
ANSWERS = st.builds(
    Answer,
    st.sampled_from(Outcome),
    unsigned(32),
    st.binary(min_size=4, max_size=4),
    signed(64),
    signed(64),
    signed(64),
    signed(64),
    st.sampled_from(SupplyState),
    unsigned(16).map(Cause),
    signed(64),
)
RECEIPTS = st.builds(
    Receipt,
    st.sampled_from(MessageKind),
    digits(12),
    unsigned(32),
    unsigned(32),
    unsigned(32),
    st.binary(min_size=4, max_size=4),
    unsigned(64),
    signed(64),
    signed(64),
    signed(64),
    signed(64),
    signed(64),
    signed(64),
    unsigned(8),
    VERSIONS,
)
CODES = st.binary(min_size=4, max_size=4)
STATUSES = st.builds(
    SealedStatus,
    unsigned(8),
    digits(12),
    unsigned(32),
    st.binary(min_size=8, max_size=8),
    unsigned(32),
    unsigned(8),
    st.sampled_from(AccountState),
    unsigned(16),
    digits(12),
    unsigned(32),
    unsigned(32),
    signed(64),
    unsigned(64),
    signed(64),
    unsigned(64),
    unsigned(64),
    signed(64),
    CODES,
    unsigned(64),
    st.builds(LastOfJournal, unsigned(32), unsigned(32), CODES),
    unsigned(32),
)
LIMITS = st.lists(
    st.sampled_from(sorted(SETTINGS)).flatmap(
        lambda number: st.tuples(
            st.just(number),
            signed(64) | st.none() if isinstance(SETTINGS[number].kind, Optional) else signed(64),
        )
    ),
    min_size=1,
    max_size=24,
    unique_by=lambda setting: setting[0],
).map(dict)
NUMBERS = st.sampled_from(
    [
        (MessageKind.CLOCK, 64),
        (MessageKind.SWITCH, 8),
        (MessageKind.GUARANTEE, 8),
        (MessageKind.MORATORIUM, 32),
    ]
).flatmap(lambda kind: st.tuples(st.just(kind[0]), unsigned(kind[1])))

BYTE = unsigned(8)
SEASONS = st.builds(
    Seasons,
    st.lists(st.tuples(BYTE, BYTE, BYTE), max_size=16).map(tuple),
    st.tuples(*[BYTE] * 7),
    st.lists(st.tuples(unsigned(32), BYTE), max_size=70).map(tuple),
)
DAY_TABLES = st.builds(
    DayTables,
    st.lists(st.lists(st.tuples(unsigned(16), BYTE), max_size=15).map(tuple), max_size=9).map(
        tuple
    ),
)
PRICES = st.builds(Prices, st.lists(unsigned(32), max_size=6).map(tuple))
STEPS = st.integers(0, 8).flatmap(
    lambda count: st.builds(
        Steps,
        st.tuples(*[unsigned(64)] * count),
        st.tuples(*[unsigned(32)] * (count + 1)),
        st.booleans(),
        BYTE,
        BYTE,
        BYTE,
        BYTE,
    )
)
CHANGES = st.lists(
    st.tuples(
        unsigned(32).map(lambda seconds: 1000 * seconds), SEASONS | DAY_TABLES | PRICES | STEPS
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda part: type(part[1]),
).map(lambda parts: TariffChange(tuple(parts)))

_CODES = {
    "B": unsigned(8),
    "H": unsigned(16),
    "I": unsigned(32),
    "Q": unsigned(64),
    "h": signed(16),
    "i": signed(32),
    "q": signed(64),
}
_ROW_KINDS: tuple[type[Row], ...] = (Purchase, Event, Freeze)
ROWS: SearchStrategy[Row] = st.one_of(
    *(st.builds(kind, *(_CODES[code] for code in kind.PACKING.format[1:])) for kind in _ROW_KINDS)
)
PROFILES = st.builds(
    ProfileRecord,
    unsigned(32).map(lambda seconds: 1000 * seconds),
    st.integers(0, ProfileRecord.SATURATED),
    st.integers(0, ProfileRecord.SATURATED),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def values(one: Register) -> SearchStrategy[Any]:
    """Return values of an item within the range and the resolution of its place."""
    kind: Kind = one.item.kind
    if isinstance(kind, Digits):
        return digits(kind.count)
    if isinstance(kind, Hex):
        return unsigned(4 * kind.digits)
    if isinstance(kind, Windows):
        return st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 1439)), max_size=2).map(
            kind.pack
        )
    raw = st.integers(*one.layout.bounds)
    inner = kind.inner if isinstance(kind, Optional) else kind
    if not isinstance(inner, Fixed):
        return raw
    scale = 10 ** (inner.decimals - one.layout.decimals)
    if isinstance(kind, Optional):
        most = one.layout.bounds[1] - 1
        if inner.wraps:
            most = quantities.ENERGY_WRAP // scale - 1
        return st.none() | st.integers(0, most).map(lambda value: value * scale)
    if kind.wraps:
        return st.integers(0, quantities.ENERGY_WRAP // scale - 1).map(lambda value: value * scale)
    if kind.decimals == quantities.LEDGER_DECIMALS and one.layout.decimals == 2:
        low = -99_999_999 if one.layout.signed else 0
        return st.integers(low, 99_999_999).map(lambda value: value * scale)
    return raw.map(lambda value: value * scale)


# ---- decode(encode(x)) == x


@modest
@given(MESSAGES)
def test_a_sealed_message_comes_back(message: SealedMessage) -> None:
    data = message.seal(KEY)
    sealed.verify(data, KEY)
    assert SealedMessage.decode(data) == message
    assert sealed.code_of(data) == data[-16:-12]


@modest
@given(ANSWERS)
def test_an_answer_comes_back(answer: Answer) -> None:
    assert Answer.decode(answer.encode()) == answer


@modest
@given(RECEIPTS)
def test_a_receipt_comes_back_and_is_no_message(receipt: Receipt) -> None:
    data = receipt.seal(KEY)
    sealed.verify(data, KEY)
    assert Receipt.decode(data) == receipt
    with pytest.raises(ProtocolError):
        SealedMessage.decode(data)


@modest
@given(STATUSES)
def test_a_status_comes_back_and_is_neither_message_nor_receipt(status: SealedStatus) -> None:
    data = status.seal(KEY)
    sealed.verify(data, KEY)
    assert SealedStatus.decode(data) == status
    for decode in (SealedMessage.decode, Receipt.decode):
        with pytest.raises(ProtocolError):
            decode(data)


@modest
@given(LIMITS)
def test_limits_come_back(limits: dict[int, int | None]) -> None:
    assert sealed.decode_limits(sealed.encode_limits(limits)) == limits


@modest
@given(NUMBERS)
def test_a_number_comes_back(number: tuple[MessageKind, int]) -> None:
    kind, value = number
    assert sealed.decode_number(kind, sealed.encode_number(kind, value)) == value


@modest
@given(CHANGES)
def test_a_tariff_change_comes_back(change: TariffChange) -> None:
    assert TariffChange.decode(change.encode()) == change
    assert TariffChange.decode_shown(change.encode()) == change


@modest
@given(CHANGES, st.sampled_from(TariffSet))
def test_a_shown_tariff_is_put_together_from_its_parts(
    change: TariffChange, which: TariffSet
) -> None:
    encoding, found = change.encode(), b""
    while len(found) < len(encoding):
        part = TariffPart.of(encoding, which, len(found))
        assert TariffPart.decode(part.encode()) == part
        assert (part.which, part.offset, part.size) == (which, len(found), len(encoding))
        found += part.data
    assert (found, part.crc) == (encoding, zlib.crc32(encoding))


@modest
@given(ROWS | PROFILES)
def test_a_row_comes_back(row: Row | ProfileRecord) -> None:
    assert type(row).unpack(row.pack()) == row


@many
@given(st.sampled_from(PLACES).flatmap(lambda one: st.tuples(st.just(one), values(one))))
def test_registers_come_back(held: tuple[Register, Any]) -> None:
    one, value = held
    data = one.packer()(value)
    assert len(data) == 2 * one.width
    assert one.unpack(data) == value


@many
@given(st.sampled_from(PLACES), signed(80))
def test_a_number_of_any_size_has_registers(one: Register, value: int) -> None:
    """Money and measurements saturate, energies wrap: every value of the meter has registers."""
    if isinstance(one.item.kind, Fixed):
        data = one.packer()(value)
        assert len(data) == 2 * one.width
        shown = one.unpack(data)
        assert one.unpack(one.packer()(shown)) == shown


KEY_INPUTS = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.sampled_from([c.value for c in MessageClass]),
    digits(12),
    st.integers(0, 255),
)


@modest
@given(KEY_INPUTS, KEY_INPUTS, st.integers(0, 4))
def test_a_key_is_for_one_master_class_meter_and_version(
    one: tuple[bytes, str, str, int], other: tuple[bytes, str, str, int], same: int
) -> None:
    other = (*one[:same], *other[same:])
    assert len(derive_key(*one)) == 16
    assert (derive_key(*one) == derive_key(*other)) is (one == other)


# ---- every change of sealed bytes is detected


@modest
@given((MESSAGES | RECEIPTS | STATUSES).map(lambda text: text.seal(KEY)), st.data())
def test_whatever_is_changed_in_a_sealed_text_is_noticed(data: bytes, draw: st.DataObject) -> None:
    edited = draw.draw(edits(data))
    assume(edited != data)
    with pytest.raises(AuthenticationError):
        sealed.verify(edited, KEY)


@modest
@given(st.binary(max_size=64), st.binary(max_size=20))
def test_a_code_is_right_or_an_authentication_error(data: bytes, code: bytes) -> None:
    with pytest.raises(AuthenticationError):
        verify_code(KEY, data, code)


# ---- any bytes


def value_or_refusal(decode: Callable[[Any], object], what: Any) -> None:
    """Fail unless decoding gives a value, or a ProtocolError with a text."""
    words = ""
    try:
        value = decode(what)
    except ProtocolError as error:
        value, words = None, str(error)
    assert (value is None) is bool(words)


@st.composite
def edits(draw: st.DrawFn, data: bytes) -> bytes:
    """Return bytes near `data`: flipped, cut, inserted, appended, replaced."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(out) - 1, 0)))
        what = draw(st.sampled_from(["flip", "cut", "insert", "append", "replace"]))
        if what == "flip" and out:
            out[at] ^= 1 << draw(st.integers(0, 7))
        elif what == "cut":
            del out[at : at + draw(st.integers(1, 16))]
        elif what == "insert":
            out[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif what == "append":
            out += draw(st.binary(min_size=1, max_size=8))
        elif out:
            out[at] = draw(BYTE)
    return bytes(out)


def near(good: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Return any bytes, and bytes that are nearly valid."""
    return st.binary(max_size=300) | good | good.flatmap(edits)


def _rows(kind: type[Row] | type[ProfileRecord]) -> SearchStrategy[bytes]:
    size = kind.PACKING.size
    return st.binary(min_size=size, max_size=size) | st.binary(max_size=2 * size)


def _number(kind: MessageKind) -> Callable[[bytes], int]:
    return lambda data: sealed.decode_number(kind, data)


DECODERS: dict[str, tuple[Callable[[bytes], object], SearchStrategy[bytes]]] = {
    "message": (SealedMessage.decode, near(MESSAGES.map(lambda m: m.seal(KEY)))),
    "answer": (Answer.decode, near(ANSWERS.map(Answer.encode))),
    "receipt": (Receipt.decode, near(RECEIPTS.map(lambda r: r.seal(KEY)))),
    "status": (SealedStatus.decode, near(STATUSES.map(lambda s: s.seal(KEY)))),
    "limits": (sealed.decode_limits, near(LIMITS.map(sealed.encode_limits))),
    "tariff change": (TariffChange.decode, near(CHANGES.map(TariffChange.encode))),
    "shown tariff": (TariffChange.decode_shown, near(CHANGES.map(TariffChange.encode))),
    "part of a tariff": (TariffPart.decode, st.binary(min_size=250, max_size=250) | st.binary()),
    "purchase": (Purchase.unpack, _rows(Purchase)),
    "event": (Event.unpack, _rows(Event)),
    "freeze": (Freeze.unpack, _rows(Freeze)),
    "profile record": (ProfileRecord.unpack, _rows(ProfileRecord)),
    **{
        kind.word: (_number(kind), st.binary(max_size=9))
        for kind in (
            MessageKind.CLOCK,
            MessageKind.SWITCH,
            MessageKind.GUARANTEE,
            MessageKind.MORATORIUM,
        )
    },
}


@pytest.mark.parametrize("name", DECODERS)
@modest
@given(st.data())
def test_any_bytes_give_a_value_or_a_protocol_error(name: str, data: st.DataObject) -> None:
    decode, some_bytes = DECODERS[name]
    value_or_refusal(decode, data.draw(some_bytes))


@modest
@given(near(CHANGES.map(TariffChange.encode)))
def test_a_tariff_change_has_one_spelling(data: bytes) -> None:
    """Accepted bytes equal the encoding of their value: unknown content is refused."""
    try:
        change = TariffChange.decode(data)
    except ProtocolError:
        return
    assert change.encode() == data


@modest
@given(st.binary(min_size=Answer.SIZE, max_size=Answer.SIZE) | ANSWERS.map(Answer.encode))
def test_an_answer_has_one_spelling(data: bytes) -> None:
    try:
        answer = Answer.decode(data)
    except ProtocolError:
        return
    assert answer.encode() == data


@many
@given(
    st.sampled_from(PLACES).flatmap(
        lambda one: st.tuples(
            st.just(one), st.binary(min_size=2 * one.width, max_size=2 * one.width)
        )
    )
)
def test_any_registers_give_a_value_that_can_be_shown_or_a_protocol_error(
    held: tuple[Register, bytes],
) -> None:
    one, data = held
    try:
        value = one.unpack(data)
    except ProtocolError:
        return
    kind = one.item.kind
    assert isinstance(kind.text(value), str)
    json.loads(kind.json(value))
    if isinstance(kind, Digits):
        assert kind.parse(value) == value


@modest
@given(ROWS, st.integers(-840, 840))
def test_any_row_can_be_written_as_one_line_of_json(row: Row, offset: int) -> None:
    fragments = row.fragments(offset)
    if isinstance(row, Event):
        fragments |= row.detail_fragments(offset)
    text = json_lines.line(fragments)
    assert "\n" not in text
    assert list(json.loads(text, parse_float=str)) == list(fragments)


REQUESTS = (
    st.builds(
        pdu.read_request, st.sampled_from([1, 2]), unsigned(16), st.integers(1, pdu.MAX_READ_BITS)
    )
    | st.builds(
        pdu.read_request,
        st.sampled_from([3, 4]),
        unsigned(16),
        st.integers(1, pdu.MAX_READ_REGISTERS),
    )
    | st.builds(pdu.read_request, st.sampled_from([5, 6, 8]), unsigned(16), unsigned(16))
    | st.builds(
        pdu.write_request,
        unsigned(16),
        st.integers(1, 40).flatmap(lambda n: st.binary(min_size=2 * n, max_size=2 * n)),
    )
    | st.builds(lambda data: b"\x16" + data, st.binary(min_size=6, max_size=6))
    | st.sampled_from([bytes.fromhex("2b0e0100"), b"\x11"])
)
REPLIES = (
    st.builds(
        lambda function, data: bytes((function, len(data))) + data,
        st.sampled_from([1, 2, 3, 4, 17, 23]),
        st.binary(min_size=1, max_size=60),
    )
    | st.builds(lambda data: b"\x16" + data, st.binary(min_size=6, max_size=6))
    | st.builds(lambda data: b"\x10" + data, st.binary(min_size=4, max_size=4))
    | st.builds(pdu.exception_reply, st.integers(1, 127), BYTE)
)


@many
@given(REQUESTS, st.binary(max_size=260) | REPLIES)
def test_any_reply_can_be_one_or_is_a_frame_error(request: bytes, reply: bytes) -> None:
    try:
        pdu.check_reply(request, reply)
    except FrameError:
        return
    assert reply[0] & 0x7F == request[0]


@many
@given(
    st.binary(max_size=300) | REQUESTS | REPLIES,
    st.sampled_from([pdu.request_length, pdu.reply_length]),
)
def test_a_length_once_told_stays(data: bytes, length: Callable[[bytes], int]) -> None:
    told = length(data)
    assert told in (pdu.INCOMPLETE, pdu.UNKNOWN) or told > 0
    for size in range(len(data)):
        assert length(data[:size]) in (pdu.INCOMPLETE, told)


# ---- any stream, in any pieces


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Return the same bytes in pieces."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def ours(unit: int) -> bool:
    return unit in (0, 1, 2)


def received(chunks: list[bytes]) -> tuple[list[rtu.RtuFrame], list[rtu.RtuFrame], int]:
    """Return the frames of the chunks, those after a silence, and the count of corrupt bytes."""
    line = rtu.RtuReceiver(ours)
    frames = [frame for chunk in chunks for frame in line.receive(chunk)]
    late = line.silence()
    assert not line.pending
    return frames, late, line.corrupt


def two_readings(frame: bytes) -> bool:
    """Return whether another unit's frame begins with a valid frame: RTU cannot separate them."""
    return not ours(frame[0]) and any(crc16(frame[:size]) == 0 for size in range(4, len(frame)))


UNITS = st.sampled_from([0, 1, 2, 9, 200]) | BYTE
REQUEST_FRAMES = st.builds(rtu.encode, UNITS, REQUESTS)
REPLY_FRAMES = st.builds(rtu.encode, UNITS.filter(lambda unit: not ours(unit)), REPLIES)
FRAMES = (REQUEST_FRAMES | REPLY_FRAMES).filter(lambda frame: not two_readings(frame))
LONG_NOISE = st.builds(
    lambda some, times: some * times, st.binary(min_size=1, max_size=8), st.integers(1, 60)
)
NOISE = st.binary(max_size=30) | FRAMES.flatmap(edits) | LONG_NOISE


@many
@given(
    st.lists(FRAMES | NOISE, max_size=6)
    .map(b"".join)
    .flatmap(lambda data: st.tuples(st.just(data), pieces(data)))
)
def test_an_rtu_stream_gives_the_same_frames_whole_byte_by_byte_and_in_pieces(
    stream: tuple[bytes, list[bytes]],
) -> None:
    data, some = stream
    whole = received([data])
    assert received([bytes((byte,)) for byte in data]) == whole
    assert received(some) == whole
    frames, late, _ = whole
    for frame in frames + late:
        assert rtu.encode(frame.unit, frame.pdu) in data  # only frames that were sent
    assert len(late) <= 1


@many
@given(st.lists(FRAMES, max_size=8))
def test_every_rtu_frame_of_a_clean_line_is_found_in_order(sent: list[bytes]) -> None:
    frames, late, corrupt = received([b"".join(sent)])
    assert [rtu.encode(frame.unit, frame.pdu) for frame in frames] == sent
    assert all(frame.role is rtu.FrameRole.REQUEST for frame in frames if ours(frame.unit))
    assert (late, corrupt) == ([], 0)


@many
@given(NOISE, REQUESTS, st.sampled_from([0, 1, 2]))
def test_a_request_of_ours_behind_noise_and_a_silence_is_always_found(
    noise: bytes, request: bytes, unit: int
) -> None:
    line = rtu.RtuReceiver(ours)
    line.receive(noise)
    line.silence()
    assert line.receive(rtu.encode(unit, request)) == [
        rtu.RtuFrame(unit, request, rtu.FrameRole.REQUEST)
    ]


def taken(chunks: list[bytes]) -> tuple[list[tcp.TcpFrame], bool, bytes]:
    buffer, frames, lost = bytearray(), [], False
    for chunk in chunks:
        buffer += chunk
        some, lost = tcp.take(buffer)
        frames += some
        if lost:
            return frames, lost, b""
    return frames, lost, bytes(buffer)


TCP_FRAMES = st.builds(
    tcp.TcpFrame, unsigned(16), BYTE, st.binary(min_size=1, max_size=pdu.MAX_PDU)
)
TCP_NOISE = st.binary(max_size=20) | TCP_FRAMES.map(lambda frame: tcp.encode(*frame)).flatmap(edits)


@many
@given(
    st.lists(TCP_FRAMES.map(lambda frame: tcp.encode(*frame)) | TCP_NOISE, max_size=5)
    .map(b"".join)
    .flatmap(lambda data: st.tuples(st.just(data), pieces(data)))
)
def test_a_tcp_stream_gives_the_same_frames_whole_byte_by_byte_and_in_pieces(
    stream: tuple[bytes, list[bytes]],
) -> None:
    data, some = stream
    whole = taken([data])
    assert taken([bytes((byte,)) for byte in data]) == whole
    assert taken(some) == whole
    frames, lost, rest = whole
    together = b"".join(tcp.encode(*frame) for frame in frames)
    assert data.startswith(together)
    assert lost or together + rest == data
    assert len(rest) < tcp.HEADER_SIZE + pdu.MAX_PDU


@modest
@given(st.lists(TCP_FRAMES, max_size=6))
def test_every_pipelined_tcp_frame_is_taken_in_order(sent: list[tcp.TcpFrame]) -> None:
    assert taken([b"".join(tcp.encode(*frame) for frame in sent)]) == (sent, False, b"")


# ---- any text

TEXTS = st.text(max_size=12) | st.text("0123456789.+-e_ ²٣,:TZkKmMWhsdin", max_size=24)
PARSERS: dict[str, Callable[[str], object]] = {
    "number": lambda text: quantities.parse_fixed(text, 3),
    "money": quantities.parse_money,
    "price": quantities.parse_price,
    "power": quantities.parse_power,
    "duration": quantities.parse_duration,
    "moment": quantities.parse_moment,
    "date": quantities.parse_date,
    "speed": control.parse_speed,
    "windows": Windows().parse,
    "account unit": AccountUnit().parse,
    "choice": Choice(("two_stage", "direct")).parse,
    "flags": Flags(("cover", "magnet")).parse,
    "digits": Digits(12).parse,
    "hexadecimal": Hex(8).parse,
    "truth": Boolean().parse,
}


@pytest.mark.parametrize("name", PARSERS)
@modest
@given(text=TEXTS)
@example(text="9" * 5000)
@example(text="1.²")
@example(text="²:00-01:00")
def test_any_text_gives_a_value_or_a_protocol_error(name: str, text: str) -> None:
    value_or_refusal(PARSERS[name], text)


@many
@given(st.sampled_from(ITEMS), TEXTS)
def test_any_text_for_any_item_gives_a_value_of_its_kind_or_a_protocol_error(
    item: Item, text: str
) -> None:
    try:
        value = item.kind.parse(text)
    except ProtocolError:
        return
    if item.setting:
        assert item.kind.holds(value)  # type: ignore[attr-defined]
    assert item.kind.parse(item.kind.text(value)) == value or isinstance(
        item.kind, Windows | Moment
    )


WORDS = st.sampled_from(
    [
        "advance",
        "load",
        "power",
        "button",
        "cover",
        "terminal-cover",
        "magnet",
        "speed",
        "state",
        "stop",
        "cut",
        "return",
        "open",
        "close",
        "on",
        "off",
        "1h",
    ]
)


@modest
@given(st.lists(WORDS | TEXTS, max_size=3))
def test_any_words_give_a_command_or_a_protocol_error(words: list[str]) -> None:
    value_or_refusal(control.parse_command, words)


# ---- parse(format(x)) == x


@modest
@given(signed(100), st.integers(0, 12))
def test_a_fixed_point_number_comes_back(value: int, decimals: int) -> None:
    assert (
        quantities.parse_fixed(quantities.format_fixed(value, decimals, decimals), decimals)
        == value
    )


@modest
@given(signed(100), st.integers(0, 10))
def test_a_number_shown_with_fewer_decimals_is_cut_towards_zero(value: int, shown: int) -> None:
    scale = 10 ** (10 - shown)
    text = quantities.format_fixed(value, 10, shown)
    assert quantities.parse_fixed(text, shown) * scale == (abs(value) // scale * scale) * (
        1 if value >= 0 else -1
    )
    assert not (text.startswith("-") and int(text.replace(".", "")) == 0)


@modest
@given(st.integers(-99_999_999, 99_999_999))
def test_money_comes_back(cents: int) -> None:
    assert (
        quantities.parse_money(quantities.format_money(cents * quantities.CENT))
        == cents * quantities.CENT
    )


@modest
@given(st.integers(0, 10**15))
def test_a_duration_comes_back(milliseconds: int) -> None:
    assert quantities.parse_duration(quantities.format_duration(milliseconds)) == milliseconds


@modest
@given(st.integers(-50_000_000_000_000, 250_000_000_000_000), st.integers(-840, 840))
def test_a_moment_comes_back_with_any_offset(moment: int, offset: int) -> None:
    text = quantities.format_moment(moment, offset)
    assert quantities.parse_moment(text) == moment
    assert quantities.parse_moment(text, 60) == moment  # a written offset takes precedence


@modest
@given(st.integers(0, 2_932_896))
def test_a_date_comes_back(days: int) -> None:
    assert quantities.parse_date(quantities.format_date(days)) == days


@modest
@given(st.integers(0, 999))
def test_an_account_unit_comes_back(number: int) -> None:
    assert parse_account_unit(account_unit_text(number)) == number


@many
@given(
    st.sampled_from(
        [one for one in PLACES if not isinstance(one.item.kind, Moment | Date | AccountUnit)]
    ).flatmap(lambda one: st.tuples(st.just(one.item.kind), values(one)))
)
def test_what_a_kind_shows_it_reads(held: tuple[Any, Any]) -> None:
    kind, value = held
    inner = kind.inner if isinstance(kind, Optional) else kind
    if hasattr(inner, "holds"):
        assume(kind.holds(value))
    if isinstance(inner, Fixed) and value is not None:
        value -= value % 10 ** (inner.decimals - inner.shown)
        assume(inner.holds(value))
    read = kind.parse(kind.text(value))
    assert kind.pairs(read) == kind.pairs(value) if isinstance(kind, Windows) else read == value
