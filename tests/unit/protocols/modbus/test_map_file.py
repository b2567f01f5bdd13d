"""Register map files: what a file says becomes a map, and every mistake is told with its line."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pytest

from protocols.data_model import items
from protocols.data_model.identity import IDENTITY
from protocols.errors import QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.map_file import MapFile, Quirk, Source, parse_map
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Span
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.value_layout import NAN, Layout, Order, ValueType

HEAD = """\
format = 1
title = "A meter"
source = [{ text = "its manual", confidence = "documented" }]
"""
FIRST = HEAD.count("\n") + 1
"""The line after the head."""


def read(body: str) -> MapFile:
    """Return the map of a body after the head."""
    return parse_map(HEAD + body, "tried")


def a_map(body: str) -> RegisterMap:
    """Return the register map of a body."""
    return read(body).register_map


def one(row: str, before: str = "") -> Register:
    """Return the one register of a row."""
    (register,) = a_map(f"{before}\n[[register]]\n{row}").registers
    return register


def mistakes(body: str) -> list[str]:
    """Return the mistakes of a body after the head."""
    with pytest.raises(QuantityError) as raised:
        read(body)
    return str(raised.value).splitlines()


def mistake(body: str) -> str:
    """Return the one mistake of a body."""
    (told,) = mistakes(body)
    return told


# ---- the whole file


WHOLE = """\
format = 1
name = "sdm-like"
title = "A three-phase meter"

[[source]]
text = "manual"
confidence = "documented"
[[source]]
text = "a program"
confidence = "consumer"

[defaults]
area = "input"
type = "f32"
word_order = "low_first"
absent = "nan"

[requests]
functions = [3, 4, 16, 43]
largest_read = 80
gaps = "zero"
odd_addresses = "refuse"
windows = 0x1400
any_unit = true

[identification]
vendor = "Maker"
product_code = "SDM"
revision = "V1.8"
model = "630"
server_id = "SDM630"

[[register]]
address = 0x0000
item = "voltage_l1_v"
[[register]]
address = 0x0002
item = "voltage_l2_v"
note = "phase to neutral"
[[register]]
address = 0x000C
item = "active_power_l1_kw"
unit = "W"
source = "measured"
[[register]]
area = "holding"
address = 10
type = "u16"
item = "trip_mode"
values = { two_stage = 7, direct = 8, delayed = 9 }
writable = true

[[constant]]
address = 0x0010
value = 1.5
meaning = "a ratio"

[[zeros]]
area = "holding"
address = 100
size = 8

[[scratch]]
area = "holding"
address = 200
size = 4
initial = [1, 2]

[[quirk]]
text = "reads 80 registers at once"
consumer = "a program"
"""


def test_a_whole_file_becomes_a_map_with_what_it_says_of_itself() -> None:
    found = parse_map(WHOLE, "file")
    low = Order.LOW_FIRST
    floats = Layout(ValueType.F32, off=NAN, word_order=low)
    words = {"two_stage": 7, "direct": 8, "delayed": 9}
    assert found.title == "A three-phase meter"
    assert found.sources == (Source("manual", "documented"), Source("a program", "consumer"))
    assert found.quirks == (Quirk("reads 80 registers at once", "a program"),)
    m = found.register_map
    assert m.name == "sdm-like"
    assert m.registers == (
        Register(Area.INPUT, 0, items.VOLTAGES[0], floats, absent=True),
        Register(Area.INPUT, 2, items.VOLTAGES[1], floats, absent=True),
        Register(
            Area.INPUT,
            12,
            items.ACTIVE_POWERS[0],
            Layout(ValueType.F32, off=NAN, word_order=low, factor=(1, 1000)),
            absent=True,
        ),
        Register(
            Area.HOLDING,
            10,
            items.TRIP_MODE,
            Layout(ValueType.U16, word_order=low, values=words),
            writable=True,
        ),
    )
    assert m.constants == (Constant(Area.INPUT, 16, struct.pack(">f", 1.5)[2:] + b"\x3f\xc0"),)
    assert m.scratch == (Span(Area.HOLDING, 200, 4, b"\0\1\0\2"),)
    assert m.runs(Area.INPUT) == (range(18),)
    assert m.runs(Area.HOLDING) == (range(10, 204),)
    assert m.functions == {
        Function.READ_HOLDING_REGISTERS,
        Function.READ_INPUT_REGISTERS,
        Function.WRITE_MULTIPLE_REGISTERS,
        Function.ENCAPSULATED_INTERFACE,
    }
    assert (m.largest_read, m.whole_values, m.any_unit) == (80, True, True)
    assert m.windows == SealedWindows(0x1400)
    assert m.identification == {0: b"Maker", 1: b"SDM", 2: b"V1.8", 5: b"630"}
    assert m.server_id == b"\x50\xffSDM630"
    assert m.asks_phase_energies is False


def test_rows_keep_line_unit_source_and_note() -> None:
    rows = parse_map(WHOLE, "file").rows
    assert [(row.line, row.unit, row.source, row.note) for row in rows] == [
        (33, "1 V", "", ""),
        (36, "1 V", "", "phase to neutral"),
        (40, "1 W", "measured", ""),
        (45, "", "", ""),
        (53, "", "", "a ratio"),
    ]


def test_a_file_without_a_name_has_that_of_the_caller() -> None:
    assert a_map("").name == "tried"
    assert a_map("").functions == frozenset(Function)


def test_rows_may_be_written_a_line_each() -> None:
    body = """\
