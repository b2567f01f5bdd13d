"""Words of `meter-sim map`: wrong ones are refused with those that are allowed."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import pytest

from firmware_sim.cli.map import ADDRESSES, FORMATS, app, map_check, map_new, map_show
from firmware_sim.programs.map_pages import PageFormat
from firmware_sim.programs.register_lists.addresses import Numbering
from protocols.command_line import Exit, command_of
from protocols.errors import QuantityError


def test_the_words_of_the_options_are_those_of_the_code() -> None:
    kinds: list[tuple[tuple[str, ...], type[Enum]]] = [
        (FORMATS, PageFormat),
        (ADDRESSES, Numbering),
    ]
    for words, kind in kinds:
        assert list(words) == [one.value for one in kind]


def test_wrong_words_are_refused_before_a_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    with pytest.raises(QuantityError, match="allowed are table, markdown, csv or json"):
        map_show("native", "xml")
    with pytest.raises(QuantityError, match="give --from-csv too"):
        map_new(file, None, "hex")
    with pytest.raises(QuantityError, match="allowed are decimal, hex, from-1 or reference"):
        map_new(file, "list.csv", "oct")
    assert not file.exists()


def test_a_mistake_in_one_of_several_maps_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("format = 1\n")
    with pytest.raises(Exit) as ended:
        map_check(["native", str(tmp_path / "bad.toml")], as_json=True)
    assert ended.value.exit_code == 2
    map_check(["native"])


def test_the_group_has_its_four_commands() -> None:
    assert set(command_of(app).commands) == {"check", "show", "list", "new"}
