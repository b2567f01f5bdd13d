"""The table of keys: every attribute has a key, every default is written as its kind reads it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from operator import attrgetter

import pytest

from firmware_sim.description.example import default_text, example
from firmware_sim.description.files import describe_keys
from firmware_sim.description.keys import FILE_READERS, FLAGS, KEYS, Key
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.settings import Settings
from protocols.data_model.kinds import Choice, Flags
from protocols.toml_text import parse_toml
from protocols.toml_values import ConfigurationError, TableOrFile, reader_of

MADE = {"settings", "tariff", "load", "keys", "keys_of", "transitions", "register_map"}
"""Attributes that are made of several keys, or of files."""
SET = [key for key in KEYS if key.attribute]


def test_every_attribute_of_a_description_and_every_setting_has_one_key() -> None:
    attributes = [key.attribute for key in SET]
    meter = {field.name for field in fields(MeterDescription)} - MADE
    settings = {f"settings.{field.name}" for field in fields(Settings)}
    assert sorted(attributes) == sorted(meter | settings)
    assert len({key.name for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize("key", SET, ids=lambda key: key.name)
def test_a_default_is_read_as_it_is_written(key: Key) -> None:
    assert not isinstance(key.kind, TableOrFile)
    text = key.kind.text(key.default)
    assert reader_of(key.kind)(key.name, text) == key.default
    assert key.default == attrgetter(key.attribute)(MeterDescription())


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_every_flag_is_an_option_of_the_commands_that_describe_a_meter(command: str) -> None:
    from firmware_sim.cli import program

    parameters = inspect.signature(getattr(program, command)).parameters
    assert [key.name for key in FLAGS if key.name not in parameters] == []
    assert "flags" not in parameters


def test_the_example_names_every_key_of_a_file() -> None:
    lines = example().splitlines()
    for name in FILE_READERS:
        begins = (f"{name} = ", f"# {name} = ", f"[{name}]")
        assert sum(line.startswith(begins) for line in lines) == 1, name


def test_the_example_with_every_default_is_a_meter() -> None:
    text = example()
    for key in KEYS:
        if key.name != "time_zone":  # in the place of utc_offset_minutes
            text = text.replace(f"\n# {key.name} = ", f"\n{key.name} = ")
    assert "\n# epoch" not in text
    meter = describe_keys(None, parse_toml(text), 0)
    assert (meter.start, meter.epoch, meter.drift_ppm) == (DEFAULT_START, 1, 0)


def test_a_key_of_the_example_has_its_default_or_names_it() -> None:
    for key in KEYS:
        line = next(
            (line for line in example().splitlines() if line.startswith(f"{key.name} = ")), ""
        )
        if line:
            assert default_text(key) in line, key.name


def test_flags_are_read_without_pydantic_and_without_toml() -> None:
    code = (
        "import sys; from firmware_sim.description.files import describe_keys;"
        "describe_keys(None, {'unit': 3, 'load': '2kW'}, 0);"
        "assert not {'pydantic', 'tomllib', 'zoneinfo'} & {*sys.modules}"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


WITH_WORDS = [key for key in KEYS if isinstance(key.kind, Choice | Flags)]


@pytest.mark.parametrize("key", WITH_WORDS, ids=lambda key: key.name)
def test_the_words_that_a_key_allows_are_told_once(key: Key) -> None:
    assert isinstance(key.kind, Choice | Flags)
    with pytest.raises(ConfigurationError) as caught:
        reader_of(key.kind)(key.name, "nonsense")
    told = str(caught.value).replace(",", " ").replace(")", " ").split()
    assert [told.count(word) for word in key.kind.words] == [1] * len(key.kind.words)
