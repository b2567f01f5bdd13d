"""Fixed widths: a value in range is packed unchanged, any other saturates."""

from __future__ import annotations

from struct import Struct, error

import pytest

from protocols.fixed_width import SaturatingStruct

RANGES = {
    "B": (0, 2**8 - 1),
    "H": (0, 2**16 - 1),
    "I": (0, 2**32 - 1),
    "Q": (0, 2**64 - 1),
    "b": (-(2**7), 2**7 - 1),
    "h": (-(2**15), 2**15 - 1),
    "i": (-(2**31), 2**31 - 1),
    "q": (-(2**63), 2**63 - 1),
}


@pytest.mark.parametrize("code", RANGES)
def test_a_number_is_cut_to_the_range_of_its_field(code: str) -> None:
    low, high = RANGES[code]
    packing = SaturatingStruct(code)
    for value in (low, low + 1, 0, 1, high - 1, high):
        assert packing.saturate(value) == Struct(">" + code).pack(value)
    for value in (high + 1, 10**30):
        assert packing.saturate(value) == Struct(">" + code).pack(high)
    for value in (low - 1, -(10**30)):
        assert packing.saturate(value) == Struct(">" + code).pack(low)


def test_each_field_has_its_own_range() -> None:
    packing = SaturatingStruct("BI4s2hq")
    assert packing.size == 1 + 4 + 4 + 4 + 8
    data = packing.saturate(256, -1, b"\xca\xfe\xba\xbe", 40_000, -40_000, 7)
    assert packing.unpack(data) == (255, 0, b"\xca\xfe\xba\xbe", 32_767, -32_768, 7)


def test_it_is_big_endian_and_packs_strictly_too() -> None:
    packing = SaturatingStruct("H")
    assert packing.saturate(1) == packing.pack(1) == b"\0\1"
    with pytest.raises(error):
        packing.pack(65_536)


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_another_count_of_values_is_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        SaturatingStruct("HH").saturate(*values)
