"""Names of register maps: shipped ones, files, and the unit behind an @."""

from __future__ import annotations

import subprocess
import sys

import pytest

from protocols.errors import QuantityError
from protocols.modbus.named_maps import (
    NATIVE,
    at_unit,
    map_of_text,
    names_file,
    shipped_map,
    shipped_names,
)
from protocols.modbus.native_map import NATIVE_MAP
from tests.support.maps import map_text


@pytest.mark.parametrize(
    ("named", "is_file"),
    [("sdm630", False), ("mine.toml", True), ("MINE.TOML", True), ("./mine", True), ("a/b", True)],
)
def test_anything_with_a_slash_or_the_ending_is_a_file(named: str, is_file: bool) -> None:
    assert names_file(named) == is_file


@pytest.mark.parametrize(
    ("text", "named", "unit"),
    [
        ("sdm630", "sdm630", None),
        ("sdm630@2", "sdm630", 2),
        ("a/b@c.toml", "a/b@c.toml", None),
        ("a/b@c.toml@247", "a/b@c.toml", 247),
        ("sdm630@1234", "sdm630@1234", None),
        ("a@1@2", "a@1", 2),
    ],
)
def test_the_unit_is_behind_the_last_sign_before_one_to_three_digits(
    text: str, named: str, unit: int | None
) -> None:
    assert at_unit(text) == (named, unit)


def test_the_native_map_is_shipped_under_its_name() -> None:
    assert NATIVE_MAP.name == NATIVE
    assert NATIVE in shipped_names()
    assert shipped_map(NATIVE) is NATIVE_MAP
    with pytest.raises(QuantityError, match=r"no shipped map 'nativ'; .* ends in .toml"):
        shipped_map("nativ")


def test_a_map_without_a_name_has_that_of_its_file() -> None:
    assert map_of_text("maps/mine.toml", map_text("own")).name == "own"
    nameless = map_text("own").replace('name = "own"\n', "")
    assert map_of_text("maps/mine.toml", nameless).name == "mine"


def test_every_mistake_of_a_file_begins_with_its_path() -> None:
    wrong = map_text("own").replace('"s32"', '"s33"').replace("address = 72", "address = -1")
    with pytest.raises(QuantityError) as raised:
        map_of_text("maps/mine.toml", wrong)
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("map maps/mine.toml: line ") for line in lines)


def test_a_start_that_names_no_map_imports_no_map_file() -> None:
    code = (
        "import sys; from firmware_sim.description.files import describe_keys;"
        "from meterctl.cli import program, reading, write;"
        "describe_keys(None, {}, 0);"
        "sys.exit(any('modbus.map_' in each or 'shipped' in each for each in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