register = [
  { area = "input", address = 0, type = "u16", item = "meter_type" },
  { area = "input", address = 1, type = "u99", item = "meter_type" },
]
"""
    assert mistake(body).startswith(f"line {FIRST + 2}: register.type: 'u99' is not one of them")


# ---- registers


@pytest.mark.parametrize(
    ("keys", "layout"),
    [
        ('type = "s32"\nunit = "W"', Layout(ValueType.S32, factor=(1, 1000))),
        ('type = "s32"\nunit = "MW"\ndecimals = 4', Layout(ValueType.S32, 4, factor=(1000, 1))),
        ('type = "s16"\nunit = "W"\nscale = 10', Layout(ValueType.S16, -1, factor=(1, 1000))),
        ('type = "s16"\nscale = 0.01', Layout(ValueType.S16, 2)),
        ('type = "s16"\nscale = "-0.01"', Layout(ValueType.S16, 2, factor=(-1, 1))),
        ('type = "s16"\nscale = "1/60"', Layout(ValueType.S16, factor=(1, 60))),
        ('type = "s16"\nscale = 0.25', Layout(ValueType.S16, factor=(1, 4))),
        ('type = "f64"\nabsent = nan', Layout(ValueType.F64, off=NAN)),
        ('type = "s16"\ndecimals = 1\nabsent = 0x8000', Layout(ValueType.S16, 1, -0x8000)),
        ('type = "s16"\ndecimals = 1\nabsent = -1', Layout(ValueType.S16, 1, -1)),
    ],
)
def test_a_number_has_a_unit_a_scale_and_a_number_of_absence(keys: str, layout: Layout) -> None:
    found = one(f'area = "input"\naddress = 0\nitem = "active_power_kw"\n{keys}')
    assert found.layout == layout
    assert found.absent == (layout.off is not None)


def test_scales_are_exact() -> None:
    row = 'area = "input"\naddress = 0\ntype = "s32"\nitem = "active_power_kw"\nunit = "W"\n'
    assert one(row + "scale = 0.1").layout.scale == Fraction(1, 10_000)
    assert one(row + 'scale = "2.5"').layout.scale == Fraction(1, 400)


def test_sizes_follow_the_item_and_off_its_number() -> None:
    holding = 'area = "holding"\naddress = 0\n'
    assert one(f'{holding}type = "bcd"\nitem = "serial_number"').width == 3
    assert one(f'{holding}type = "ascii"\nitem = "serial_number"').width == 6
    assert one(f'{holding}type = "ascii"\nsize = 16\nitem = "serial_number"').width == 16
    coil = 'area = "coil"\naddress = 0\n'
    assert one(f'{coil}type = "bits"\nitem = "status"').width == 17
    assert one(f'{coil}type = "bits"\nitem = "supply_switch"').width == 1
    assert one(f'{coil}type = "bool"\nitem = "status"\nbit = "overload"').width == 1
    off = one(f'{holding}type = "u32"\ndecimals = 2\noff = 0xFFFF_FFFF\nitem = "max_credit"')
    assert off.layout.off == 0xFFFFFFFF


def test_an_instant_may_count_seconds() -> None:
    found = one('area = "input"\naddress = 0\ntype = "u32"\nunit = "s"\nitem = "clock"')
    assert found.layout.factor == (1000, 1)


def test_signs_and_counts_are_those_of_real_meters() -> None:
    row = 'area = "input"\naddress = 0\ntype = "u16"\n'
    assert one(f'{row}item = "current_l1_a"\ndecimals = 2\nmagnitude = true').magnitude
    assert one(f'{row}item = "purchase_count"\nwraps = true').layout.wraps
    found = one('area="input"\naddress=0\ntype="s16"\nitem="power_factor"\ndecimals=3\n'
                'sign_of = "active_power_kw"')  # fmt: skip
    assert found.sign_of is items.ACTIVE_POWER


def test_defaults_of_a_type_are_not_those_of_another() -> None:
    before = '[defaults]\narea = "holding"\ntype = "s16"\nabsent = 0x8000\ndecimals = 1'
    assert one('address = 0\nitem = "frequency_hz"', before).layout == Layout(
        ValueType.S16, 1, -0x8000
    )
    assert one('address = 0\ntype = "u32"\nitem = "frequency_hz"', before).layout == Layout(
        ValueType.U32
    )


def test_a_map_that_places_a_counter_kept_on_request_asks_for_it() -> None:
    row = '[[register]]\narea = "input"\naddress = 0\ntype = "f32"\nitem = "energy_import_l2_kwh"'
    assert a_map(row).asks_phase_energies


# ---- constants, zeros, scratch, gaps


@pytest.mark.parametrize(
    ("keys", "constant"),
    [
        ('type = "u16"\nvalue = 0x1234', Constant(Area.HOLDING, 5, b"\x12\x34")),
        ('type = "s16"\nvalue = 0x8000', Constant(Area.HOLDING, 5, b"\x80\0")),
        ('type = "s16"\nvalue = -2', Constant(Area.HOLDING, 5, b"\xff\xfe")),
        ('type = "f32"\nvalue = 1', Constant(Area.HOLDING, 5, b"\x3f\x80\0\0")),
        ('type = "f32"\nvalue = "nan"', Constant(Area.HOLDING, 5, b"\x7f\xc0\0\0")),
        ('type = "bool"\nvalue = true', Constant(Area.HOLDING, 5, b"\0\1")),
        ('type = "ascii"\nvalue = "Sun"', Constant(Area.HOLDING, 5, b"Sun\0")),
        ('type = "ascii"\nsize = 3\nvalue = "Sun"', Constant(Area.HOLDING, 5, b"Sun\0\0\0")),
        ('type = "bcd"\nvalue = "12345"', Constant(Area.HOLDING, 5, b"\0\1\x23\x45")),
        ('hex = "53 75 6E53"', Constant(Area.HOLDING, 5, b"SunS")),
        ('type = "u32"\nword_order = "low_first"\nvalue = 1',
         Constant(Area.HOLDING, 5, b"\0\1\0\0")),
    ],
)  # fmt: skip
def test_a_constant_is_a_number_a_text_or_bytes(keys: str, constant: Constant) -> None:
    found = a_map(f'[[constant]]\narea = "holding"\naddress = 5\n{keys}')
    assert found.constants == (constant,)


@pytest.mark.parametrize(
    ("keys", "constant"),
    [
        ('size = 22\nhex = "ACDB35"', Constant(Area.DISCRETE, 5, b"\xac\xdb\x35", 22)),
        ('hex = "AC"', Constant(Area.DISCRETE, 5, b"\xac", 8)),
        ('type = "bool"\nvalue = true', Constant(Area.DISCRETE, 5, b"\1", 1)),
        ('type = "bits"\nsize = 3\nvalue = 6', Constant(Area.DISCRETE, 5, b"\6", 3)),
    ],
)
def test_a_constant_of_bits_has_the_first_in_the_lowest_bit(keys: str, constant: Constant) -> None:
    found = a_map(f'[[constant]]\narea = "discrete"\naddress = 5\n{keys}')
    assert found.constants == (constant,)


def test_a_constant_may_be_the_unit_number_of_the_meter() -> None:
    body = '[[constant]]\narea = "holding"\naddress = 20\nvalue = "unit"\ntype = '
    orders = '\nword_order = "low_first"'
    assert a_map(f'{body}"f32"{orders}').constants == (
        Constant(
            Area.HOLDING,
            20,
            bytes.fromhex("00003f80"),
            unit_layout=Layout(ValueType.F32, word_order=Order.LOW_FIRST),
        ),
    )
    assert a_map(f'{body}"ascii"').constants == (Constant(Area.HOLDING, 20, b"unit"),)
    assert "'unit': allowed is a number of 1 bits" in mistake(
        '[[constant]]\narea = "coil"\naddress = 0\nvalue = "unit"\ntype = "bool"'
    )


def test_scratch_holds_numbers_bits_or_bytes() -> None:
    body = """\
