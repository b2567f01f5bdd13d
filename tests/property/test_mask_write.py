"""Function 22 on a scratch register, against the truth table of V1.1b3, section 6.16."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from protocols.modbus import tcp
from protocols.modbus.pdu import MAX_PDU
from tests.support.maps import SCRATCH
from tests.support.racks import tcp_server

WORD = st.integers(0, 0xFFFF)
SERVER = tcp_server(Rack([(1, build(MeterDescription()))], 0))


def ask(pdu: bytes) -> bytes:
    return SERVER.receive(tcp.encode(1, 1, pdu), 0)[tcp.HEADER_SIZE :]


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def masked(held: int, and_mask: int, or_mask: int) -> int:
    """Return each bit by itself: kept where the and-mask has it, else that of the or-mask."""
    bits = zip(f"{held:016b}", f"{and_mask:016b}", f"{or_mask:016b}", strict=True)
    return int("".join(old if keep == "1" else new for old, keep, new in bits), 2)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, SCRATCH.size - 1), st.lists(WORD, min_size=16, max_size=16), WORD, WORD)
def test_a_mask_changes_the_bits_of_one_register(
    index: int, values: list[int], and_mask: int, or_mask: int
) -> None:
    address = SCRATCH.address
    ask(b"\x10" + words(address, 16) + b"\x20" + words(*values))
    request = b"\x16" + words(address + index, and_mask, or_mask)
    assert ask(request) == request
    values[index] = masked(values[index], and_mask, or_mask)
    assert ask(b"\x03" + words(address, 16)) == b"\x03\x20" + words(*values)


@settings(deadline=None, max_examples=200)
@given(WORD.filter(lambda address: address not in SCRATCH.extent), WORD, WORD)
def test_a_mask_elsewhere_is_refused_as_a_write_of_one_register(
    address: int, and_mask: int, or_mask: int
) -> None:
    assert ask(b"\x16" + words(address, and_mask, or_mask)) == b"\x96\x02"
    assert ask(b"\x06" + words(address, or_mask)) == b"\x86\x02"


@pytest.mark.parametrize("function", [0x11, 0x16])
@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=MAX_PDU - 1))
def test_any_other_length_is_refused(function: int, data: bytes) -> None:
    if len(data) != {0x11: 0, 0x16: 6}[function]:
        assert ask(bytes((function,)) + data) == bytes((function | 0x80, 3))
