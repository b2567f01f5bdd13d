"""docs/maps.md as its reader takes it: a list becomes a map, and a meter shows its values there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_sim.assembly import rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.programs.maps import check_maps, new_map, read_map
from firmware_sim.readings import GETTERS
from protocols.data_model import items
from protocols.modbus.map_keys import TABLES
from protocols.quantities import HOUR
from tests.support.racks import tcp_server

PAGE = (Path(__file__).parents[3] / "docs" / "maps.md").read_text()


def block(language: str) -> str:
    """Return the first block of a language of the page."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the map file that the page makes of its list."""
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text(block("csv"))
    new_map(Path("shop.toml"), "shop.csv", None)
    return Path("shop.toml")


def test_the_list_of_the_page_becomes_the_map_of_the_page(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shop.read_text() == block("toml")
    capsys.readouterr()
    assert check_maps(["shop.toml"], as_json=False)
    assert f"\n{capsys.readouterr().out}$ meter-sim run " in PAGE


def test_a_meter_with_the_map_of_the_page_shows_its_values_there(shop: Path) -> None:
    description = MeterDescription(
        register_map=read_map("./shop.toml").register_map, load=Load.constant((2_000_000,))
    )
    rack = rack_of(description, 0)
    meter = rack.stations[0].meter
    meter.advance(3 * HOUR)
    server = tcp_server(rack)
    reply = server.receive(b"\0\1\0\0\0\6\1\4\0\0\0\x08", 0)
    assert reply[6:9] == b"\1\4\x10"
    numbers = [int.from_bytes(reply[at : at + 2], "big") for at in range(9, 25, 2)]
    assert numbers[0] == 2300 == GETTERS[items.VOLTAGES[0]](meter) // 100
    assert numbers[1] == GETTERS[items.CURRENTS[0]](meter) // 10
    assert numbers[2] << 16 | numbers[3] == 2_000
    assert numbers[4:6] == [5_000, 0]
    assert numbers[6] << 16 | numbers[7] == 600
    beyond = server.receive(b"\0\2\0\0\0\6\1\4\0\x08\0\1", 0)
    assert beyond[7:9] == b"\x84\2"


def test_the_page_names_every_key_of_every_table() -> None:
    for table in TABLES:
        section = PAGE.partition(f"\n### {table.name or 'Keys of the file'}\n")[2]
        rows = section.partition("\n### ")[0]
        for key in table.keys:
            assert f"\n| `{key.name}` |" in rows