[[scratch]]
area = "coil"
address = 0
size = 10
initial = [1, 0, 1, 1]
[[scratch]]
area = ["holding", "input"]
address = 8
size = 2
initial = "12345678"
[[scratch]]
area = "coil"
address = 20
size = 12
initial = "ff0f"
"""
    assert a_map(body).scratch == (
        Span(Area.COIL, 0, 10, b"\x0d"),
        Span(Area.REGISTERS, 8, 2, b"\x12\x34\x56\x78"),
        Span(Area.COIL, 20, 12, b"\xff\x0f"),
    )


def test_gaps_read_zero_between_the_first_and_the_last_address_of_each_area() -> None:
    body = """\
[requests]
gaps = "zero"
windows = 0x1400
[[register]]
area = ["input", "holding"]
address = 10
type = "u16"
item = "meter_type"
[[constant]]
area = "input"
address = 0x1800
type = "u16"
value = 1
[[register]]
area = "discrete"
address = 4
type = "bool"
item = "guarantee"
[[scratch]]
area = "discrete"
address = 9
size = 1
"""
    with pytest.raises(QuantityError, match="where nothing is written"):
        a_map(body)
    found = a_map(body.replace('"discrete"', '"coil"'))
    assert found.runs(Area.HOLDING) == (range(10, 11),)
    assert found.runs(Area.COIL) == (range(4, 10),)
    windows = found.windows
    assert windows is not None
    readable = found.runs(Area.INPUT)
    assert readable[0] == range(10, 0x1400)
    assert readable[-1] == range(windows.extents[-1].stop, 0x1801)
    assert not any(set(run) & set(extent) for run in readable for extent in windows.extents)


# ---- plain writes


def test_a_credit_and_a_control_are_written_where_the_file_says() -> None:
    found = a_map("""\
