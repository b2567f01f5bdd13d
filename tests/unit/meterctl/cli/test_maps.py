"""Commands under --map: what the map has is read, nothing is sealed without windows, writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.assembly import rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.servers.line import Line
from meterctl.cli.common_options import hoist
from meterctl.cli.options import Options
from meterctl.cli.program import failed
from meterctl.cli.reading import STATUS
from meterctl.cli.values import item_names, map_names, writable_items
from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.table import MODBUS
from meterctl.errors import NotPermittedError, RefusedError, UsageError
from meterctl.named_maps import read_map
from protocols.command_line import Program
from protocols.data_model import items
from protocols.data_model.identity import IDENTITY
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section
from protocols.modbus.value_layout import NAN, Layout, ValueType
from tests.support.maps import SMALL_MAP, map_text
from tests.support.racks import tcp_server
from tests.support.wire import PipeTransport
from tests.unit.meterctl.cli.conftest import Printed
from tests.unit.meterctl.cli.test_values import line

WRITABLE = RegisterMap(
    "tried",
    (
        Section(
            "At the scratch of a native map",
            (
                Register(
                    Area.HOLDING,
                    0x2000,
                    items.LOW_CREDIT_1,
                    Layout(ValueType.U16, 2, off=0xFFFF),
                    writable=True,
                ),
                Register(
                    Area.HOLDING,
                    0x2002,
                    items.VOLTAGES[1],
                    Layout(ValueType.F32, off=NAN),
                    absent=True,
                ),
            ),
        ),
    ),
    scratch=(),
)
SERIAL = "000000000001"


class Desk:
    """A host at a meter, whose commands name a register map."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.journal, self._capsys = folder / "journal.sqlite", capsys
        self.map_name: str | None = "tried"
        rack = rack_of(MeterDescription(register_map=SMALL_MAP), 0)
        native = rack_of(MeterDescription(), 0)
        self.of_small = PipeTransport(Line(tcp_server(rack)), framed=True)
        self.of_native = PipeTransport(Line(tcp_server(native)), framed=True)
        self.transport = self.of_native

    def run(self, module: str, *words: str, as_json: bool = False, **how: bool) -> Printed:
        """Run a command of a module of `meterctl.cli`."""
        app = Program("Commands of a test.")
        app.callback()(lambda: None)
        import_module(f"meterctl.cli.{module}").add_to(app)
        given = Options(
            "tcp://127.0.0.1:9", MODBUS, 1, None, self.journal, 1000, as_json, False,
            how.get("yes", True), how.get("dry_run", False), False, self.map_name,
        )  # fmt: skip
        app(list(words), obj=given, standalone_mode=False)
        printed = self._capsys.readouterr()
        return Printed(printed.out, printed.err)


@pytest.fixture
def maps() -> dict[str, RegisterMap]:
    """The register maps of the desk by their names."""
    return {"tried": WRITABLE, "small": SMALL_MAP, "native": NATIVE_MAP}


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    maps: dict[str, RegisterMap],
) -> Desk:
    """A host at a meter with the native map, under the name `tried` of another."""
    made = Desk(tmp_path, capsys)
    monkeypatch.setattr("meterctl.named_maps.read_map", maps.__getitem__)
    monkeypatch.setattr("meterctl.cli.write.carrying_out", _without_signals)
    monkeypatch.setattr("meterctl.transports.wires.open_transport", lambda *_: made.transport)
    return made


