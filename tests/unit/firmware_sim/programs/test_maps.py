"""`meter-sim map`: mistakes with their lines, four forms of one map, and files that are made."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.hosting.errors import HostingError
from firmware_sim.programs.map_pages import CSV_COLUMNS
from firmware_sim.programs.maps import (
    check_maps,
    list_made,
    list_maps,
    new_map,
    read_map,
    show_map,
)
from protocols.data_model.items import BY_NAME
from protocols.errors import QuantityError
from protocols.modbus.map_file import parse_map
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_parts import Register
from protocols.modbus.shipped_maps import names, shipped
from protocols.modbus.value_layout import Layout

HEAD = """format = 1
name = "mine"
title = "Mine"
source = [{ text = "a list", confidence = "documented" }]
"""
GOOD = HEAD + 'register = [{ address = 0, area = "input", type = "f32", item = "voltage_l1_v" }]\n'
CSV = "address,name,type,unit,function\n0,Voltage L1,UINT16,V,4\n"


def written(folder: Path, text: str, name: str = "mine.toml") -> str:
    """Write a file; return its path."""
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_right_map_is_told_with_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD)
    assert check_maps([path], as_json=False)
    assert capsys.readouterr().out == f"{path}: OK, 1 register (1 input) of 1 item\n"


def test_every_mistake_is_told_at_once_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HEAD + (
        'defaults = { area = "input", type = "u16" }\n'
        "register = [\n"
        '  { address = 0, item = "voltage_l1" },\n'
        '  { address = 1, item = "voltage_l2_v", typ = "u16" },\n'
        '  { address = 4, type = "u32", item = "energy_import_kwh" },\n'
        '  { address = 5, item = "voltage_l3_v" },\n'
        "]\n"
    )
    path = written(tmp_path, text)
    assert not check_maps([path], as_json=False)
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert [re.sub(r"^meter-sim: ", "", line).split(": ")[:2] for line in lines] == [
        [path, f"line {number}"] for number in (7, 8, 10)
    ]
    assert "did you mean voltage_l1_v" in lines[0]
    assert "did you mean type?" in lines[1]


EVERY_MISTAKE = """format = 1
title = "Bad"
source = [{ text = "x", confidence = "sure" }]
requests = { functions = [3, 6], largest_read = 2, windows = 0x1400, gap = "zero" }
register = [
  { address = 0, area = "holding", type = "u16", item = "voltage_l1" },
  { address = 2, area = "holding", type = "u32", item = "energy_import_kwh", decimals = 2 },
  { address = 3, area = "holding", type = "u16", item = "frequency_hz" },
  { address = 10, area = "holding", type = "u64", item = "energy_export_kwh" },
  { address = 20, area = "holding", type = "u16", item = "serial_number" },
  { address = 21, area = "coil", type = "u16", item = "voltage_l2_v" },
  { address = 22, area = "input", type = "u16", item = "voltage_l3_v" },
  { address = 0x1401, area = "holding", type = "u16", item = "voltage_mean_v" },
  { address = 31, area = "holding", type = "u16", item = "energy_total_kwh", unit = "V" },
]
"""
TOLD = (
    (3, "did you mean measured?"),
    (4, "did you mean gaps?"),
    (4, "4 is missing, which reads input registers; line 12 has voltage_l3_v"),
    (4, "16 is missing, which writes a window for sealed messages"),
    (6, "did you mean voltage_l1_v"),
    (8, "frequency_hz and energy_import_kwh of line 7 overlap at 0x0003"),
    (9, "energy_export_kwh has 4 registers, and the largest read 2"),
    (10, "serial_number: its value is 12 digits: the type is bcd or ascii"),
    (11, "voltage_l2_v: coils and discrete inputs hold bits"),
    (13, "voltage_mean_v and a window for sealed messages of line 4 overlap at 0x1401"),
    (14, "V is no unit of energy_total_kwh; allowed are kWh"),
)
"""Line -> a part of what is told of it."""


def test_every_kind_of_mistake_is_told_in_one_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not check_maps([written(tmp_path, EVERY_MISTAKE)], as_json=True)
    told = [
        (one["line"], one["message"]) for one in json.loads(capsys.readouterr().out)["mistakes"]
    ]
    assert [line for line, _ in told] == [line for line, _ in TOLD]
    for (_, message), (_, part) in zip(told, TOLD, strict=True):
        assert part in message


def test_warnings_are_separate_and_no_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("address = 0", "address = 1"))
    assert check_maps([path], as_json=False)
    told = capsys.readouterr()
    assert ": OK, " in told.out
    assert told.err.startswith(f"{path}: line 5: ")
    assert told.err.endswith(" (warning)\n")
    assert check_maps([path], as_json=True)
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert warning["line"] == 5


@pytest.mark.parametrize(
    ("row", "steps"),
    [
        ('type = "u16", item = "frequency_hz", scale = "100"', "100 Hz"),
        ('type = "s32", item = "active_power_kw", unit = "MW"', "1000 kW"),
        ('type = "u16", item = "power_factor", scale = 1000', "1000,"),
        ('type = "f32", item = "active_power_kw", unit = "MW"', ""),
        ('type = "s32", item = "active_power_kw"', ""),
        ('type = "u32", item = "energy_import_kwh", scale = 10', ""),
    ],
)
def test_steps_that_hide_the_values_are_a_warning(row: str, steps: str) -> None:
    file = parse_map(f'{HEAD}register = [{{ address = 0, area = "input", {row} }}]\n', "mine")
    told = [warning for warning in file.warnings if "has steps of" in warning]
    assert bool(told) == bool(steps)
    assert all(f"has steps of {steps}" in warning for warning in told)


def test_an_unsigned_power_is_warned_of_with_the_key_that_helps() -> None:
    row = 'address = 0, area = "input", type = "u32", item = "active_power_kw", unit = "W"'
    (told,) = parse_map(f"{HEAD}register = [{{ {row} }}]\n", "mine").warnings
    assert "0 where it is negative" in told
    assert "magnitude = true" in told


def test_several_files_are_checked_and_json_is_an_object_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = written(tmp_path, GOOD), written(tmp_path, "format = 0\n", "bad.toml")
    assert not check_maps([bad, good, "sdm999", str(tmp_path / "none.toml")], as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["ok"] for one in told] == [False, True, False, False]
    assert told[0]["mistakes"][0]["line"] == 1
    assert told[1] == {
        "file": good,
        "ok": True,
        "registers": 1,
        "items": 1,
        "mistakes": [],
        "warnings": [],
    }
    assert "no shipped map" in told[2]["mistakes"][0]["message"]
    assert "No such file" in told[3]["mistakes"][0]["message"]


@pytest.mark.parametrize("name", names())
def test_every_shipped_map_is_right_and_is_shown_in_every_form(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_maps([name], as_json=False)
    capsys.readouterr()
    for form in ("table", "markdown", "csv", "json"):
        show_map(name, form)
        shown = capsys.readouterr().out
        for register in shipped(name).register_map.registers:
            assert register.item.name in shown


def test_a_name_that_is_not_shipped_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(HostingError, match="did you mean native"):
        read_map("natve")
    with pytest.raises(HostingError, match=r"shipped are .*; the name of a file has a / or ends"):
        read_map("qqqqqq")


def test_a_file_without_a_slash_is_named_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, GOOD, "mine")
    with pytest.raises(HostingError, match=r"no shipped map 'mine'; write \./mine for the file"):
        read_map("mine")


def test_a_table_fits_the_columns_of_the_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    show_map("native", "table")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_csv_has_one_line_for_each_part_and_json_is_one_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_map("native", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    show_map("native", "json")
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == len(rows) > len(NATIVE_MAP.registers)
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert shown["sealed_windows"] is True


def test_the_list_names_each_shipped_map_with_its_sources(
    capsys: pytest.CaptureFixture[str],
) -> None:
    list_maps(as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in told] == list(names())
    assert all(one["sources"] and one["confidence"] for one in told)
    list_maps(as_json=False)
    shown = capsys.readouterr().out
    assert all(name in shown for name in names())


def test_a_new_map_is_right_and_so_is_each_of_its_comments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "My meter 2.toml"
    new_map(path, None, None)
    assert check_maps([str(path)], as_json=False)
    assert capsys.readouterr().err == ""
    text = path.read_text()
    assert 'name = "my-meter-2"' in text
    for found in re.findall(r"^  # ({ .* },)$", text, re.MULTILINE):
        parse_map(text.replace(f"  # {found}", f"  {found}"), "one more")
    shown = re.sub(r"^(requests = .*)$", r"", text, count=1, flags=re.MULTILINE)
    for block in re.findall(r"(?:^# +[\[{}\]\w].*\n)+", shown, re.MULTILINE):
        code = "".join(line.removeprefix("# ") for line in block.splitlines(True))
        if re.match(r"\w+ = ", code):
            parse_map(shown.replace(block, code), "one more")


@pytest.mark.parametrize("from_csv", [False, True])
def test_a_file_that_exists_is_never_overwritten(tmp_path: Path, from_csv: bool) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    with pytest.raises(HostingError, match="nothing was changed"):
        new_map(path, written(tmp_path, CSV, "a.csv") if from_csv else None, None)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["native", "sdm630", "./sdm630"])
def test_a_new_map_has_no_name_that_means_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HostingError, match=r"of a shipped map.*; write \w+\.toml$"):
        new_map(Path(name), None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("from_csv", [False, True])
def test_a_new_map_without_a_suffix_says_how_it_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    from_csv: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = written(tmp_path, CSV, "a.csv") if from_csv else None
    new_map(Path("p"), source, None)
    assert "`--map ./p` means this file" in capsys.readouterr().err
    assert "`meter-sim run --map ./p`" in Path("p").read_text()
    assert check_maps(["./p"], as_json=False)
    new_map(tmp_path / "p.toml", source, None)
    assert "means this file" not in capsys.readouterr().err


def test_a_map_of_a_register_list_is_right_and_says_how_it_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.toml"
    new_map(path, written(tmp_path, CSV + "9,Baud rate,UINT16,,3\n", "my list.csv"), None)
    told = capsys.readouterr()
    assert told.out == f"{path}: 1 register, 1 row as comments\n"
    assert "wire addresses, from 0" in told.err
    assert check_maps([str(path)], as_json=False)
    file = parse_map(path.read_text(), str(path))
    assert [register.item.name for register in file.register_map.registers] == ["voltage_l1_v"]
    assert file.sources[0].text == "register list my list.csv"


@pytest.mark.parametrize(
    "encoded", [CSV.encode("utf-8-sig"), CSV.encode("utf-16"), CSV.replace("\n", "\r\n").encode()]
)
def test_a_list_is_read_as_spreadsheets_save_it(tmp_path: Path, encoded: bytes) -> None:
    (tmp_path / "list.csv").write_bytes(encoded)
    new_map(tmp_path / "m.toml", str(tmp_path / "list.csv"), None)
    assert check_maps([str(tmp_path / "m.toml")], as_json=True)


def test_scales_that_divide_are_told_and_written_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path, "register,name,unit,factor\n0,Voltage L1,V,10\n", "list.csv")
    new_map(tmp_path / "m.toml", source, None)
    assert "divisors" in capsys.readouterr().err
    text = (tmp_path / "m.toml").read_text()
    assert "# Scales of the list: divisors" in text
    assert "decimals = 1" in text


def test_a_list_without_registers_writes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    for text in ("nothing\n", "address,name\n1,Baud rate\n", 'address,name\n1,"Ua\n'):
        with pytest.raises(HostingError, match=r"list\.csv: "):
            new_map(path, written(tmp_path, text, "list.csv"), None)
        assert not path.exists()


def test_a_map_that_is_shown_as_csv_can_be_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_map("native", "csv")
    source = written(tmp_path, capsys.readouterr().out, "native.csv")
    new_map(tmp_path / "again.toml", source, None)
    again = read_map(str(tmp_path / "again.toml")).register_map
    own = {(r.area, r.address, r.item.name, r.layout.scale) for r in NATIVE_MAP.registers}
    made = {(r.area, r.address, r.item.name, r.layout.scale) for r in again.registers}
    assert len(made) > len(own) // 2
    assert made <= own


@pytest.mark.parametrize("name", [name for name in names() if shipped(name).register_map.registers])
def test_registers_of_a_shipped_map_are_the_same_after_a_copy_by_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    show_map(name, "csv")
    source = written(tmp_path, capsys.readouterr().out, "copy.csv")
    new_map(tmp_path / "again.toml", source, None)
    made = read_map(str(tmp_path / "again.toml")).register_map
    assert set(map(_facts, made.registers)) == set(
        map(_facts, shipped(name).register_map.registers)
    )


def _facts(register: Register) -> tuple[object, ...]:
    """Return what a register holds and how, its scale as one number."""
    layout = register.layout
    return (
        register._replace(layout=Layout(layout.type)),
        layout.scale,
        layout.off,
        layout.word_order,
        layout.byte_order,
        layout.bit,
        layout.wraps,
        tuple(layout.values.items()),
    )


NAMES = ["Voltage L1", "Current L1", "Power", "Active energy", "表号", "Baud rate", *BY_NAME]
ROWS = st.tuples(
    st.integers(0, 0x10010).map(hex) | st.integers(0, 30).map(str) | st.just("40001"),
    st.sampled_from(NAMES),
    st.sampled_from(
        ["UINT16", "INT32", "float CDAB", "double", "STRING", "BCD", "bool", "U64", ""]
    ),
    st.sampled_from(["V", "kWh", "W", "GW", "%", "s", "0.01kWh", "", "x"]),
    st.sampled_from(["0.1", "10", "1/3", "1e-11", "", "SF"]),
    st.sampled_from(["1", "2", "3", "4", "3/4/16", "", "06", "99"]),
    st.sampled_from(["R", "R/W", "W", ""]),
    st.sampled_from(["1", "2", "16", "300", ""]),
)


@given(st.lists(ROWS, max_size=12))
def test_a_map_of_any_list_is_right_and_loses_no_row(rows: list[tuple[str, ...]]) -> None:
    head = ("address", "name", "type", "unit", "scale", "function", "access", "size")
    text = "\n".join(";".join(row) for row in (head, *rows))
    try:
        made = list_made("any", "any.csv", text, None)
    except QuantityError:
        return
    file = parse_map(made.text, "any")
    assert len(file.register_map.registers) == made.placed
    assert made.placed + made.left_out == len(rows)
    assert all(f"line {number}: " in made.text for number in range(2, len(rows) + 2))
