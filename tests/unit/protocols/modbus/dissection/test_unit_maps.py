"""Registers of a unit have the names of its map, until its mark is seen to be another one."""

from __future__ import annotations

import pytest

from protocols.modbus.dissection.decoder import ModbusDecoder
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.shipped_maps import shipped
from tests.unit.protocols.modbus.dissection.support import decode, rtu, values

MARK = rtu("03 0000 0002", 3), rtu("03 04 50504d31", 3)
OTHER_MARK = rtu("03 0000 0002", 3), rtu("03 04 00000000", 3)
CREDIT = rtu("03 0040 0002", 3), rtu("03 04 000007d0", 3)
CREDIT_OF_ANOTHER = rtu("03 0040 0002", 2), rtu("03 04 000007d0", 2)


def names(*frames: bytes) -> list[str | None]:
    """Return the names of what the replies of a stream show."""
    found = [values(frame) for frame in decode(*frames)]
    return [part["name"] for each in found for part in each.get("values", ())]


def test_no_register_has_a_name_of_the_map_once_its_mark_is_another_one() -> None:
    assert names(*OTHER_MARK, *CREDIT) == [None, None]
    assert names(*OTHER_MARK, *CREDIT_OF_ANOTHER) == [None, "available_credit"]
    request, reply = decode(*OTHER_MARK, *CREDIT)[2:]
    assert values(request)["items"] == []
    assert "of no name" in reply.summary


@pytest.mark.parametrize(
    "shown",
    [
        OTHER_MARK,
        (rtu("04 0000 0010", 3), rtu("04 20" + "00" * 32, 3)),
        (rtu("03 0000 0002", 3), rtu("83 02", 3)),
    ],
)
def test_another_mark_is_told_once(shown: tuple[bytes, ...]) -> None:
    notices = [frame.notice for frame in decode(*shown, *shown, *CREDIT) if frame.notice]
    assert len(notices) == 1
    assert notices[0].startswith("unit 3 has not the map native: its mark is")
    assert "--map NAME@3" in notices[0]


@pytest.mark.parametrize(
    "shown",
    [
        MARK,
        (rtu("03 0000 0001", 3), rtu("03 02 0000", 3)),
        (rtu("03 0000 0002", 3), rtu("83 06", 3)),
        (rtu("03 0000 0010", 3), rtu("83 02", 3)),
        (rtu("03 04 00000000", 3),),
    ],
)
def test_a_reply_that_does_not_show_another_mark_leaves_the_names(shown: tuple[bytes]) -> None:
    assert not any(frame.notice for frame in decode(*shown, *CREDIT))
    assert names(*shown, *CREDIT)[-1] == "available_credit"


def test_the_right_mark_brings_the_names_back() -> None:
    assert names(*OTHER_MARK, *MARK, *CREDIT)[-1] == "available_credit"


def test_a_unit_has_the_map_that_is_given_for_it() -> None:
    other = shipped("acrel-prepaid").register_map
    decoder = ModbusDecoder(NATIVE_MAP, unit_maps={3: other})
    frames = decoder.receive(b"".join((*OTHER_MARK, *CREDIT_OF_ANOTHER)))
    shown = [part["name"] for frame in frames for part in values(frame).get("values", ())]
    assert shown == ["energy_import_kwh", "available_credit"]
    assert not any(frame.notice for frame in frames)
