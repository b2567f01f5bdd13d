"""Whole lists of registers: titles above the heading, areas in titles, cells with line breaks."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.programs.register_lists.addresses import Numbering
from firmware_sim.programs.register_lists.reading import (
    ListedRegister,
    RegisterList,
    Title,
    UnreadRow,
    parse_register_list,
)
from protocols.errors import QuantityError

MANUAL = """Modbus registers of the meter;;;;;
Input registers (function 04);;;;;
Address (Register);Parameter;Units;"Start address
hex";Format;Length (bytes)
30001;Phase 1 line to neutral volts;Volts;00 00;Float;4
30073;Total import kWh;kWh;00 48;Float;4
;;;;;
Holding registers;;;;;
40003;Demand period;minutes;00 02;Float;4
;see page 4;;;;
"""
SPREADSHEET = """sep=,
Name,Register,FC,Data Type,Unit,Gain,R/W,Remarks
Voltage,0x0000,03,UINT16,V,10,RO,"of the
only phase"
Power,0x0003,3/6,INT32 (CDAB),W,1,RW,
Set address,0x0010,06,UINT16,,1,WO,
Energy,0x0100-0x0101,03,,0.01kWh,,,
"""


def rows(text: str) -> list[ListedRegister]:
    return [row for row in parse_register_list(text).rows if isinstance(row, ListedRegister)]


def left_out(found: RegisterList) -> list[UnreadRow]:
    return [row for row in found.rows if isinstance(row, UnreadRow)]


def test_titles_name_the_area_of_the_rows_below_them() -> None:
    found = parse_register_list(MANUAL)
    volts, energy, period = rows(MANUAL)
    assert found.numbering is Numbering.REFERENCE
    assert (volts.extent.address, volts.areas, volts.type.type, volts.unit) == (
        0,
        ("input",),
        "f32",
        "V",
    )
    assert (energy.extent.address, energy.line, energy.type.size) == (72, 6, 2)
    assert (period.extent.address, period.areas) == (2, ("holding",))
    assert [row for row in found.rows if isinstance(row, Title)] == [
        (8, "Holding registers"),
        (10, "see page 4"),
    ]


@pytest.mark.parametrize(
    ("titles", "areas"),
    [
        ("Input registers\n", ("input",)),
        ("Meter X\nInput registers, function 04,,\n\n", ("input",)),
        ("holding and input registers of the meter\nInput registers;;\n", ("input",)),
        ("input registers are read by 04\n## Holding registers\n\n", ("holding",)),
        ("holding and input registers of the meter\n", ()),
        ("Meter X\n", ()),
    ],
)
def test_a_title_above_the_columns_names_the_area_of_the_rows(
    titles: str, areas: tuple[str, ...]
) -> None:
    for heading, row in (
        ("address,name,type\n", "0,Voltage L1,U16\n"),
        ("| address | name |\n|---|---|\n", "| 0 | Voltage L1 |\n"),
    ):
        assert [found.areas for found in rows(titles + heading + row)] == [areas]


def test_a_title_between_the_rows_ends_the_area_of_one_above_the_columns() -> None:
    text = "Input registers\naddress,name\n0,Voltage L1\nHolding registers\n0,Demand period\n"
    assert [row.areas for row in rows(text)] == [("input",), ("holding",)]


def test_a_spreadsheet_is_read_with_its_gains_ranges_and_functions() -> None:
    volts, power, energy = rows(SPREADSHEET)
    assert (volts.scale, volts.names) == (Fraction(1, 10), ("Voltage", "of the only phase"))
    assert power.type[:2] == ("s32", "low_first")
    assert power.writes
    assert not volts.writes
    assert (energy.extent.size, energy.type.size, energy.scale) == (2, 2, Fraction(1, 100))
    (written_only,) = left_out(parse_register_list(SPREADSHEET))
    assert (written_only.line, written_only.reason) == (6, "it can only be written")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_delimiter_gives_the_same_registers(delimiter: str) -> None:
    text = SPREADSHEET.partition("\n")[2].replace(",", delimiter)
    own = [row._replace(line=row.line + 1) for row in rows(text)]
    assert own == rows(SPREADSHEET)


def test_the_numbering_can_be_told() -> None:
    text = "address,name\n40001,Voltage\n"
    assert rows(text)[0].extent.address == 0
    (told,) = parse_register_list(text, Numbering.DECIMAL).rows
    assert isinstance(told, ListedRegister)
    assert told.extent.address == 40001


def test_the_column_with_most_addresses_is_that_of_addresses() -> None:
    (row,) = rows("address,register,name\nsee register,5,Voltage\n")
    assert row.extent.address == 5


def test_a_unit_in_the_name_is_its_unit() -> None:
    (row,) = rows("register,description\n5,Voltage L1 [V]\n")
    assert (row.name, row.unit) == ("Voltage L1", "V")


def test_a_decimal_comma_is_read_where_cells_are_not_separated_by_commas() -> None:
    (row,) = rows("Adresse;Bezeichnung;Faktor\n5;Spannung L1;0,1\n")
    assert (row.name, row.scale) == ("Spannung L1", Fraction(1, 10))


def test_a_scale_that_contradicts_the_unit_leaves_the_row_out() -> None:
    text = "address,name,unit,scale\n1,Ua,0.1V,0.1\n2,Ub,0.1V,0.01\n3,Uc,V,A_SF\n"
    found = parse_register_list(text)
    assert rows(text)[0].scale == Fraction(1, 10)
    assert [row.reason for row in left_out(found)] == [
        "its unit says 1/10 and its scale 1/100",
        "'A_SF' is no scale",
    ]


MARKDOWN = """# Energy meter

