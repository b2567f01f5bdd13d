"""The maps that come with the package are found by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from protocols.errors import QuantityError
from protocols.modbus.map_file import parse_map
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.shipped_maps import NATIVE, names, shipped, source_of


def test_the_native_map_is_one_of_them_and_the_first() -> None:
    assert names()[0] == NATIVE == "native"
    assert shipped("native").register_map is NATIVE_MAP


@pytest.mark.parametrize("name", [name for name in names() if name != NATIVE])
def test_each_file_is_a_map_of_its_own_name(name: str) -> None:
    found = shipped(name)
    assert found.register_map.name == name
    assert found.sources
    assert found == parse_map(source_of(name), "of the caller")
    assert shipped(name) is found


def test_an_unknown_name_names_the_maps() -> None:
    with pytest.raises(QuantityError, match="no shipped map 'nativ'; did you mean native"):
        shipped("nativ")
    with pytest.raises(QuantityError, match=r"there is no shipped map '\.\./native'"):
        shipped("../native")


def test_a_program_that_reads_no_map_file_imports_nothing_for_it() -> None:
    code = "import sys, protocols.modbus.shipped_maps; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    unwanted = {"protocols.modbus.map_file", "tomllib", "importlib.resources", "fractions"}
    assert not loaded & unwanted
