"""A scan on a line or host that says anything: a reply, silence or a corrupt answer, no more."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from meterctl.drivers.probing import Identity
from meterctl.drivers.table import MODBUS
from meterctl.errors import CorruptAnswerError
from protocols.modbus import rtu
from tests.support.scanned_lines import Device, ScannedLine

PIECES = st.lists(st.binary(max_size=40), max_size=6)


@settings(max_examples=60)
@given(PIECES, st.booleans())
def test_any_bytes_end_in_time_and_make_no_map(pieces: list[bytes], framed: bool) -> None:
    line = ScannedLine({}, framed=framed)
    line.coming = [(30 * at, data) for at, data in enumerate(pieces) if data]
    prober = MODBUS.prober().open(line, 200, line.clock, None)
    with suppress(CorruptAnswerError):
        if prober.probe(5) is not None:
            assert prober.identify(5).map is None
    assert line.now < 6000


@settings(max_examples=60)
@given(st.binary(max_size=30))
def test_a_whole_reply_behind_any_bytes_is_found(noise: bytes) -> None:
    line = ScannedLine({5: Device(answers=lambda frame: noise + frame)})
    prober = MODBUS.prober().open(line, 200, line.clock, None)
    assert prober.probe(5) is not None


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=250))
def test_a_device_whose_replies_are_anything_has_no_map(data: bytes) -> None:
    line = ScannedLine({5: Device(answers=lambda frame: rtu.encode(5, frame[1:2] + data))})
    prober = MODBUS.prober().open(line, 200, line.clock, None)
    with suppress(CorruptAnswerError):
        prober.probe(5)
    found = prober.identify(5)  # one that uses up its time is cut short
    assert replace(found, is_cut=False) == Identity()
