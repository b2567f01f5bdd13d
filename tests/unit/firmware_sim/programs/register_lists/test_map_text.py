"""Map files that are made from register lists: what is sure is placed, the rest is a comment."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from firmware_sim.programs.register_lists.map_text import MadeMap, map_text
from firmware_sim.programs.register_lists.reading import parse_register_list
from protocols.errors import QuantityError

HEAD = "address,name,type,unit,scale,function,access\n"


def made(rows: str, *, refused: dict[str, str] | None = None) -> MadeMap:
    """Return the map of a list; lines of it that hold a text of `refused` are refused."""

    def check(text: str) -> None:
        tomllib.loads(text)
        problems = [
            f"line {number}: {reason}"
            for number, line in enumerate(text.splitlines(), 1)
            for part, reason in (refused or {}).items()
            if part in line.partition("#")[0]
        ]
        if problems:
            raise QuantityError("\n".join(problems))

    return map_text(lambda common: f"format = 1\n{common}", parse_register_list(HEAD + rows), check)


def registers(rows: str) -> list[dict[str, Any]]:
    """Return the registers of the map of a list, with the defaults in each."""
    table = tomllib.loads(made(rows).text)
    return [table.get("defaults", {}) | register for register in table["register"]]


def test_a_row_that_means_an_item_is_a_register_in_its_own_words() -> None:
    assert registers("0x10,Voltage L1,UINT16,V,0.1,4,R\n") == [
        {"address": 16, "item": "voltage_l1_v", "area": "input", "type": "u16", "decimals": 1}
    ]


def test_a_unit_that_is_not_that_of_the_item_is_named() -> None:
    (row,) = registers("0,Active power L1,INT32,W,,3,R\n")
    assert (row["unit"], row.get("decimals")) == ("W", None)
    (row,) = registers("0,Active power L1,INT32,kW,0.25,3,R\n")
    assert (row.get("unit"), row["scale"]) == (None, "0.25")


def test_what_most_rows_have_is_a_default() -> None:
    text = made("0,Ua,Float,V,,4,R\n2,Ub,Float,V,,4,R\n4,Uc,UINT16,V,,4,R\n").text
    assert 'defaults = { area = "input", type = "f32" }' in text
    assert '{ address = 0x0002, item = "voltage_l2_v" },' in text
    assert '{ address = 0x0004, item = "voltage_l3_v", type = "u16" },' in text


def test_a_row_without_one_sure_item_is_a_comment_with_the_nearest_items() -> None:
    made_map = made("0,Ua,Float,V,,4,R\n2,Active energy,Float,kWh,,4,R\n4,Ub,Float,V,,4,R\n")
    assert (made_map.placed, made_map.left_out) == (2, 1)
    assert "  # line 3: Active energy: perhaps energy_import_kwh, energy_export_kwh or" in (
        made_map.text
    )
    assert '  # { address = 0x0002, item = "energy_import_kwh" },\n' in made_map.text


def test_a_row_is_placed_by_any_of_its_names_and_left_out_where_two_disagree() -> None:
    text = "address,name,description\n0,V1,Voltage L1-N\n1,Ua,Current L1\n2,xyz,Voltage L2\n"
    found = map_text(lambda common: common, parse_register_list(text), lambda text: None)
    assert [row["item"] for row in tomllib.loads(found.text)["register"]] == [
        "voltage_l1_v",
        "voltage_l2_v",
    ]
    assert "line 3: Ua: perhaps voltage_l1_v or current_l1_a" in found.text


def test_a_row_of_an_address_that_is_taken_is_a_comment_that_names_the_other() -> None:
    text = made("0,Ua,Float,V,,4,R\n1,Ub,Float,V,,4,R\n1,Uc,UINT16,V,,3,R\n").text
    assert "line 3: Ub: line 2 has the same address" in text
    assert len(tomllib.loads(text)["register"]) == 2


def test_a_row_that_the_format_refuses_is_a_comment_with_the_reason() -> None:
    rows = "0,Ua,Float,V,,4,R\n2,Serial number,UINT32,,,4,R\n4,Ub,Float,V,,4,R\n"
    made_map = made(rows, refused={"serial_number": "register.type: digits are no u32"})
    assert (made_map.placed, made_map.left_out) == (2, 1)
    assert "line 3: Serial number: digits are no u32" in made_map.text


def test_a_mistake_of_no_row_is_not_hidden() -> None:
    with pytest.raises(QuantityError, match="format is 2"):
        made("0,Ua,Float,V,,4,R\n", refused={"format = 1": "format is 2"})


def test_without_any_sure_row_the_list_is_refused() -> None:
    with pytest.raises(QuantityError, match="column `item`"):
        made("0,Baud rate,UINT16,,,3,R\n")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "400071x,Voltage L1,U16,V,,3,R\n",
            "no row can be read; line 2: .*'400071x' is no address",
        ),
        (
            "70000,Voltage L1,U16,V,,3,R\n",
            "line 2: .*: address '70000': allowed are wire addresses",
        ),
        ("0,Voltage L1,U16,V,0.1,99,R\n", "line 2: .*function 99"),
        ("x7,Voltage L1,U16,V,,3,R\n0,Baud rate,U16,,,3,R\n", "line 2: .*'x7' is no address"),
        ("", "no row below the line that names the columns"),
    ],
)
def test_a_list_without_registers_is_refused_with_the_real_reason(rows: str, told: str) -> None:
    with pytest.raises(QuantityError, match=told) as refused:
        made(rows)
    assert "no row has a name" not in str(refused.value)


def test_a_list_of_which_the_format_refuses_every_row_names_the_first_reason() -> None:
    told = "no row can be a register of a map; line 2: Serial number: digits are no u32"
    with pytest.raises(QuantityError, match=told):
        made(
            "0,Serial number,UINT32,,,3,R\n",
            refused={"serial_number": "register: digits are no u32"},
        )


def test_a_setting_that_may_be_written_is_writable_and_has_a_number_for_off() -> None:
    (row,) = registers("0,low_credit_threshold_1,UINT32,,0.01,3,R/W\n")
    assert (row["writable"], row["off"], row["decimals"]) == (True, 0xFFFFFFFF, 2)
    (row,) = registers("0,Active power,INT16,W,,3,R/W\n")
    assert "writable" not in row


@pytest.mark.parametrize(
    ("row", "has_magnitude"),
    [
        ("0,Current L1,UINT16,A,0.01,3,R\n", True),
        ("0,Power factor L2,UINT16,,0.001,3,R\n", True),
        ("0,Current L1,INT16,A,0.01,3,R\n", False),
        ("0,Active power,UINT16,W,,3,R\n", False),
        ("0,Voltage L1,UINT16,V,0.1,3,R\n", False),
    ],
)
def test_an_unsigned_current_is_shown_on_export_too(row: str, has_magnitude: bool) -> None:
    (register,) = registers(row)
    assert register.get("magnitude", False) == has_magnitude


def test_a_column_of_keys_leaves_nothing_to_assume() -> None:
    text = (
        "address,name,type,keys\n"
        "0,Current L1,U16,\n"
        '1,Voltage L2,U16,"absent = 0xFFFF, wraps = true"\n'
        "2,Voltage L1,U16,colour = 1\n"
    )
    found = map_text(lambda common: common, parse_register_list(text), lambda text: None)
    current, voltage = tomllib.loads(found.text)["register"]
    assert "magnitude" not in current
    assert (voltage["absent"], voltage["wraps"]) == (0xFFFF, True)
    assert "'colour' is no key of a cell" in found.text


def test_digits_and_texts_have_a_size() -> None:
    (row,) = registers("0,Serial number,BCD,,,3,R\n")
    assert (row["type"], row["size"]) == ("bcd", 3)
    (row,) = registers("0-15,Serial number,STRING,,,3,R\n")
    assert (row["type"], row["size"]) == ("ascii", 16)


def test_what_the_list_does_not_say_is_assumed_and_told() -> None:
    text = made("0,Active power,,,,,\n").text
    assert "(kW and s16 assumed)" in text
    (row,) = registers("0,Active power,,,,,\n")
    assert (row["area"], row["type"]) == (["holding", "input"], "s16")


def test_registers_far_from_each_other_have_no_zeros_between_them() -> None:
    near, far = made("0,Ua,,V,,3,R\n9,Ub,,V,,3,R\n"), made("0,Ua,,V,,3,R\n60000,Ub,,V,,3,R\n")
    assert 'requests = { gaps = "zero" }' in near.text
    assert 'requests = { gaps = "refuse" }' in far.text


def test_no_text_of_the_list_can_leave_its_comment() -> None:
    rows = '0,"Ua\x0b{",Float,V,,4,R\n2,"x\x00\x1b[31m\x85 = ""y""",Float,%,,4,R\n'
    assert len(tomllib.loads(made(rows).text)["register"]) == 1
