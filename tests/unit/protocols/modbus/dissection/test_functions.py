"""Every function of the specification is shown field by field."""

from __future__ import annotations

from itertools import pairwise

import pytest

from protocols.decoded_frames import DecoderOptions
from protocols.faults import Way
from protocols.modbus.shipped_maps import shipped
from tests.unit.protocols.modbus.dissection.support import decode, fields, rtu, values

REQUEST, REPLY = DecoderOptions(direction=Way.REQUEST), DecoderOptions(direction=Way.REPLY)


def test_a_read_is_shown_byte_by_byte() -> None:
    request, reply = decode(rtu("03 0040 0002"), rtu("03 04 000007d0"))
    assert fields(request) == [
        ("01", "unit", "1"),
        ("03", "function", "3: read holding registers"),
        ("00 40", "address", "holding register 64 (0040H, no. 40065)"),
        ("00 02", "quantity", "2 registers: available_credit"),
        ("c5 df", "CRC", "right"),
    ]
    assert fields(reply)[2:4] == [
        ("04", "byte count", "4"),
        (
            "00 00 07 d0",
            "available_credit",
            "20.00 account_unit; holding register 64 (0040H, no. 40065)",
        ),
    ]
    assert values(request)["items"] == ["available_credit"]
    assert values(reply)["values"] == [{"address": 64, "name": "available_credit", "value": 20.00}]


def test_a_value_that_the_request_cuts_is_named_as_a_part() -> None:
    _, reply = decode(rtu("03 0041 0002"), rtu("03 04 07d00000"))
    assert [each["name"] for each in values(reply)["values"]] == [
        "part of available_credit",
        "part of remaining_credit",
    ]


def test_a_reply_alone_has_no_address_unless_it_is_given() -> None:
    (alone,) = decode(rtu("03 04 000007d0"))
    assert values(alone)["address"] is None
    assert values(alone)["values"] == [{"address": None, "name": None, "value": [0, 2000]}]
    (given,) = decode(rtu("03 04 000007d0"), options=DecoderOptions(address=64))
    assert values(given)["values"][0]["name"] == "available_credit"


def test_values_are_those_of_the_map() -> None:
    register_map = shipped("sdm630").register_map
    found = decode(rtu("04 0000 0002"), rtu("04 04 43660000"), register_map=register_map)
    assert values(found[1])["values"] == [{"address": 0, "name": "voltage_l1_v", "value": 230.000}]


def test_bits_are_named_too() -> None:
    request, reply = decode(rtu("02 0000 0020"), rtu("02 04 01000000"))
    assert values(request)["items"] == ["status"]
    (shown,) = values(reply)["values"]
    assert shown["name"] == "status"
    assert len(shown["value"]) == 1


def test_the_number_of_a_register_counts_from_1_with_the_digit_of_its_area() -> None:
    places = {
        "01 0000 0001": "coil 0 (0000H, no. 00001)",
        "02 0009 0001": "discrete input 9 (0009H, no. 10010)",
        "04 0063 0001": "input register 99 (0063H, no. 30100)",
        "03 2710 0001": "holding register 10000 (2710H, no. 410001)",
    }
    for pdu, place in places.items():
        (found,) = decode(rtu(pdu), options=REQUEST)
        assert fields(found)[2][2] == place


SHOWN = [
    ("05 0000 ff00", REQUEST, {"function": 5, "address": 0, "value": True}),
    ("05 0000 0000", REPLY, {"value": False}),
    ("06 2000 0005", REQUEST, {"function": 6, "address": 0x2000}),
    ("07", REQUEST, {"function_name": "read exception status"}),
    ("07 6d", REPLY, {"status": 0x6D}),
    ("08 0000 cafe", REQUEST, {"sub_function": 0, "data": 0xCAFE}),
    ("0b", REQUEST, {"function": 11}),
    ("0b ffff 0108", REPLY, {"status": 0xFFFF, "event_count": 264}),
    ("0c 08 0000 0108 0121 2000", REPLY, {"message_count": 289, "events": "20 00"}),
    ("0f 0000 000a 02 cd01", REQUEST, {"quantity": 10, "byte_count": 2}),
    ("0f 0000 000a", REPLY, {"quantity": 10}),
    ("10 2000 0002 04 00010002", REQUEST, {"address": 0x2000, "quantity": 2}),
    ("10 2000 0002", REPLY, {"quantity": 2}),
    ("11", REQUEST, {"function_name": "report server id"}),
    ("11 03 50ff41", REPLY, {"report": "50 ff 41", "report_text": "P.A"}),
    ("14 07 06 0004 0001 0002", REQUEST, {"byte_count": 7}),
    ("14 06 05 06 0dfe0020", REPLY, {"byte_count": 6}),
    ("15 09 06 0004 0007 0001 06af", REQUEST, {"byte_count": 9}),
    ("16 0004 00f2 0025", REQUEST, {"and_mask": 0xF2, "or_mask": 0x25}),
    ("17 0003 0006 000e 0001 02 00ff", REQUEST, {"read_address": 3, "write_address": 14}),
    ("18 04de", REQUEST, {"function": 24}),
    ("18 0006 0002 01b81284", REPLY, {"fifo_count": 2}),
    ("2b 0e 01 00", REQUEST, {"mei_type": 14, "object": 0}),
    ("2b 0e 01 01 00 00 01 00 03 414243", REPLY, {"objects": {"0": "ABC"}}),
    ("83 02", REPLY, {"function": 3, "exception": 2}),
    ("83 7f", REPLY, {"exception_name": "unknown"}),
    ("41 0102", REQUEST, {"function_name": "unknown function", "data": "01 02"}),
]


@pytest.mark.parametrize(("pdu", "options", "expected"), SHOWN, ids=[pdu for pdu, _, _ in SHOWN])
def test_every_function_is_shown(
    pdu: str, options: DecoderOptions, expected: dict[str, object]
) -> None:
    (found,) = decode(rtu(pdu), options=options)
    shown = values(found)
    assert {name: shown[name] for name in expected} == expected
    assert found.is_right


def test_a_function_that_lies_about_its_length_is_shown_as_far_as_it_goes() -> None:
    (found,) = decode(rtu("10 2000 0002 09 0001"), options=REQUEST)
    assert fields(found)[-2][0] == "00 01"
    ends = [0, *(each.offset + each.size for each in found.fields)]
    assert all(before < after for before, after in pairwise(ends))


def test_the_fields_of_an_ascii_frame_are_its_characters() -> None:
    (found,) = decode(b":010300400002BA\r\n")
    assert fields(found)[0] == ("3a", "start", "colon")
    assert fields(found)[1] == (b"01".hex(" "), "unit", "1")
    assert fields(found)[-1] == ("0d 0a", "end", "CR LF")