[credit]
address = 0x4E
count = { type = "u16", wraps = true }
amount = { type = "u32", decimals = 2 }
[control]
area = "holding"
address = 0x57
size = 2
interrupt = [0x0001_0001]
permit = [0, 1, 0x0001_0000]
""")
    count, amount = Layout(ValueType.U16, wraps=True), Layout(ValueType.U32, 2)
    assert found.credit == PlainCredit(0x4E, count, amount)
    values: Any = {0x10001: "interrupt", 0: "permit", 1: "permit", 0x10000: "permit"}
    assert found.control == ForceControl(Area.HOLDING, 0x57, values, 2)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('[credit]\naddress = 1\ncount = { type = "u16" }', "credit.amount: this key is missing"),
        (
            '[credit]\naddress = 1\ncount = { type = "f32" }\namount = { type = "u32" }',
            "credit: count and amount are whole numbers, not f32",
        ),
        ('[credit]\naddress = 1\ncount = 3\namount = { type = "u32" }', "3 is no table"),
        ('[control]\narea = "coil"\naddress = 1\npermit = [2]', "control.permit: 2 is above 1"),
        (
            '[control]\narea = "coil"\naddress = 1\npermit = [1]\ninterrupt = [1]',
            "control.permit: 1 is already interrupt",
        ),
        ('[control]\narea = "coil"\naddress = 1', "no number orders anything"),
        ('[control]\narea = "input"\naddress = 1\npermit = [1]', "allowed is holding, coil"),
    ],
)
def test_a_plain_write_that_cannot_be_is_a_mistake(body: str, told: str) -> None:
    assert told in "\n".join(mistakes(body))


# ---- mistakes


ROW = 'area = "input"\naddress = 0\ntype = "u16"\nitem = "meter_type"\n'


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (ROW.replace("meter_type", "voltage_l1"), "item: 'voltage_l1' is no item; did you mean"),
        (ROW.replace("meter_type", "Voltage L1"), "item: 'Voltage L1' is not the name of an item"),
        (ROW.replace('"u16"', '"u61"'), "type: 'u61' is not one of them; did you mean"),
        (ROW.replace('"u16"', '"float"'), "type: 'float' is not one of them; write f32"),
        (ROW.replace('"u16"', '"UINT16"'), "type: 'UINT16' is not one of them; write u16"),
        (ROW.replace('"u16"', '"U32"'), "type: 'U32' is not one of them; write u32"),
        (ROW.replace("address = 0", 'address = "0x10"'), "'0x10' is a text: write it without"),
        (ROW.replace('"input"', '"inputs"'), "area: 'inputs' is not one of them"),
        (ROW.replace('"input"', '["input", "coil"]'), "registers, or in coils"),
        (ROW.replace("address = 0", "address = 65536"), "address: 65536 is out of range"),
        (ROW.replace("address = 0", "address = true"), "address: true is no whole number"),
        (ROW.replace("address = 0", ""), "address: this key is missing"),
        (ROW.replace('type = "u16"', ""), "type: this key is missing; write it here or under"),
        (ROW.replace('area = "input"', ""), "area: this key is missing"),
        (ROW + 'addres = 3', "addres: there is no such key; did you mean address?"),
        (ROW + "decimals = 2", "meter_type: only fixed-point numbers have decimals"),
        (ROW + 'unit = "W"', "unit: W is no unit of meter_type; it has none"),
        (ROW + "size = 3", "size: a value of type u16 has 1 addresses"),
        (ROW + "values = { single_phase = 1 }", "values lacks three_phase"),
        (
            ROW.replace("meter_type", "trip_mode").replace("input", "holding")
            + "values = { two_stage = 7, direct = 8, delayed = 7 }\nwritable = true",
            "trip_mode: 7 stands for several words",
        ),
        (ROW + "writable = true", "only a setting is writable"),
        (ROW + "off = 70000", "register.off: 70000 is no u16; allowed is a number from 0 to 65535"),
        (ROW + "absent = 65536", "register.absent: 65536 is no u16; allowed is a number from 0"),
        (ROW + 'sign_of = "power"', "sign_of: 'power' is no item"),
        (ROW.replace("meter_type", "status"), "status needs 17 bits, and u16 has 16"),
        (ROW.replace("meter_type", "clock"), "clock needs 42 bits, and u16 has 16"),
        (ROW.replace("meter_type", "key_check_value"), "key_check_value needs 24 bits"),
        (ROW.replace("meter_type", "max_credit"), "max_credit: \"off\" needs a number"),
        (ROW.replace("meter_type", "serial_number"), "its value is 12 digits: the type is bcd"),
        (ROW.replace("u16", "ascii") + "size = 2", "meter_type: ascii holds digits only, such as"),
        (ROW.replace("u16", "bcd") + "size = 2", "meter_type: bcd holds digits and numbers only"),
        (
            ROW.replace("u16", "bcd").replace("meter_type", "max_credit") + "size = 1\noff = 10000",
            "register.off: 10000 is no bcd; allowed is a number from 0 to 9999",
        ),
        (
            ROW.replace("u16", "bcd").replace("meter_type", "energy_import_kwh"),
            "energy_import_kwh: bcd needs a size of at least 1",
        ),
        (
            ROW.replace("meter_type", "active_power_kw").replace("u16", "s16") + 'unit = "V"',
            "unit: V is no unit of active_power_kw; allowed are kW, W, mW, MW",
        ),
        (
            ROW.replace("meter_type", "frequency_hz") + 'decimals = 1\nscale = "0.1"',
            "scale: a number has decimals or a scale, not both",
        ),
        (ROW.replace("meter_type", "frequency_hz") + 'scale = "x"', "scale: 'x' is no number"),
        (ROW.replace("meter_type", "frequency_hz") + "scale = 0", "scale: a scale is not 0"),
        (ROW.replace("meter_type", "max_credit") + "off = 1\nabsent = 2", "both off and absent"),
        (ROW + 'absent = "nan"', 'register.absent: "nan" is no u16; allowed is a number from 0 to'),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_told_with_its_line(row: str, told: str) -> None:
    found = mistake(f"[[register]]\n{row}")
    assert told in found
    assert found.startswith("line ")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('type = "u16"\nvalue = 70000', "no u16 holds it"),
        ('type = "u16"\nvalue = 1.5', "a whole number is needed"),
        ('type = "u16"\nvalue = true', "true and false are of a bool"),
        ('type = "ascii"\nsize = 1\nvalue = "abc"', "it does not fit 1 registers"),
        ('type = "ascii"\nvalue = "é"', "ASCII characters"),
        ('type = "bcd"\nvalue = "1a"', "only digits"),
        ('type = "bits"\nvalue = 1', "no bits lies in this area"),
        ('type = "f32"\nvalue = "x"', "a number is needed"),
        ('type = "f32"\nvalue = 1e999999999', "a number is needed"),
        ('type = "f32"\nvalue = 1e39', "no f32 holds it"),
        ('hex = "123"', "an even number of hexadecimal digits"),
        ('hex = "12"', "1 bytes are not whole registers"),
        ('hex = "1234"\nsize = 2', "2 bytes are not 2 registers"),
        ('hex = "1234"\ntype = "u16"\nvalue = 1', "either value or hex"),
        ('type = "u16"', "either value or hex"),
    ],
)
def test_a_constant_that_cannot_be_is_told_with_its_line(row: str, told: str) -> None:
    found = mistake(f'[[constant]]\narea = "holding"\naddress = 0\n{row}')
    assert told in found
    assert found.startswith("line ")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[quirk]", "quirk: it is a list of tables: write [[quirk]], not [quirk]; allowed is"),
        ("[[requests]]", "requests: it is one table, which has single brackets, and no list"),
        ("quirk = [[{}], true]", "quirk: [[a table], true] is no list of tables; allowed is"),
        ("name = { text = 1 }", "name: a table is not a word of small letters"),
        ("name = 2026-11-30", "name: 2026-11-30 is not a word of small letters"),
        ("surprise = 1", "surprise: there is no such key; allowed are format, name"),
        ('[request]\ngaps = "zero"', "request: there is no such key; did you mean requests?"),
        ("[requests]\nfunctions = [3, 99]", "requests.functions: there is no function 99"),
        ("[requests]\nlargest_read = 126", "requests.largest_read: 126 is out of range"),
        ('[requests]\ngaps = "hole"', "requests.gaps: 'hole' is not one of them; allowed is zero"),
        ('[identification]\nvendor = "Ä"', "identification.vendor: 'Ä' is not 1 to 200"),
        ("[scratch]\nsize = 1", "scratch: it is a list of tables: write [[scratch]], not ["),
        ("[[scratch]]\narea = 'coil'\naddress = 0\nsize = 2\ninitial = [0, 1, 1]", "longer than 2"),
        ("[[scratch]]\narea = 'coil'\naddress = 0\nsize = 2\ninitial = [2]", "a bit is 0 or 1"),
        ("[[zeros]]\narea = 'coil'\naddress = 65535\nsize = 2", "ends after address 0xffff"),
        (
            "[requests]\nwindows = 100\n[[zeros]]\narea = 'input'\naddress = 0\nsize = 2000",
            "zeros lie over the windows at 0x0064",
        ),
        ("[[quirk]]\ntext = 'x'", "quirk.consumer: this key is missing"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_told_with_its_line(body: str, told: str) -> None:
    found = mistake(body)
    assert told in found
    assert found.startswith("line ")


def test_a_number_of_absence_that_the_default_type_lacks_is_told_once_where_it_is_written() -> None:
    rows = (f'[[register]]\naddress = {n}\nitem = "voltage_l{n}_v"\n' for n in (1, 2))
    told = mistake('[defaults]\narea = "input"\ntype = "s16"\nabsent = 65536\n' + "".join(rows))
    assert told == (
        f"line {FIRST + 3}: defaults.absent: 65536 is no s16; "
        "allowed is a number from -32768 to 32767"
    )


def test_every_mistake_is_told_at_once_in_the_order_of_lines() -> None:
    body = """\
