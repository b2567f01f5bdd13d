"""Register maps of meters: by flag, key and keyword; shipped ones by name, others by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.description.files import describe, describe_keys
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.maps import read_map
from firmware_sim.errors import HostingError
from firmware_sim.library.keywords import describe as described_by_call
from firmware_sim.meter_description import DEFAULT_START
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from tests.support.maps import map_text

FILES = "the name of a file has a / or ends in .toml"


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the maps one.toml and two.toml, from which a program is started."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(map_text(name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def name_of(register_map: RegisterMap | None) -> str:
    return "none" if register_map is None else register_map.name


def names(*maps: str, count: int = 3) -> list[str]:
    """Return the names of the maps of some meters, units 1 and on, under --map options."""
    described = describe(MeterFlags(count=count, maps=maps))
    return [name_of(one.description.register_map) for one in described]


def refusal(*maps: str, count: int = 3) -> list[str]:
    """Return the lines of the error of --map options."""
    with pytest.raises(HostingError) as raised:
        describe(MeterFlags(count=count, maps=maps))
    return str(raised.value).splitlines()


def test_a_bare_word_is_a_shipped_map_and_anything_else_a_file(maps: Path) -> None:
    assert read_map("native") == NATIVE_MAP
    assert read_map("one.toml").name == read_map("./one.toml").name == "one"
    (maps / "two").write_text(map_text("two"))
    assert read_map(f"{maps}/two").name == "two"


def test_a_map_without_a_unit_is_that_of_every_meter(maps: Path) -> None:
    assert names() == ["none"] * 3
    assert names("one.toml") == ["one"] * 3
    first, *others = describe(MeterFlags(count=3, maps=("one.toml",)))
    assert all(one.description.register_map is first.description.register_map for one in others), (
        "meters that have the same map share it"
    )


def test_a_map_with_a_unit_is_that_of_one_meter(maps: Path) -> None:
    assert names("one.toml@2") == ["none", "one", "none"]
    assert names("one.toml@2", "two.toml@3", "one.toml@1") == ["one", "one", "two"]
    (maps / "a@b.toml").write_text(map_text("named"))
    assert names("a@b.toml@1", count=1) == ["named"]


def test_two_maps_for_one_unit_are_refused(maps: Path) -> None:
    assert refusal("one.toml@2", "two.toml@2") == [
        "--map one.toml@2 and --map two.toml@2: two maps for unit 2; give one of them"
    ]
    for others in (("one.toml", "two.toml"), ("one.toml", "two.toml@2")):
        (told,) = refusal(*others)
        assert "--map one.toml is for every meter, so a unit would have two maps" in told


def test_every_mistake_of_the_maps_is_told_at_once(maps: Path) -> None:
    assert refusal("one.toml@9", "nativ@2", "gone.toml@3") == [
        "--map one.toml@9: no meter has unit 9; the meters have units 1 to 3",
        "--map nativ@2: there is no shipped map 'nativ'; did you mean native?; " + FILES,
        "map gone.toml: No such file or directory; nothing was changed",
    ]
    assert refusal("one.toml@2", count=1) == [
        "--map one.toml@2: no meter has unit 2; the meter has unit 1"
    ]
    assert refusal("nativ") == [
        "--map = 'nativ': there is no shipped map 'nativ'; did you mean native?; " + FILES
    ]


def test_a_map_file_with_mistakes_is_told_with_file_and_line(maps: Path) -> None:
    (maps / "one.toml").write_text(map_text("one").replace("energy_import_kwh", "energy_imprt_kwh"))
    for given in ("one.toml", "one.toml@1"):
        (told,) = refusal(given)
        assert told.startswith("map one.toml: line ")
        assert "energy_imprt_kwh" in told


def test_a_map_in_a_meters_file_is_found_beside_it(
    maps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (maps / "meter.toml").write_text('serial_number = "000000000007"\nmap = "one.toml"\n')
    monkeypatch.chdir("/")
    (described,) = describe(MeterFlags((str(maps / "meter.toml"),)))
    assert name_of(described.description.register_map) == "one"
    assert described.of_file == ("serial_number", "map")
    over = MeterFlags((str(maps / "meter.toml"),), maps=(str(maps / "two.toml"),))
    assert name_of(describe(over)[0].description.register_map) == "two"


def test_a_wrong_map_of_a_meters_file_is_told_with_its_line(maps: Path) -> None:
    (maps / "meter.toml").write_text('unit = 2\nmap = "nativ"\n')
    with pytest.raises(HostingError) as raised:
        describe(MeterFlags(("meter.toml",)))
    assert str(raised.value) == (
        "meter.toml: line 2: map = 'nativ': there is no shipped map 'nativ'; did you mean native?; "
        + FILES
    )


def test_keywords_take_a_map(maps: Path) -> None:
    assert name_of(describe_keys(None, {"map": "one.toml"}, DEFAULT_START).register_map) == "one"
    by_path = described_by_call(None, {"map": maps / "two.toml"})
    assert name_of(by_path.register_map) == "two"
    with pytest.raises(HostingError, match="map = 'nativ': there is no shipped map"):
        described_by_call(None, {"map": "nativ"})