class _without_signals:
    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A host at a meter with the small map."""
    desk.transport, desk.map_name = desk.of_small, "small"
    return desk


# ---- reading


def test_all_items_are_those_of_the_map(small: Desk) -> None:
    shown = json.loads(small.run("reading", "read", as_json=True).out)
    wanted = [item.name for item in items.ITEMS if any(r.item == item for r in SMALL_MAP.registers)]
    assert list(shown) == wanted
    assert shown["available_credit"] == 20.0
    assert shown["supply_switch"] == "closed"


def test_an_item_that_the_map_lacks_is_refused(small: Desk) -> None:
    with pytest.raises(UsageError, match="map small has no frequency_hz; nothing was sent"):
        small.run("reading", "read", "frequency_hz")
    assert small.transport.exchanges == 0


def test_the_status_is_what_the_map_has_of_it_and_the_rest_is_named(small: Desk) -> None:
    shown = small.run("reading", "status", as_json=True)
    values = json.loads(shown.out)
    assert list(values) == [item.name for item in STATUS]
    assert values["serial_number"] == SERIAL
    assert values["clock"] is None
    assert values["available_credit"] == 20.0
    assert "map small has 5 of the 19 items of the status, and no clock, supply_state" in shown.err
    table = small.run("reading", "status").out
    assert "available_credit" in table
    assert "supply_state" not in table


def test_a_map_without_any_of_the_status_says_so(desk: Desk) -> None:
    with pytest.raises(UsageError, match="map tried has nothing of the status; `meterctl read`"):
        desk.run("reading", "status")
    assert desk.transport.exchanges == 0


def test_a_map_without_items_has_nothing_to_read(desk: Desk, maps: dict[str, RegisterMap]) -> None:
    maps["tried"] = RegisterMap("tried", ())
    with pytest.raises(UsageError, match="map tried has no item that can be read; nothing was se"):
        desk.run("reading", "read")


def test_a_value_that_the_meter_lacks_is_a_dash_and_null(desk: Desk) -> None:
    desk.map_name = "native"
    desk.run("write", "write", "--register", "0x2002=0x7fc0,0")
    desk.map_name = "tried"
    name = items.VOLTAGES[1].name
    assert desk.run("reading", "read", name, as_json=True).out == f'{{"{name}": null}}\n'
    assert re.search(rf"{name}\W+ - ", desk.run("reading", "read", name).out)


@pytest.mark.parametrize("words", ["0x7fc0,0", "0x7f80,0", "0xff80,0"])
def test_a_value_that_is_no_number_is_a_dash_and_null_beside_the_others(
    desk: Desk, maps: dict[str, Any], words: str
) -> None:
    floats = Layout(ValueType.F32)
    registers = (
        Register(Area.HOLDING, 0x2000, items.VOLTAGES[0], floats),
        Register(Area.HOLDING, 0x2002, items.VOLTAGES[1], floats),
        Register(Area.HOLDING, 0x2004, items.POWER_LIMIT, Layout(ValueType.F32, off=0)),
        Register(Area.HOLDING, 0x2006, items.UTC_OFFSET, floats),
        Register(Area.HOLDING, 0x2008, items.CLOCK, floats),
    )
    desk.map_name = "native"
    desk.run("write", "write", "--register", f"0x2000=0x4366,0x8000,{','.join([words] * 4)}")
    desk.map_name = "tried"
    maps["tried"] = RegisterMap("tried", (Section("All", registers),))
    shown = desk.run("reading", "read", as_json=True)
    assert json.loads(shown.out) == {
        "clock": None,
        "utc_offset_minutes": None,
        "voltage_l1_v": 230.5,
        "voltage_l2_v": None,
        "power_limit_kw": None,
    }
    assert "the meter has no finite number (NaN or infinity) for clock, power_limit_kw" in shown.err
    table = desk.run("reading", "read").out
    assert all(re.search(rf"{one.item.name}\W+ - ", table) for one in registers[1:]), (
        "none of them is off"
    )
    assert "230.5" in table
    alone = desk.run("reading", "read", "voltage_l1_v", as_json=True)
    assert json.loads(alone.out) == {"voltage_l1_v": 230.5}


def test_a_clock_without_an_offset_is_shown_in_utc(desk: Desk, maps: dict[str, Any]) -> None:
    place = next(one for one in NATIVE_MAP.registers if one.item is items.CLOCK)
    maps["tried"] = RegisterMap("tried", (Section("All", (place,)),))
    shown = json.loads(desk.run("clock", "clock", "show", as_json=True).out)
    assert shown["clock"] == "2026-01-01T00:00:00.000Z"
    assert shown["utc_offset_minutes"] is shown["elapsed_ms"] is None


@pytest.mark.parametrize("words", [("purchases",), ("events",)])
def test_tables_that_the_map_lacks_are_refused(small: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"map small has no .*; nothing was sent"):
        small.run("records", *words)
    assert small.transport.exchanges == 0


def test_tables_are_read_under_a_map_that_has_them(desk: Desk) -> None:
    desk.map_name = "native"
    desk.run("account", "topup", "5.00")
    (bought,) = desk.run("records", "purchases", as_json=True).out.splitlines()
    assert json.loads(bought)["amount"] == 5.0


# ---- the items of a map


def test_the_items_of_a_map_have_their_area_address_and_type(small: Desk) -> None:
    shown = [
        json.loads(each) for each in small.run("item_list", "items", as_json=True).out.splitlines()
    ]
    by_name = {each["name"]: each for each in shown}
    assert len(shown) == len(SMALL_MAP.registers)
    credit = by_name["available_credit"]
    assert (credit["areas"], credit["address"], credit["type"]) == (["input"], 40, "s32")
    assert by_name["tamper_trip"]["areas"] == ["coil"]
    assert by_name["energy_import_kwh"]["unit"] == "kWh"
    table = small.run("item_list", "items").out
    assert "03E8" in table
    assert "frequency_hz" not in table


def test_the_items_without_a_map_are_as_ever(desk: Desk) -> None:
    desk.map_name = None
    shown = [
        json.loads(each) for each in desk.run("item_list", "items", as_json=True).out.splitlines()
    ]
    assert [each["name"] for each in shown] == [item.name for item in items.ITEMS]
    assert "address" not in shown[0]


# ---- what is sealed


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("account", ("topup", "50.00")),
        ("account", ("account", "open")),
        ("account", ("account", "refund", "1.00")),
        ("account", ("account", "debt", "1.00")),
        ("account", ("account", "close")),
        ("supply", ("switch", "interrupt")),
        ("supply", ("switch", "permit")),
        ("supply", ("switch", "restore")),
        ("supply", ("guarantee", "on")),
        ("supply", ("moratorium", "until", "2027-01-01")),
        ("supply", ("moratorium", "off")),
        ("supply", ("tamper", "clear")),
        ("limits", ("limits", "set", "trip_mode=direct")),
        ("clock", ("clock", "set")),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_no_command_seals_over_a_map_without_windows(
    small: Desk, module: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as raised:
        small.run(module, *words)
    assert str(raised.value) == (
        "map small has no windows for sealed messages, which this command needs; nothing was "
        "sealed or sent. Leave out --map for a meter with the native map, or name a map file with "
        "`windows` and the items that docs/maps.md lists beside it"
    )
    assert small.transport.exchanges == 0
    assert not small.journal.exists(), "nothing was journalled"


def test_no_command_seals_over_a_map_that_lacks_an_item_that_a_seal_needs(
    desk: Desk, maps: dict[str, RegisterMap]
) -> None:
    lacking = {items.EPOCH, items.STATUS}
    held = tuple(one for one in NATIVE_MAP.registers if one.item not in lacking)
    maps["tried"] = replace(NATIVE_MAP, name="tried", sections=(Section("All", held),))
    for module, words in (("account", ("topup", "5.00")), ("supply", ("switch", "permit"))):
        with pytest.raises(UsageError) as raised:
            desk.run(module, *words)
        assert str(raised.value).startswith("map tried has no epoch, status, which this command")
    assert desk.transport.exchanges == 0
    assert not desk.journal.exists(), "nothing was journalled"


def test_windows_and_the_items_of_the_identity_are_enough_to_seal(
    desk: Desk, maps: dict[str, RegisterMap]
) -> None:
    held = tuple(one for one in NATIVE_MAP.registers if one.item in IDENTITY)
    maps["tried"] = RegisterMap("tried", (Section("All", held),), windows=NATIVE_MAP.windows)
    done = json.loads(desk.run("account", "topup", "5.00", as_json=True).out)
    assert (done["result"], done["credit_after"]) == ("done", 25.0)
    desk.run("supply", "switch", "interrupt")
    done = json.loads(desk.run("supply", "switch", "permit", as_json=True).out)
    assert done["result"] == "done"


def test_a_map_with_windows_seals(desk: Desk, maps: dict[str, RegisterMap]) -> None:
    maps["tried"] = replace(NATIVE_MAP, name="tried")
    done = json.loads(desk.run("account", "topup", "5.00", as_json=True).out)
    assert (done["result"], done["credit_after"]) == ("done", 25.0)


# ---- writes


def test_a_written_setting_is_read_back(desk: Desk) -> None:
    done = json.loads(desk.run("write", "write", "low_credit_threshold_1=7.5", as_json=True).out)
    assert done["low_credit_threshold_1"] == 7.5
    assert (done["result"], done["exit_code"]) == ("done", 0)
    assert done["serial_number"] is done["outcome"] is None
    table = desk.run("write", "write", "low_credit_threshold_1=off").out
    assert _cells(table)[-1] == ["low_credit_threshold_1", "7.50", "off"]


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    shown = desk.run("write", "write", "low_credit_threshold_1=7.5", dry_run=True)
    assert "nothing is sent or written: port tcp://127.0.0.1:9 unit 1: write" in shown.err
    assert json.loads(desk.run("reading", "read", as_json=True).out)["low_credit_threshold_1"] == 0


def test_a_write_is_confirmed_first(desk: Desk) -> None:
    with pytest.raises(UsageError, match="give --yes, there is no terminal to ask on"):
        desk.run("write", "write", "low_credit_threshold_1=7.5", yes=False)


def test_an_exception_of_the_meter_is_named(desk: Desk, maps: dict[str, RegisterMap]) -> None:
    (section,) = WRITABLE.sections
    place = section.registers[0]._replace(address=32)
    maps["tried"] = RegisterMap("tried", (Section("All", (place,)),))
    with pytest.raises(RefusedError, match=r"low_credit_threshold_1: .* Modbus exception 02"):
        desk.run("write", "write", "low_credit_threshold_1=7.5")


def test_scratch_is_written_under_the_native_map_of_the_named_meter(desk: Desk) -> None:
    desk.map_name = None
    words = ("write", "--register", "0x2000=1,2", "--coil", "3=1", "--meter", SERIAL)
    done = json.loads(desk.run("write", *words, as_json=True).out)
    assert (done["register 2000"], done["coil 0003"]) == ([1, 2], [1])
    assert done["serial_number"] == SERIAL
    with pytest.raises(
        NotPermittedError, match=f"meter {SERIAL} answers on this port, --meter na"
    ) as raised:
        desk.run("write", "write", "--register", "0x2000=1", "--meter", "000000000002")
    assert raised.value.fields == {"written": [], "not_sent": ["register 2000"]}


def test_a_meter_is_named_only_where_the_map_shows_its_number(desk: Desk) -> None:
    with pytest.raises(UsageError, match="map tried has no serial_number to compare"):
        desk.run("write", "write", "low_credit_threshold_1=1", "--meter", SERIAL)


def test_a_result_and_an_error_list_what_was_written(desk: Desk) -> None:
    desk.map_name = None
    words = ("write", "--register", "0x2000=1,2", "--coil", "3=1")
    done = json.loads(desk.run("write", *words, as_json=True).out)
    assert (done["written"], done["not_sent"]) == (["register 2000", "coil 0003"], [])

    def lost(_: int, direction: str, data: bytes) -> bytes:
        return b"" if data[7] == Function.WRITE_MULTIPLE_REGISTERS else data

    desk.transport.fault = lost
    with pytest.raises(RefusedError) as raised:
        desk.run("write", *words[:2], "0x2000=3", *words[3:])
    assert raised.value.serial_number == SERIAL
    assert raised.value.fields == {"written": [], "not_sent": ["coil 0003"]}


def test_the_object_of_a_failed_command_has_the_lists_of_its_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = RefusedError("no", serial_number=SERIAL, fields={"written": ["a"], "not_sent": []})
    assert failed("meterctl: no", 3, True, error) == 3
    shown = json.loads(capsys.readouterr().out)
    assert (shown["written"], shown["not_sent"]) == (["a"], [])
    assert (shown["serial_number"], shown["exit_code"], shown["message"]) == (SERIAL, 3, "no")


def test_an_exception_after_which_the_value_is_read_back_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried_out = ModbusDriver.write_once

    def failing(driver: ModbusDriver, *given: Any) -> None:
        carried_out(driver, *given)
        raise RefusedError("Modbus exception 04; nothing was changed")

    monkeypatch.setattr(ModbusDriver, "write_once", failing)
    printed = desk.run("write", "write", "low_credit_threshold_1=7.5", as_json=True)
    told = "low_credit_threshold_1: Modbus exception 04; 7.50 is read back"
    assert (printed.err, json.loads(printed.out)["message"]) == (f"meterctl: {told}\n", told)


def test_overlapping_scratch_is_refused_before_anything_is_sent(desk: Desk) -> None:
    desk.map_name = None
    with pytest.raises(UsageError, match="register 2001 overlaps the 2 from register 2000 on"):
        desk.run("write", "write", "--register", "0x2000=1,2", "--register", "0x2001=3")
    assert desk.transport.exchanges == 0


def test_settings_are_written_before_registers_and_coils(desk: Desk) -> None:
    desk.map_name = None
    words = ("--coil", "3=1", "--register", "0x2001=2", "--register", "0x2000=1")
    done = json.loads(desk.run("write", "write", *words, as_json=True).out)
    assert done["written"] == ["register 2001", "register 2000", "coil 0003"]


def test_nothing_to_write_is_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="nothing to write: give ITEM=VALUE, --register or --coil"):
        desk.run("write", "write")


def _cells(table: str) -> list[list[str]]:
    """Return the rows of a table that is printed, each as its words."""
    return [words for row in table.splitlines() if (words := re.findall(r"[\w.]+", row))]


# ---- names of maps


def test_a_map_is_a_shipped_name_or_a_file(tmp_path: Path) -> None:
    assert read_map("native") == NATIVE_MAP
    path = tmp_path / "mine.toml"
    path.write_text(map_text("mine"))
    assert read_map(str(path)).name == "mine"


def test_wrong_maps_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_map("nativ")
    assert str(raised.value) == (
        "--map nativ: there is no shipped map 'nativ'; did you mean native?; "
        "the name of a file has a / or ends in .toml; nothing was sent"
    )
    gone = tmp_path / "gone.toml"
    with pytest.raises(UsageError) as raised:
        read_map(str(gone))
    assert str(raised.value) == f"map {gone}: No such file or directory; nothing was sent"
    gone.write_text(map_text("one").replace("address = 72", "adress = 72"))
    with pytest.raises(UsageError) as raised:
        read_map(str(gone))
    assert str(raised.value).startswith(f"map {gone}: line ")


def test_the_option_is_accepted_behind_a_command() -> None:
    assert hoist(["read", "--map", "sdm630", "voltage_l1_v"]) == (
        ["--map", "sdm630", "read", "voltage_l1_v"],
        "read",
    )


def test_names_of_maps_and_their_items_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "native" in map_names()
    path = tmp_path / "mine.toml"
    path.write_text(map_text("mine"))
    names = [name for name, _ in item_names(line(map_name=str(path)))]
    assert names == ["energy_import_kwh", "available_credit"]
    assert item_names(line(map_name=f"{path}.gone")) == item_names(line())
    read: Callable[[str], RegisterMap] = lambda _: WRITABLE  # noqa: E731
    monkeypatch.setattr("meterctl.named_maps.read_map", read)
    found = [word for word, _ in writable_items(line(map_name="tried"), "")]
    assert found == ["low_credit_threshold_1=", "low_credit_threshold_1=off"]