[requests]
functions = [4]
largest_read = 1
[[register]]
area = "input"
address = 0
type = "u32"
item = "energy_import_kwh"
[[register]]
area = "input"
address = 1
type = "u32"
item = "energy_imports_kwh"
colour = "red"
[[register]]
area = "holding"
address = 1
type = "u16"
item = "trip_mode"
[[constant]]
area = "input"
address = 1
type = "u16"
value = 1
"""
    lines = mistakes(body)
    assert [line.split(": ")[:2] for line in lines] == [
        [f"line {FIRST + 1}", "requests.functions"],
        [f"line {FIRST + 3}", "register"],
        [f"line {FIRST + 12}", "register.item"],
        [f"line {FIRST + 13}", "register.colour"],
        [f"line {FIRST + 21}", "constant.address"],
    ]
    assert "3 is missing, which reads holding registers" in lines[0]
    assert f"line {FIRST + 14} has trip_mode" in lines[0]
    assert "energy_import_kwh has 2 registers, and the largest read 1" in lines[1]
    assert f"a constant and energy_import_kwh of line {FIRST + 3} overlap at 0x0001" in lines[4]


def test_each_of_several_values_that_one_covers_is_told() -> None:
    rows = [("u64", 0, "elapsed_ms"), ("u16", 1, "meter_type"), ("u16", 3, "key_version")]
    body = "".join(
        f'[[register]]\narea = "input"\naddress = {address}\ntype = "{kind}"\nitem = "{item}"\n'
        for kind, address, item in rows
    )
    told = mistakes(body)
    assert [line.split(": ")[2].split(" ")[0] for line in told] == ["meter_type", "key_version"]


def test_what_is_written_lies_apart() -> None:
    body = """\
