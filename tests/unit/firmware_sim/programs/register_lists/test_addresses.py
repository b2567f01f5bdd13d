"""Addresses of register lists, as manuals and spreadsheets write them."""

from __future__ import annotations

import pytest

from firmware_sim.programs.register_lists.addresses import (
    Extent,
    Numbering,
    numbering_of,
    parse_extent,
)
from protocols.errors import QuantityError

DECIMAL, HEX = Numbering.DECIMAL, Numbering.HEX
FROM_ONE, REFERENCE = Numbering.FROM_ONE, Numbering.REFERENCE


@pytest.mark.parametrize(
    ("heading", "texts", "numbering"),
    [
        ("address", ["0", "2", "70"], DECIMAL),
        ("address", ["0x0000", "0x0048"], DECIMAL),
        ("address", ["0000", "004A", "0156"], HEX),
        ("start address hex", ["0000", "0010"], HEX),
        ("hex", ["00 00", "00 0C"], HEX),
        ("register", ["30001", "30003", "40001"], REFERENCE),
        ("register", ["300001", "465536"], REFERENCE),
        ("address", ["40000", "40002"], DECIMAL),
        ("register (1-based)", ["1", "2"], FROM_ONE),
        ("address", ["40070", "9"], DECIMAL),
        ("register", ["40070", "40071/2"], REFERENCE),
        ("register", ["400070", "400071-72"], REFERENCE),
        ("register", ["40070", "40071/2", "9"], DECIMAL),
        ("address", [], DECIMAL),
    ],
)
def test_a_column_shows_how_it_writes_addresses(
    heading: str, texts: list[str], numbering: Numbering
) -> None:
    assert numbering_of(heading, texts) is numbering


@pytest.mark.parametrize(
    ("text", "numbering", "extent"),
    [
        ("70", DECIMAL, (70, 0, "")),
        ("70.0", DECIMAL, (70, 0, "")),
        ("0x0046", DECIMAL, (0x46, 0, "")),
        ("0046H", DECIMAL, (0x46, 0, "")),
        ("$46", DECIMAL, (0x46, 0, "")),
        ("16#0046", DECIMAL, (0x46, 0, "")),
        ("0046", HEX, (0x46, 0, "")),
        ("00 4A", HEX, (0x4A, 0, "")),
        ("0x46-0x47", DECIMAL, (0x46, 2, "")),
        ("0046~0049", HEX, (0x46, 4, "")),
        ("40001/2", REFERENCE, (0, 2, "holding")),
        ("30001 - 30002", REFERENCE, (0, 2, "input")),
        ("40001 to 40004", REFERENCE, (0, 4, "holding")),
        ("40071-72", REFERENCE, (70, 2, "holding")),
        ("400071/2", REFERENCE, (70, 2, "holding")),
        ("3x0071/2", DECIMAL, (70, 2, "input")),
        ("0x46-49", DECIMAL, (0x46, 4, "")),
        ("0046H-9", DECIMAL, (0x46, 4, "")),
        ("004A/B", HEX, (0x4A, 2, "")),
        ("10001", REFERENCE, (0, 0, "discrete")),
        ("465536", REFERENCE, (65535, 0, "holding")),
        ("3x0001", DECIMAL, (0, 0, "input")),
        ("1", FROM_ONE, (0, 0, "")),
        ("65535", DECIMAL, (65535, 0, "")),
    ],
)
def test_an_address_is_read_with_its_range_and_area(
    text: str, numbering: Numbering, extent: tuple[int, int, str]
) -> None:
    assert parse_extent(text, numbering) == Extent(*extent)


@pytest.mark.parametrize(
    ("text", "numbering"),
    [
        ("", DECIMAL),
        ("n/a", DECIMAL),
        ("65536", DECIMAL),
        ("0x10000", DECIMAL),
        ("0", FROM_ONE),
        ("5-2", DECIMAL),
        ("004G", HEX),
        ("-1", DECIMAL),
    ],
)
def test_what_is_no_address_is_refused(text: str, numbering: Numbering) -> None:
    with pytest.raises(QuantityError):
        parse_extent(text, numbering)


def test_each_numbering_says_what_its_addresses_are() -> None:
    assert len({numbering.meaning for numbering in Numbering}) == len(Numbering)