| Register(s) | Meaning | Scale Unit | Data format | R/W |
|---|:---:|---|---|---|
| 0000h-0001h | total energy | 1/100 kWh | unsigned dword | R |
| 000Ch | voltage | 1/10 V | unsigned | R |
"""


def test_a_table_of_markdown_is_a_list() -> None:
    energy, volts = rows(MARKDOWN)
    assert (energy.extent[:2], energy.type.type, energy.unit) == ((0, 2), "u32", "kWh")
    assert (volts.extent.address, volts.scale, volts.name) == (12, Fraction(1, 10), "voltage")
    assert left_out(parse_register_list(MARKDOWN)) == []


def test_lengths_that_would_overlap_count_bytes() -> None:
    text = "address,name,type,length\n0,Ua,float,4\n2,Ub,float,4\n4,Uc,uint,2\n"
    assert [row.type[:1] + row.type[3:] for row in rows(text)] == [
        ("f32", 2),
        ("f32", 2),
        ("u16", 1),
    ]
    text = "address,name,type,length\n0,Ua,float,4\n4,Ub,float,4\n"
    assert [row.type.type for row in rows(text)] == ["f64", "f64"]
    text = "address,name,type,length\n0,all,,9\n5,Ua,,2\n7,Ub,,2\n9,Uc,,2\n"
    assert [row.type.size for row in rows(text)] == [9, 2, 2, 2]


def test_a_column_of_scales_that_can_only_divide_divides() -> None:
    text = "register,name,unit,type,factor\n0,Ua,V,u16,10\n1,P,W,u16,1\n2,f,Hz,u16,100\n"
    found = parse_register_list(text)
    assert found.scales_divide
    assert [row.scale for row in rows(text)] == [Fraction(1, 10), 1, Fraction(1, 100)]
    multiplied = parse_register_list("register,name,unit,factor\n0,Ua,V,0.1\n1,P,W,10\n")
    assert not multiplied.scales_divide
    assert [row.scale for row in multiplied.rows if isinstance(row, ListedRegister)] == [
        Fraction(1, 10),
        10,
    ]


@pytest.mark.parametrize(
    ("name", "unit", "scale"),
    [
        ("Frequency", "Hz", "x100"),
        ("Frequency", "", "*100"),
        ("Active power", "kW", "1000"),
        ("Import active energy", "kWh", "100"),
        ("Power factor", "", "1000"),
        ("Phase angle", "deg", "× 10"),
    ],
)
def test_a_step_that_is_larger_than_usual_values_divides(name: str, unit: str, scale: str) -> None:
    text = f"register,name,unit,factor\n0,Voltage L1,V,1\n1,{name},{unit},{scale}\n"
    assert parse_register_list(text).scales_divide
    assert rows(text)[1].scale == Fraction(1, int(scale.strip("x*× ")))


@pytest.mark.parametrize(
    ("unit", "scale"), [("W", "1000"), ("Wh", "10000"), ("kW", "1"), ("s", "60")]
)
def test_a_step_that_meters_have_multiplies(unit: str, scale: str) -> None:
    text = f"register,name,unit,factor\n0,Something,{unit},{scale}\n"
    assert rows(text)[0].scale == int(scale)


def test_a_step_that_is_too_large_beside_scales_that_multiply_leaves_its_row_out() -> None:
    text = "register,name,unit,factor\n0,Voltage L1,V,0.1\n1,Frequency,Hz,x100\n"
    found = parse_register_list(text)
    assert not found.scales_divide
    assert [row.scale for row in rows(text)] == [Fraction(1, 10)]
    (left,) = left_out(found)
    assert left.reason == "steps of 100 Hz are more than usual values: is the scale a gain?"


def test_a_type_that_is_an_area_is_the_area() -> None:
    volts, relay = rows("type,register number,name\nInput,0,Phase 1 Voltage\nCoil,7,Relay\n")
    assert (volts.areas, volts.type.type) == (("input",), "")
    assert (relay.areas, relay.type.type) == (("coil",), "bool")


def test_all_names_and_descriptions_of_a_row_are_kept() -> None:
    (row,) = rows("address,name,label,description\n0,V_L1,Voltage L1-N (V),phase to neutral\n")
    assert row.names == ("V_L1", "Voltage L1-N", "phase to neutral")
    assert row.unit == "V"


@pytest.mark.parametrize("text", ["", "\n\n", "just,some,words\n1,2,3\n", "address\n1\n"])
def test_a_list_without_a_heading_is_refused_with_what_it_needs(text: str) -> None:
    with pytest.raises(QuantityError, match=r"addresses .* names"):
        parse_register_list(text)


def test_a_quotation_mark_that_is_not_closed_is_named_with_its_line() -> None:
    with pytest.raises(QuantityError, match="line 2: a quotation mark is not closed"):
        parse_register_list('address,name\n1,"Voltage\n')


@given(st.text(alphabet='ab1,;\t"\n0x', max_size=60))
def test_any_text_is_a_list_or_is_refused(text: str) -> None:
    with contextlib.suppress(QuantityError):
        assert len(parse_register_list("address,name\n" + text).rows) <= len(text)