[requests]
functions = [3]
[[register]]
area = "holding"
address = 10
type = "u16"
item = "trip_mode"
writable = true
[credit]
address = 9
count = { type = "u16" }
amount = { type = "u32", decimals = 2 }
[[scratch]]
area = "holding"
address = 11
size = 1
"""
    told = "\n".join(mistakes(body))
    assert "the credit and trip_mode of line" in told
    assert "scratch and the credit of line" in told
    assert "16 is missing, which writes the credit" in told
    assert "6 or 16 is missing, which writes holding registers" in told


def test_a_file_of_a_newer_format_is_refused_before_its_keys() -> None:
    with pytest.raises(QuantityError, match="written in format 2, and this build reads 1") as told:
        parse_map("format = 2\nsurprise = 1", "x")
    assert len(str(told.value).splitlines()) == 1


def test_a_text_that_is_no_toml_is_told_with_its_line() -> None:
    with pytest.raises(QuantityError, match="it is not TOML: line 4"):
        read("x = = 1")


def test_the_version_of_the_format_is_told_as_one_number() -> None:
    with pytest.raises(QuantityError, match=r"line 1: format: 0 is out of range; allowed is 1$"):
        parse_map(HEAD.replace("format = 1", "format = 0"), "x")


def test_an_empty_file_lacks_what_every_map_has() -> None:
    with pytest.raises(QuantityError) as raised:
        parse_map("", "x")
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == [
        "format",
        "title",
        "source",
    ]


# ---- warnings


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('address = 1\ntype = "u32"\nitem = "energy_import_kwh"\ndecimals = 2',
         "odd address 0x0001"),
        ('address = 0\ntype = "u16"\nitem = "voltage_l1_v"\ndecimals = 3', "up to 65.535 V only"),
        ('address = 0\ntype = "s16"\nitem = "active_power_l1_kw"\nunit = "W"\ndecimals = 1',
         "up to 3.276 kW only; then it stays there"),
        ('address = 0\ntype = "u16"\nitem = "energy_import_kwh"', "then it begins again at 0"),
        ('address = 0\ntype = "u16"\nitem = "active_power_kw"\ndecimals = 2', "has no sign"),
        ('address = 0\ntype = "u16"\nitem = "overdraft_limit"', "up to 65535.000 only"),
        ('address = 0\ntype = "u16"\nitem = "meter_type"\n'
         "values = { single_phase = 1, three_phase = 1 }",
         "values: 1 stands for single_phase and three_phase"),
        ('address = 0\ntype = "u16"\nitem = "meter_type"\noff = 9', "off: meter_type is never off"),
        ('address = 0\ntype = "f32"\nitem = "voltage_l2_v"\noff = "nan"', "lacks has `absent`"),
        ('address = 0\ntype = "f32"\nitem = "voltage_l1_v"\nabsent = 0', "is never absent"),
        ('address = 0\ntype = "u16"\nitem = "meter_type"\nword_order = "low_first"',
         "word_order: it changes nothing: the value is one register"),
    ],
)  # fmt: skip
def test_what_may_be_a_mistake_is_a_warning_with_its_line(row: str, told: str) -> None:
    (warning,) = read(f'[[register]]\narea = "input"\n{row}').warnings
    assert told in warning
    assert warning.startswith("line ")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('type = "u16"\nvalue = 1\nword_order = "low_first"', "word_order: it changes nothing"),
        ('hex = "12345678"\nbyte_order = "low_first"', "byte_order: it changes nothing: hex"),
        ('area = "coil"\ntype = "bool"\nvalue = true\nword_order = "low_first"', "bits have no"),
    ],
)
def test_an_order_that_a_constant_does_not_have_is_a_warning(row: str, told: str) -> None:
    area = "" if "area" in row else 'area = "input"\n'
    (warning,) = read(f"[[constant]]\naddress = 0\n{area}{row}").warnings
    assert told in warning


def test_an_identification_that_no_function_tells_is_a_warning() -> None:
    objects = '[identification]\nvendor = "A"\nmodel = "B"\nproduct_name = "C"\nserver_id = "D"'
    warnings = read(f"[requests]\nfunctions = [3]\n{objects}").warnings
    told = [warning.partition(": ")[2] for warning in warnings]
    assert told == [
        "identification.vendor: nothing tells it: requests.functions lacks 43",
        "identification.model: nothing tells it: requests.functions lacks 43",
        "identification.product_name: nothing tells it: requests.functions lacks 17 or 43",
        "identification.server_id: nothing tells it: requests.functions lacks 17",
    ]
    assert read(f"[requests]\nfunctions = [3, 17, 43]\n{objects}").warnings == ()


@pytest.mark.parametrize(
    "row",
    [
        'address = 0\ntype = "f32"\nitem = "voltage_l2_v"\nabsent = "nan"',
        'address = 0\ntype = "u32"\nitem = "max_credit"\ndecimals = 2\noff = 0',
        'address = 0\ntype = "u16"\nitem = "meter_type"\nbyte_order = "low_first"',
        'address = 0\ntype = "u16"\nitem = "current_l1_a"\ndecimals = 2\nmagnitude = true',
        'address = 0\ntype = "u16"\nitem = "voltage_l1_v"\ndecimals = 1',
        'address = 0\ntype = "f32"\nitem = "energy_import_kwh"',
        'address = 1\ntype = "u16"\nitem = "purchase_count"\nwraps = true',
    ],
)
def test_a_common_row_has_no_warning(row: str) -> None:
    assert read(f'[[register]]\narea = "input"\n{row}').warnings == ()


def test_windows_without_the_items_that_a_seal_needs_are_a_warning() -> None:
    rows = [
        f'''[[register]]
area = "holding"
address = {one.address}
item = "{one.item.name}"
type = "{one.layout.type.value}"
{f"size = {one.width}" if one.layout.type is ValueType.BCD else ""}'''
        for item in IDENTITY
        for one in NATIVE_MAP.best_registers[item][:1]
    ]
    windows = "[requests]\nwindows = 0x1400\n"

    def warnings(text: str) -> list[str]:
        return [told for told in read(text).warnings if "seals" in told]

    assert warnings(windows + "\n".join(rows)) == warnings("\n".join(rows[2:])) == []
    (warning,) = warnings(windows + "\n".join(rows[2:]))
    assert warning.startswith("line ")
    assert "a host seals nothing without serial_number, epoch, which the map does" in warning
