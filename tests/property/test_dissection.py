"""Properties of the decoder of Modbus frames, for any bytes.

any bytes are decoded, and nothing is raised
the raw bytes of all objects, one after another, are the input
the fields of an object are its bytes, in order and without gaps
a stream gives the same objects whole, byte by byte and in any pieces
every object is one JSON object with the agreed keys
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.decoded_frames import DecodedFrame, DecoderOptions
from protocols.faults import Way
from protocols.modbus import rtu, tcp
from protocols.modbus.crc import with_crc
from protocols.modbus.dissection.decoder import ModbusDecoder
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.shipped_maps import shipped

MAPS = {"native": NATIVE_MAP, "sdm630": shipped("sdm630").register_map}
FUNCTIONS = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 65, 0x83, 0x90)
WINDOWS = (0, 64, 512, 0x1000, 0x1002, 0x1100, 0x1102, 0x1200, 0x1400, 0x1403, 0x1500, 0x1600,
           0x1700, 0x1707, 0x2000)  # fmt: skip

_addresses = st.one_of(st.sampled_from(WINDOWS), st.integers(0, 0xFFFF))
_heads = st.builds(
    lambda function, address, count: bytes((function,)) + address.to_bytes(2, "big") + count,
    st.sampled_from(FUNCTIONS),
    _addresses,
    st.binary(min_size=2, max_size=2),
)
_counted = st.builds(
    lambda function, data: bytes((function, len(data))) + data,
    st.sampled_from((1, 2, 3, 4, 12, 17, 20, 21, 23)),
    st.binary(max_size=200),
)
_writes = st.builds(
    lambda address, data: (
        bytes((16,)) + address.to_bytes(2, "big") + bytes((0, len(data), 2 * len(data))) + data * 2
    ),
    _addresses,
    st.binary(min_size=1, max_size=100),
)
_pdus = st.one_of(_heads, _counted, _writes, st.binary(min_size=1, max_size=60))
_units = st.sampled_from((0, 1, 2, 58, 255))
_frames = st.one_of(
    st.builds(rtu.encode, _units, _pdus),
    st.builds(tcp.encode, st.integers(0, 0xFFFF), _units, _pdus),
    st.builds(
        lambda unit, pdu: b":%s\r\n" % _with_lrc(bytes((unit,)) + pdu).hex().upper().encode(),
        _units,
        _pdus,
    ),
    st.builds(lambda data: with_crc(data)[:-1], st.binary(min_size=2, max_size=20)),
    st.binary(max_size=20),
)
_streams = st.lists(_frames, max_size=6).map(b"".join)
_options = st.tuples(
    st.sampled_from(("", "", "rtu", "tcp", "ascii")),
    st.sampled_from((None, None, *Way)),
    st.one_of(st.none(), _addresses),
).map(lambda given: DecoderOptions(*given))


def _with_lrc(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))


def _decoded(
    pieces: Sequence[bytes], options: DecoderOptions, register_map: RegisterMap = NATIVE_MAP
) -> list[DecodedFrame]:
    decoder = ModbusDecoder(register_map, options)
    found: list[DecodedFrame] = []
    for piece in pieces:
        found += decoder.receive(piece)
    return [*found, *decoder.silence()]


@settings(max_examples=150)
@given(_streams, _options, st.sampled_from([*MAPS]))
@example(b"", DecoderOptions(), "native")
def test_no_byte_is_lost_and_every_byte_has_a_field(
    data: bytes, options: DecoderOptions, named: str
) -> None:
    frames = _decoded([data], options, MAPS[named])
    assert b"".join(frame.raw for frame in frames) == data
    for frame in frames:
        ends = [0, *(each.offset + each.size for each in frame.fields)]
        assert [each.offset for each in frame.fields] == ends[:-1]
        assert ends[-1] == len(frame.raw)
        assert all(before < after for before, after in pairwise(ends))


@settings(max_examples=100)
@given(_streams, _options, st.lists(st.integers(0, 400), max_size=6))
def test_a_stream_gives_the_same_frames_however_it_is_cut(
    data: bytes, options: DecoderOptions, cuts: list[int]
) -> None:
    whole = _decoded([data], options)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert _decoded([data[a:b] for a, b in pairwise(places)], options) == whole
    assert _decoded([bytes((byte,)) for byte in data], options) == whole


@settings(max_examples=100)
@given(_streams, _options)
def test_every_object_is_json_with_the_agreed_keys(data: bytes, options: DecoderOptions) -> None:
    for frame in _decoded([data], options):
        fragments = frame.fragments()
        assert [*fragments] == ["at", "protocol", "direction", "raw", "decoded"]
        values = {name: json.loads(value) for name, value in fragments.items()}
        assert bytes.fromhex(values["raw"]) == frame.raw
        assert values["direction"] in ("request", "reply", "unknown", None)
        assert (values["direction"] is None) == (not frame.is_frame)
        assert isinstance(values["decoded"], dict)


@settings(max_examples=60)
@given(st.lists(st.tuples(_frames, st.booleans()), max_size=6))
def test_hints_and_silences_lose_nothing(parts: list[tuple[bytes, bool]]) -> None:
    decoder = ModbusDecoder()
    found: list[DecodedFrame] = []
    for data, is_silent in parts:
        found += decoder.receive(data, 0)
        found += decoder.silence() if is_silent else decoder.boundary()
    found += decoder.silence()
    assert b"".join(frame.raw for frame in found) == b"".join(data for data, _ in parts)
